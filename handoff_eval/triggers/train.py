"""Train a linear head at decision points, on train alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from handoff_eval.conversation import LabeledConversation, Reason
from handoff_eval.encoders.base import Encoder
from handoff_eval.errors import DataError
from handoff_eval.triggers import features
from handoff_eval.triggers.classifier import ClassifierTrigger
from handoff_eval.triggers.head import LinearHead

REGULARISATIONS = (0.3, 1.0, 3.0, 10.0)
"""Inverse strengths of the L2 penalty that cross-validation chooses from."""

DEFAULT_REGULARISATION = 1.0
"""Where too few customers are labelled to choose."""

MIN_PER_REASON = 5
FOLDS = 5


def train_classifier(
    labeled: Sequence[LabeledConversation], encoder: Encoder, *, name: str = "minilm", seed: int = 0
) -> ClassifierTrigger:
    """Fit the head to say, at each decision point, whether the handoff is due by now.

    A conversation counts once, however many points it has. The penalty is chosen by
    cross-validation over customers, by the average precision of each conversation's peak score
    in the fold that didn't see it. Classes are not reweighted, so that scores stay near
    probabilities at the prevalence of train.

    Parameters
    ----------
    labeled : sequence of LabeledConversation
        The train split.
    encoder : Encoder
        Gives the turn vectors.
    name : str
        Name of the arm.
    seed : int
        Assigns customers to folds.

    Raises
    ------
    DataError
        When there are fewer than two customers with or without a handoff.
    """
    groups = np.array([item.conversation.group for item in labeled])
    positive = np.array([item.label.handoff for item in labeled], dtype=bool)
    for kind, members in (("with", groups[positive]), ("without", groups[~positive])):
        if len(set(members)) < 2:
            raise DataError(
                f"Expected at least 2 customers {kind} a handoff in the train split to learn from; "
                f"got {len(set(members))}. Label more conversations."
            )
    points = _Points.of(labeled, encoder)
    strength = _choose_regularisation(points, positive, groups, seed=seed)
    weights, bias = _fit(points.rows, points.due, points.weights, _exact(strength))
    reason_weights, reason_bias, reasons = _fit_reasons(labeled, points)
    head = LinearHead(weights.astype(np.float32), float(bias), reason_weights, reason_bias, reasons)
    return ClassifierTrigger(encoder, head, name=name)


class _Points:
    """Feature rows of every decision point; `offsets` bound those of each conversation."""

    def __init__(
        self, rows: NDArray[np.float32], due: NDArray[np.bool_], offsets: NDArray[np.int64]
    ) -> None:
        self.rows = rows
        self.due = due
        self.offsets = offsets
        sizes = np.diff(offsets)
        self.weights = np.repeat(1 / sizes, sizes)

    @classmethod
    def of(cls, labeled: Sequence[LabeledConversation], encoder: Encoder) -> _Points:
        turns = [turn for item in labeled for turn in item.conversation.turns]
        seen = iter(features.observe(turns, encoder.encode([turn.text for turn in turns])))
        states, closed, due, offsets = [], [], [], [0]
        for item in labeled:
            history = [features.start(encoder.dimension)]
            for _ in item.conversation.turns:
                history.append(features.update(history[-1], next(seen)))
            for index, point in enumerate(item.conversation.decision_points()):
                states.append(history[point.turns])
                closed.append(point.closed)
                due.append(item.due is not None and index >= item.due)
            offsets.append(len(states))
        return cls(features.features(states, closed), np.array(due), np.array(offsets))

    def of_conversations(self, indices: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the row numbers of some conversations."""
        return np.concatenate([np.arange(self.offsets[i], self.offsets[i + 1]) for i in indices])


def _choose_regularisation(
    points: _Points, positive: NDArray[np.bool_], groups: NDArray[np.str_], *, seed: int
) -> float:
    from sklearn.metrics import average_precision_score
    from sklearn.model_selection import StratifiedGroupKFold

    customers = min(len(set(groups[positive])), len(set(groups[~positive])))
    folds = StratifiedGroupKFold(min(FOLDS, customers), shuffle=True, random_state=seed)
    splits = [
        (inside, outside)
        for inside, outside in folds.split(positive, positive, groups)
        if len(set(points.due[points.of_conversations(inside)])) == 2
    ]
    judged = np.concatenate([outside for _, outside in splits]) if splits else np.array([], int)
    if len(set(positive[judged])) < 2:
        return DEFAULT_REGULARISATION
    achieved = []
    for strength in REGULARISATIONS:
        peaks = np.zeros(len(positive))
        for inside, outside in splits:
            rows = points.of_conversations(inside)
            weights, bias = _fit(
                points.rows[rows], points.due[rows], points.weights[rows], _exact(strength)
            )
            for i in outside:
                logits = points.rows[points.offsets[i] : points.offsets[i + 1]] @ weights + bias
                peaks[i] = logits.max()
        achieved.append(average_precision_score(positive[judged], peaks[judged]))
    return REGULARISATIONS[int(np.argmax(achieved))]


def _fit(
    rows: NDArray[np.float32],
    due: NDArray[np.bool_],
    weights: NDArray[np.float64],
    model: Any,
) -> tuple[NDArray[np.float64], float]:
    """Return weights and bias in the units of the raw features."""
    scale = _scale(rows)
    model.fit(rows * scale, due, sample_weight=weights)
    return model.coef_[0] * scale, float(model.intercept_[0])


def _fit_reasons(
    labeled: Sequence[LabeledConversation], points: _Points
) -> tuple[NDArray[np.float32], NDArray[np.float32], tuple[Reason, ...]]:
    """Learn the main reason at the due point of each positive; rare reasons are left out."""
    from sklearn.linear_model import LogisticRegression

    rows, main = [], []
    for i, item in enumerate(labeled):
        if item.due is not None and item.label.reasons:
            rows.append(points.rows[points.offsets[i] + item.due])
            main.append(item.label.reasons[0])
    frequent = tuple(r for r in Reason if main.count(r) >= MIN_PER_REASON)
    width = points.rows.shape[1]
    if len(frequent) < 2:
        return np.zeros((0, width), np.float32), np.zeros(0, np.float32), ()
    keep = [i for i, reason in enumerate(main) if reason in frequent]
    matrix = np.array([rows[i] for i in keep])
    target = np.array([frequent.index(main[i]) for i in keep])
    scale = _scale(matrix)
    model = LogisticRegression(C=1.0, max_iter=5000)
    model.fit(matrix * scale, target)
    coefficients, intercepts = model.coef_ * scale, model.intercept_
    if len(frequent) == 2:
        coefficients = np.vstack([-coefficients[0], coefficients[0]]) / 2
        intercepts = np.array([-intercepts[0], intercepts[0]]) / 2
    return coefficients.astype(np.float32), intercepts.astype(np.float32), frequent


def _scale(rows: NDArray[np.float32]) -> NDArray[np.float64]:
    """Give each signal unit spread; vectors are unit length already and keep their size."""
    scale = np.ones(rows.shape[1])
    spread = rows[:, -len(features.SIGNALS) :].std(axis=0)
    scale[-len(features.SIGNALS) :] = 1 / np.where(spread > 1e-6, spread, 1.0)
    return scale


def _exact(strength: float) -> Any:
    """Return a model whose fit takes a few Newton steps, however weak the penalty or the signal."""
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(C=strength, solver="newton-cholesky", max_iter=100)
