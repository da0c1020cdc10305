"""A day's count as the traffic's own pattern has it: weekday means with more spread than chance.

Counts of day d are taken as negative binomial with the mean of its weekday and one dispersion a:
Var = mean + a mean^2, a fitted by moments (Breslow, Extra-Poisson variation in log-linear models,
Applied Statistics 33 (1984) 38-44; Cameron and Trivedi, Regression Analysis of Count Data, 2nd ed.
2013, ch. 3). If each of them is kept with probability r, the counts are negative binomial with
mean r mean and the same a, so a pattern of conversations gives one of emails at any volume.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
from numpy.typing import NDArray

from handoff_eval.errors import DataError

WEEK = 7
MIN_WEEKS = 2
FEW_WEEKS = 8


@dataclass(frozen=True, slots=True)
class DailyCounts:
    """How many on each of consecutive days.

    Attributes
    ----------
    first : date
    counts : int array, shape (days,)
    """

    first: date
    counts: NDArray[np.int64]

    @classmethod
    def of(cls, starts: Iterable[date | None]) -> DailyCounts:
        """Count conversations by the local day they started; those without one are left out.

        Days without any, between the first and the last, count 0.

        Raises
        ------
        DataError
            When the start times span fewer than `MIN_WEEKS` weeks.
        """
        days = Counter(start for start in starts if start is not None)
        span = (max(days) - min(days)).days + 1 if days else 0
        if span < MIN_WEEKS * WEEK:
            raise DataError(
                f"Expected start times over at least {MIN_WEEKS} weeks for a forecast of days; "
                f"got {span} days with a known start. Add 'started_at' or more traffic."
            )
        first = min(days)
        every = (days[first + timedelta(days=i)] for i in range(span))
        return cls(first, np.array(list(every), dtype=np.int64))

    def alongside(self, starts: Iterable[date | None]) -> NDArray[np.int64]:
        """Return how many of some of these conversations started on each day, shape (days,)."""
        days = Counter(starts)
        every = (days[self.first + timedelta(days=i)] for i in range(len(self.counts)))
        return np.array(list(every), dtype=np.int64)

    @property
    def weekdays(self) -> NDArray[np.int64]:
        """Weekday of each day, Monday 0, shape (days,)."""
        return (self.first.weekday() + np.arange(len(self.counts))) % WEEK

    @property
    def whole_weeks(self) -> int:
        """Number of whole weeks."""
        return len(self.counts) // WEEK

    def until(self, days: int) -> DailyCounts:
        """Return the first days alone."""
        return DailyCounts(self.first, self.counts[:days])


@dataclass(frozen=True, slots=True)
class Pattern:
    """The fitted pattern.

    Attributes
    ----------
    means : float array, shape (7,)
        Mean count of each weekday, Monday first.
    days : int array, shape (7,)
        Days each mean rests on.
    dispersion : float
        a in Var = mean + a mean^2; 0 is Poisson.
    """

    means: NDArray[np.float64]
    days: NDArray[np.int64]
    dispersion: float

    @classmethod
    def fit(cls, counts: DailyCounts) -> Pattern:
        """Fit weekday means and the dispersion, which is never below 0.

        The dispersion solves sum (y - m)^2 n / (n - 7) = sum m + a sum m^2.
        """
        days = np.bincount(counts.weekdays, minlength=WEEK)
        means = np.bincount(counts.weekdays, counts.counts, minlength=WEEK) / days
        fitted = means[counts.weekdays]
        n = len(fitted)
        spread = float(((counts.counts - fitted) ** 2).sum()) * n / (n - WEEK)
        squares = float((fitted**2).sum())
        dispersion = max(0.0, (spread - float(fitted.sum())) / squares) if squares else 0.0
        return cls(means, days, dispersion)

    def draw_means(self, draws: int, rng: np.random.Generator) -> NDArray[np.float64]:
        """Return weekday means as other weeks would have given them, shape (draws, 7).

        Parametric bootstrap (Davison and Hinkley, 1997, section 2.2): each is the mean of as many
        days as it was fitted on.
        """
        longest = int(self.days.max())
        shape = (draws, longest, WEEK)
        days = draw_counts(np.broadcast_to(self.means, shape), self.dispersion, rng)
        used = np.arange(longest)[:, np.newaxis] < self.days
        means: NDArray[np.float64] = (days * used).sum(axis=1) / self.days
        return means


def draw_counts(
    means: NDArray[np.float64], dispersion: float, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Return negative binomial counts with these means, Poisson where the dispersion is 0."""
    if dispersion <= 0:
        return rng.poisson(means)
    return rng.poisson(means * rng.gamma(1 / dispersion, dispersion, size=means.shape))
