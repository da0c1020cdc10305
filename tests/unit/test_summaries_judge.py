"""Summaries added up: hand-computed values, intervals by customer, a table, a picture, a run."""

from __future__ import annotations

import argparse
import json
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from handoff_eval.cli import summarize as command
from handoff_eval.conversation import ReferenceFact, ReferenceKind
from handoff_eval.encoders.hashing import HashingEncoder
from handoff_eval.errors import DataError, SettingsError
from handoff_eval.evaluation.intervals import cluster_weights
from handoff_eval.summaries.extractive import ExtractiveSummarizer, centrality, marginal_relevance
from handoff_eval.summaries.judge import add_up, judge_summaries, ratio_estimate
from handoff_eval.summaries.metrics import SummaryScore
from handoff_eval.summaries.quality import Judged, QualityReport
from handoff_eval.summaries.structured import StructuredSummarizer
from handoff_eval.tracking.store import Store, open_client
from handoff_eval.tracking.summaries import log_summaries
from handoff_eval.transcripts.read import Dataset
from handoff_eval.transcripts.write import write_dataset
from tests.builders import labeled, talk
from tests.conftest import SECRET

ASK, AMOUNT = ReferenceKind.ASK, ReferenceKind.AMOUNT


def counted(kept: int, *, group: str = "u", claims: int = 4, wrong: int = 0) -> Judged:
    """Return a judged summary that keeps some of two asks, with claims all right."""
    score = SummaryScore(
        needed=Counter({ASK: 2}),
        kept=Counter({ASK: kept}),
        claims=claims,
        sentences=2,
        swapped=(None,) * wrong,  # type: ignore[arg-type]
        words=10,
        transcript_words=40,
    )
    return Judged("hand", f"c-{group}", group, score)


def report_of(dataset: Dataset) -> QualityReport:
    """Judge two real summarisers on the positives of a dataset."""
    items = [(item.conversation, item.label) for item in dataset.labeled() if item.label.handoff]
    first = items[0][0]
    return judge_summaries(
        items[:12],
        [StructuredSummarizer(), ExtractiveSummarizer(HashingEncoder(64))],
        dataset=dataset.name,
        digest=dataset.digest,
        facts={first.id: [ReferenceFact(ASK, first.turns[2].text, 2)]},
    )


def test_added_up_by_hand() -> None:
    """Shares are sums over sums; coverage is the mean over summaries."""
    quality = add_up([counted(2, group="a"), counted(1, group="b", wrong=1), counted(0, group="c")])

    # (1 + 1/2 + 0) / 3.
    assert quality.coverage.value == pytest.approx(0.5)
    assert quality.coverage_by_kind[ASK].value == pytest.approx(3 / 6)
    assert quality.role_swaps.value == pytest.approx(1 / 6)
    assert quality.flawless.value == pytest.approx(2 / 3)
    assert quality.compression.value == pytest.approx(30 / 120)
    assert quality.copy_precision.value == 1.0
    # Nothing wrong among three customers: the lower limit is .025 ** (1 / 3).
    assert quality.copy_precision.low == pytest.approx(0.025 ** (1 / 3))
    assert quality.coverage.n == 3
    assert AMOUNT not in quality.coverage_by_kind


def test_summaries_count_for_what_their_conversations_stand_for() -> None:
    """A flawless summary of one of three conversations and an empty one with a swap."""
    quality = add_up(
        [replace(counted(2, group="a"), weight=3.0), counted(0, group="b", wrong=1)],
    )

    assert quality.coverage.value == pytest.approx(3 / 4)
    # 1 swap among the 3 * 2 + 2 sentences that are stood for; 4 of 4 claims are right, and Kish
    # makes 4^2 / (3^2 + 1^2) = 1.6 customers, so the lower limit is that of one: .025.
    assert quality.role_swaps.value == pytest.approx(1 / 8)
    assert quality.flawless.value == pytest.approx(3 / 4)
    assert quality.copy_precision.low == pytest.approx(0.025)


def test_the_interval_resamples_customers() -> None:
    """One customer's many summaries are one unit: the interval is as wide as with one each."""
    part, whole = np.array([1.0, 0.0, 1.0, 0.0]), np.ones(4)
    groups = ["a", "b", "c", "d"]
    many = np.repeat(part, 25), np.repeat(whole, 25), [g for g in groups for _ in range(25)]

    few = ratio_estimate(part, whole, groups, cluster_weights(groups))
    clustered = ratio_estimate(*many, cluster_weights(many[2]))

    assert clustered.n == 100
    assert (clustered.low, clustered.high) == pytest.approx((few.low, few.high))


def test_nothing_counted_has_no_value() -> None:
    """A share of nothing is undefined and rests on nothing."""
    nothing = ratio_estimate(np.zeros(2), np.zeros(2), ["a", "b"], cluster_weights(["a", "b"]))

    assert (np.isnan(nothing.value), nothing.n) == (True, 0)


def test_nothing_to_judge_is_said() -> None:
    """An empty list is the caller's mistake."""
    with pytest.raises(DataError, match=r"^Expected at least one conversation to summarise"):
        judge_summaries([], [StructuredSummarizer()], dataset="d", digest="", facts={})


