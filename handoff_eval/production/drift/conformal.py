"""Have the scores kept their distribution? Asked of ranks, so that no reference is taken as known.

A test against a finite reference sample as if it were the truth rejects in the end, however
little has changed. Ranks among everything seen so far need no truth: while the stream is
exchangeable they are uniform and independent, whatever the distribution is.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort

import numpy as np
from numpy.typing import NDArray

from handoff_eval.production.drift.sequential import ALPHA, Evidence

Array = NDArray[np.float64]

JUMP = 0.01
STRATEGIES = np.array([-1.0, 0.0, 1.0])
RISES = np.array([-1.0, 0.0])
"""Bets against higher values alone."""


def conformal_p_values(stream: Array, *, seed: int = 0) -> Array:
    """Return the smoothed rank of each value among those up to and including it, in (0, 1].

    p_d = (#{i <= d: s_i > s_d} + u_d #{i <= d: s_i = s_d}) / d with uniform u_d: independent and
    uniform while the stream is exchangeable (Vovk, Gammerman and Shafer, Algorithmic Learning in a
    Random World, 2005, section 8.2). Small values mean that scores have risen.

    Parameters
    ----------
    stream : float array, shape (units,)
        One number a day, such as the mean score, oldest first.
    seed : int
        Of the u_d.
    """
    uniform = np.random.default_rng(seed).random(len(stream))
    seen: list[float] = []
    p_values = np.empty(len(stream))
    for unit, value in enumerate(stream.tolist()):
        insort(seen, value)
        above = len(seen) - bisect_right(seen, value)
        equal = len(seen) - above - bisect_left(seen, value)
        p_values[unit] = (above + uniform[unit] * equal) / len(seen)
    return p_values


def conformal_martingale(
    p_values: Array, *, alpha: float = ALPHA, strategies: Array = STRATEGIES
) -> Evidence:
    """Return the evidence that the stream stopped being exchangeable, by default in any direction.

    The simple jumper (Vovk, Petej, Nouretdinov and others, Retrain or not retrain: conformal
    test martingales for change-point detection, PMLR 152 (2021) 191-210): capital spread over the
    bets 1 + e (p - 1/2), e in {-1, 0, 1}, of which a hundredth moves between them at every step.
    It is a martingale on independent uniform p-values, so it reaches 1 / alpha with probability at
    most alpha.

    Parameters
    ----------
    p_values : float array, shape (..., units)
        From `conformal_p_values`.
    alpha : float
        Chance of ever raising a false alarm.
    strategies : float array
        The bets e, such as `RISES`.
    """
    capital = np.full((*p_values.shape[:-1], len(strategies)), 1 / len(strategies))
    values = np.empty(p_values.shape)
    for unit in range(p_values.shape[-1]):
        total = capital.sum(axis=-1, keepdims=True)
        capital = (1 - JUMP) * capital + JUMP * total / len(strategies)
        capital *= 1 + strategies * (p_values[..., unit, None] - 0.5)
        values[..., unit] = capital.sum(axis=-1)
    return Evidence(values, 1 / alpha, f"ever a false alarm: probability at most {alpha:g}")
