"""Decision points as rows to learn from, and how a head is judged on them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from handoff_eval.conversation import LabeledConversation
from handoff_eval.triggers.feature_maps import FeatureMap, width

_ROWS = 256


class Lessons(NamedTuple):
    """Rows to fit on, whether the handoff is due at each, and what each weighs."""

    rows: NDArray[np.int64]
    due: NDArray[np.bool_]
    weights: NDArray[np.float64]


@dataclass(frozen=True)
class Points:
    """Every decision point of some labelled conversations.

    Attributes
    ----------
    rows : scipy CSR matrix, shape (points, features)
    yes, no : float arrays, shape (points,)
        How much a point counts as one where the handoff is due, and as one where it isn't. Both
        together sum to 1 a conversation, shared evenly among its annotators, so that a point they
        differ on counts as either by their votes. A point before the need of a conversation that
        has one counts as neither: annotators differ on the turn, and a fire there is early rather
        than needless.
    offsets : int array, shape (conversations + 1,)
        The points of conversation i are `offsets[i]:offsets[i + 1]`.
    at : int array, shape (conversations,)
        Point at which a fire is on time, counted within the conversation; -1 for a negative.
    """

    rows: Any
    yes: NDArray[np.float64]
    no: NDArray[np.float64]
    offsets: NDArray[np.int64]
    at: NDArray[np.int64]

    @classmethod
    def of(cls, labeled: Sequence[LabeledConversation], features: FeatureMap) -> Points:
        """Fold the conversations and keep the row of every decision point."""
        from scipy.sparse import csr_matrix, vstack

        seen = iter(features.encode([t for item in labeled for t in item.conversation.turns]))
        states: list[Any] = []
        closed: list[bool] = []
        blocks, sizes = [csr_matrix((0, width(features)), dtype=np.float32)], []
        for item in labeled:
            history = [features.start()]
            for _ in item.conversation.turns:
                history.append(features.update(history[-1], next(seen)))
            points = item.conversation.decision_points()
            states += [history[point.turns] for point in points]
            closed += [point.closed for point in points]
            sizes.append(len(points))
            if len(states) >= _ROWS:
                blocks.append(csr_matrix(features.rows(states, closed)))
                states, closed = [], []
        if states:
            blocks.append(csr_matrix(features.rows(states, closed)))
        at = np.array([-1 if item.due is None else item.due for item in labeled], dtype=np.int64)
        yes, no = (
            np.concatenate(side)
            for side in zip(
                *(_votes(item, size) for item, size in zip(labeled, sizes, strict=True)),
                strict=True,
            )
        )
        return cls(vstack(blocks).tocsr(), yes, no, np.append(0, np.cumsum(sizes)), at)

    @property
    def positive(self) -> NDArray[np.bool_]:
        """Whether each conversation needs a handoff, shape (conversations,)."""
        return self.at >= 0

    def lessons(self, rows: NDArray[np.int64]) -> Lessons:
        """Return what a head is fitted on: some points, those that count as either twice."""
        yes, no = rows[self.yes[rows] > 0], rows[self.no[rows] > 0]
        both = np.concatenate([yes, no])
        due = np.arange(len(both)) < len(yes)
        order = np.argsort(both, kind="stable")
        weights = np.concatenate([self.yes[yes], self.no[no]])
        return Lessons(both[order], due[order], weights[order])

    def of_conversations(self, indices: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the row numbers of some conversations."""
        return np.concatenate([np.arange(self.offsets[i], self.offsets[i + 1]) for i in indices])

    def peaks(self, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return each conversation's highest score, shape (conversations,)."""
        peaks: NDArray[np.float64] = np.maximum.reduceat(scores, self.offsets[:-1])
        return peaks

    def peaks_on_time(self, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the highest score up to the due point; of a negative, over all its points."""
        stops = np.where(self.positive, self.offsets[:-1] + self.at + 1, self.offsets[1:])
        return np.array(
            [scores[start:stop].max() for start, stop in zip(self.offsets[:-1], stops, strict=True)]
        )


def _votes(item: LabeledConversation, size: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return `yes` and `no` of one conversation's points."""
    labels = (item.label, *item.others)
    yes, no = np.zeros(size), np.zeros(size)
    for label in labels:
        due = replace(item, label=label).due
        if due is None:
            no += 1 / size
        else:
            yes[due:] += 1 / (size - due)
    return yes / len(labels), no / len(labels)
