"""What an operating point costs, and what its threshold says about the costs it assumes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from handoff_eval.evaluation.calibration import probability_at
from handoff_eval.evaluation.intervals import Estimate, percentile_estimate
from handoff_eval.evaluation.operating_point import OperatingPoint
from handoff_eval.evaluation.scored import Measures, ScoredSplit, conditional_shares
from handoff_eval.handoff import Budget


def implied_cost_ratio(
    scored: ScoredSplit, point: OperatingPoint, *, prevalence: float, seed: int = 0
) -> Estimate:
    """Return how many needless emails one lost customer is worth to whoever set this threshold.

    Sending at probability p costs (1 - p) e in needless emails and not sending p c in lost
    customers, so the threshold that costs least lies where p c = (1 - p) e (Elkan, IJCAI 2001,
    973-978): a threshold at probability p behaves as if c / e = (1 - p) / p. p is the calibrated
    deployment probability at the threshold, not the precision above it. NaN for a threshold that
    no score reaches.

    Raises
    ------
    LeakageError
        When the split is not test.
    """
    point.check_reportable_on(scored.split)
    n = len(scored.peak)
    if point.threshold > 1:
        return Estimate(float("nan"), float("nan"), float("nan"), n, "undefined")
    rows = np.concatenate([scored.weight[None], scored.resampled(seed=seed)])
    p = probability_at(point.threshold, scored.peak, scored.positive, rows, prevalence=prevalence)
    ratio = (1 - p) / p
    return percentile_estimate(float(ratio[0]), ratio[1:], n)


def expected_cost(
    scored: ScoredSplit,
    point: OperatingPoint,
    measures: Measures,
    budget: Budget,
    *,
    prevalence: float,
    seed: int = 0,
) -> Estimate | None:
    """Return the mean cost of a conversation, (1 - p) F e + p (1 - R) c; None without costs.

    In the unit of the costs e of a needless email and c of a lost customer; what needed emails
    cost is paid by any trigger that catches them and is left out (Provost and Fawcett, Machine
    Learning 42 (2001) 203-231). Where a rate is 0 or 1 the limits come from the limits of both.
    """
    r, f = conditional_shares(scored, scored.peak >= point.threshold, seed=seed)
    rates = measures.recall, measures.false_positive_rate
    return cost_estimate(*rates, r, f, budget, prevalence=prevalence, n=len(scored.peak))


def cost_estimate(
    recall: Estimate,
    false_positives: Estimate,
    r: NDArray[np.float64],
    f: NDArray[np.float64],
    budget: Budget,
    *,
    prevalence: float,
    n: int,
) -> Estimate | None:
    """Return the cost of `expected_cost` from both rates and their replicates."""
    email, customer = budget.needless_email_cost, budget.lost_customer_cost
    if email is None or customer is None:
        return None
    needless, lost = (1 - prevalence) * email, prevalence * customer
    value = needless * false_positives.value + lost * (1 - recall.value)
    if {recall.value, false_positives.value} & {0.0, 1.0}:
        low = needless * false_positives.low + lost * (1 - recall.high)
        high = needless * false_positives.high + lost * (1 - recall.low)
        return Estimate(value, low, high, n, "limits of both rates")
    return percentile_estimate(value, needless * f + lost * (1 - r), n)


def ratio_sentence(ratio: Estimate) -> str:
    """Return the implied ratio as a team would say it; empty where it is undefined."""
    if np.isnan(ratio.value):
        return ""
    between = ""
    if not np.isnan(ratio.low):
        between = f" (95% interval {_count(ratio.low)} to {_count(ratio.high)})"
    return (
        f"At this threshold you behave as if one lost customer equals {_count(ratio.value)} "
        f"needless emails{between}."
    )


def cost_words(ratio: Estimate, expected: Estimate | None) -> str:
    """Return what a threshold implies and what it costs, in sentences; may be empty."""
    words = ratio_sentence(ratio)
    if expected is not None:
        words += f" A conversation costs {expected.short} on average."
    return words.strip()


def _count(value: float) -> str:
    return f"{value:.0f}" if value >= 10 else f"{value:.2g}"
