"""The findings beside a comparison, and where they are shown: terminal, page, tracking store."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from handoff_eval.conversation import Split
from handoff_eval.encoders.hashing import HashingEncoder
from handoff_eval.evaluation.comparison.arm_scores import Arm
from handoff_eval.evaluation.comparison.compare import compare
from handoff_eval.evaluation.comparison.result import Comparison
from handoff_eval.evaluation.findings.analysis import Analysis, analyse
from handoff_eval.evaluation.pages.report import render_report
from handoff_eval.evaluation.traffic import Traffic
from handoff_eval.handoff import Budget
from handoff_eval.tracking.entries import File, Metric
from handoff_eval.tracking.findings import finding_entries
from handoff_eval.transcripts.read import Dataset, content_digest
from handoff_eval.triggers.keyword import KeywordTrigger, default_rules
from tests.builders import talk
from tests.conftest import SECRET

ENCODER = HashingEncoder(64)


@pytest.fixture(scope="module")
def dated(dataset: Dataset) -> Dataset:
    """Return the dataset with start times over three weeks."""
    start = datetime(2026, 3, 2, 9, tzinfo=UTC)
    conversations = tuple(
        replace(c, started_at=start + timedelta(hours=3.5 * i))
        for i, c in enumerate(dataset.conversations)
    )
    digest = content_digest(conversations, dataset.labels)
    return replace(dataset, conversations=conversations, digest=digest)


@pytest.fixture(scope="module")
def analysis(comparison: Comparison, dated: Dataset) -> Analysis:
    """Return the findings of the comparison on the dated dataset."""
    return analyse(replace(comparison, digest=dated.digest), dated, encoder=ENCODER)


def test_every_arm_has_its_timing(analysis: Analysis, comparison: Comparison) -> None:
    """Timing is of all arms; recall on time is the figure that the table of arms has."""
    for arm in comparison.arms:
        timing = analysis.timing_of(arm.name)
        assert timing.recall_on_time.value == pytest.approx(arm.measures.recall_on_time.value)
        assert timing.never.value == pytest.approx(1 - arm.measures.recall.value)


def test_without_times_the_forecast_says_why_there_is_none(
    comparison: Comparison, dataset: Dataset
) -> None:
    """A dataset without start times has every finding but the forecast."""
    found = analyse(comparison, dataset, encoder=ENCODER)

    assert found.forecast is None
    assert "at least 2 weeks" in found.forecast_note
    assert "No forecast." in found.text()
    assert found.to_dict()["forecast"] is None


def test_traffic_tells_volume_and_prevalence(dated: Dataset) -> None:
    """With scored traffic the forecast is of its emails, and the prevalence is a finding too."""
    start = datetime(2026, 4, 6, 9, tzinfo=UTC)
    said = ("C: thanks", "C: let a human call me please")
    came = tuple(
        replace(
            talk("C: where is my parcel", "A: on its way", said[i % 5 == 0], id=f"t{i}"),
            started_at=start + timedelta(hours=2 * i),
        )
        for i in range(12 * 7 * 4)
    )
    arms = [Arm(KeywordTrigger(default_rules()))]
    budget = Budget(60, 0.3, 200, prevalence=0.2)
    compared = compare(dated, arms, budget, traffic=Traffic("april", "0", came))

    found = analyse(compared, dated, encoder=ENCODER)

    assert [finding.key for finding in found.findings()][:2] == ["traffic", "timing"]
    assert found.forecast is not None
    assert found.forecast.source == "traffic"
    # a fifth of the traffic asks for a person, 40 of 200 conversations a day
    assert found.forecast.median_day.value == pytest.approx(40, abs=6)
    assert found.forecast.tested is not None
    assert found.forecast.tested.what == "emails"
    assert "How many conversations need a handoff:" in found.text()


def test_another_dataset_is_refused(comparison: Comparison, dated: Dataset) -> None:
    """Findings of other data than was compared would be of nothing."""
    with pytest.raises(ValueError, match="that was compared"):
        analyse(comparison, dated, encoder=ENCODER)


def test_terminal_shows_each_finding(analysis: Analysis) -> None:
    """Timing, volume, slices and topics each have their words."""
    text = analysis.text()

    for words in (
        "recall on time",
        "Monday",
        "not needed",
        "What a score means",
        "Needless emails",
    ):
        assert words in text


def test_findings_are_json_with_or_without_words(analysis: Analysis) -> None:
    """The values hold no NaN, and without words nothing that customers wrote."""
    assert SECRET in json.dumps(analysis.to_dict(), allow_nan=False)
    assert SECRET not in json.dumps(analysis.to_dict(with_words=False), allow_nan=False)


@pytest.mark.medium
def test_page_has_the_sections(
    analysis: Analysis, comparison: Comparison, dataset: Dataset
) -> None:
    """The page shows each finding, and the one for others shows topics by ids alone."""
    pages = [
        render_report(
            comparison,
            test=dataset.labeled(Split.TEST),
            instruction="When a person is needed.",
            seed=0,
            with_transcripts=shown,
            analysis=analysis,
        )
        for shown in (True, False)
    ]

    for page in pages:
        for title in ("When the email comes", "Emails a day", "Where it does better or worse"):
            assert f"<h2>{title}</h2>" in page
        assert "Missed handoffs by topic" in page
    assert SECRET in pages[0]
    assert SECRET not in pages[1]


def test_tracking_holds_numbers_and_ids(analysis: Analysis) -> None:
    """Metrics and files of the findings carry no customer's words."""
    entries = list(finding_entries(analysis))

    metrics = {entry.name: entry.value for entry in entries if isinstance(entry, Metric)}
    shown = analysis.timing_of(analysis.arm)
    assert metrics["timing/late"] == shown.late.value
    assert metrics["uncertainty/timing/late.n"] == shown.late.n
    assert "volume/week_over" in metrics
    assert metrics["topics/missed/mistakes"] == analysis.missed.n
    assert "reliability/brier" in metrics
    files = {entry.name: entry.content for entry in entries if isinstance(entry, File)}
    assert {"timing.csv", "volume.csv", "volume_parts.csv", "slices.csv", "analysis.json"} <= set(
        files
    )
    assert {"timing.png", "volume.png", "reliability.png", "topics_missed.png"} <= set(files)
    assert files["timing.png"].startswith(b"\x89PNG")
    assert not any(SECRET.encode() in content for content in files.values())
