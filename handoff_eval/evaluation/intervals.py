"""Estimates that carry their interval and n, and the resampling behind them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

LEVEL = 0.95
REPLICATES = 2000
BLOCK_CELLS = 1_000_000
"""Weights held at once by `weight_blocks`: 8 MB, about what a processor keeps close."""
ROUNDING = 1e-12
"""Spread of replicates that is rounding of the arithmetic alone."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value with its two-sided interval: the only form in which a metric is reported.

    Attributes
    ----------
    value, low, high : float
        Point estimate and limits; NaN where the data can't say.
    n : int
        Number of conversations it rests on.
    method : str
        How the limits were made.
    level : float
        Coverage aimed at.
    """

    value: float
    low: float
    high: float
    n: int
    method: str
    level: float = LEVEL

    def __str__(self) -> str:
        return f"{self.short} n={self.n}"

    @property
    def short(self) -> str:
        """The value with its limits, as a table cell beside a column of n."""
        digits = 1 if max(abs(self.value), abs(self.high)) > 2 else 2
        if np.isnan(self.low):
            return f"{self.value:.{digits}f} [no interval]"
        return f"{self.value:.{digits}f} [{self.low:.{digits}f}, {self.high:.{digits}f}]"

    def scaled(self, factor: float) -> Estimate:
        """Return the estimate in another unit."""
        return Estimate(
            self.value * factor,
            self.low * factor,
            self.high * factor,
            self.n,
            self.method,
            self.level,
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the estimate as JSON values, with None for NaN."""
        return {
            "value": _json(self.value),
            "low": _json(self.low),
            "high": _json(self.high),
            "n": self.n,
            "method": self.method,
            "level": self.level,
        }


def clopper_pearson(successes: int, n: int, *, level: float = LEVEL) -> tuple[float, float]:
    """Return the exact two-sided limits of a proportion.

    Clopper and Pearson, Biometrika 26 (1934) 404-413: the limits are the proportions at which
    the observed count sits at a tail probability of (1 - level) / 2.
    """
    from scipy.stats import beta

    if not 0 <= successes <= n or n == 0:
        raise ValueError(f"Expected 0 <= successes <= n and n > 0; got {successes} of {n}.")
    tail = (1 - level) / 2
    low = 0.0 if successes == 0 else float(beta.ppf(tail, successes, n - successes + 1))
    high = 1.0 if successes == n else float(beta.ppf(1 - tail, successes + 1, n - successes))
    return low, high


