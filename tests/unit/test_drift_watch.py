"""From a decision log to a verdict: what alarms, what stays quiet, and what follows from it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from handoff_eval.cli.main import main
from handoff_eval.conversation import Label, Split
from handoff_eval.encoders.hashing import HashingEncoder
from handoff_eval.errors import DataError
from handoff_eval.evaluation.operating_point import OperatingPoint
from handoff_eval.mail.entries import Kind
from handoff_eval.mail.outbox import open_outbox
from handoff_eval.production.bundle import read_bundle, write_bundle
from handoff_eval.production.drift.log import LogRow, read_log
from handoff_eval.production.drift.watch import Promise, Verdict, Watch, watch
from handoff_eval.tracking.store import Store, open_client
from handoff_eval.transcripts.label_store import save_labels
from handoff_eval.triggers.keyword import KeywordTrigger, default_rules
from tests.builders import CERTIFICATE
from tests.logs import write_log

START = datetime(2026, 1, 5, 10, 0, tzinfo=UTC)
PROMISE = Promise(0.10, 0.8, 0.06, "certificate")
Shape = Callable[[int], float]


def history(
    *,
    days: int = 60,
    per_day: int = 100,
    rate: Shape = lambda _day: 0.06,
    recall: float = 0.9,
    prevalence: float = 0.06,
    audited: float | None = None,
    shift: Shape = lambda _day: 0.0,
    seed: int = 0,
) -> list[LogRow]:
    """Return a log whose emails, scores and reviews follow the given shapes."""
    rng = np.random.default_rng(seed)
    rows = []
    for day in range(days):
        for number in range(per_day):
            needed = bool(rng.random() < prevalence)
            catch = recall if needed else max(0.0, rate(day) - prevalence * recall) / 0.94
            fired = bool(rng.random() < catch)
            at = START + timedelta(days=day, minutes=number)
            drawn = audited is not None and (fired or rng.random() < audited)
            rows.append(
                LogRow(
                    conversation_id=f"{day}-{number}",
                    handoff="support",
                    started_at=at,
                    closed_at=at + timedelta(minutes=9),
                    peak=float(np.clip(rng.normal(0.3 + shift(day), 0.1), 0, 1)),
                    fired_at=at if fired else None,
                    score=0.5 if fired else None,
                    needed=needed if drawn else None,
                    audit_probability=(1.0 if fired else audited) if drawn else None,
                )
            )
    return rows


def watched(rows: list[LogRow], *, days: int = 60, promise: Promise = PROMISE) -> Watch:
    return watch(rows, promise, zone=ZoneInfo("UTC"), now=START + timedelta(days=days))


def test_a_promise_that_is_kept_is_quiet() -> None:
    """Below the bound, with steady scores and good recall, nothing alarms."""
    seen = watched(history(audited=0.5))

    assert seen.verdict is Verdict.HOLDS
    assert len(seen.days) == 60
    assert seen.sentence() == "The certificate holds as far as 60 days show."


@pytest.mark.parametrize(
    ("rows", "verdict", "test"),
    [
        (history(rate=lambda _: 0.2), Verdict.EXPIRED, "volume, whole time"),
        (
            history(days=90, rate=lambda day: 0.05 if day < 80 else 0.3),
            Verdict.AT_RISK,
            "volume, recent change",
        ),
        (history(shift=lambda day: 0.3 * (day >= 30)), Verdict.AT_RISK, "scores"),
        (history(audited=0.5, recall=0.3), Verdict.EXPIRED, "audited recall"),
        (history(audited=0.5, prevalence=0.2, recall=0.5), Verdict.AT_RISK, "prevalence"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_each_drift_is_seen_by_its_test(rows: list[LogRow], verdict: Verdict, test: str) -> None:
    """More emails, a late jump, other scores, missed customers and other needs each alarm."""
    seen = watched(rows, days=90)
    alarms = {alarm.name: alarm for alarm in seen.alarms}

    assert test in alarms
    assert alarms[test].says is verdict
    state = "has expired" if seen.verdict is Verdict.EXPIRED else "is at risk"
    assert seen.sentence().startswith(f"The certificate {state}: ")


def test_a_budget_that_nobody_certified_does_not_expire() -> None:
    """Of a plain budget the sentence says that it isn't kept."""
    seen = watched(history(rate=lambda _: 0.2), promise=replace(PROMISE, source="budget"))

    assert seen.sentence().startswith("The budget is not kept: ")


