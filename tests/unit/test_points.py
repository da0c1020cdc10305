"""Decision points as training rows, and the choice of the penalty on them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from handoff_eval.conversation import LabeledConversation
from handoff_eval.encoders.hashing import HashingEncoder
from handoff_eval.triggers.feature_maps import TurnFeatures
from handoff_eval.triggers.penalty import (
    DEFAULT_PLAN,
    choose_plan,
    fit_linear,
    grouped_splits,
    held_out,
)
from handoff_eval.triggers.points import Points
from tests.builders import labeled, talk
from tests.training import TRAINING

FEATURES = TurnFeatures(HashingEncoder(16))
ITEMS = [
    labeled(talk("C: a", "C: b", "C: c", id="1"), handoff=True, at=1),
    labeled(talk("C: a", id="2"), handoff=False),
]


def test_a_conversation_counts_once_and_not_before_its_need() -> None:
    """Points before the need weigh nothing; the others share the conversation's weight."""
    points = Points.of(ITEMS, FEATURES)

    # Four points of which three are due; two points of a negative.
    assert points.yes == pytest.approx([0, 1 / 3, 1 / 3, 1 / 3, 0, 0])
    assert points.no == pytest.approx([0, 0, 0, 0, 1 / 2, 1 / 2])


def test_where_annotators_differ_a_point_counts_as_either() -> None:
    """One of two says no: half of a half at both points, and the rest on the one that is due."""
    item = labeled(talk("C: a", id="1"), handoff=True)
    doubted = replace(item, others=(replace(item.label, handoff=False),))
    points = Points.of([doubted], FEATURES)

    # Two points, due at the close: yes 0 and 1, no 1/2 and 1/2, each by half of the votes.
    assert points.yes == pytest.approx([0, 1 / 2])
    assert points.no == pytest.approx([1 / 4, 1 / 4])
    rows, due, weights = points.lessons(np.arange(2))
    assert rows.tolist() == [0, 1, 1]
    assert due.tolist() == [False, True, False]
    assert weights == pytest.approx([1 / 4, 1 / 2, 1 / 4])


def test_a_doubted_label_moves_the_head_less() -> None:
    """What one of two annotators denies is learnt at half strength, whoever wrote last."""
    plain = [*TRAINING]
    asked = replace(TRAINING[0], label=replace(TRAINING[0].label, handoff=False, at_turn=None))
    doubted = [replace(TRAINING[0], others=(asked.label,)), *plain[1:]]
    turned = [replace(asked, others=(TRAINING[0].label,)), *plain[1:]]

    def at_due(items: list[LabeledConversation]) -> float:
        points = Points.of(items, FEATURES)
        everything = np.arange(points.rows.shape[0])
        weights, bias = fit_linear(points, everything, DEFAULT_PLAN, FEATURES.blocks)
        return float((points.rows @ weights + bias)[-1 + points.offsets[1]])

    assert at_due([asked, *plain[1:]]) < at_due(doubted) < at_due(plain)
    assert at_due(turned) == pytest.approx(at_due(doubted))


def test_peaks_on_time_stop_at_the_need() -> None:
    """A later score of a positive doesn't count; of a negative all do."""
    points = Points.of(ITEMS, FEATURES)
    scores = np.array([0.1, 0.2, 0.9, 0.3, 0.4, 0.5])

    assert points.peaks(scores).tolist() == [0.9, 0.5]
    assert points.peaks_on_time(scores).tolist() == [0.2, 0.5]


def test_no_customer_is_judged_by_a_head_that_saw_them() -> None:
    """Folds go by customer, and every conversation is judged once."""
    items = [*TRAINING, *TRAINING]
    points = Points.of(items, FEATURES)
    groups = np.array([item.conversation.group for item in items])
    splits = grouped_splits(points, groups, seed=0)

    def predict(inside: np.ndarray, outside: np.ndarray) -> np.ndarray:
        owner = np.repeat(np.arange(len(items)), np.diff(points.offsets))
        assert not set(groups[owner[inside]]) & set(groups[owner[outside]])
        return np.ones(len(outside))

    values, judged = held_out(points, splits, predict)

    assert values.tolist() == [1.0] * points.rows.shape[0]
    assert sorted(judged.tolist()) == list(range(len(items)))


def test_weights_are_in_the_units_of_the_raw_columns() -> None:
    """The values that chose the plan are those of the weights that the plan leaves."""
    points = Points.of(TRAINING, FEATURES)
    groups = np.array([item.conversation.group for item in TRAINING])
    splits = grouped_splits(points, groups, seed=0)
    plan, values, _ = choose_plan(points, splits, FEATURES.blocks)
    inside, outside = splits[0]

    weights, bias = fit_linear(points, points.of_conversations(inside), plan, FEATURES.blocks)
    rows = points.of_conversations(outside)

    assert points.rows[rows].toarray() @ weights + bias == pytest.approx(values[rows], abs=1e-6)
