"""Two arms at the same volume: the paired difference in recall, corrected for their number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from math import ceil, isnan, sqrt
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from handoff_eval.evaluation.intervals import (
    REPLICATES,
    Estimate,
    clopper_pearson,
    percentile_estimate,
    weight_blocks,
)
from handoff_eval.evaluation.metrics import Cut, at_prevalence, cut_at_volume, recall_above
from handoff_eval.evaluation.scored import ScoredSplit
from handoff_eval.evaluation.traffic import ScoredTraffic

Array = NDArray[np.float64]
Pair = tuple[ScoredTraffic, ScoredTraffic]

SMALLEST_DIFFERENCE = 0.05
"""In recall: what two arms must differ by for the difference to be worth having."""
SIGNIFICANCE, POWER = 0.05, 0.8


@dataclass(frozen=True, slots=True)
class PairedDifference:
    """Recall of `first` minus recall of `second` when both send the same share of emails.

    Attributes
    ----------
    difference : Estimate
        In recall, -1 to 1; n is the number of conversations both were asked on.
    positives : int
        Number of those that need a handoff.
    discordance : float
        Share of the positives that one catches and the other doesn't.
    smallest_difference, positives_needed : float, int
        A difference worth having, and about how many positives would show it.
    p_value, p_adjusted : float
        Two-sided, from the bootstrap, and after Holm's correction over all pairs.
    """

    first: str
    second: str
    email_rate: float
    difference: Estimate
    positives: int
    discordance: float
    smallest_difference: float
    positives_needed: int
    p_value: float
    p_adjusted: float

    def reversed(self) -> PairedDifference:
        """Return the same difference the other way round."""
        of = self.difference
        turned = replace(of, value=-of.value, low=-of.high, high=-of.low)
        return replace(self, first=self.second, second=self.first, difference=turned)

    @property
    def verdict(self) -> str:
        """Which is better, or that no difference was shown and what showing one would take."""
        if self.p_adjusted < SIGNIFICANCE:
            better, worse = (
                (self.first, self.second)
                if self.difference.value > 0
                else (self.second, self.first)
            )
            return f"{better} catches more than {worse} at the same volume."
        points = f"{100 * self.smallest_difference:g} points"
        if self.positives >= self.positives_needed:
            return (
                f"No difference shown with {self.positives} positives; one of {points} would "
                f"probably have been."
            )
        return (
            f"No difference shown with {self.positives} positives; about {self.positives_needed} "
            f"would be needed to show {points}."
        )


def paired_difference(
    first: ScoredSplit,
    second: ScoredSplit,
    *,
    email_rate: float,
    prevalence: float,
    traffic: Pair | None = None,
    smallest_difference: float = SMALLEST_DIFFERENCE,
    replicates: int = REPLICATES,
    seed: int = 0,
) -> PairedDifference:
    """Compare two arms on the same conversations at one email rate.

    One set of customer weights is shared by both arms, and both thresholds are found anew in each
    replicate, so the interval knows that thresholds vary: from the prevalence-weighted replicate,
    or from a replicate of the traffic, which is resampled on its own.
    p = 2 min(P(d* <= 0), P(d* >= 0)) over replicates, each share with one added to numerator and
    denominator (Davison and Hinkley 1997, section 4.2), so p is never below 2 / (replicates + 1).

    Parameters
    ----------
    first, second : ScoredSplit
        On the same conversations in the same order.
    email_rate : float
        Emails per conversation that both send.
    prevalence : float
        Deployment prevalence; not used with traffic.
    traffic : (ScoredTraffic, ScoredTraffic), optional
        Both arms on the same unlabelled conversations.
    smallest_difference : float
        In recall, above 0: what the number of positives needed is computed for.
    replicates : int
        Of the customers; Holm over 21 pairs needs 2,000 of them.
    seed : int
        Of the resampling.
    """
    if first.replay.ids != second.replay.ids:
        raise ValueError("Expected both arms on the same conversations; got different ones.")
    arms, positive = (first, second), first.positive
    whole = at_prevalence(positive, first.weight, prevalence)
    cuts = [
        cut_at_volume(arm.peak, whole, email_rate)
        if traffic is None
        else cut_at_volume(traffic[i].peak, np.ones(len(traffic[i].peak)), email_rate)
        for i, arm in enumerate(arms)
    ]
    recalls = [
        float(recall_above(cut, arm.peak, positive, whole))
        for cut, arm in zip(cuts, arms, strict=True)
    ]
    drawn = _recall_replicates(
        arms, email_rate=email_rate, prevalence=prevalence, traffic=traffic,
        replicates=replicates, seed=seed,
    )  # fmt: skip
    differences = np.round(drawn[0] - drawn[1], 12)
    defined = differences[np.isfinite(differences)]
    tails = [(np.sum(defined <= 0) + 1), (np.sum(defined >= 0) + 1)]
    p_value = min(1.0, 2 * float(min(tails)) / (len(defined) + 1))
    estimate = percentile_estimate(round(recalls[0] - recalls[1], 12), differences, len(positive))
    if isnan(estimate.low) and len(defined) and not isnan(estimate.value):
        estimate = _without_spread(estimate, first)
    caught = [_caught(cut, arm) for cut, arm in zip(cuts, arms, strict=True)]
    apart = np.abs(caught[0] - caught[1])
    discordance = float(np.average(apart, weights=first.weight[positive]))
    return PairedDifference(
        first=first.replay.trigger,
        second=second.replay.trigger,
        email_rate=email_rate,
        difference=estimate,
        positives=int(positive.sum()),
        discordance=discordance,
        smallest_difference=smallest_difference,
        positives_needed=positives_to_show(smallest_difference, discordance),
        p_value=p_value,
        p_adjusted=p_value,
    )


def positives_to_show(difference: float, discordance: float) -> int:
    """Return about how many positives show a difference in recall with probability `POWER`.

    (z_a sqrt(psi) + z_b sqrt(psi - D^2))^2 / D^2 for discordance psi and difference D, two-sided
    at 5 % (Connor, Biometrics 43 (1987) 207-211). The difference is one worth having, not the
    observed one, which would make this the power of hindsight; psi is at least D.
    """
    psi = max(discordance, difference)
    z_a, z_b = NormalDist().inv_cdf(1 - SIGNIFICANCE / 2), NormalDist().inv_cdf(POWER)
    return ceil((z_a * sqrt(psi) + z_b * sqrt(psi - difference**2)) ** 2 / difference**2)


def _recall_replicates(
    arms: tuple[ScoredSplit, ScoredSplit],
    *,
    email_rate: float,
    prevalence: float,
    traffic: Pair | None,
    replicates: int,
    seed: int,
) -> Array:
    """Return both arms' recall at the volume in each replicate, shape (2, replicates)."""
    positive, weight = arms[0].positive, arms[0].weight
    cuts = None
    if traffic is not None:
        cuts = _traffic_cuts(traffic, email_rate, replicates=replicates, seed=seed + 1)
    found: list[list[Array]] = [[], []]
    start = 0
    for block in weight_blocks(arms[0].groups, replicates=replicates, seed=seed):
        rows = slice(start, start + len(block))
        start += len(block)
        weights = at_prevalence(positive, block * weight, prevalence)
        for i, arm in enumerate(arms):
            cut = (
                cut_at_volume(arm.peak, weights, email_rate)
                if cuts is None
                else Cut(cuts[i].score[rows], cuts[i].part[rows])
            )
            found[i].append(recall_above(cut, arm.peak, positive, weights))
    return np.array([np.concatenate(column) for column in found])