def test_the_evidence_on_volume_is_that_of_hand() -> None:
    """Two days of 2 and 1 emails in 10 at a bound of .1 give the mixture over the bets."""
    # Excess .1 then 0, over a bound of .1: E = mean over b of (1 + b) * 1, mean of b is .5.
    rows = history(days=2, per_day=10)
    fired = {"0-0", "0-1", "1-0"}
    rows = [
        LogRow(r.conversation_id, r.handoff, r.started_at, r.closed_at, r.peak,
               fired_at=r.started_at if r.conversation_id in fired else None)
        for r in rows
    ]  # fmt: skip
    test = watched(rows).tests[0]

    assert test.evidence is not None
    assert test.evidence.values.tolist() == pytest.approx([1.5, 1.5])


def test_a_day_counts_once_it_is_over_and_closed() -> None:
    """Today and days with open conversations are left out, and their number is said."""
    rows = history(days=4)
    first = rows[0]
    rows[0] = LogRow(first.conversation_id, "support", first.started_at, None, 0.1)
    seen = watched(rows, days=3)

    assert [day.date.day for day in seen.days] == [6, 7]
    assert seen.open_days == 2


def test_what_nobody_reviewed_is_said_to_be_unknown() -> None:
    """Without a reviewed sample of the unsent, recall and prevalence are not available."""
    reviewed_emails_only = [r for r in history(audited=0.5) if r.fired or r.needed is None]
    seen = watched(reviewed_emails_only)
    blind = {test.name for test in seen.tests if test.evidence is None}

    assert blind == {"audited recall", "prevalence"}
    assert "the log can't say: audited recall, prevalence" in seen.sentence()


def test_rows_survive_json_lines(tmp_path: Path) -> None:
    """What a row writes is read back as it was."""
    rows = history(days=2, audited=0.3)
    file = tmp_path / "log.jsonl"
    file.write_text("\n".join(row.to_json() for row in rows))

    assert read_log(str(file), handoff="support") == rows


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"started_at": None}, "started_at"),
        ({"started_at": "2026-01-05"}, "started_at"),
        ({"peak": "high"}, "peak"),
        ({"needed": 1}, "needed"),
        ({"audit_probability": 0}, "audit_probability"),
        ({"conversation_id": 3}, "conversation_id"),
        ({"handoff": "other"}, "Expected decisions of 'support'"),
    ],
)
def test_a_malformed_log_is_refused(tmp_path: Path, change: dict[str, object], words: str) -> None:
    """A wrong field is named with its file and line."""
    row = json.loads(history(days=1)[0].to_json()) | change
    file = tmp_path / "log.jsonl"
    file.write_text(json.dumps(row))

    with pytest.raises(DataError, match=words):
        read_log(str(file), handoff="support")


HANDOFF = """
[[handoff]]
name = "support"
recipients = ["team@example.com"]
sender = "handoff@example.com"
[handoff.budget]
max_emails_per_day = 10
min_recall = 0.8
conversations_per_day = 100
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with a certified bundle and a handoff file."""
    point = OperatingPoint("keyword", 0.4, Split.TUNE, CERTIFICATE, "Certified.")
    trigger = KeywordTrigger(default_rules())
    write_bundle(trigger, point, handoff="support", instruction="i", to=tmp_path / "bundle")
    (tmp_path / "handoff.toml").write_text(HANDOFF)
    return tmp_path


