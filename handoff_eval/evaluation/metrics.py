"""Conversation-level metrics: what a trigger catches and what it costs, at deployment truth.

Every function takes weights so that one call serves the sample, the deployment prevalence and
all bootstrap replicates at once: `weights` has shape (..., n), the last axis being conversations.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def at_prevalence(positive: NDArray[np.bool_], weights: Array, prevalence: float | None) -> Array:
    """Return weights in which positives make up `prevalence` of each row (None: as sampled).

    Rows sum to 1. A row without positives or without negatives becomes NaN, since nothing can
    be said of it.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        if prevalence is None:
            shares: Array = weights / weights.sum(axis=-1, keepdims=True)
            return shares
        positives = weights * positive
        negatives = weights * ~positive
        result: Array = prevalence * positives / positives.sum(axis=-1, keepdims=True)
        result += (1 - prevalence) * negatives / negatives.sum(axis=-1, keepdims=True)
    return result


def volume_recall_curve(
    scores: Array, positive: NDArray[np.bool_], weights: Array
) -> tuple[Array, Array, Array]:
    """Return what each distinct score, used as the threshold, emails and catches.

    Returns
    -------
    thresholds : float array, shape (k,)
        Distinct scores, descending.
    volume, recall : float arrays, shape (..., k)
        Share of weight at or above each threshold: of all conversations, and of the positives.
    """
    order = np.argsort(-scores, kind="stable")
    ordered = scores[order]
    last_of_tie = np.append(np.flatnonzero(np.diff(ordered)), len(ordered) - 1)
    sorted_weights = weights[..., order]
    caught = np.cumsum(sorted_weights * positive[order], axis=-1)
    sent = np.cumsum(sorted_weights, axis=-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        volume = sent[..., last_of_tie] / sent[..., -1:]
        recall = caught[..., last_of_tie] / caught[..., -1:]
    return ordered[last_of_tie], volume, recall


def average_precision(scores: Array, positive: NDArray[np.bool_], weights: Array) -> Array:
    """Return average precision, shape (...): the mean precision over the positives' ranks.

    AP = sum over distinct thresholds of (R_k - R_(k-1)) P_k, ties counted together (the
    definition of scikit-learn's `average_precision_score`). It ranks triggers over all
    thresholds; it says nothing about the one in use, and it rises with the prevalence.
    """
    _, volume, recall = volume_recall_curve(scores, positive, weights)
    total = weights.sum(axis=-1, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        share = (weights * positive).sum(axis=-1, keepdims=True) / total
        precision = np.where(volume > 0, recall * share / volume, 0.0)
    steps = np.diff(recall, axis=-1, prepend=0.0)
    total_steps = np.minimum((steps * precision).sum(axis=-1), 1.0)
    result: Array = np.where(share[..., 0] > 0, total_steps, np.nan)
    return result


def recall_at_volume(
    scores: Array, positive: NDArray[np.bool_], weights: Array, volume: float
) -> Array:
    """Return the recall when exactly `volume` of the weight is emailed, shape (...).

    Conversations tied at the cut are shared fractionally, which is the expected recall under a
    random tie-break, so that no trigger gains from the order of rows.
    """
    _, volumes, recalls = volume_recall_curve(scores, positive, weights)
    flat_volumes = volumes.reshape(-1, volumes.shape[-1])
    flat_recalls = recalls.reshape(-1, recalls.shape[-1])
    found = np.array(
        [
            np.interp(volume, np.append(0.0, v), np.append(0.0, r))
            for v, r in zip(flat_volumes, flat_recalls, strict=True)
        ]
    )
    return found.reshape(volumes.shape[:-1])


def precision_at_prevalence(
    recall: Array | float, false_positive_rate: Array | float, prevalence: float
) -> Array:
    """Return the share of emails that were needed: p R / (p R + (1 - p) F); NaN with no email."""
    caught = prevalence * np.asarray(recall)
    sent = caught + (1 - prevalence) * np.asarray(false_positive_rate)
    with np.errstate(invalid="ignore", divide="ignore"):
        result: Array = np.where(sent > 0, caught / sent, np.nan)
    return result


def email_rate(
    recall: Array | float, false_positive_rate: Array | float, prevalence: float
) -> Array:
    """Return emails per conversation: p R + (1 - p) F."""
    result: Array = prevalence * np.asarray(recall) + (1 - prevalence) * np.asarray(
        false_positive_rate
    )
    return result
