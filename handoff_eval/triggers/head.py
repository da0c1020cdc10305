"""What stands on the features: a protocol, and the linear head as plain arrays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from handoff_eval.conversation import Reason


class Head(Protocol):
    """Scores feature rows.

    Attributes
    ----------
    width : int
        Number of feature columns it takes.
    """

    @property
    def width(self) -> int:
        """Number of feature columns it takes."""
        ...

    def score(self, rows: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return the score in [0, 1] of each row, shape (rows,)."""
        ...

    def reason(self, row: NDArray[np.float32]) -> Reason | None:
        """Return the likeliest reason of one row, shape (width,); None when none was learnt."""
        ...


@dataclass(frozen=True, slots=True)
class LinearHead:
    """Logistic scores for the handoff and for each reason: what training leaves behind.

    Attributes
    ----------
    weights : float32 array, shape (features,)
    bias : float
    reason_weights : float32 array, shape (reasons, features)
    reason_bias : float32 array, shape (reasons,)
    reasons : tuple of Reason
        Order of the rows above; empty when too few reasons were labelled to learn from.
    """

    weights: NDArray[np.float32]
    bias: float
    reason_weights: NDArray[np.float32]
    reason_bias: NDArray[np.float32]
    reasons: tuple[Reason, ...]

    @property
    def width(self) -> int:
        """Number of feature columns it takes."""
        return len(self.weights)

    def score(self, rows: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return the score in [0, 1] of each row, shape (rows,).

        Rows are summed in double precision, so a score doesn't depend on its batch.
        """
        logits = rows.astype(np.float64) @ self.weights.astype(np.float64) + self.bias
        result: NDArray[np.float64] = 1 / (1 + np.exp(-np.clip(logits, -50, 50)))
        return result

    def reason(self, row: NDArray[np.float32]) -> Reason | None:
        """Return the likeliest reason of one row, shape (features,)."""
        if not self.reasons:
            return None
        return self.reasons[int(np.argmax(self.reason_weights @ row + self.reason_bias))]
