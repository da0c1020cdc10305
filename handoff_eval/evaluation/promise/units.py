"""Independent units for the exact tests: one a customer, each equally likely to be there."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def one_per_customer(
    groups: Sequence[str], eligible: NDArray[np.bool_], seed: int
) -> NDArray[np.int64]:
    """Return indices of one eligible conversation of each customer, drawn by a fixed seed."""
    shuffled = np.random.default_rng(seed).permutation(np.flatnonzero(eligible))
    _, first = np.unique(np.asarray(groups)[shuffled], return_index=True)
    return np.sort(shuffled[first])


def thinned(
    weight: NDArray[np.float64],
    eligible: NDArray[np.bool_],
    seed: int,
    *,
    drawn: NDArray[np.bool_] | None = None,
) -> NDArray[np.bool_]:
    """Return which eligible rows stay when each does with its weight over the largest, shape (n,).

    Acceptance and rejection (von Neumann, NBS Applied Mathematics Series 12 (1951) 36-38): a row
    drawn with probability q has weight 1 / q, so after thinning all rows are equally
    likely to be there, which the binomial asks for. Equal weights keep every row.

    Parameters
    ----------
    weight : float array, shape (n,)
    eligible : bool array, shape (n,)
    seed : int
    drawn : bool array, shape (n,), optional
        Rows whose largest weight counts; the eligible ones when None. An eligible row might have
        been among the most thinly drawn ones although none was found there, as when an audit
        finds no miss.
    """
    if not eligible.any():
        return eligible
    chance = weight / weight[eligible if drawn is None else drawn | eligible].max()
    stays: NDArray[np.bool_] = np.random.default_rng(seed).random(len(weight)) < chance
    return eligible & stays


def lowest_of_each(
    scores: NDArray[np.float64], groups: Sequence[str], eligible: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Return each customer's lowest eligible score: no handoff is missed at thresholds up to it."""
    codes = np.unique(np.asarray(groups)[eligible], return_inverse=True)[1]
    lowest = np.full(int(codes.max()) + 1 if len(codes) else 0, np.inf)
    np.minimum.at(lowest, codes, scores[eligible])
    return lowest
