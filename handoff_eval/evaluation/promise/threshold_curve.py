"""What each threshold does on tune: the curves that a threshold is chosen by looking at."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from handoff_eval.conversation import Split
from handoff_eval.errors import LeakageError
from handoff_eval.evaluation.exact import MIN_GAP
from handoff_eval.evaluation.intervals import Estimate, cluster_weights, proportion_estimate
from handoff_eval.evaluation.promise.cost import cost_estimate
from handoff_eval.evaluation.scored import ScoredSplit, email_rate_estimate, share_among
from handoff_eval.evaluation.traffic import ScoredTraffic
from handoff_eval.handoff import Budget

Array = NDArray[np.float64]

MAX_STEPS = 160
"""Thresholds looked at: as many as a slider can tell apart."""


@dataclass(frozen=True, slots=True)
class ThresholdCurve:
    """The measures at k thresholds, rising; intervals are those of each threshold by itself.

    They are for choosing. A threshold that was picked because it looks good here is reported on
    test, where it will look less good.

    Attributes
    ----------
    trigger : str
    thresholds : float array, shape (k,)
        Each midway between two observed scores; nothing fires at the last one.
    recall, recall_on_time : tuple of Estimate, length k
    emails_per_day : tuple of Estimate, length k
        At the deployment prevalence, or as seen on traffic.
    expected_cost : tuple of Estimate, length k, or None
        None where the budget states no costs.
    """

    trigger: str
    thresholds: Array
    recall: tuple[Estimate, ...]
    recall_on_time: tuple[Estimate, ...]
    emails_per_day: tuple[Estimate, ...]
    expected_cost: tuple[Estimate, ...] | None


def threshold_curve(
    scored: ScoredSplit,
    budget: Budget,
    *,
    prevalence: float,
    traffic: ScoredTraffic | None = None,
    include: Sequence[float] = (),
    max_steps: int = MAX_STEPS,
    seed: int = 0,
) -> ThresholdCurve:
    """Measure every threshold worth telling apart on tune.

    Parameters
    ----------
    scored : ScoredSplit
        The trigger on tune.
    budget : Budget
        Its traffic and costs.
    prevalence : float
        Of the deployment.
    traffic : ScoredTraffic, optional
        Shows the volume without any prevalence.
    include : sequence of float
        Thresholds that must be among those measured.
    max_steps : int
        At most so many thresholds, spread evenly over the distinct scores.
    seed : int
        Of the resampling.

    Raises
    ------
    LeakageError
        When the split is not tune.
    """
    if scored.split is not Split.TUNE:
        raise LeakageError(
            f"Expected to look for a threshold on the tune split; got {scored.split.value!r}. "
            "Train scores flatter the trigger, and a threshold picked by looking at test can't be "
            "reported there."
        )
    thresholds = _steps(scored, traffic, include, max_steps)
    weights = scored.resampled(seed=seed)
    fired = (scored.peak >= thresholds[:, None]).astype(np.float64)
    # A resample may hold no positive, or no negative, and then says nothing of that rate.
    with np.errstate(invalid="ignore", divide="ignore"):
        r, f = (
            (weights[:, kind] @ fired[:, kind].T) / weights[:, kind].sum(1, keepdims=True)
            for kind in (scored.positive, ~scored.positive)
        )
    recall, on_time, emails, costs = [], [], [], []
    volumes = None if traffic is None else _seen(traffic, thresholds, seed)
    for k, threshold in enumerate(thresholds):
        hits = scored.peak >= threshold
        caught = share_among(scored, hits, scored.positive, weights)
        false_positives = share_among(scored, hits, ~scored.positive, weights)
        recall.append(caught)
        on_time.append(
            share_among(scored, scored.on_time_peak >= threshold, scored.positive, weights)
        )
        rates = (caught, false_positives, r[:, k], f[:, k])
        n = len(scored.peak)
        rate = (
            email_rate_estimate(*rates, prevalence=prevalence, n=n)
            if volumes is None
            else next(volumes)
        )
        emails.append(rate.scaled(budget.conversations_per_day))
        costs.append(cost_estimate(*rates, budget, prevalence=prevalence, n=n))
    known = [cost for cost in costs if cost is not None]
    return ThresholdCurve(
        trigger=scored.replay.trigger,
        thresholds=thresholds,
        recall=tuple(recall),
        recall_on_time=tuple(on_time),
        emails_per_day=tuple(emails),
        expected_cost=tuple(known) or None,
    )


def _steps(
    scored: ScoredSplit, traffic: ScoredTraffic | None, include: Sequence[float], most: int
) -> Array:
    """Return thresholds midway between neighbouring scores, and one above them all."""
    seen = scored.peak if traffic is None else np.concatenate([scored.peak, traffic.peak])
    edges = np.unique(np.concatenate([[0.0], seen[np.isfinite(seen)]]))
    gaps = [(a + b) / 2 for a, b in pairwise(edges) if b - a >= MIN_GAP]
    gaps.append(float(edges[-1]) + MIN_GAP)
    steps = np.array(gaps)
    if len(steps) > most:
        steps = steps[np.unique(np.linspace(0, len(steps) - 1, most).round().astype(int))]
    return np.unique(np.append(steps, include))


def _seen(traffic: ScoredTraffic, thresholds: Array, seed: int) -> Iterator[Estimate]:
    weights = cluster_weights(traffic.groups, seed=seed)
    for threshold in thresholds:
        yield proportion_estimate(traffic.peak >= threshold, traffic.groups, weights)
