"""What both promises are tested on, and what the tests find at a given risk."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import floor

import numpy as np
from numpy.typing import NDArray

from handoff_eval.errors import DataError
from handoff_eval.evaluation.certificate import NEGATIVES_ARE_HARD
from handoff_eval.evaluation.exact import (
    allowed_counts,
    lowest_mid_gap,
    recall_edge,
    volume_edge,
)
from handoff_eval.evaluation.promise.units import lowest_of_each, one_per_customer, thinned
from handoff_eval.evaluation.scored import ScoredSplit
from handoff_eval.evaluation.traffic import ScoredTraffic
from handoff_eval.handoff import Budget

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Evidence:
    """Scores of the independent units of both tests.

    Attributes
    ----------
    positives : float array
        What must lie at or above the threshold: of handoffs, or the lowest of each customer.
    volume : float array
        What must lie below it: of traffic, of negatives, or of days (`exact.daily_edge_scores`).
    max_share : float
        Most of the volume's units that may lie at or above it, as a share of the population.
    observed : float array
        Every score seen, so that a threshold lies between two of them.
    on_negatives : bool
        Volume is tested through the negatives of tune.
    assumption, source : str
        As the certificate keeps them.
    """

    positives: Array
    volume: Array
    max_share: float
    observed: Array
    on_negatives: bool
    assumption: str
    source: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the two exact tests find.

    Attributes
    ----------
    misses, fires : int
        Most that each test allows; -1 when none passes.
    lowest, highest : float
        Thresholds must lie strictly above the first and not above the second.
    threshold : float
        The lowest mid-gap value between them; NaN when there is none.
    recall_risk, volume_risk : float
        What each test spends at most.
    """

    misses: int
    fires: int
    lowest: float
    highest: float
    threshold: float
    recall_risk: float
    volume_risk: float

    @property
    def certified(self) -> bool:
        """Whether a threshold keeps both promises."""
        return self.misses >= 0 and self.fires >= 0 and not np.isnan(self.threshold)


def gather(
    scored: ScoredSplit,
    budget: Budget,
    *,
    prevalence: float,
    traffic: ScoredTraffic | None,
    seed: int,
) -> Evidence:
    """Collect the units of both tests.

    Recall is tested on positives alone. Volume is tested on traffic where there is some, by days
    where the budget is one for days; else on the negatives, by showing a false positive rate of at
    most (v - p) / (1 - p) at email rate v and prevalence p, which keeps p R + (1 - p) F <= v
    whatever the recall R.

    Raises
    ------
    DataError
        When a promise for days has no daily traffic, a promise for customers meets weights that
        differ, or every positive was found by an email that was sent.
    """
    peaks = scored.peak_within(budget.on_time_within)
    positives = _positives(scored, peaks, budget, seed)
    bounded = peaks[scored.positive]
    observed = [scored.peak, bounded]
    if budget.max_days_above is not None:
        if traffic is None:
            raise DataError(
                "Expected traffic to promise a share of days; got none. Give --traffic with all "
                "conversations of at least 29 days, or leave out max_days_above."
            )
        volume, per_day, assumed = traffic.daily(floor(budget.max_emails_per_day))
        if per_day < 0.9 * budget.conversations_per_day:
            raise DataError(
                f"Expected traffic with all conversations of its days, about "
                f"{budget.conversations_per_day:g} a day as stated; it has {per_day:.1f}. Give "
                "whole days, or state the traffic there is."
            )
        return Evidence(
            positives,
            volume,
            budget.max_days_above,
            np.concatenate([*observed, traffic.peak[np.isfinite(traffic.peak)]]),
            on_negatives=False,
            assumption=assumed,
            source=traffic.source,
        )
    if traffic is not None:
        everyone = np.ones(len(traffic.peak), dtype=bool)
        return Evidence(
            positives,
            traffic.peak[one_per_customer(traffic.groups, everyone, seed)],
            budget.email_rate,
            np.concatenate([*observed, traffic.peak[np.isfinite(traffic.peak)]]),
            on_negatives=False,
            assumption="",
            source=traffic.source,
        )
    negatives = thinned(scored.weight, ~scored.positive, seed)
    return Evidence(
        positives,
        np.where(scored.emailed, np.inf, scored.peak)[
            one_per_customer(scored.groups, negatives, seed)
        ],
        max(0.0, (budget.email_rate - prevalence) / (1 - prevalence)),
        np.concatenate(observed),
        on_negatives=True,
        assumption=NEGATIVES_ARE_HARD,
        source="",
    )


def try_promises(evidence: Evidence, min_recall: float, risk: float) -> Verdict:
    """Test both promises; together they err with probability `risk` at most."""
    counts = allowed_counts(
        len(evidence.positives), len(evidence.volume), min_recall, evidence.max_share, risk
    )
    lowest = float(volume_edge(evidence.volume, counts.fires))
    highest = float(recall_edge(evidence.positives, counts.misses))
    threshold = float(lowest_mid_gap(evidence.observed, lowest, highest))
    return Verdict(*counts[:2], lowest, highest, threshold, *counts[2:])


def with_positives(evidence: Evidence, n: int) -> Evidence:
    """Return the evidence as if there were n positives that score like the present ones."""
    places = (np.arange(n) + 0.5) / n
    scores = np.quantile(evidence.positives, places, method="inverted_cdf")
    return replace(evidence, positives=scores)


def with_volume(evidence: Evidence, m: int) -> Evidence:
    """Return the evidence as if there were m volume units that score like the present ones."""
    places = (np.arange(m) + 0.5) / m
    scores = np.quantile(evidence.volume, places, method="inverted_cdf")
    return replace(evidence, volume=scores)


def _positives(scored: ScoredSplit, peaks: Array, budget: Budget, seed: int) -> Array:
    positive = scored.positive
    weight = scored.weight[positive]
    equal = bool(len(weight) == 0 or np.ptp(weight) == 0)
    # An audit that found no miss tells by its weights how many there may be; emails alone don't.
    audited = bool(np.ptp(scored.weight) > 0 and not scored.emailed.all())
    if positive.any() and scored.emailed[positive].all() and not audited:
        raise DataError(
            "Expected positives that were looked for apart from the emails already sent; all "
            f"{positive.sum()} of tune are marked as emailed, so they certify only what the former "
            "trigger saw. Label unsent conversations too ('handoff-eval audit')."
        )
    if budget.customers:
        if not equal:
            raise DataError(
                "Expected equal sampling probabilities to promise a share of customers; they "
                "differ in tune. Promise a share of handoffs (customers = false)."
            )
        return lowest_of_each(peaks, scored.groups, positive)
    of_all = np.full(len(positive), scored.emailed.any())
    kept = thinned(scored.weight, positive, seed, drawn=of_all)
    return peaks[one_per_customer(scored.groups, kept, seed)]
