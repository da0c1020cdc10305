"""Tests that may be looked at every day: they say "no longer true" with a stated chance of error.

Two answers to two questions. An e-process bounds the chance of *ever* raising a false alarm, and
goes blind after a long quiet time, since the evidence for the promise has to be used up first. An
e-detector forgets that evidence and stays quick, but promises a mean time between false alarms
instead. Both take days as units: conversations of one day share its shocks and its weekday, which
a test by conversation mistakes for drift.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

BETS = np.linspace(0.05, 0.95, 19)
"""Shares of the largest admissible bet; the mixture over them needs no choice of an alternative."""

ALPHA = 0.05
MEAN_RUN_LENGTH = 1000.0


@dataclass(frozen=True)
class Evidence:
    """Evidence against a promise after each unit.

    Attributes
    ----------
    values : float array, shape (..., units)
        The e-value or detector statistic after each unit.
    limit : float
        An alarm is raised at the first value at or above it.
    meaning : str
        What the limit promises, in words.
    """

    values: Array
    limit: float
    meaning: str

    @property
    def alarm(self) -> NDArray[np.int64]:
        """Index of the first unit at which the alarm is raised, -1 for never, shape (...)."""
        over = self.values >= self.limit
        return np.where(over.any(axis=-1), over.argmax(axis=-1), -1)

    @property
    def last(self) -> float:
        """The value now; 0 without any unit. For a single stream."""
        return float(self.values[-1]) if self.values.size else 0.0


def e_process(excess: Array, lowest: float, *, alpha: float = ALPHA) -> Evidence:
    """Return the evidence that the mean excess is above 0, with P(ever a false alarm) <= alpha.

    E_d = mean over bets b of the product over i <= d of (1 + b x_i / -lowest): a non-negative
    supermartingale while every day's mean excess, given the days before, is at most 0, so by
    Ville's inequality it reaches 1 / alpha with probability at most alpha (Waudby-Smith and
    Ramdas, J. R. Stat. Soc. B 86 (2024) 1-27, section 3).

    Parameters
    ----------
    excess : float array, shape (..., units)
        Observed minus promised, each at least `lowest`; for the volume the share of a day's
        conversations that was emailed, minus the certified rate.
    lowest : float
        Smallest value an excess can take, below 0, known before any is seen.
    alpha : float
        Chance of ever raising a false alarm.
    """
    logs = np.cumsum(np.log(_factors(excess, lowest)), axis=-1)
    values = np.exp(np.minimum(logs, 700.0)).mean(axis=0)
    return Evidence(values, 1 / alpha, f"ever a false alarm: probability at most {alpha:g}")


def e_detector(
    excess: Array, lowest: float, *, mean_run_length: float = MEAN_RUN_LENGTH
) -> Evidence:
    """Return the evidence for a change at some past unit, with a stated mean time to false alarm.

    R_d = (1 + R_(d-1)) (1 + b x_d / -lowest), averaged over bets b (a Shiryaev-Roberts e-detector:
    Shin, Ramdas and Rinaldo, New England Journal of Statistics in Data Science 2 (2024) 229-260).
    R_d - d is a supermartingale under the promise, so the mean time to reach the limit is
    at least the limit itself.

    Parameters
    ----------
    excess, lowest
        As for `e_process`.
    mean_run_length : float
        Mean number of units to a false alarm, at least.
    """
    factors = _factors(excess, lowest)
    statistic = np.zeros(factors.shape[:-1])
    values = np.empty(factors.shape[1:])
    for unit in range(factors.shape[-1]):
        statistic = np.minimum((1 + statistic) * factors[..., unit], 1e300)
        values[..., unit] = statistic.mean(axis=0)
    return Evidence(
        values, mean_run_length, f"a false alarm every {mean_run_length:g} days or less often"
    )


def volume_excess(emails: Array, conversations: Array, max_email_rate: float) -> Array:
    """Return each day's share of conversations emailed, minus the certified rate.

    Its mean is at most 0 while the promise holds, which is what is bet against (Waudby-Smith and
    Ramdas, J. R. Stat. Soc. B 86 (2024) 1-27, on bounded means).

    Days without a conversation say nothing and must be left out by the caller.
    """
    return np.asarray(emails, np.float64) / np.asarray(conversations, np.float64) - max_email_rate


def recall_excess(missed: Array, needed: Array, weights: Array, min_recall: float) -> Array:
    """Return w (miss - (1 - R) need) a conversation: at most 0 in the mean while recall >= R.

    Each counts for one over its chance of being audited (Horvitz and Thompson, Journal of the
    American Statistical Association 47 (1952) 663-685), so the mean is that over all traffic.

    Parameters
    ----------
    missed, needed : arrays of 0 and 1, shape (audited,)
        Needed and not emailed; needed at all.
    weights : float array, shape (audited,)
        1 / probability of being audited; 1 for an email that was read.
    min_recall : float
        R, the certified recall.

    Notes
    -----
    The lowest value is -(1 - R) max(weight), with the largest weight the audit plan allows.
    """
    return weights * (missed - (1 - min_recall) * needed)


def _factors(excess: Array, lowest: float) -> Array:
    """Return what each bet multiplies its stake by at each unit, shape (bets, ..., units)."""
    if not lowest < 0:
        raise ValueError(f"Expected the smallest possible excess to lie below 0; got {lowest!r}.")
    if excess.size and not excess.min() >= lowest - 1e-12:
        raise ValueError(f"Expected every excess to be at least {lowest:g}; got {excess.min():g}.")
    bets = BETS.reshape(-1, *(1,) * excess.ndim)
    factors: Array = 1 + bets * (excess / -lowest)
    return factors
