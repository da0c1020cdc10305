"""Which penalty and which layout of the columns serve, by cross-validation over customers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from handoff_eval.triggers.feature_maps import Block
from handoff_eval.triggers.points import Points

STRENGTHS = (1.0, 3.0, 10.0, 30.0)
"""Inverse strengths of the L2 penalty that are tried."""

FOLDS = 5
_DENSE = 0.3
"""Above this share of non-zero entries a full matrix and its own solver are faster."""

Split = tuple[NDArray[np.int64], NDArray[np.int64]]
"""Conversations to fit on, and those to judge."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How a linear head is fitted.

    Attributes
    ----------
    strength : float
        Inverse strength of the L2 penalty.
    vectors : float
        Factor of the turn vectors; words are of unit length already.
    signals : float
        Factor of the conversation signals, each of unit spread; 0 leaves them out.
    """

    strength: float
    vectors: float
    signals: float

    def scale(self, rows: Any, blocks: Sequence[Block]) -> NDArray[np.float64]:
        """Return what each column is multiplied by before the fit, shape (features,)."""
        factors, start = [], 0
        for block in blocks:
            factor = np.ones(block.width)
            if block.nature == "vectors":
                factor *= self.vectors
            elif block.nature == "signals":
                spread = rows[:, start : start + block.width].toarray().std(axis=0)
                factor = self.signals / np.where(spread > 1e-6, spread, 1.0)
            factors.append(factor)
            start += block.width
        return np.concatenate(factors)


DEFAULT_PLAN = Plan(strength=3.0, vectors=1.0, signals=0.0)


def grouped_splits(points: Points, groups: NDArray[np.str_], *, seed: int) -> list[Split]:
    """Return folds over customers in which both kinds can be learnt."""
    from sklearn.model_selection import StratifiedGroupKFold

    positive = points.positive
    customers = min(len(set(groups[positive])), len(set(groups[~positive])))
    folds = StratifiedGroupKFold(min(FOLDS, customers), shuffle=True, random_state=seed)
    return [
        (inside, outside)
        for inside, outside in folds.split(positive, positive, groups)
        if len(set(positive[inside])) == 2
    ]


def held_out(
    points: Points,
    splits: Sequence[Split],
    predict: Callable[[NDArray[np.int64], NDArray[np.int64]], NDArray[np.float64]],
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return each point's value by a head that didn't see its customer, and who was judged.

    Parameters
    ----------
    points : Points
    splits : sequence of Split
    predict : callable
        Takes the rows to fit on and the rows to judge; gives the values of the latter.
    """
    values = np.zeros(points.rows.shape[0])
    for inside, outside in splits:
        rows = points.of_conversations(outside)
        values[rows] = predict(points.of_conversations(inside), rows)
    judged = np.concatenate([outside for _, outside in splits]) if splits else np.array([], int)
    return values, judged


def fit_linear(
    points: Points, rows: NDArray[np.int64], plan: Plan, blocks: Sequence[Block]
) -> tuple[NDArray[np.float64], float]:
    """Return weights and bias in the units of the raw columns."""
    from sklearn.linear_model import LogisticRegression

    used, due, counts = points.lessons(rows)
    scale = plan.scale(points.rows[used], blocks)
    kept = np.flatnonzero(scale)
    chosen = points.rows[used][:, kept].multiply(scale[kept]).tocsr()
    dense = chosen.nnz > _DENSE * chosen.shape[0] * chosen.shape[1]
    model = LogisticRegression(
        C=plan.strength, solver="newton-cg" if dense else "lbfgs", max_iter=10_000
    )
    model.fit(chosen.toarray() if dense else chosen, due, sample_weight=counts)
    weights = np.zeros(len(scale))
    weights[kept] = model.coef_[0] * scale[kept]
    return weights, float(model.intercept_[0])


def choose_plan(
    points: Points, splits: Sequence[Split], blocks: Sequence[Block]
) -> tuple[Plan, NDArray[np.float64], NDArray[np.int64]]:
    """Return the plan that ranks best on customers it didn't see, with its values there.

    The layout is chosen first, at the default strength, then the strength. A plan is judged by
    the mean of two average precisions of conversation peaks: over all points, and up to the due
    point, since a peak after the need is a catch that comes late. Beside words the signals are
    left out: a few columns that grow with the conversation drown thousands that don't.
    """
    natures = {block.nature for block in blocks}
    layouts = product(
        (0.5, 1.0) if {"vectors", "words"} <= natures else (1.0,),
        (0.0, 1.0) if "words" not in natures and "signals" in natures else (0.0,),
    )
    tried: dict[Plan, tuple[float, NDArray[np.float64], NDArray[np.int64]]] = {}

    def achieved(plan: Plan) -> float:
        if plan not in tried:
            values, judged = _values(points, splits, blocks, plan)
            tried[plan] = (_judge(points, values, judged), values, judged)
        return tried[plan][0]

    layout = max((replace(DEFAULT_PLAN, vectors=v, signals=s) for v, s in layouts), key=achieved)
    best = max((replace(layout, strength=strength) for strength in STRENGTHS), key=achieved)
    if np.isnan(achieved(best)):
        best = layout
    return best, *tried[best][1:]


def _judge(points: Points, values: NDArray[np.float64], judged: NDArray[np.int64]) -> float:
    from sklearn.metrics import average_precision_score

    positive = points.positive[judged]
    if len(set(positive)) < 2:
        return float("nan")
    return float(
        np.mean(
            [
                average_precision_score(positive, peaks[judged])
                for peaks in (points.peaks(values), points.peaks_on_time(values))
            ]
        )
    )


def _values(
    points: Points, splits: Sequence[Split], blocks: Sequence[Block], plan: Plan
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    def predict(inside: NDArray[np.int64], outside: NDArray[np.int64]) -> NDArray[np.float64]:
        weights, bias = fit_linear(points, inside, plan, blocks)
        values: NDArray[np.float64] = points.rows[outside] @ weights + bias
        return values

    return held_out(points, splits, predict)
