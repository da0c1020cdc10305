"""What a threshold costs and implies: by hand where the calibration is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from handoff_eval.conversation import Split
from handoff_eval.errors import LeakageError, SettingsError
from handoff_eval.evaluation.calibration import probability_at
from handoff_eval.evaluation.operating_point import OperatingPoint
from handoff_eval.evaluation.promise.cost import expected_cost, implied_cost_ratio, ratio_sentence
from handoff_eval.evaluation.scored import ScoredSplit, measure
from handoff_eval.handoff import Budget
from tests.builders import scored

POINT = OperatingPoint("arm", 0.5, Split.TUNE, None, "")


def calibrated(n: int) -> ScoredSplit:
    """Return a split whose scores are the probabilities of their own labels."""
    rng = np.random.default_rng(0)
    scores = rng.beta(2, 2, n)
    yes = rng.random(n) < scores
    return scored(scores[yes], scores[~yes], split=Split.TEST)


def test_a_calibrated_score_is_its_own_probability() -> None:
    """At the sample's prevalence the curve gives back .3, and at another the odds move with it."""
    split = calibrated(20_000)
    share = float(split.positive.mean())
    once = np.ones((1, len(split.peak)))

    same = probability_at(0.3, split.peak, split.positive, once, prevalence=share)
    rare = probability_at(0.3, split.peak, split.positive, once, prevalence=0.1)

    # odds .3/.7 = .4286 times (.1/.9) / (share/(1-share)), share about .5: .0476, p = .0455
    assert same[0] == pytest.approx(0.3, abs=0.01)
    odds = 0.3 / 0.7 * (1 / 9) / (share / (1 - share))
    assert rare[0] == pytest.approx(odds / (1 + odds), abs=0.005)


def test_the_curve_by_hand() -> None:
    """Two distinct scores carry the two parameters exactly, so the fit is the targets' means.

    8 of each kind, so the targets are 9/10 and 1/10. At .8 stand 6 positives and 2 negatives:
    (6 * .9 + 2 * .1) / 8 = .7. At a prevalence of .1 the odds 7/3 are multiplied by 1/9: 7/34.
    """
    split = scored([0.8, 0.2], [0.8, 0.2], split=Split.TUNE)
    counts = np.array([[6.0, 2, 2, 6]])

    even = probability_at(0.8, split.peak, split.positive, counts, prevalence=0.5)
    rare = probability_at(0.8, split.peak, split.positive, counts, prevalence=0.1)

    assert even[0] == pytest.approx(0.7, abs=1e-6)
    assert rare[0] == pytest.approx(7 / 34, abs=1e-6)


def test_a_row_without_a_kind_is_undefined() -> None:
    """Nothing can be calibrated on positives alone."""
    split = scored([0.6, 0.9], [0.1, 0.4], split=Split.TEST)
    rows = np.array([[1.0, 1, 1, 1], [1, 1, 0, 0]])

    p = probability_at(0.5, split.peak, split.positive, rows, prevalence=0.1)

    assert np.isfinite(p[0])
    assert np.isnan(p[1])


def test_implied_ratio_is_at_the_threshold() -> None:
    """At .3 of a calibrated score, prevalence as sampled: (1 - .3) / .3 = 2.33 needless emails."""
    split = calibrated(4000)
    point = replace(POINT, threshold=0.3)

    ratio = implied_cost_ratio(split, point, prevalence=float(split.positive.mean()))

    assert ratio.value == pytest.approx(7 / 3, rel=0.08)
    assert ratio.low < 7 / 3 < ratio.high
    assert ratio_sentence(ratio).startswith(
        f"At this threshold you behave as if one lost customer equals {ratio.value:.2g} needless"
    )


def test_a_threshold_that_nothing_reaches_weighs_nothing() -> None:
    """Above every score there is no probability to speak of."""
    ratio = implied_cost_ratio(calibrated(50), replace(POINT, threshold=1.00002), prevalence=0.1)

    assert np.isnan(ratio.value)
    assert ratio_sentence(ratio) == ""


def test_expected_cost_by_hand() -> None:
    """R = .75 and F = .2 at p = .1, costs 2 and 30: .9 * .2 * 2 + .1 * .25 * 30 = 1.11."""
    split = scored([0.9] * 30 + [0.1] * 10, [0.9] * 20 + [0.1] * 80, split=Split.TEST)
    budget = Budget(20, 0.8, 200, needless_email_cost=2, lost_customer_cost=30)
    measures = measure(split, POINT, prevalence=0.1, conversations_per_day=200)

    cost = expected_cost(split, POINT, measures, budget, prevalence=0.1)

    assert cost is not None
    assert cost.value == pytest.approx(1.11)
    assert cost.low < 1.11 < cost.high
    without = Budget(20, 0.8, 200)
    assert expected_cost(split, POINT, measures, without, prevalence=0.1) is None


def test_expected_cost_has_width_where_nothing_is_missed() -> None:
    """A recall of 1 keeps the exact limit of the customers that could have been lost."""
    split = scored([0.9] * 40, [0.1] * 100, split=Split.TEST)
    budget = Budget(20, 0.8, 200, needless_email_cost=1, lost_customer_cost=10)
    measures = measure(split, POINT, prevalence=0.1, conversations_per_day=200)

    cost = expected_cost(split, POINT, measures, budget, prevalence=0.1)

    # recall's lower limit is .025 ** (1/40) = .912, so .1 * .088 * 10 and the false positives' part
    assert cost is not None
    assert cost.value == 0
    assert cost.high == pytest.approx(0.9 * (1 - 0.025 ** (1 / 100)) + (1 - 0.025 ** (1 / 40)))


def test_costs_are_judged_on_test_alone() -> None:
    """On the split that chose the threshold nothing is reported."""
    split = scored([0.9] * 5, [0.1] * 5, split=Split.TUNE)

    with pytest.raises(LeakageError):
        implied_cost_ratio(split, POINT, prevalence=0.1)


def test_one_cost_alone_is_refused() -> None:
    """A ratio needs both."""
    with pytest.raises(SettingsError, match="both costs or neither; lost_customer_cost is missing"):
        Budget(20, 0.8, 200, needless_email_cost=2)
