"""How far each two annotators agree, as HE013 states it.

`evaluation.agreement` has the confusion matrix and compares triggers as well; it stands above
this room, so the two figures that the check needs are here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from handoff_eval.conversation import ADJUDICATED, Label, LabeledConversation
from handoff_eval.transcripts.read import Dataset
from handoff_eval.transcripts.resampling import Interval, Weights, by_customer


@dataclass(frozen=True, slots=True)
class PairAgreement:
    """Two annotators on the conversations that both labelled.

    Attributes
    ----------
    first, second : str
    kappa : Interval
        Cohen's kappa; NaN where both give every conversation the same answer.
    within_one_point : Interval or None
        Of the handoffs that both see, the share whose turns lie at most one decision point
        apart; None where there is none.
    """

    first: str
    second: str
    kappa: Interval
    within_one_point: Interval | None


def annotators(dataset: Dataset) -> list[str]:
    """Return the names of those who labelled, in the order of the file, without adjudication."""
    names = dict.fromkeys(label.annotator for label in dataset.labels)
    return [name for name in names if name is not None and name != ADJUDICATED]


def agreements(dataset: Dataset, *, seed: int = 0) -> Iterator[PairAgreement]:
    """Yield the agreement of each two annotators who share a conversation."""
    labels: dict[str, dict[str, Label]] = {name: {} for name in annotators(dataset)}
    for label in dataset.labels:
        if label.annotator in labels:
            labels[label.annotator][label.conversation_id] = label
    for first, second in combinations(labels, 2):
        one, other = labels[first], labels[second]
        shared = [
            (LabeledConversation(c, one[c.id]), LabeledConversation(c, other[c.id]))
            for c in dataset.conversations
            if c.id in one and c.id in other
        ]
        if shared:
            kappa = _kappa_of(shared, seed=seed)
            yield PairAgreement(first, second, kappa, _within_one_point(shared, seed=seed))


def cohen_kappa(first: NDArray[np.bool_], second: NDArray[np.bool_], weights: Weights) -> Weights:
    """Return (observed - chance) / (1 - chance) for each row of weights, shape (replicates,).

    Cohen, Educational and Psychological Measurement 20 (1960) 37-46.
    """
    total = weights.sum(axis=1)
    p, q = weights @ first / total, weights @ second / total
    observed = weights @ (first == second) / total
    chance = p * q + (1 - p) * (1 - q)
    with np.errstate(invalid="ignore", divide="ignore"):
        kappa: Weights = (observed - chance) / (1 - chance)
    return kappa


def _kappa_of(
    shared: list[tuple[LabeledConversation, LabeledConversation]], *, seed: int
) -> Interval:
    first = np.array([one.label.handoff for one, _ in shared])
    second = np.array([other.label.handoff for _, other in shared])
    groups = [one.conversation.group for one, _ in shared]
    if (first == second).all() and first.any() and not first.all():
        # A bootstrap of equal answers has no width; the exact limit of the share carries over.
        share = float(first.mean())
        chance = share**2 + (1 - share) ** 2
        low = (_exact_low(groups) - chance) / (1 - chance)
        return Interval(1.0, low, 1.0, len(groups))
    return by_customer(lambda weights: cohen_kappa(first, second, weights), groups, seed=seed)


def _within_one_point(
    shared: list[tuple[LabeledConversation, LabeledConversation]], *, seed: int
) -> Interval | None:
    points = [(one.conversation.group, one.due, other.due) for one, other in shared]
    both = [(g, a, b) for g, a, b in points if a is not None and b is not None]
    if not both:
        return None
    near = np.array([abs(a - b) <= 1 for _, a, b in both], dtype=np.float64)
    groups = [group for group, _, _ in both]
    if near.all():
        return Interval(1.0, _exact_low(groups), 1.0, len(groups))
    return by_customer(lambda weights: weights @ near / weights.sum(axis=1), groups, seed=seed)


def _exact_low(groups: list[str]) -> float:
    """Return the lower 95 % limit of a share of 1 among customers (Clopper and Pearson, 1934)."""
    return float(0.025 ** (1 / len(set(groups))))
