"""Learning curves: nested draws, hand-computed points, and the answer in words."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from handoff_eval.conversation import LabeledConversation, Split
from handoff_eval.encoders.hashing import HashingEncoder
from handoff_eval.errors import DataError
from handoff_eval.evaluation.intervals import Estimate
from handoff_eval.evaluation.learning.curve import learning_curve
from handoff_eval.evaluation.learning.result import LearningCurve, LearningPoint
from handoff_eval.handoff import Budget
from handoff_eval.transcripts.read import Dataset
from handoff_eval.trigger import Trigger
from handoff_eval.triggers.keyword import KeywordTrigger, default_rules
from handoff_eval.triggers.train import train_classifier
from tests.builders import labeled, talk
from tests.wordings import LastWordTrigger

BUDGET = Budget(20, 0.8, 200, prevalence=0.05)


def _train(name: str, part: Sequence[LabeledConversation], seed: int) -> Trigger:
    return train_classifier(part, HashingEncoder(16), name=name, seed=seed)


@pytest.fixture(scope="module")
def curve(dataset: Dataset) -> LearningCurve:
    prompt = (KeywordTrigger(default_rules()), dataset.labeled(Split.TUNE)[:40])
    return learning_curve(
        dataset, ["small"], BUDGET, train=_train, prompt=prompt, shares=(0.4, 1.0), seeds=2
    )


def test_parts_are_nested_and_keep_customers_whole(dataset: Dataset) -> None:
    """Each draw's larger part holds the smaller one, a customer on one side, test on neither."""
    seen: dict[int, list[set[str]]] = {0: [], 1: []}

    def train(_: str, part: Sequence[LabeledConversation], seed: int) -> Trigger:
        assert {item.conversation.split for item in part} == {Split.TRAIN}
        seen[seed].append({item.conversation.group for item in part})
        return KeywordTrigger(default_rules())

    learning_curve(dataset, ["any"], BUDGET, train=train, shares=(0.4, 0.7, 1.0), seeds=2)

    for parts in seen.values():
        assert parts[0] < parts[1] < parts[2]
    assert seen[0][0] != seen[1][0]
    assert seen[0][2] == seen[1][2]


def test_a_point_holds_counts_and_intervals(curve: LearningCurve) -> None:
    """Sizes rise to the whole of train, and every figure stands with its interval and n."""
    first, last = curve.of("small")

    assert first.conversations < last.conversations == 48
    assert last.positives == 24
    assert last.average_precision.n == 48
    assert last.average_precision.low <= last.average_precision.value
    assert last.ahead is not None
    assert last.ahead.n == 40
    assert json.loads(curve.to_json())["points"][1]["positives"] == 24
    assert curve.frame().shape == (2, 5)
    assert curve.plot().svg().startswith("<svg")


def test_an_arm_is_never_ahead_of_itself(dataset: Dataset) -> None:
    """Against a prompt that scores the same, the difference is zero and nothing is shown."""
    same = KeywordTrigger(default_rules())
    found = learning_curve(
        dataset,
        ["same"],
        BUDGET,
        train=lambda *_: same,
        prompt=(same, dataset.labeled(Split.TUNE)),
        shares=(1.0,),
        seeds=1,
    )

    (point,) = found.points
    assert point.ahead is not None
    assert point.ahead.value == 0
    assert "not shown to beat the prompt" in found.sentences()[0]


def _point(conversations: int, ahead: tuple[float, float, float]) -> LearningPoint:
    estimate = Estimate(0.5, 0.4, 0.6, 48, "given")
    return LearningPoint(
        "tfidf", conversations, conversations / 4, estimate, estimate,
        Estimate(*ahead, 40, "given"),
    )  # fmt: skip


def test_the_answer_is_where_it_stays_ahead() -> None:
    """A size that is ahead by luck, with a larger one that isn't, doesn't count."""
    points = (
        _point(40, (0.2, 0.1, 0.3)),
        _point(80, (0.1, -0.1, 0.3)),
        _point(120, (0.2, 0.1, 0.3)),
        _point(160, (0.3, 0.2, 0.4)),
    )
    curve = LearningCurve("parcels", points, Estimate(0.3, 0.2, 0.4, 40, "given"), 3)

    assert curve.sentences()[0] == (
        "tfidf beats the prompt from 120 labelled conversations on (30 positive), on the 40 "
        "conversations the prompt was asked."
    )
    assert "no prompt was asked" in replace(curve, prompt=None).sentences()[0]


def test_what_cannot_be_judged_is_refused(dataset: Dataset) -> None:
    """Without positives on tune there is nothing to rank."""
    some = tuple(
        label
        for label in dataset.labels
        if not (label.conversation_id.startswith("tune") and label.handoff)
    )

    with pytest.raises(DataError, match="with and without a handoff in the tune split"):
        learning_curve(replace(dataset, labels=some), ["any"], BUDGET, train=_train)


def test_tune_counts_by_what_was_drawn() -> None:
    """A positive that stands for three counts three times in average precision and recall."""
    items = [
        labeled(talk(f"C: {said}", id=f"{split.value}-{i}", customer=f"{split.value}-{i}",
                     split=split), handoff=needed, at=0 if needed else None)
        for split in (Split.TRAIN, Split.TUNE)
        for i, (said, needed) in enumerate([("a person", True), ("hello", True)] * 2
                                           + [("no person", False)] + [("hi", False)] * 3)
    ]  # fmt: skip
    often = {f"tune-{i}": 1 / 3 for i in (0, 2)}
    labels = tuple(
        replace(i.label, sampling_probability=often.get(i.conversation.id, 1.0)) for i in items
    )
    data = Dataset("drawn", Path("drawn"), tuple(i.conversation for i in items), labels, (), "0")
    trigger = LastWordTrigger("Send it when they ask for a person.")

    found = learning_curve(
        data, ["words"], Budget(4, 0.5, 10, prevalence=0.5), train=lambda *_: trigger,
        shares=(1.0,), seeds=1,
    )  # fmt: skip

    # The trigger scores .9 for "person": positives 6 of 8, negatives 1 of 4; all others tie at 0.
    # AP = 6/8 (6/7) + 2/8 (8/12) = .8095; at a prevalence of 1/2 the tie at .9 is
    # 1/2 (3/4) + 1/2 (1/4) = 1/2 of the volume, so .4 takes .8 of it: recall .75 * .8 = .6.
    (point,) = found.points
    assert point.average_precision.value == pytest.approx(6 / 8 * 6 / 7 + 2 / 8 * 8 / 12)
    assert point.recall.value == pytest.approx(0.6)


def test_too_few_labels_are_refused(dataset: Dataset) -> None:
    """Parts without two customers of each kind give no point, and none at all is an error."""
    with pytest.raises(DataError, match="too few"):
        learning_curve(dataset, ["any"], BUDGET, train=_train, shares=(0.02,), seeds=1)


def test_draws_are_seeded(dataset: Dataset, curve: LearningCurve) -> None:
    """The same call gives the same figures."""
    again = learning_curve(dataset, ["small"], BUDGET, train=_train, shares=(0.4, 1.0), seeds=2)

    assert np.allclose(
        [p.average_precision.low for p in again.points],
        [p.average_precision.low for p in curve.points],
    )
