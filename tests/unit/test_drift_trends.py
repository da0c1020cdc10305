"""What is shown week by week, by hand, and new topics: quiet on the known, loud on the new."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from handoff_eval.conversation import Conversation
from handoff_eval.encoders.hashing import HashingEncoder
from handoff_eval.production.drift.log import LogRow
from handoff_eval.production.drift.novelty import know, newness_of, novelty_test
from handoff_eval.production.drift.picture import trends_plot
from handoff_eval.production.drift.trends import (
    audited_recall,
    faulty_summaries,
    find_trends,
    reviewed_precision,
)
from handoff_eval.production.drift.watch import Verdict
from handoff_eval.production.feedback.logged import read_logged
from tests.builders import talk
from tests.logs import START, write_log

UTC_ZONE = ZoneInfo("UTC")
ENCODER = HashingEncoder(dimension=64)
WORDS = [
    "parcel",
    "refund",
    "invoice",
    "address",
    "delivery",
    "password",
    "order",
    "receipt",
    "voucher",
    "size",
]
NEW = ["drone", "firmware", "propeller", "gimbal", "altitude", "battery", "telemetry", "rotor"]


def test_newness_by_hand() -> None:
    """1 minus the cosine to the nearer of two known directions."""
    known = np.array([[0, 1], [0.8, 0.6]], dtype=np.float32)
    seen = np.array([[1, 0], [0.6, 0.8], [0, 1]], dtype=np.float32)

    # (1, 0): 0 and .8; (.6, .8): .8 and .48 + .48 = .96; (0, 1) is known.
    assert newness_of(seen, known) == pytest.approx([0.2, 0.04, 0.0], abs=1e-6)


def row(
    number: int,
    *,
    fired: bool,
    needed: bool | None = None,
    chance: float | None = None,
    week: int = 0,
) -> LogRow:
    at = START + timedelta(days=7 * week, minutes=number)
    return LogRow(
        f"{week}-{number}", "support", at, at, 0.5, fired_at=at if fired else None,
        needed=needed, audit_probability=chance,
    )  # fmt: skip


def test_precision_is_of_the_emails_that_were_read() -> None:
    """Three needed of four read, the unread and the unsent left out."""
    rows = [row(i, fired=True, needed=i < 3) for i in range(4)]
    rows += [row(9, fired=True), row(10, fired=False, needed=True, chance=0.5)]
    found = reviewed_precision(rows)

    assert found is not None
    assert (found.value, found.n) == (0.75, 4)
    assert found.low < 0.75 < found.high
    assert reviewed_precision([row(1, fired=True)]) is None


def test_recall_weighs_what_was_missed() -> None:
    """One miss of a draw at .25, of which half was read, counts eight; six were caught."""
    rows = [row(i, fired=True, needed=i < 6, chance=1.0) for i in range(8)]
    rows += [row(20 + i, fired=False, needed=i == 0, chance=0.25) for i in range(5)]
    rows += [row(30 + i, fired=False, chance=0.25) for i in range(5)]
    found = audited_recall(rows)

    # Missed: 1 * (10 / 5) / .25 = 8. Recall: 6 / (6 + 8).
    assert found is not None
    assert found.value == pytest.approx(6 / 14)
    assert found.n == 13
    assert 0 < found.low < found.value < found.high <= 1


def test_unread_emails_and_draws_say_nothing_of_recall() -> None:
    """A week without read emails, without a draw or with an unread stratum is left out."""
    read, drawn = row(1, fired=True, needed=True), row(2, fired=False, needed=False, chance=0.5)
    unread = row(3, fired=False, chance=0.1)

    assert audited_recall([read]) is None
    assert audited_recall([row(1, fired=True), drawn]) is None
    assert audited_recall([read, drawn, unread]) is None
    assert audited_recall([read, drawn]) is not None


def test_no_miss_found_never_gives_a_recall_that_is_certain() -> None:
    """With no miss in the draw the lower limit stays below 1."""
    rows = [row(1, fired=True, needed=True)]
    rows += [row(i, fired=False, needed=False, chance=0.1) for i in range(2, 12)]
    found = audited_recall(rows)

    assert found is not None
    assert found.value == 1.0
    assert found.low < 0.1


def test_weeks_begin_on_mondays_and_say_what_is_missing(tmp_path: Path) -> None:
    """Two weeks give two points; what nobody reviewed is said to be unknown."""
    rows = [row(1, fired=True, needed=True), row(1, fired=True, needed=False, week=1)]
    precision, recall, faults = find_trends(rows, {}, zone=UTC_ZONE)

    assert [week for week, _ in precision.weeks] == [date(2026, 3, 2), date(2026, 3, 9)]
    assert "100% (3% to 100%, n 1) in the week of 2026-03-02" in precision.words
    assert recall.words.startswith("audited recall: not known")
    assert "give --transcripts" in faults.words
    assert trends_plot([precision, recall, faults]).png()[:4] == b"\x89PNG"
    assert faults.to_dict()["weeks"] == []
    write_log(tmp_path)
    logged = read_logged(str(tmp_path / "decisions.jsonl"), transcripts=tmp_path)
    found = faulty_summaries(logged.rows, logged.conversations)
    assert found is not None
    assert (found.value, found.n) == (0.0, 21)


def chats(words: list[str], count: int, *, name: str, seed: int) -> list[Conversation]:
    rng = np.random.default_rng(seed)
    return [
        talk(
            f"C: {' '.join(rng.choice(words, 4))}",
            f"C: {' '.join(rng.choice(words, 4))}",
            id=f"{name}-{number}",
            customer=f"{name}-{number}",
        )
        for number in range(count)
    ]


def traffic(talks: list[Conversation], *, per_day: int) -> list[LogRow]:
    found = []
    for number, one in enumerate(talks):
        at = START + timedelta(days=number // per_day)
        found.append(LogRow(one.id, "support", at, at, 0.1))
    return found


def novel(talks: list[Conversation], seed: int = 0, per_day: int = 10):  # noqa: ANN201
    known = know(chats(WORDS, 400, name=f"known-{seed}", seed=1000 + seed), ENCODER)
    return novelty_test(
        traffic(talks, per_day=per_day),
        {one.id: one for one in talks},
        known,
        ENCODER,
        zone=UTC_ZONE,
        today=date(2027, 1, 1),
    )


def test_known_topics_stay_quiet() -> None:
    """Of ten streams of sixty days with the known topics, hardly any alarms."""
    alarms = [novel(chats(WORDS, 600, name="n", seed=seed), seed).alarm for seed in range(10)]

    # At 5 % a stream, three or more of ten come with probability .012.
    assert sum(alarm is not None for alarm in alarms) <= 2


def test_a_new_topic_alarms_and_is_named() -> None:
    """Half of the conversations about something new, from day 20 on, is seen and named."""
    old = chats(WORDS, 400, name="old", seed=1)
    new = chats(NEW, 200, name="new", seed=2)
    talks = old[:200] + [one for pair in zip(old[200:], new, strict=True) for one in pair]
    test = novel(talks)

    assert test.alarm is not None
    assert test.alarm >= date(2026, 3, 22)
    assert test.says is Verdict.AT_RISK
    assert "where 6 would be usual" in test.words
    assert "the furthest: new-" in test.words


def test_what_novelty_needs_is_said() -> None:
    """Without texts, or with too few known conversations, the test says why it can't."""
    talks = chats(WORDS, 30, name="n", seed=1)
    known = know(chats(WORDS, 20, name="k", seed=2), ENCODER)
    rows = traffic(talks, per_day=30)
    late = {"zone": UTC_ZONE, "today": date(2027, 1, 1)}
    blind = novelty_test(rows, {}, known, ENCODER, **late)
    few = novelty_test(rows, {one.id: one for one in talks}, known, ENCODER, **late)

    assert blind.evidence is None
    assert "give --transcripts" in blind.words
    assert few.evidence is None
    assert "too few known" in few.words
    with pytest.raises(ValueError, match="at least two customers"):
        know([replace(talks[0])], ENCODER)
