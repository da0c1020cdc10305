"""Golden Transfer within Tolerance: how near the fires are to where they were due.

Liu, Gao, Lin, Xu, Zhang, Huang and Zhao, Time to Transfer: Predicting and Evaluating
Machine-Human Chatting Handoff (AAAI 2021). It is high for a trigger that floods, since the mean
runs over the fires alone, and forgives a second miss, so recall and volume belong beside it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

TOLERANCES = {"I": 1, "II": 2, "III": 3}
"""The paper's three levels, in utterances."""

EPSILON = 1e-7

Positions = Sequence[int] | NDArray[np.int64]


def golden_transfer(
    fired: Positions, golden: Positions, *, tolerance: float, balance: float = 0.0
) -> float:
    """Return the GT-T of one conversation, 0 to 1.

    The mean over fired positions p of max over golden q of
    exp(-(p - q)^2 / ((1 - balance sign(p - q)) 2 T^2)). Both empty is 1, one empty is 0.
    `EPSILON` is added to the denominator, as in the authors' code.

    Parameters
    ----------
    fired, golden : sequence of int
        Utterance indices; the close of a conversation is its number of turns.
    tolerance : float
        T, in utterances.
    balance : float
        The paper's lambda, -1 to 1: above 0 a late fire costs more than an early one.
    """
    if not len(fired) or not len(golden):
        return float(len(fired) == len(golden))
    distance = np.subtract.outer(np.asarray(fired, dtype=float), np.asarray(golden, dtype=float))
    spread = (1 - balance * np.sign(distance)) * 2 * tolerance**2 + EPSILON
    nearest: NDArray[np.float64] = np.exp(-(distance**2) / spread).max(axis=1)
    return float(nearest.mean())
