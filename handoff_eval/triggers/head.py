"""What stands on the features: a protocol, the linear head as plain arrays, and any estimator."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from handoff_eval.conversation import Reason
from handoff_eval.triggers.calibration import Sigmoid


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
class ReasonHead:
    """One linear value a reason.

    Attributes
    ----------
    weights : float32 array, shape (reasons, features)
    bias : float32 array, shape (reasons,)
    reasons : tuple of Reason
        Order of the rows above; empty when too few reasons were labelled to learn from.
    """

    weights: NDArray[np.float32]
    bias: NDArray[np.float32]
    reasons: tuple[Reason, ...]

    @classmethod
    def empty(cls, width: int) -> ReasonHead:
        """Return a head that knows no reason."""
        return cls(np.zeros((0, width), np.float32), np.zeros(0, np.float32), ())

    def reason(self, row: NDArray[np.float32]) -> Reason | None:
        """Return the likeliest reason of one row, shape (features,)."""
        if not self.reasons:
            return None
        return self.reasons[int(np.argmax(self.weights @ row + self.bias))]


@dataclass(frozen=True, slots=True)
class LinearHead:
    """Logistic scores, calibration included: what training leaves behind.

    Attributes
    ----------
    weights : float32 array, shape (features,)
    bias : float
    reasons : ReasonHead
    """

    weights: NDArray[np.float32]
    bias: float
    reasons: ReasonHead

    @property
    def width(self) -> int:
        """Number of feature columns it takes."""
        return len(self.weights)

    def score(self, rows: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return the score in [0, 1] of each row, shape (rows,).

        Rows are summed in double precision, so a score doesn't depend on its batch.
        """
        return logistic(rows.astype(np.float64) @ self.weights.astype(np.float64) + self.bias)

    def reason(self, row: NDArray[np.float32]) -> Reason | None:
        """Return the likeliest reason of one row, shape (features,)."""
        return self.reasons.reason(row)


@dataclass(frozen=True, slots=True)
class EstimatorHead:
    """A fitted scikit-learn classifier of two classes, with its calibration.

    Attributes
    ----------
    estimator : scikit-learn classifier
    sigmoid : Sigmoid
    reasons : ReasonHead
    """

    estimator: Any
    sigmoid: Sigmoid
    reasons: ReasonHead

    @property
    def width(self) -> int:
        """Number of feature columns it takes."""
        return int(self.reasons.weights.shape[1])

    def values(self, rows: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return the raw value of each row: the decision function, else the log odds."""
        if hasattr(self.estimator, "decision_function"):
            return np.asarray(self.estimator.decision_function(rows), dtype=np.float64)
        chance = self.estimator.predict_proba(rows)[:, 1].astype(np.float64)
        return log_odds(chance)

    def score(self, rows: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return the score in [0, 1] of each row, shape (rows,)."""
        return logistic(self.values(rows) * self.sigmoid.slope + self.sigmoid.shift)

    def reason(self, row: NDArray[np.float32]) -> Reason | None:
        """Return the likeliest reason of one row, shape (features,)."""
        return self.reasons.reason(row)


LEAST_CHANCE = 1e-4
"""Probabilities are kept this far from 0 and 1, where their log odds are undefined."""


def log_odds(chance: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return log(p / (1 - p)) of probabilities, clipped to `LEAST_CHANCE` from either end."""
    kept = np.clip(chance, LEAST_CHANCE, 1 - LEAST_CHANCE)
    result: NDArray[np.float64] = np.log(kept / (1 - kept))
    return result


def logistic(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return 1 / (1 + exp(-z)) of each value, which is cut at 50 from either side of 0."""
    result: NDArray[np.float64] = 1 / (1 + np.exp(-np.clip(logits, -50, 50)))
    return result
