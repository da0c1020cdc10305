"""The probability that a conversation needs a handoff, given its highest score."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

CLIP = 1e-4
MOST_POINTS = 256
"""Scores are averaged into at most so many groups; finer ones don't change two coefficients."""
STEPS = 30


def probability_at(
    score: float,
    scores: Array,
    positive: NDArray[np.bool_],
    weights: Array,
    *,
    prevalence: float,
) -> Array:
    """Return the calibrated probability of a positive at `score`, at a prevalence, shape (B,).

    A logistic curve over the log-odds of the score (Platt, Advances in Large Margin Classifiers
    (1999) 61-74, with his smoothed targets, by Newton's method as in Lin, Lin and Weng, Machine
    Learning 68 (2007) 267-276), fitted to each row of weights and moved from that row's prevalence
    to the deployed one by the difference of log-odds.

    Parameters
    ----------
    score : float
        In [0, 1].
    scores : float array, shape (n,)
    positive : bool array, shape (n,)
    weights : float array, shape (B, n)
        Rows without a positive or without a negative give NaN.
    prevalence : float
        Deployment prevalence.
    """
    x, place = _grouped(_log_odds(scores))
    centre, scale = x.mean(), x.std() or 1.0
    x = (x - centre) / scale
    spread = np.eye(len(x))[place]
    yes, no = (weights * positive) @ spread, (weights * ~positive) @ spread
    n_yes, n_no = yes.sum(axis=1), no.sum(axis=1)
    high, low = (n_yes + 1) / (n_yes + 2), 1 / (n_no + 2)
    total, wanted = yes + no, yes * high[:, None] + no * low[:, None]
    slope, level = np.zeros(len(weights)), np.log((n_yes + 1) / (n_no + 1))
    for _ in range(STEPS):
        p = 1 / (1 + np.exp(-(slope[:, None] * x + level[:, None])))
        error, curve = total * p - wanted, total * p * (1 - p)
        g_slope, g_level = error @ x, error.sum(axis=1)
        h_ss, h_sl, h_ll = curve @ x**2 + 1e-9, curve @ x, curve.sum(axis=1) + 1e-9
        size = h_ss * h_ll - h_sl**2
        slope = slope - np.clip((h_ll * g_slope - h_sl * g_level) / size, -2, 2)
        level = level - np.clip((h_ss * g_level - h_sl * g_slope) / size, -2, 2)
    at = (_log_odds(np.array([score]))[0] - centre) / scale
    with np.errstate(divide="ignore", invalid="ignore"):
        moved = np.log(prevalence / (1 - prevalence)) - np.log(n_yes / n_no)
        result: Array = np.where(
            (n_yes > 0) & (n_no > 0), 1 / (1 + np.exp(-(slope * at + level + moved))), np.nan
        )
    return result


def _log_odds(scores: Array) -> Array:
    clipped = np.clip(scores, CLIP, 1 - CLIP)
    result: Array = np.log(clipped / (1 - clipped))
    return result


def _grouped(values: Array) -> tuple[Array, NDArray[np.int64]]:
    """Return at most `MOST_POINTS` values and the place of each original among them."""
    distinct, place = np.unique(values, return_inverse=True)
    if len(distinct) <= MOST_POINTS:
        return distinct, place
    ranks = np.argsort(np.argsort(values, kind="stable"), kind="stable")
    place = (ranks * MOST_POINTS) // len(values)
    return np.bincount(place, values) / np.bincount(place), place
