"""The curves that a threshold is chosen by looking at."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from handoff_eval.conversation import Split
from handoff_eval.errors import LeakageError
from handoff_eval.evaluation.operating_point import OperatingPoint
from handoff_eval.evaluation.promise.cost import expected_cost
from handoff_eval.evaluation.promise.threshold_curve import threshold_curve
from handoff_eval.evaluation.scored import ScoredSplit, measure
from handoff_eval.evaluation.traffic import ScoredTraffic
from handoff_eval.handoff import Budget
from tests.builders import scored

BUDGET = Budget(20, 0.8, 200, needless_email_cost=1, lost_customer_cost=30)


def tune(*, shared: bool = False) -> ScoredSplit:
    """Return 12 positives and 28 negatives with overlapping scores; two a customer where shared."""
    random = np.random.default_rng(3)
    positives, negatives = random.beta(4, 2, 12).tolist(), random.beta(2, 4, 28).tolist()
    groups = [f"u{i // 2}" for i in range(40)] if shared else None
    return scored(positives, negatives, split=Split.TUNE, groups=groups)


@pytest.mark.parametrize("shared", [False, True])
def test_each_threshold_is_measured_as_an_operating_point_is(shared: bool) -> None:
    """Value, limits and n are those that `measure` and `expected_cost` report, everywhere."""
    split = tune(shared=shared)
    curve = threshold_curve(split, BUDGET, prevalence=0.05)
    test = replace(split, split=Split.TEST)
    assert curve.expected_cost is not None
    for k, threshold in enumerate(curve.thresholds):
        point = OperatingPoint("arm", float(threshold), Split.TUNE, None, "")
        measured = measure(test, point, prevalence=0.05, conversations_per_day=200)
        cost = expected_cost(test, point, measured, BUDGET, prevalence=0.05)
        pairs = [
            (curve.recall[k], measured.recall),
            (curve.recall_on_time[k], measured.recall_on_time),
            (curve.emails_per_day[k], measured.emails_per_day),
            (curve.expected_cost[k], cost),
        ]
        for ours, theirs in pairs:
            assert theirs is not None
            assert (ours.n, ours.method) == (theirs.n, theirs.method)
            assert [ours.value, ours.low, ours.high] == pytest.approx(
                [theirs.value, theirs.low, theirs.high], nan_ok=True
            )


def test_thresholds_lie_between_scores_from_all_to_none() -> None:
    """Everything fires at the first and nothing at the last, and none of them is a score."""
    split = tune()
    curve = threshold_curve(split, BUDGET, prevalence=0.05)

    assert (curve.recall[0].value, curve.recall[-1].value) == (1.0, 0.0)
    assert not set(curve.thresholds) & set(split.peak)
    assert np.all(np.diff(curve.thresholds) > 0)


def test_many_scores_are_thinned_but_for_the_one_asked_for() -> None:
    """No more thresholds than a slider can tell apart, and the chosen one among them."""
    curve = threshold_curve(tune(), BUDGET, prevalence=0.05, include=[0.4321], max_steps=10)

    assert len(curve.thresholds) == 11
    assert 0.4321 in curve.thresholds


def test_traffic_tells_the_volume() -> None:
    """With 30 of 60 conversations at .5 and the others at .1, half of 200 a day at .3: 100."""
    peak = np.array([0.5] * 30 + [0.1] * 30)
    traffic = ScoredTraffic("t", peak, tuple(f"v{i}" for i in range(60)), (None,) * 60)
    curve = threshold_curve(tune(), BUDGET, prevalence=0.05, traffic=traffic, include=[0.3])
    emails = curve.emails_per_day[curve.thresholds.tolist().index(0.3)]

    assert (emails.value, emails.n) == (100.0, 60)


@pytest.mark.parametrize("split", [Split.TRAIN, Split.TEST])
def test_a_threshold_is_looked_for_on_tune_alone(split: Split) -> None:
    """Train flatters, and test is for the report."""
    other = replace(tune(), split=split)
    with pytest.raises(LeakageError, match=f"got '{split.value}'"):
        threshold_curve(other, BUDGET, prevalence=0.05)
