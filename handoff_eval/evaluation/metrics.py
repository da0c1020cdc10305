"""Conversation-level metrics: what a trigger catches and what it costs, at deployment truth.

Every function takes weights so that one call serves the sample, the deployment prevalence and
all bootstrap replicates at once: `weights` has shape (..., n), the last axis being conversations.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

FIRST_SUMMED = 512
"""Distinct scores that are summed at first in looking for a cut, then four times as many."""


def at_prevalence(positive: NDArray[np.bool_], weights: Array, prevalence: float | None) -> Array:
    """Return weights in which positives make up `prevalence` of each row (None: as sampled).

    Post-stratification (Holt and Smith, J. R. Stat. Soc. A 142 (1979) 33-46) with the two kinds of
    conversation as strata. Rows sum to 1. A row without positives or without negatives becomes
    NaN, since nothing can be said of it.
    """
    if prevalence is None:
        with np.errstate(invalid="ignore"):
            shares: Array = weights / weights.sum(axis=-1, keepdims=True)
        return shares
    kind = positive.astype(np.float64)
    sums = [np.asarray(weights @ part)[..., None] for part in (kind, 1 - kind)]
    defined = (sums[0] > 0) & (sums[1] > 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        each_positive, each_negative = (
            np.where(defined, share / total, np.nan)
            for share, total in zip((prevalence, 1 - prevalence), sums, strict=True)
        )
    result: Array = weights * np.where(positive, each_positive, each_negative)
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
    definition of scikit-learn's `average_precision_score`; Manning, Raghavan and Schütze,
    Introduction to Information Retrieval, 2008, section 8.4). It ranks triggers over all
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


def area_under_curve(scores: Array, positive: NDArray[np.bool_], weights: Array) -> Array:
    """Return the ROC area, shape (...): P(a positive scores higher), ties counting half.

    Hanley and McNeil, Radiology 143 (1982) 29-36; NaN without weight on either kind.
    """
    order = np.argsort(scores, kind="stable")
    starts = np.flatnonzero(np.diff(scores[order], prepend=-np.inf))
    ordered, kind = weights[..., order], positive[order]
    yes = np.add.reduceat(ordered * kind, starts, axis=-1)
    no = np.add.reduceat(ordered * ~kind, starts, axis=-1)
    below = np.cumsum(no, axis=-1) - no / 2
    with np.errstate(invalid="ignore", divide="ignore"):
        area: Array = (yes * below).sum(axis=-1) / (yes.sum(axis=-1) * no.sum(axis=-1))
    return area


class Cut(NamedTuple):
    """Where a volume is reached, shape (...) each: the score, and the part of its ties that fire.

    A score above every other with part 0 stands for nothing firing.
    """

    score: Array
    part: Array


def cut_at_volume(scores: Array, weights: Array, volume: float) -> Cut:
    """Return the cut at which exactly `volume` of the weight is emailed, shape (...).

    Conversations tied at the cut are shared fractionally, which is what a random tie-break does
    on average (McSherry and Najork, Computing Information Retrieval Performance Measures
    Efficiently in the Presence of Tied Scores, ECIR 2008, 414-421), so that no trigger gains from
    the order of rows. Weights that are NaN give NaN.
    """
    order = np.argsort(-scores, kind="stable")
    ordered = scores[order]
    last_of_tie = np.append(np.flatnonzero(np.diff(ordered)), len(ordered) - 1)
    wanted = volume * weights.sum(axis=-1, keepdims=True)
    sent = _sent_from_the_top(weights, order, last_of_tie, wanted)
    place = np.minimum((sent < wanted).sum(axis=-1, keepdims=True), sent.shape[-1] - 1)
    upto = np.take_along_axis(sent, place, axis=-1)
    before = np.where(place > 0, np.take_along_axis(sent, np.maximum(place - 1, 0), axis=-1), 0.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        part = np.minimum((wanted - before) / (upto - before), 1.0)
    return Cut(ordered[last_of_tie][place[..., 0]], part[..., 0])


def _sent_from_the_top(
    weights: Array, order: NDArray[np.int64], last_of_tie: NDArray[np.int64], wanted: Array
) -> Array:
    """Return the weight at or above each distinct score, shape (..., some), highest score first.

    It stops where every row has what is wanted: a volume is a small share, so most scores lie
    below every cut and needn't be summed.
    """
    distinct = len(last_of_tie)
    some = min(FIRST_SUMMED, distinct)
    while True:
        ends = last_of_tie[:some]
        sent: Array = np.cumsum(weights[..., order[: ends[-1] + 1]], axis=-1)[..., ends]
        if some == distinct or not (sent[..., -1:] < wanted).any():
            return sent
        some = min(4 * some, distinct)


def recall_above(cut: Cut, scores: Array, positive: NDArray[np.bool_], weights: Array) -> Array:
    """Return the share of the positives' weight that fires at a cut, shape (...).

    Those tied with the cut count by its part.
    """
    order = np.argsort(-scores[positive], kind="stable")
    ordered = -scores[positive][order]
    caught = np.cumsum(weights[..., positive][..., order], axis=-1)
    caught = np.concatenate([np.zeros((*caught.shape[:-1], 1)), caught], axis=-1)
    above, upto = (
        np.take_along_axis(
            caught, np.asarray(np.searchsorted(ordered, -cut.score, side=side))[..., None], axis=-1
        )
        for side in ("left", "right")
    )
    with np.errstate(invalid="ignore", divide="ignore"):
        recall = (above + cut.part[..., None] * (upto - above)) / caught[..., -1:]
    result: Array = recall[..., 0]
    return result


def recall_at_volume(
    scores: Array, positive: NDArray[np.bool_], weights: Array, volume: float
) -> Array:
    """Return the recall when exactly `volume` of the weight is emailed, shape (...).

    Recall at a cut-off in the ranking, with the ties of `cut_at_volume` (Manning, Raghavan and
    Schütze, 2008, section 8.4).
    """
    cut = cut_at_volume(scores, weights, volume)
    return recall_above(cut, scores, positive, weights)


def precision_at_prevalence(
    recall: Array | float, false_positive_rate: Array | float, prevalence: float
) -> Array:
    """Return the share of emails that were needed: p R / (p R + (1 - p) F); NaN with no email.

    The positive predictive value by Bayes's theorem (Altman and Bland, BMJ 309 (1994) 102).
    """
    caught = prevalence * np.asarray(recall)
    sent = caught + (1 - prevalence) * np.asarray(false_positive_rate)
    with np.errstate(invalid="ignore", divide="ignore"):
        result: Array = np.where(sent > 0, caught / sent, np.nan)
    return result


def email_rate(
    recall: Array | float, false_positive_rate: Array | float, prevalence: float
) -> Array:
    """Return emails per conversation: p R + (1 - p) F.

    What Rogan and Gladen (American Journal of Epidemiology 107 (1978) 71-76) call the apparent
    prevalence.
    """
    result: Array = prevalence * np.asarray(recall) + (1 - prevalence) * np.asarray(
        false_positive_rate
    )
    return result
