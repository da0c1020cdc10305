"""Metrics by hand, against scikit-learn, and as properties."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score

from handoff_eval.evaluation.metrics import (
    at_prevalence,
    average_precision,
    email_rate,
    precision_at_prevalence,
    recall_at_volume,
    volume_recall_curve,
)

SCORES = np.array([0.9, 0.8, 0.7, 0.6, 0.5])
POSITIVE = np.array([True, False, True, False, False])
ONES = np.ones(5)

samples = st.lists(
    st.tuples(st.integers(0, 5), st.booleans(), st.integers(1, 4)), min_size=2, max_size=40
).filter(lambda rows: len({row[1] for row in rows}) == 2)


def _columns(rows: list[tuple[int, bool, int]]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    scores, positive, weights = zip(*rows, strict=True)
    return np.array(scores) / 5, np.array(positive), np.array(weights, dtype=float)


def test_average_precision_by_hand() -> None:
    """AP is the mean of the precisions at the ranks of the positives."""
    # ranks 1 and 3: (1/1 + 2/3) / 2 = 5/6
    assert average_precision(SCORES, POSITIVE, ONES) == pytest.approx(5 / 6)


def test_average_precision_of_equal_scores_is_the_prevalence() -> None:
    """A trigger that says the same of everything ranks at chance."""
    assert average_precision(np.full(5, 0.3), POSITIVE, ONES) == pytest.approx(2 / 5)


@given(samples)
def test_average_precision_is_scikit_learns(rows: list[tuple[int, bool, int]]) -> None:
    """Ties and weights are treated as scikit-learn treats them."""
    scores, positive, weights = _columns(rows)

    ours = average_precision(scores, positive, weights)

    expected = average_precision_score(positive, scores, sample_weight=weights)
    assert ours == pytest.approx(expected, abs=1e-12)


@given(samples)
def test_average_precision_depends_on_order_alone(rows: list[tuple[int, bool, int]]) -> None:
    """A monotone map of the scores, or another order of the rows, changes nothing."""
    scores, positive, weights = _columns(rows)
    shuffled = np.random.default_rng(0).permutation(len(rows))

    plain = average_precision(scores, positive, weights)

    assert average_precision(scores**3 / 2, positive, weights) == pytest.approx(plain)
    assert average_precision(
        scores[shuffled], positive[shuffled], weights[shuffled]
    ) == pytest.approx(plain)


@given(samples)
def test_recall_rises_with_volume(rows: list[tuple[int, bool, int]]) -> None:
    """More emails never catch fewer; all emails catch all, none catch none."""
    scores, positive, weights = _columns(rows)

    recalls = [float(recall_at_volume(scores, positive, weights, v)) for v in np.linspace(0, 1, 11)]

    assert recalls[0] == 0
    assert recalls[-1] == pytest.approx(1)
    assert all(a <= b + 1e-12 for a, b in pairwise(recalls))


def test_recall_at_volume_shares_ties() -> None:
    """Half of a tied group sends half of its positives, whatever the order of rows."""
    scores = np.array([0.5, 0.5, 0.5, 0.5])
    positive = np.array([True, True, False, False])

    assert recall_at_volume(scores, positive, np.ones(4), 0.5) == pytest.approx(0.5)
    assert recall_at_volume(scores, positive[::-1], np.ones(4), 0.5) == pytest.approx(0.5)


def test_weights_work_row_by_row() -> None:
    """A stack of weights gives what each row gives alone."""
    stack = np.array([[1.0, 1, 1, 1, 1], [2, 0, 1, 1, 3], [1, 5, 1, 0, 0]])

    together = average_precision(SCORES, POSITIVE, stack)

    apart = [float(average_precision(SCORES, POSITIVE, row)) for row in stack]
    assert together == pytest.approx(apart)


def test_prevalence_weights_sum_to_one_with_the_given_share() -> None:
    """Positives weigh the prevalence together, negatives the rest."""
    weights = at_prevalence(POSITIVE, ONES, 0.05)

    assert weights.sum() == pytest.approx(1)
    assert weights[POSITIVE].sum() == pytest.approx(0.05)


def test_precision_and_volume_at_prevalence_by_hand() -> None:
    """A recall of .9 and a false positive rate of .1 is precision .16 at 2 %, .90 at half."""
    # .02 * .9 / (.02 * .9 + .98 * .1) = .018 / .116
    assert precision_at_prevalence(0.9, 0.1, 0.02) == pytest.approx(0.018 / 0.116)
    assert precision_at_prevalence(0.9, 0.1, 0.5) == pytest.approx(0.9)
    assert email_rate(0.9, 0.1, 0.02) == pytest.approx(0.116)
    assert np.isnan(precision_at_prevalence(0.0, 0.0, 0.1))


def test_curve_by_hand() -> None:
    """Each distinct score gives the share emailed and the share of positives caught."""
    thresholds, volume, recall = volume_recall_curve(SCORES, POSITIVE, ONES)

    assert thresholds.tolist() == [0.9, 0.8, 0.7, 0.6, 0.5]
    assert volume == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0])
    assert recall == pytest.approx([0.5, 0.5, 1.0, 1.0, 1.0])
