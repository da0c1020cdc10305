"""Decision points as rows to learn from, and how a head is judged on them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from handoff_eval.conversation import LabeledConversation
from handoff_eval.triggers.feature_maps import FeatureMap, width

_ROWS = 256


@dataclass(frozen=True)
class Points:
    """Every decision point of some labelled conversations.

    Attributes
    ----------
    rows : scipy CSR matrix, shape (points, features)
    due : bool array, shape (points,)
        Whether the handoff is due by then.
    weights : float array, shape (points,)
        Sum to 1 a conversation. A point before the need of a conversation that has one weighs
        nothing: it is neither, for annotators differ on the turn, and a fire there is early
        rather than needless.
    offsets : int array, shape (conversations + 1,)
        The points of conversation i are `offsets[i]:offsets[i + 1]`.
    at : int array, shape (conversations,)
        Point at which a fire is on time, counted within the conversation; -1 for a negative.
    """

    rows: Any
    due: NDArray[np.bool_]
    weights: NDArray[np.float64]
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
        place = np.concatenate([np.arange(size) for size in sizes])
        need = np.repeat(at, sizes)
        due = (need >= 0) & (place >= need)
        counted = due | (need < 0)
        offsets = np.append(0, np.cumsum(sizes))
        total = np.add.reduceat(counted.astype(float), offsets[:-1])
        return cls(vstack(blocks).tocsr(), due, counted / np.repeat(total, sizes), offsets, at)

    @property
    def positive(self) -> NDArray[np.bool_]:
        """Whether each conversation needs a handoff, shape (conversations,)."""
        return self.at >= 0

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
