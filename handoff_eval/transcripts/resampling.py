"""Intervals by resampling customers, for what is measured on the data itself.

`evaluation.intervals` does the same for triggers; it stands above this room, so the few lines
that the checks need are here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Weights = NDArray[np.float64]
REPLICATES = 1000
_BATCH = 100


@dataclass(frozen=True, slots=True)
class Interval:
    """A value, its two-sided 95 % limits by customer bootstrap, and its n; NaN where undefined."""

    value: float
    low: float
    high: float
    n: int

    def __str__(self) -> str:
        return f"{self.value:.2f} [{self.low:.2f}, {self.high:.2f}] n={self.n}"


def by_customer(
    statistic: Callable[[Weights], Weights], groups: Sequence[str], *, seed: int = 0
) -> Interval:
    """Return a weighted statistic with its percentile interval over resampled customers.

    Parameters
    ----------
    statistic : callable
        Takes weights of shape (replicates, n) and returns one value a row, NaN where undefined.
    groups : sequence of str, length n
        The customer of each observation.
    seed : int
        Of the resampling.
    """
    codes = np.unique(np.asarray(groups), return_inverse=True)[1]
    customers = int(codes.max()) + 1
    value = float(statistic(np.ones((1, len(codes))))[0])
    random = np.random.default_rng(seed)
    draws = []
    for _ in range(REPLICATES // _BATCH):
        counts = random.multinomial(customers, np.full(customers, 1 / customers), size=_BATCH)
        draws.append(statistic(counts[:, codes].astype(np.float64)))
    replicates = np.concatenate(draws)
    defined = replicates[np.isfinite(replicates)]
    if not np.isfinite(value) or not len(defined):
        return Interval(value, float("nan"), float("nan"), len(codes))
    low, high = np.percentile(defined, [2.5, 97.5])
    return Interval(value, min(float(low), value), max(float(high), value), len(codes))


def area_under_curve(
    scores: NDArray[np.float64], positive: NDArray[np.bool_], weights: Weights
) -> Weights:
    """Return the ROC area of each row of weights: P(positive scores higher), ties counting half.

    Shape (replicates,); NaN for a row without weight on either kind.
    """
    distinct, place = np.unique(scores, return_inverse=True)
    spread = np.zeros((len(weights), len(distinct)))
    negatives = spread.copy()
    for row, weight in enumerate(weights):
        spread[row] = np.bincount(place, weight * positive, len(distinct))
        negatives[row] = np.bincount(place, weight * ~positive, len(distinct))
    below = np.cumsum(negatives, axis=1) - negatives / 2
    with np.errstate(invalid="ignore", divide="ignore"):
        area: Weights = (spread * below).sum(axis=1) / (spread.sum(axis=1) * negatives.sum(axis=1))
    return area
