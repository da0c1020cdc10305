"""Golden Transfer within Tolerance: how near the fires are to where they were due.

Liu, Gao, Lin, Xu, Zhang, Huang and Zhao, Time to Transfer: Predicting and Evaluating
Machine-Human Chatting Handoff (AAAI 2021). It is high for a trigger that floods, since the mean
runs over the fires alone, and forgives a second miss, so recall and volume belong beside it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from handoff_eval.conversation import LabeledConversation
from handoff_eval.evaluation.scored import ScoredSplit

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


def golden_transfers(
    scored: ScoredSplit,
    items: Sequence[LabeledConversation],
    threshold: float,
    first: NDArray[np.int64],
) -> dict[str, dict[str, NDArray[np.float64]]]:
    """Return GT-T by level, each of shape (n,): of all fires and of the first one alone."""
    replay = scored.replay
    found: dict[str, dict[str, list[float]]] = {
        kind: {level: [] for level in TOLERANCES} for kind in ("all", "first")
    }
    for i, item in enumerate(items):
        start, stop = int(replay.offsets[i]), int(replay.offsets[i + 1])
        where = replay.turns[start:stop] - 1
        where[-1] = len(item.conversation.turns)
        golden = [int(where[scored.due[i]])] if scored.positive[i] else []
        fires = where[replay.scores[start:stop] >= threshold]
        only = [int(where[first[i]])] if first[i] >= 0 else []
        for level, tolerance in TOLERANCES.items():
            found["all"][level].append(golden_transfer(fires, golden, tolerance=tolerance))
            found["first"][level].append(golden_transfer(only, golden, tolerance=tolerance))
    return {
        kind: {level: np.array(values) for level, values in levels.items()}
        for kind, levels in found.items()
    }
