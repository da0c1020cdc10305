"""The team lead's page: figures by hand, words that follow from them, hostile text shut in."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from handoff_eval.cli.main import main
from handoff_eval.conversation import Label, Reason
from handoff_eval.decision import Decision
from handoff_eval.encoders.hashing import HashingEncoder
from handoff_eval.errors import DataError
from handoff_eval.evaluation.audit.estimate import estimate_recall
from handoff_eval.evaluation.audit.plan import AuditPlan, make_plan
from handoff_eval.evaluation.decision_log import read_decision_log
from handoff_eval.handoff import Budget, Handoff
from handoff_eval.hours import BusinessHours
from handoff_eval.mail.dispatch import queue_emails
from handoff_eval.mail.outbox import open_outbox
from handoff_eval.production.feedback.logged import Logged, read_logged
from handoff_eval.production.feedback.reviews import Reviews, read_reviews, with_reviews
from handoff_eval.production.volume.advice import sentences, this_week, title
from handoff_eval.production.volume.figures import Volume, count_volume
from handoff_eval.production.volume.page import render_volume
from handoff_eval.production.volume.waiting import find_waiting
from handoff_eval.transcripts.label_store import save_labels
from tests.logs import NOW, START, write_log

UTC_ZONE = ZoneInfo("UTC")
HANDOFF = Handoff("support", ("team@example.com",), budget=Budget(2, 0.8, 10, prevalence=0.1))
NEEDED = [
    Label(f"c-{day}-0", True, reasons=(Reason.HUMAN_REVIEW,), annotator="ana") for day in range(7)
]
NEEDLESS = [
    Label(f"c-{day}-{number}", False, annotator="ben", note=f"Where parcels <b>are</b> {number}")
    for day in range(4)
    for number in (1, 2)
]
LABELS = [*NEEDED, *NEEDLESS]


@pytest.fixture
def logged(tmp_path: Path) -> Logged:
    write_log(tmp_path)
    return read_logged(str(tmp_path / "decisions.jsonl"), transcripts=tmp_path)


def counted(
    logged: Logged, labels: Sequence[Label] = LABELS, *, handoff: Handoff = HANDOFF, days: int = 28
) -> Volume:
    reviews = Reviews(tuple(labels))
    return count_volume(
        replace(logged, rows=tuple(with_reviews(logged.rows, labels))),
        handoff=handoff,
        zone=UTC_ZONE,
        now=NOW,
        days=days,
        labels=reviews.of_record(),
        answered=reviews.answered(),
        entries=None,
        encoder=HashingEncoder(dimension=16),
    )


def test_lines_of_score_get_the_times_of_their_transcripts(logged: Logged) -> None:
    """Start, fire and peak of a line come from its conversation and its scores."""
    sent, unsent = logged.rows[0], logged.rows[3]

    # Three turns of 30 seconds are seen at the fire; nothing was said at a time of its own.
    assert sent.started_at == START
    assert sent.fired_at == START + timedelta(minutes=1)
    assert (sent.turns, sent.peak, sent.reason) == (3, 0.9, "unresolved")
    assert unsent.fired_at is None
    assert len(logged.rows) == len(logged.conversations) == 70


def test_lines_without_transcripts_are_refused_in_words(tmp_path: Path) -> None:
    """A line that has no time says where its time would come from."""
    write_log(tmp_path)

    with pytest.raises(DataError, match=r"give --transcripts.*not among the transcripts"):
        read_logged(str(tmp_path / "decisions.jsonl"))


def test_figures_are_those_of_hand(logged: Logged) -> None:
    """Seven days of three emails, 7 needed and 8 needless of the 15 read, 21 unanswered."""
    volume = counted(logged)

    assert volume.conversations == 70
    assert volume.per_day == 3.0
    assert (volume.days[0].date, volume.days[0].needed, volume.days[0].needless) == (
        date(2026, 3, 2), 1, 2,
    )  # fmt: skip
    assert volume.days[6].needless == 0
    assert [(g.name, g.emails, g.read) for g in volume.reasons] == [("unresolved", 21, 15)]
    assert volume.precision is not None
    assert volume.precision.value == pytest.approx(7 / 15)
    assert sum(len(question.ids) for question in volume.questions) == 8
    assert len(volume.waiting) == 21
    assert volume.busiest is None


def test_the_period_ends_with_the_last_finished_day(logged: Logged) -> None:
    """Two days are the two before the present one."""
    assert [day.date.day for day in counted(logged, days=2).days] == [7, 8]


def test_an_answer_takes_an_email_off_the_list(logged: Logged) -> None:
    """What a reviewer marks as answered no longer waits; the oldest of the rest comes first."""
    answered = [replace(label, extra={"answered": True}) for label in LABELS[:1]]
    volume = counted(logged, [*answered, *LABELS[1:]])

    assert volume.answers_known
    assert len(volume.waiting) == 20
    assert volume.waiting[0].conversation_id == "c-0-1"


def test_an_outstanding_day_is_explained(logged: Logged) -> None:
    """A day with twelve emails against three is named."""
    extra = [
        replace(row, conversation_id=f"more-{number}")
        for row in logged.rows
        if row.fired and row.started_at.date() == date(2026, 3, 5)
        for number in range(3)
    ]
    volume = counted(replace(logged, rows=(*logged.rows, *extra)))

    assert volume.busiest is not None
    assert volume.busiest.day.date == date(2026, 3, 5)
    assert any(
        "Thursday 5 March had 12 emails, against 3 on a usual day" in sentence
        for sentence in sentences(volume, None, None, None)
    )


def test_there_are_three_things_to_do_and_they_follow_from_the_data(logged: Logged) -> None:
    """Overdue answers come first, then what to teach; without reviews, to review."""
    hours = BusinessHours.from_table(
        {"timezone": "UTC", "monday": "00:00-24:00", "answer_within_hours": 2}
    )
    late = counted(logged, handoff=replace(HANDOFF, hours=hours))
    unread = counted(logged, [])

    first, second, third = this_week(late, HANDOFF.budget, None, None, now=NOW)
    assert first.startswith("Answer c-0-0 first: it has waited for 7 days")
    assert "Teach your agent" in second + third
    first, second, _ = this_week(unread, HANDOFF.budget, None, None, now=NOW)
    assert "Mark the 21 emails" in first
    assert "Review a sample of conversations that sent no email" in second
    assert title(late, HANDOFF.budget) == "3.0 emails a day, 1.0 more than the 2 you planned"


def test_reviews_of_the_unsent_count_only_with_their_draw(logged: Logged, tmp_path: Path) -> None:
    """A review of an unsent conversation that no plan has drawn leaves its row alone."""
    label = Label("c-0-5", True, annotator="ana")
    plan = planned(tmp_path, reviews=63 - 14)
    drawn = next(row for row in plan.rows if row.conversation_id.endswith(("-5", "-6", "-7")))
    free = with_reviews(logged.rows, [label])
    bound = {row.conversation_id: row for row in with_reviews(logged.rows, [label], plan)}

    assert free == list(logged.rows)
    assert bound[drawn.conversation_id].audit_probability == drawn.probability


def planned(folder: Path, *, reviews: int) -> AuditPlan:
    log = read_decision_log(folder / "decisions.jsonl")
    return make_plan(log.conversations, reviews=reviews, handoff="support")


def test_the_page_shuts_hostile_text_in_and_asks_nobody(logged: Logged, tmp_path: Path) -> None:
    """Customers' markup is text, contacts are masked, and no address but XML's is named."""
    plan = planned(tmp_path, reviews=49)
    needed = {row.conversation_id: row.conversation_id.endswith("-0") for row in plan.rows}
    page = render_volume(
        counted(logged),
        handoff=HANDOFF,
        zone=UTC_ZONE,
        now=NOW,
        audit=estimate_recall(plan, needed),
    )

    assert "<script" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt; {{ 7 * 7 }}" in page
    assert "Where parcels &lt;b&gt;are" in page
    assert "ana@example.org" not in page
    assert re.findall(r"https?://[\w./]+", page.replace("http://www.w3.org/", "")) == []
    assert "Recall 100%" in page
    assert page.count("<li>") >= 3


def test_the_command_writes_the_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Log, transcripts, handoff file and reviews give a page and the same figures as JSON."""
    write_log(tmp_path)
    (tmp_path / "reviews").mkdir()
    save_labels(tmp_path / "reviews", LABELS)
    (tmp_path / "handoff.toml").write_text(
        '[[handoff]]\nname = "support"\nrecipients = ["team@example.com"]\n[handoff.budget]\n'
        "max_emails_per_day = 2\nmin_recall = 0.8\nconversations_per_day = 10\n"
    )
    monkeypatch.setattr(
        "handoff_eval.encoders.minilm.cached_minilm", lambda: HashingEncoder(dimension=16)
    )
    command = ["volume", str(tmp_path / "decisions.jsonl"), "--transcripts", str(tmp_path)]
    command += ["--handoff", str(tmp_path / "handoff.toml"), "--reviews", str(tmp_path / "reviews")]
    command += ["--now", NOW.isoformat(), "--to", str(tmp_path / "page.html"), "--json"]

    assert main(command) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["emails"] == 21
    assert document["watch"]["verdict"] in {"holds", "at risk", "expired"}
    assert len(document["this_week"]) == 3
    assert "more than the 2 you planned" in (tmp_path / "page.html").read_text()
    assert main([*command, "--outbox", str(tmp_path / "none.db")]) == 2
    assert not (tmp_path / "none.db").exists()


def test_lines_of_reviews_that_cannot_be_read_are_refused(tmp_path: Path) -> None:
    """The good lines count, the others are named."""
    (tmp_path / "labels.jsonl").write_text('{"conversation_id": "c-1", "handoff": 3}\n')
    save_labels(tmp_path, LABELS[:1])
    reviews = read_reviews(tmp_path)

    assert [label.conversation_id for label in reviews.labels] == ["c-0-0"]
    assert "labels.jsonl:1" in str(reviews.refusals[0])


def test_the_outbox_says_where_an_email_is(logged: Logged, tmp_path: Path) -> None:
    """What is queued waits to be sent; what the outbox has never seen is said to be missing."""
    outbox = open_outbox(str(tmp_path / "outbox.db"))
    decision = Decision("c-0-0", "support", True, 3, False, 0.9, 0.5)
    queue_emails(outbox, HANDOFF, logged.conversations, [decision], sent_at=START)
    entries = outbox.entries()
    outbox.close()
    first, second = find_waiting(logged, HANDOFF, now=NOW, answered=(), entries=entries)[:2]

    assert (first.conversation_id, first.delivery) == ("c-0-0", "waiting to be sent")
    assert (second.conversation_id, second.delivery) == ("c-0-1", "not in the outbox")
