"""Exact tests of the two promises: order statistics whose rank comes from a binomial.

Recall and volume both fall as the threshold rises, so the thresholds that keep a recall form a
lower set and those that keep a volume an upper set. Each edge is an order statistic whose rank
comes from an exact one-sided binomial test (tolerance limits: Wilks, Annals of Mathematical
Statistics 12 (1941) 91-96; ties: Scheffe and Tukey, ibid. 16 (1945) 187-192). Recall counts
s < t as missed and volume counts s >= t as fired, so with ties too the tests err on the safe side,
and the threshold must lie strictly above the volume's order statistic.

Every function takes scores of shape (..., n), the last axis being independent units, so that one
call serves a certificate and the simulation of thousands of them.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

MIN_GAP = 2e-5
"""Scores may differ by 1e-5 between machines; a threshold keeps that distance to both sides."""


@lru_cache(maxsize=4096)
def largest_count(n: int, share: float, risk: float) -> int:
    """Return max{j : P(Binomial(n, share) <= j) <= risk}, or -1 when there is none.

    Observing j or fewer then shows, at that risk, that the true share lies below `share`.
    """
    from scipy.stats import binom

    if n == 0 or share <= 0 or risk <= 0:
        return -1
    if share >= 1:
        return n
    guess = int(binom.ppf(risk, n, share))
    while guess >= 0 and binom.cdf(guess, n, share) > risk:
        guess -= 1
    return guess


def spent_risk(n: int, share: float, allowed: int) -> float:
    """Return P(Binomial(n, share) <= allowed): what of its risk a discrete test can use."""
    from scipy.stats import binom

    return float(binom.cdf(allowed, n, share)) if allowed >= 0 else 0.0


class AllowedCounts(NamedTuple):
    """Most misses and fires that the tests of both promises allow, -1 for none, and their risks."""

    misses: int
    fires: int
    recall_risk: float
    volume_risk: float


def allowed_counts(
    positives: int, volume_units: int, min_recall: float, max_share: float, risk: float
) -> AllowedCounts:
    """Share a risk between both promises and return what each test allows.

    Half of the risk goes to recall. What the discrete recall test can't spend of its half depends
    on the number of positives alone, not on a score, so it goes to the volume.
    """
    misses = largest_count(positives, 1 - min_recall, risk / 2)
    recall_risk = spent_risk(positives, 1 - min_recall, misses)
    fires = largest_count(volume_units, max_share, risk - recall_risk)
    return AllowedCounts(misses, fires, recall_risk, risk - recall_risk)


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


def recall_edge(scores: Array, allowed: int) -> Array:
    """Return the highest threshold that misses at most `allowed` units, shape (...).

    That is X_(allowed + 1) of the ascending scores: -inf where not even no miss would do.
    """
    if allowed < 0 or scores.shape[-1] == 0:
        return np.full(scores.shape[:-1], -np.inf)
    edge: Array = np.partition(scores, allowed, axis=-1)[..., allowed]
    return edge


def volume_edge(scores: Array, allowed: int) -> Array:
    """Return the value strictly above which at most `allowed` units fire, shape (...).

    That is Y_[allowed + 1] of the descending scores: -inf where all may fire, inf where not
    even none firing would do.
    """
    n = scores.shape[-1]
    if allowed < 0:
        return np.full(scores.shape[:-1], np.inf)
    if allowed >= n:
        return np.full(scores.shape[:-1], -np.inf)
    place = n - 1 - allowed
    edge: Array = np.partition(scores, place, axis=-1)[..., place]
    return edge


def lowest_mid_gap(scores: Array, lowest: Array | float, highest: Array | float) -> Array:
    """Return the lowest midpoint of two neighbouring scores inside [lowest, highest], shape (...).

    0 and 1 count as scores, what isn't finite does not. Strictly above `lowest` by construction,
    since the gap is at least `MIN_GAP`; NaN where there is no such gap.
    """
    ends = np.broadcast_to([0.0, 1.0], (*scores.shape[:-1], 2))
    edges = np.sort(np.concatenate([ends, np.clip(scores, 0, 1)], axis=-1), axis=-1)
    below, above = edges[..., :-1], edges[..., 1:]
    fits = (
        (below >= np.asarray(lowest)[..., None])
        & (above <= np.asarray(highest)[..., None])
        & (above - below >= MIN_GAP)
    )
    first = np.argmax(fits, axis=-1)[..., None]
    middle = np.take_along_axis((below + above) / 2, first, axis=-1)[..., 0]
    result: Array = np.where(fits.any(axis=-1), middle, np.nan)
    return result


def daily_edge_scores(scores: Array, days: NDArray[np.int64], max_emails: int) -> Array:
    """Return each day's (max_emails + 1)-th largest score, shape (number of days,).

    A day has more than `max_emails` fires at a threshold t exactly when this is >= t; -inf for a
    day with no more conversations than that. `days` numbers each conversation's day from 0.
    """
    edges = np.full(int(days.max()) + 1, -np.inf)
    for day in range(len(edges)):
        of_day = scores[days == day]
        if len(of_day) > max_emails:
            edges[day] = np.partition(of_day, -max_emails - 1)[-max_emails - 1]
    return edges