def test_centrality_and_redundancy_by_hand() -> None:
    """The hub of a star is most central; its twin is passed over for something else."""
    likeness = np.array(
        [[1, 0.9, 0.9, 0.9], [0.9, 1, 0, 0], [0.9, 0, 1, 1], [0.9, 0, 1, 1]], dtype=float
    )
    scores = centrality(likeness, np.ones(4))

    assert int(np.argmax(scores)) == 0
    assert scores[2] == scores[3]
    # 0.7 * .8 - 0.3 * 1 = .26 for the twin of a chosen one, 0.7 * .5 - 0.3 * 0 = .35 for another.
    given = np.array([0.1, 0.5, 1.0, 0.8])
    assert marginal_relevance(given, likeness, most=2) == [2, 1]
    assert marginal_relevance(given, likeness, most=9, first=3)[0] == 3


def test_a_report_shows_itself(dataset: Dataset) -> None:
    """One row a summariser, one a summary, JSON without what customers wrote, and a picture."""
    report = report_of(dataset)

    assert list(report.frame().index) == ["structured", "extractive"]
    assert len(report.summaries_frame()) == 24
    assert report.qualities[0].coverage.n == 1
    text = json.dumps(report.to_dict(), allow_nan=False)
    assert SECRET not in text
    assert "<table" in report._repr_html_()
    assert "keeps" in report.plot().description


def test_a_picture_without_facts_says_no_coverage() -> None:
    """Where nothing is needed, the title claims nothing of it."""
    silent = talk("A: hello", id="silent")
    report = judge_summaries(
        [(silent, None)], [StructuredSummarizer()], dataset="d", digest="", facts={}
    )

    assert "nan" not in report.plot().description
    assert report.qualities[0].fallbacks == 0


def test_a_report_is_logged_without_customers_words(
    dataset: Dataset, tracking_store: Store, tmp_path: Path
) -> None:
    """The run has each metric with limits and n, and no artifact holds a customer's word."""
    run_id = log_summaries(report_of(dataset), dataset=dataset)

    artifacts = tmp_path / "artifacts"
    artifacts.mkdir()
    client = open_client(tracking_store)
    data = client.get_run(run_id).data
    assert data.metrics["uncertainty/structured/copy_precision.n"] <= 12
    assert {"structured/coverage", "uncertainty/extractive/compression.low"} <= set(data.metrics)
    assert data.tags["handoff_eval.kind"] == "summaries"
    folder = Path(client.download_artifacts(run_id, "", str(artifacts)))
    files = {path.name for path in folder.iterdir()}
    assert files == {"summaries.csv", "quality.csv", "quality.png", "quality.json"}
    assert not any(SECRET.encode() in path.read_bytes() for path in folder.iterdir())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a dataset folder with one positive, one negative and one unlabelled conversation."""
    need = talk(
        "C: order 4417 is lost \x1b[31m",
        "A: sorry",
        "C: refund me by Friday",
        "A: later",
        id="need",
    )
    fine = talk("C: how do I pay?", "A: by card", id="fine")
    items = [labeled(need, handoff=True, at=2), labeled(fine, handoff=False)]
    write_dataset(
        tmp_path,
        conversations=[need, fine, talk("C: hello 99812", id="new")],
        labels=[item.label for item in items],
    )
    return tmp_path


def run(folder: Path, *options: str) -> int:
    """Run the command in this process."""
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    return command.run(parser.parse_args([str(folder), *options]))


def test_the_command_prints_what_the_team_would_read(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Those in need or unlabelled, cut at the decision, each quotation with speaker and turn."""
    code = run(folder)

    out = capsys.readouterr().out
    assert code == 0
    assert re.findall(r"^\w+$", out, flags=re.MULTILINE) == ["need", "new"]
    assert "“refund me by Friday” (customer, turn 2)" in out
    assert "later" not in out
    assert "\x1b" not in out


def test_the_command_prints_json_of_the_ones_named(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One object a line, with the turns that were read."""
    run(folder, "--json", "--id", "fine", "--id", "need")

    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(line["conversation_id"], line["turns"]) for line in lines] == [
        ("need", 3),
        ("fine", 2),
    ]
    assert lines[0]["facts"][0] == {
        "kind": "identifier",
        "text": "4417",
        "label": "order",
        "turn": 0,
    }


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--summarizer", "best"], r"^Expected --summarizer to name some of structured, "),
        (["--summarizer", "llm,llm"], r"each once; got 'llm,llm'\.$"),
        (["--id", "nobody"], r"^Expected --id to name conversations of .*; got 'nobody'\.$"),
        (["--split", "test"], r"to summarise; none is in need in test\."),
    ],
)
def test_a_mistake_is_told_in_a_sentence(folder: Path, options: list[str], message: str) -> None:
    """Unknown names and empty choices are the user's to mend."""
    with pytest.raises(SettingsError, match=message):
        run(folder, *options)


def test_the_command_judges(
    folder: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """With --judge the table stands for the text; picture and rows go to files."""
    monkeypatch.setattr(command, "_encoder", lambda: HashingEncoder(64))
    files = ["--plot", str(tmp_path / "o" / "q.png"), "--csv", str(tmp_path / "o" / "q.csv")]

    run(folder, "--judge", "--no-tracking", "--summarizer", "structured,extractive", *files)

    out = capsys.readouterr().out
    assert "facts found by patterns" in out
    assert re.search(r"^coverage +\d", out, flags=re.MULTILINE)
    assert (tmp_path / "o" / "q.png").read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "o" / "q.csv").read_text().count("\n") == 5
