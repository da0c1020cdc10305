"""The way back: probabilities by hand, emails that certify nothing, a dataset that can be used."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from handoff_eval.cli.main import main
from handoff_eval.conversation import Label, Reason, Split
from handoff_eval.errors import DataError
from handoff_eval.evaluation.promise.evidence import gather
from handoff_eval.evaluation.promise.units import thinned
from handoff_eval.handoff import Budget
from handoff_eval.production.feedback.collect import Collected, collect, write_collected
from handoff_eval.production.feedback.logged import Logged, read_logged
from handoff_eval.production.feedback.reviews import Reviews
from handoff_eval.transcripts.label_store import save_labels
from handoff_eval.transcripts.mask import Masker
from handoff_eval.transcripts.read import read_dataset
from tests.builders import scored
from tests.logs import write_log
from tests.unit.test_volume import LABELS, planned

BUDGET = Budget(20, 0.8, 200, prevalence=0.05)


@pytest.fixture
def logged(tmp_path: Path) -> Logged:
    write_log(tmp_path)
    return read_logged(str(tmp_path / "decisions.jsonl"), transcripts=tmp_path)


def test_emails_alone_get_the_share_that_was_read(logged: Logged) -> None:
    """Fifteen of 21 emails were read, so each had a chance of 15 / 21; all are marked."""
    found = collect(logged, Reviews(tuple(LABELS)))

    assert len(found.conversations) == found.emailed == 15
    assert {label.sampling_probability for label in found.labels} == {15 / 21}
    assert {split for c in found.conversations if (split := c.split)} == set(Split)


def test_a_draw_gives_each_stratum_its_own_probability(logged: Logged, tmp_path: Path) -> None:
    """Drawn times read: of a stratum drawn at p with half of it read, a row has p / 2."""
    plan = planned(tmp_path, reviews=20)
    last = plan.strata[-1]
    drawn = [row.conversation_id for row in plan.rows if row.stratum == last.name]
    others = [row.conversation_id for row in plan.rows if row.stratum != last.name]
    read = [*others, *drawn[: len(drawn) // 2]]
    extra = Label("c-0-9", False, annotator="ana")
    labels = [Label(key, False, annotator="ana") for key in read if key != "c-0-9"]
    found = collect(logged, Reviews((*labels, extra)), plan)
    chances = {label.conversation_id: label.sampling_probability for label in found.labels}

    expected = last.probability * (len(drawn) // 2) / len(drawn)
    if "c-0-9" in drawn[len(drawn) // 2 :]:
        expected = last.probability * (len(drawn) // 2 + 1) / len(drawn)
    assert chances[drawn[0]] == pytest.approx(expected)
    assert found.left_out == ("c-0-9" not in [*drawn, *others])
    assert sum(c.emailed for c in found.conversations) == 21


def test_an_emailed_conversation_ends_with_the_email(logged: Logged) -> None:
    """What the agent says afterwards is cut off, and a need later than that is at the close."""
    late = Label("c-0-0", True, at_turn=3, reasons=(Reason.OTHER,), annotator="ana")
    early = Label("c-0-1", True, at_turn=2, reasons=(Reason.OTHER,), annotator="ana")
    found = collect(logged, Reviews((late, early)))

    assert {len(conversation.turns) for conversation in found.conversations} == {3}
    assert [label.at_turn for label in found.labels] == [None, 2]


def test_nothing_reviewed_is_said(logged: Logged) -> None:
    """Without a review that can be used, what to do is told."""
    with pytest.raises(DataError, match="Review some with 'handoff-eval review'"):
        collect(logged, Reviews())


def test_the_command_makes_a_dataset_that_is_read_back(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Folder, datasheet, probabilities and marks survive; a second time the folder is refused."""
    write_log(tmp_path)
    plan = planned(tmp_path, reviews=20)
    (tmp_path / "plan.json").write_text(json.dumps(plan.to_dict()))
    (tmp_path / "reviews").mkdir()
    note = "to ana@example.org"
    answered = [
        Label(row.conversation_id, False, annotator="ana", extra={"answered": True}, note=note)
        for row in plan.rows
    ]
    save_labels(tmp_path / "reviews", answered)
    command = ["labels", "collect", str(tmp_path / "decisions.jsonl"), "--mask"]
    command += ["--transcripts", str(tmp_path), "--reviews", str(tmp_path / "reviews")]
    command += ["--audit", str(tmp_path / "plan.json"), "--to", str(tmp_path / "back"), "--json"]

    assert main(command) == 0
    document = json.loads(capsys.readouterr().out)
    back = read_dataset(tmp_path / "back")
    assert document["conversations"] == len(back.conversations) == 41
    assert back.refusals == ()
    assert back.datasheet is not None
    assert "| unsent 1 |" in back.datasheet.read_text()
    assert all(label.sampling_probability and not label.extra for label in back.labels)
    assert "ana@example.org" not in (tmp_path / "back" / "transcripts.jsonl").read_text()
    assert "ana@example.org" not in (tmp_path / "back" / "labels.jsonl").read_text()
    assert main(command) == 2


def test_a_failed_write_is_told(logged: Logged, tmp_path: Path) -> None:
    """A place that can't be written is a sentence."""
    (tmp_path / "file").write_text("")
    found: Collected = collect(logged, Reviews(tuple(LABELS)))

    with pytest.raises(DataError, match="can't be written"):
        write_collected(found, tmp_path / "file" / "x", source="s", masker=Masker(b"0" * 32))


@pytest.mark.parametrize("weight", [None, [1.0] * 30 + [4.0] * 30 + [1.0] * 200])
def test_emails_alone_never_certify_recall(weight: list[float] | None) -> None:
    """Whatever their weights, rows that were all emailed are refused."""
    split = scored([0.9] * 60, [0.1] * 200, split=Split.TUNE, weight=weight)
    emailed = replace(split, emailed=np.ones(260, dtype=bool))

    with pytest.raises(DataError, match="apart from the emails already sent; all 60"):
        gather(emailed, BUDGET, prevalence=0.05, traffic=None, seed=0)


def test_an_audit_without_a_miss_counts_for_what_it_drew() -> None:
    """With unsent rows drawn at one in ten, emailed positives count a tenth, found misses or not.

    Were all 400 kept, misses as many as the catches would pass unseen at a tenth of the chance.
    """
    weight = [1.0] * 400 + [1.0] * 100 + [10.0] * 100
    split = scored([0.9] * 400, [0.1] * 200, split=Split.TUNE, weight=weight)
    emailed = replace(split, emailed=np.arange(600) < 500)
    evidence = gather(emailed, BUDGET, prevalence=0.05, traffic=None, seed=0)

    assert 20 <= len(evidence.positives) <= 60


def test_thinning_goes_by_the_thinnest_draw_it_is_told_of() -> None:
    """Rows of weight 1 stay at a quarter where another kind of row might have had weight 4."""
    weight = np.array([1.0] * 4000 + [4.0])
    eligible = np.arange(4001) < 4000

    told = thinned(weight, eligible, seed=0, drawn=np.ones(4001, dtype=bool))

    assert told.mean() == pytest.approx(0.25, abs=0.03)
    assert thinned(weight, eligible, seed=0).sum() == 4000
