"""Budget in, threshold out: the interval of thresholds that keeps both promises, or why not.

Recall and volume both fall as the threshold rises, so the thresholds that keep a recall form a
lower set and those that keep a volume an upper set. Each edge is an order statistic whose rank
comes from an exact one-sided binomial test (tolerance limits: Wilks, Annals of Mathematical
Statistics 12 (1941) 91-96; ties: Scheffe and Tukey, ibid. 16 (1945) 187-192). Recall counts
s < t as missed and volume counts s >= t as fired, so the threshold must lie strictly above the
volume's order statistic.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from handoff_eval.conversation import Split
from handoff_eval.errors import LeakageError
from handoff_eval.evaluation.metrics import email_rate
from handoff_eval.evaluation.operating_point import Certificate, OperatingPoint
from handoff_eval.evaluation.scored import ScoredSplit
from handoff_eval.handoff import Budget

MIN_GAP = 2e-5
"""Scores may differ by 1e-5 between machines; a threshold keeps that distance to both sides."""


@dataclass(frozen=True, slots=True)
class Edges:
    """Result of the two exact tests.

    Attributes
    ----------
    lowest : float
        Thresholds must lie strictly above this to keep the volume; -inf when any does.
    highest : float
        Thresholds must not lie above this to keep the recall; -inf when none does.
    positives, negatives : float arrays
        Ascending scores of the independent units.
    misses_allowed, fires_allowed : int
        -1 when no count passes the test.
    """

    lowest: float
    highest: float
    positives: NDArray[np.float64]
    negatives: NDArray[np.float64]
    misses_allowed: int
    fires_allowed: int


def largest_count(n: int, share: float, risk: float) -> int:
    """Return max{j : P(Binomial(n, share) <= j) <= risk}, or -1 when there is none.

    Observing j or fewer then shows, at that risk, that the true share lies below `share`.
    """
    from scipy.stats import binom

    counts = np.flatnonzero(binom.cdf(np.arange(n + 1), n, share) <= risk)
    return int(counts[-1]) if len(counts) else -1


def positives_needed(min_recall: float, risk: float, misses: int = 0) -> int:
    """Return how many positives certify `min_recall` when `misses` of them are missed."""
    from scipy.stats import binom

    low, high = 0, misses + 1
    while binom.cdf(misses, high, 1 - min_recall) > risk:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        if binom.cdf(misses, middle, 1 - min_recall) > risk:
            low = middle
        else:
            high = middle
    return high


def one_per_customer(
    groups: tuple[str, ...], eligible: NDArray[np.bool_], seed: int
) -> NDArray[np.int64]:
    """Return indices of one eligible conversation of each customer, drawn by a fixed seed."""
    shuffled = np.random.default_rng(seed).permutation(np.flatnonzero(eligible))
    _, first = np.unique(np.asarray(groups)[shuffled], return_index=True)
    return np.sort(shuffled[first])


def choose_operating_point(
    scored: ScoredSplit,
    budget: Budget,
    *,
    prevalence: float,
    tries: int,
    dataset_digest: str,
    seed: int = 0,
) -> OperatingPoint:
    """Choose the threshold on tune: certified where both promises can be proved, else a best guess.

    Among certified thresholds the lowest is taken, which catches most within the volume the team
    stated. Where none is certified it is the lowest whose estimated volume fits the budget, and
    the note says what is missing.

    Parameters
    ----------
    scored : ScoredSplit
        The trigger on tune.
    budget : Budget
        What the team can bear.
    prevalence : float
        Deployment prevalence; the volume test needs it, since tune is not a sample of traffic.
    tries : int
        Number of triggers among which one will be chosen on the same data; divides the risk.
    dataset_digest : str
        Kept in the certificate.
    seed : int
        Draws the conversation of a customer who has several.

    Raises
    ------
    LeakageError
        When the split is not tune.
    """
    if scored.split is not Split.TUNE:
        raise LeakageError(
            f"Expected to choose a threshold on the tune split; got {scored.split.value!r}. "
            "Train scores flatter the trigger, and test is for reporting."
        )
    risk = (1 - budget.confidence) / 2 / tries
    max_fpr = max(0.0, (budget.email_rate - prevalence) / (1 - prevalence))
    edges = certified_edges(
        scored, min_recall=budget.min_recall, max_fpr=max_fpr, risk=risk, seed=seed
    )
    certified = _mid_gap_above(scored.peak, edges.lowest, at_most=edges.highest)
    if edges.misses_allowed >= 0 and edges.fires_allowed >= 0 and certified is not None:
        certificate = Certificate(
            min_recall=budget.min_recall,
            max_email_rate=budget.email_rate,
            max_emails_per_day=budget.max_emails_per_day,
            conversations_per_day=budget.conversations_per_day,
            prevalence=prevalence,
            max_false_positive_rate=max_fpr,
            confidence=budget.confidence,
            recall_risk=risk,
            volume_risk=risk,
            tries=tries,
            positives=len(edges.positives),
            negatives=len(edges.negatives),
            misses_allowed=edges.misses_allowed,
            fires_allowed=edges.fires_allowed,
            dataset_digest=dataset_digest,
        )
        return OperatingPoint(
            scored.replay.trigger, certified, Split.TUNE, certificate, f"Certified. {certificate}"
        )
    threshold = _best_guess(scored, budget.email_rate, prevalence)
    note = _why_not(edges, budget, risk, max_fpr, threshold)
    return OperatingPoint(scored.replay.trigger, threshold, Split.TUNE, None, note)


def certified_edges(
    scored: ScoredSplit, *, min_recall: float, max_fpr: float, risk: float, seed: int
) -> Edges:
    """Test both promises, each at `risk`, on one conversation per customer."""
    positives = np.sort(scored.peak[one_per_customer(scored.groups, scored.positive, seed)])
    negatives = np.sort(scored.peak[one_per_customer(scored.groups, ~scored.positive, seed)])
    misses = largest_count(len(positives), 1 - min_recall, risk)
    fires = largest_count(len(negatives), max_fpr, risk)
    highest = positives[misses] if 0 <= misses < len(positives) else -np.inf
    lowest = np.inf if fires < 0 else -np.inf
    if 0 <= fires < len(negatives):
        lowest = negatives[-fires - 1]
    return Edges(float(lowest), float(highest), positives, negatives, misses, fires)


def _mid_gap_above(peaks: NDArray[np.float64], lowest: float, at_most: float) -> float | None:
    """Return the lowest midpoint of two neighbouring observed scores inside (lowest, at_most]."""
    edges = np.unique(np.concatenate([[0.0], peaks, [1.0]]))
    for below, above in pairwise(edges):
        if below >= lowest and above <= at_most and above - below >= MIN_GAP:
            return float((below + above) / 2)
    return None


def _best_guess(scored: ScoredSplit, max_rate: float, prevalence: float) -> float:
    """Return the lowest midpoint whose estimated volume fits, at worst one above every score."""
    edges = np.unique(np.concatenate([[0.0], scored.peak]))
    above_all = float(edges[-1]) + MIN_GAP
    gaps = [(a + b) / 2 for a, b in pairwise(edges) if b - a >= MIN_GAP]
    for threshold in gaps:
        recall = float(np.mean(scored.peak[scored.positive] >= threshold))
        fpr = float(np.mean(scored.peak[~scored.positive] >= threshold))
        if float(email_rate(recall, fpr, prevalence)) <= max_rate:
            return float(threshold)
    return above_all


def _why_not(edges: Edges, budget: Budget, risk: float, max_fpr: float, threshold: float) -> str:
    """Say which side fails at the best guess and what would help."""
    n, m = len(edges.positives), len(edges.negatives)
    missed = int(np.sum(edges.positives < threshold))
    fired = int(np.sum(edges.negatives >= threshold))
    recall = f"a recall of {budget.min_recall:.0%}"
    if max_fpr <= 0:
        return (
            f"Chosen, not certified: a budget of {budget.email_rate:.1%} of conversations leaves "
            "no room above the prevalence: the needed handoffs alone would fill it. Raise it."
        )
    if edges.misses_allowed < 0:
        return (
            f"Chosen, not certified: {n} positives in tune, "
            f"{positives_needed(budget.min_recall, risk)} needed to certify {recall} even with no "
            "miss."
        )
    if edges.fires_allowed < 0:
        return (
            f"Chosen, not certified: {m} negatives in tune are too few to show a false positive "
            f"rate of at most {max_fpr:.1%}; label more, or raise the budget."
        )
    if missed > edges.misses_allowed:
        needed = positives_needed(budget.min_recall, risk, missed)
        return (
            f"Chosen, not certified: {n} positives, {needed} needed to certify {recall} with the "
            f"{missed} misses of this threshold ({edges.misses_allowed} are allowed); a better "
            "trigger, more emails a day or a lower recall would also close the gap."
        )
    return (
        f"Chosen, not certified: {recall} would hold ({missed} misses, {edges.misses_allowed} "
        f"allowed), but {fired} of {m} negatives fire and {edges.fires_allowed} are allowed to "
        f"show a false positive rate of at most {max_fpr:.1%}; more negatives, a better trigger or "
        "a larger budget would close the gap."
    )