def drift(folder: Path, rows: list[LogRow], *options: str) -> int:
    (folder / "log.jsonl").write_text("\n".join(row.to_json() for row in rows))
    paths = [str(folder / "bundle"), str(folder / "log.jsonl")]
    return main(["drift", *paths, "--now", "2026-03-06", *options])


def test_an_expired_promise_is_revoked_and_the_team_told_once(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It exits 3, writes the reason beside the bundle, which reads as revoked, and emails once."""
    outbox = str(folder / "outbox.db")
    options = ["--handoff", str(folder / "handoff.toml"), "--outbox", outbox, "--json"]
    rows = history(per_day=30, rate=lambda _: 0.3)
    codes = [drift(folder, rows, *options) for _ in range(2)]
    document = json.loads(capsys.readouterr().out.split("}\n{")[0] + "}")
    bundle = read_bundle(folder / "bundle")
    opened = open_outbox(outbox)
    (entry,) = opened.entries()
    opened.close()

    assert codes == [3, 3]
    assert document["verdict"] == "expired"
    assert bundle.point.certificate is not None
    assert bundle.point.certificate.revoked is not None
    assert bundle.point.certificate.revoked.reason == document["sentence"]
    assert entry.kind is Kind.NOTICE
    assert drift(folder, history(per_day=30)) == 3  # what was revoked stays so


def test_without_alarms_nothing_is_written(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It exits 0 while the promise holds and says each test's evidence, limit and n."""
    assert drift(folder, history(per_day=30)) == 0
    certificate = read_bundle(folder / "bundle").point.certificate
    assert certificate is not None
    assert certificate.status == "valid"
    assert "volume, whole time: quiet" in capsys.readouterr().out


def test_a_damaged_revocation_is_no_absence_of_one(folder: Path) -> None:
    """A revocation that can't be read refuses the bundle instead of hiding what it says."""
    (folder / "bundle" / "revocation.json").write_text("{")

    assert drift(folder, history(days=1)) == 2


@pytest.mark.medium
def test_a_watch_is_logged_with_its_picture(
    folder: Path, tracking_store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    """The run has the verdict, each test's evidence beside its limit, the picture and the JSON."""
    options = ["--mlflow", "--json", "--picture", str(folder / "drift.png")]
    code = drift(folder, history(per_day=30, audited=0.5), *options)
    document = json.loads(capsys.readouterr().out)
    client = open_client(tracking_store)
    run = client.get_run(document["mlflow_run"])
    files = {file.path for file in client.list_artifacts(run.info.run_id)}

    assert code == 0
    assert run.data.tags["handoff_eval.verdict"] == "holds"
    assert run.data.metrics["volume_whole_time/limit"] == pytest.approx(20)
    assert files == {"drift.png", "drift.json"}
    assert (folder / "drift.png").read_bytes().startswith(b"\x89PNG")


def test_lines_of_score_are_watched_with_transcripts_reviews_and_what_was_known(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Times come from the transcripts, reviews give the precision, and new topics are tested."""
    monkeypatch.setattr(
        "handoff_eval.encoders.minilm.cached_minilm", lambda: HashingEncoder(dimension=16)
    )
    write_log(folder, days=7)
    save_labels(folder, [Label(f"c-0-{n}", n == 0, annotator="ana") for n in range(3)])
    command = ["drift", str(folder / "bundle"), str(folder / "decisions.jsonl"), "--json"]
    command += ["--now", "2026-03-09", "--transcripts", str(folder), "--reviews", str(folder)]
    code = main([*command, "--known", str(folder)])
    document = json.loads(capsys.readouterr().out)
    precision = next(one for one in document["trends"] if one["name"] == "reviewed precision")
    topics = next(one for one in document["tests"] if one["name"] == "new topics")

    # Three of ten are emailed each day, where the certificate allows one.
    assert code in {1, 3}
    assert (document["days"], document["emails"]) == (7, 21)
    assert precision["weeks"][0]["value"] == pytest.approx(1 / 3)
    assert topics["available"]
    assert topics["alarm"] is None
