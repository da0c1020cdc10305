"""Two arms at the same volume: the paired difference in recall, corrected for their number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np

from handoff_eval.evaluation.intervals import (
    Estimate,
    cluster_weights,
    percentile_estimate,
)
from handoff_eval.evaluation.metrics import at_prevalence, recall_at_volume
from handoff_eval.evaluation.scored import ScoredSplit


@dataclass(frozen=True, slots=True)
class PairedDifference:
    """Recall of `first` minus recall of `second` when both send the same share of emails.

    Attributes
    ----------
    difference : Estimate
        In recall, -1 to 1; n is the number of conversations both were asked on.
    positives : int
        Number of those that need a handoff.
    p_value, p_adjusted : float
        Two-sided, from the bootstrap, and after Holm's correction over all pairs.
    """

    first: str
    second: str
    email_rate: float
    difference: Estimate
    positives: int
    p_value: float
    p_adjusted: float

    @property
    def verdict(self) -> str:
        """One sentence: which is better, or that no difference was shown."""
        if self.p_adjusted < 0.05:
            better, worse = (
                (self.first, self.second)
                if self.difference.value > 0
                else (self.second, self.first)
            )
            return f"{better} catches more than {worse} at the same volume."
        return f"No difference shown with {self.positives} positives."


def paired_difference(
    first: ScoredSplit, second: ScoredSplit, *, email_rate: float, prevalence: float, seed: int = 0
) -> PairedDifference:
    """Compare two arms on the same conversations at one email rate.

    One set of customer weights is shared by both arms, and both thresholds are found anew in each
    replicate from the prevalence-weighted replicate, so the interval knows that thresholds vary.
    p = 2 min(P(d* <= 0), P(d* >= 0)) over replicates, each share with one added to numerator and
    denominator (Davison and Hinkley 1997, section 4.2), so p is never below 2 / (replicates + 1).
    """
    if first.replay.ids != second.replay.ids:
        raise ValueError("Expected both arms on the same conversations; got different ones.")
    positive = first.positive
    values, replicates = [], []
    resampled = cluster_weights(first.groups, seed=seed)
    weights = at_prevalence(positive, resampled, prevalence)
    once = at_prevalence(positive, np.ones(len(positive)), prevalence)
    for arm in (first, second):
        values.append(float(recall_at_volume(arm.peak, positive, once, email_rate)))
        replicates.append(recall_at_volume(arm.peak, positive, weights, email_rate))
    differences = np.round(replicates[0] - replicates[1], 12)
    defined = differences[np.isfinite(differences)]
    tails = [(np.sum(defined <= 0) + 1), (np.sum(defined >= 0) + 1)]
    p_value = min(1.0, 2 * float(min(tails)) / (len(defined) + 1))
    return PairedDifference(
        first=first.replay.trigger,
        second=second.replay.trigger,
        email_rate=email_rate,
        difference=percentile_estimate(
            round(values[0] - values[1], 12), differences, len(positive)
        ),
        positives=int(positive.sum()),
        p_value=p_value,
        p_adjusted=p_value,
    )


def all_pairs(
    arms: Sequence[ScoredSplit], *, email_rate: float, prevalence: float, seed: int = 0
) -> list[PairedDifference]:
    """Compare every two arms on the conversations both were asked on, with Holm's correction."""
    pairs = []
    for first, second in combinations(arms, 2):
        second_ids = set(second.replay.ids)
        shared = [i for i in first.replay.ids if i in second_ids]
        pairs.append(
            paired_difference(
                first.subset(shared),
                second.subset(shared),
                email_rate=email_rate,
                prevalence=prevalence,
                seed=seed,
            )
        )
    adjusted = holm([pair.p_value for pair in pairs])
    return [replace(pair, p_adjusted=p) for pair, p in zip(pairs, adjusted, strict=True)]


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p-values corrected for their number (Holm, Scand. J. of Statistics 6 (1979) 65)."""
    order = np.argsort(p_values, kind="stable")
    adjusted = np.empty(len(p_values))
    running = 0.0
    for rank, index in enumerate(order):
        running = max(running, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = running
    return [float(p) for p in adjusted]