def weight_blocks(
    groups: Sequence[str], *, replicates: int = REPLICATES, seed: int = 0
) -> Iterator[NDArray[np.float64]]:
    """Yield bootstrap weights that resample whole customers, in blocks of shape (some, n).

    Row b holds how often each conversation's customer was drawn in replicate b (Davison and
    Hinkley, Bootstrap Methods and their Application, 1997, section 3.8: resampling the top
    level of a hierarchy). Blocks keep memory bounded; their number changes nothing else.
    """
    codes = np.unique(np.asarray(groups), return_inverse=True)[1]
    units = int(codes.max()) + 1 if len(codes) else 0
    if units == 0:
        raise ValueError("Expected at least one conversation to resample; got none.")
    random, shares = np.random.default_rng(seed), np.full(units, 1 / units)
    size = max(1, BLOCK_CELLS // len(codes))
    for start in range(0, replicates, size):
        draws = random.multinomial(units, shares, size=min(size, replicates - start))
        yield draws[:, codes].astype(np.float64)


def left_out_weights(groups: Sequence[str]) -> NDArray[np.float64]:
    """Return weights that leave out one customer at a time, shape (customers, n)."""
    codes = np.unique(np.asarray(groups), return_inverse=True)[1]
    stays: NDArray[np.float64] = (codes != np.arange(codes.max() + 1)[:, None]).astype(np.float64)
    return stays


def cluster_weights(
    groups: Sequence[str], *, replicates: int = REPLICATES, seed: int = 0
) -> NDArray[np.float64]:
    """Return all of `weight_blocks` at once, shape (replicates, n)."""
    return np.concatenate(list(weight_blocks(groups, replicates=replicates, seed=seed)))


def percentile_estimate(
    value: float, replicates: NDArray[np.float64], n: int, *, level: float = LEVEL
) -> Estimate:
    """Return the percentile interval over replicates; undefined (NaN) replicates are left out.

    Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13.
    Replicates without any spread (an average precision of exactly 1, two arms that agree
    everywhere) say nothing of the uncertainty, so the limits are then NaN.
    """
    defined = replicates[np.isfinite(replicates)]
    if not np.isfinite(value) or len(defined) == 0:
        return Estimate(value, float("nan"), float("nan"), n, "undefined", level)
    if np.ptp(defined) <= ROUNDING:
        return Estimate(value, float("nan"), float("nan"), n, "no spread in replicates", level)
    tail = 100 * (1 - level) / 2
    low, high = np.percentile(defined, [tail, 100 - tail])
    return Estimate(
        value, min(float(low), value), max(float(high), value), n, "customer bootstrap", level
    )


def by_customer(
    statistic: Callable[[NDArray[np.float64]], NDArray[np.float64]],
    groups: Sequence[str],
    *,
    seed: int = 0,
) -> Estimate:
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
    value = float(statistic(np.ones((1, len(groups))))[0])
    replicates = np.concatenate([statistic(block) for block in weight_blocks(groups, seed=seed)])
    return percentile_estimate(value, replicates, len(groups))


def bca_estimate(
    value: float,
    replicates: NDArray[np.float64],
    left_out: NDArray[np.float64],
    n: int,
    *,
    level: float = LEVEL,
) -> Estimate:
    """Return the bias-corrected and accelerated interval, for a statistic that is skewed.

    Efron, Journal of the American Statistical Association 82 (1987) 171-185: the percentiles are
    moved by z0, how far the replicates' median lies from the value, and by a, the skewness of the
    values with one customer left out.

    Parameters
    ----------
    value : float
    replicates : float array, shape (replicates,)
    left_out : float array, shape (customers,)
        The statistic without each customer; undefined (NaN) ones are left out.
    n : int
    level : float
    """
    plain = percentile_estimate(value, replicates, n, level=level)
    if np.isnan(plain.low):
        return plain
    normal, defined = NormalDist(), replicates[np.isfinite(replicates)]
    below = (np.mean(defined < value) + np.mean(defined <= value)) / 2
    if not 0 < below < 1:
        return plain
    apart = np.nanmean(left_out) - left_out[np.isfinite(left_out)]
    spread = float((apart**2).sum())
    a = float((apart**3).sum()) / (6 * spread**1.5) if spread > 0 else 0.0
    z0 = normal.inv_cdf(float(below))
    shares = []
    for tail in ((1 - level) / 2, (1 + level) / 2):
        z = z0 + normal.inv_cdf(tail)
        shares.append(normal.cdf(z0 + z / (1 - a * z)))
    low, high = np.quantile(defined, shares)
    return Estimate(value, float(low), float(high), n, "customer bootstrap, BCa", level)


def effective_customers(groups: Sequence[str], weight: NDArray[np.float64]) -> float:
    """Return the number of customers, or where weights differ how many equal ones tell as much.

    Kish's (sum w)^2 / sum w^2 over the customers' weights (Survey Sampling, 1965, section 11.7).
    """
    codes = np.unique(np.asarray(groups, dtype=object), return_inverse=True)[1]
    if not np.ptp(weight):
        return float(codes.max() + 1)
    sums = np.bincount(codes, weight)
    return float(sums.sum() ** 2 / (sums**2).sum())


def proportion_estimate(
    hits: NDArray[np.bool_],
    groups: Sequence[str],
    weights: NDArray[np.float64],
    *,
    weight: NDArray[np.float64] | None = None,
    level: float = LEVEL,
) -> Estimate:
    """Return a share with limits that respect customers.

    Exact (Clopper-Pearson) where every conversation has a customer of its own, else the customer
    bootstrap; at 0 or 1, where a bootstrap has no width, exact on the number of customers, where
    weights differ the effective one.

    Parameters
    ----------
    hits : bool array, shape (n,)
    groups : sequence of str, length n
    weights : float array, shape (replicates, n)
        From `cluster_weights`, the columns of these conversations, times `weight`.
    weight : float array, shape (n,), optional
        What each conversation stands for; None where all stand for the same.
    """
    n = len(hits)
    if n == 0:
        return Estimate(float("nan"), float("nan"), float("nan"), 0, "undefined", level)
    weight = np.ones(n) if weight is None else weight
    equal = not np.ptp(weight)
    value = float(np.mean(hits)) if equal else float(np.average(hits, weights=weight))
    customers = max(1, int(effective_customers(groups, weight)))
    if (equal and customers == n) or value in (0.0, 1.0):
        low, high = clopper_pearson(round(value * customers), customers, level=level)
        return Estimate(value, low, high, n, "exact binomial", level)
    totals = weights.sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        shares = (weights @ hits.astype(np.float64)) / totals
    return percentile_estimate(value, shares, n, level=level)


def _json(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
