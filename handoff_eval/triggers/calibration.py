"""Scores that read as the chance of a need, by a monotone map learnt on scores out of fold."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Sigmoid(NamedTuple):
    """The map from a head's raw value z to the score 1 / (1 + exp(-(slope * z + shift)))."""

    slope: float
    shift: float


def fit_sigmoid(peaks: NDArray[np.float64], positive: NDArray[np.bool_]) -> Sigmoid | None:
    """Return Platt's map of conversation peaks; None where they rank no better than chance.

    Platt, Probabilistic outputs for support vector machines (1999): logistic regression of the
    label on the raw value, with targets (N+ + 1) / (N+ + 2) and 1 / (N- + 2) instead of 1 and 0,
    which keeps few labels from claiming certainty. Two parameters are as much as tens of
    positives carry; isotonic regression would step.

    Parameters
    ----------
    peaks : float array, shape (conversations,)
        Highest raw value of each conversation, by a head that didn't learn from it.
    positive : bool array, shape (conversations,)
    """
    from sklearn.linear_model import LogisticRegression

    n, needed = len(positive), int(positive.sum())
    high, low = (needed + 1) / (needed + 2), 1 / (n - needed + 2)
    target = np.where(positive, high, low)
    spread = float(peaks.std())
    if not spread > 0:
        return None
    model = LogisticRegression(C=1e6, max_iter=1000)
    model.fit(
        np.tile(peaks / spread, 2)[:, None],
        np.repeat([True, False], n),
        sample_weight=np.concatenate([target, 1 - target]),
    )
    slope = float(model.coef_[0, 0]) / spread
    return Sigmoid(slope, float(model.intercept_[0])) if slope > 0 else None