def _traffic_cuts(traffic: Pair, email_rate: float, *, replicates: int, seed: int) -> list[Cut]:
    """Return each arm's cut in every replicate of the traffic, which both share."""
    parts: list[list[Cut]] = [[], []]
    for block in weight_blocks(traffic[0].groups, replicates=replicates, seed=seed):
        for i, scored in enumerate(traffic):
            parts[i].append(cut_at_volume(scored.peak, block, email_rate))
    return [Cut(*(np.concatenate(x) for x in zip(*part, strict=True))) for part in parts]


def _caught(cut: Cut, arm: ScoredSplit) -> Array:
    """Return how far each positive is caught: 1, 0, or the part of the ties at the cut."""
    scores = arm.peak[arm.positive]
    caught: Array = (scores > cut.score) + (scores == cut.score) * cut.part
    return caught


def _without_spread(estimate: Estimate, arm: ScoredSplit) -> Estimate:
    """Return exact limits where no replicate differs: no discordant customer among n in need."""
    customers = len({group for group, yes in zip(arm.groups, arm.positive, strict=True) if yes})
    _, most = clopper_pearson(0, customers)
    low, high = max(-1.0, estimate.value - most), min(1.0, estimate.value + most)
    return replace(estimate, low=low, high=high, method="exact binomial, no discordance")


def all_pairs(
    arms: Sequence[ScoredSplit],
    *,
    email_rate: float,
    prevalence: float,
    traffic: Sequence[ScoredTraffic | None] | None = None,
    smallest_difference: float = SMALLEST_DIFFERENCE,
    seed: int = 0,
) -> list[PairedDifference]:
    """Compare every two arms on the conversations both were asked on, with Holm's correction.

    `traffic` holds what each arm scored of it; a pair uses it where both did.
    """
    pairs = []
    for i, j in combinations(range(len(arms)), 2):
        second_ids = set(arms[j].replay.ids)
        shared = [name for name in arms[i].replay.ids if name in second_ids]
        one, other = (None, None) if traffic is None else (traffic[i], traffic[j])
        pairs.append(
            paired_difference(
                arms[i].subset(shared),
                arms[j].subset(shared),
                email_rate=email_rate,
                prevalence=prevalence,
                traffic=None if one is None or other is None else (one, other),
                smallest_difference=smallest_difference,
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
