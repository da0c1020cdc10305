"""Train a head at decision points, on train alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from handoff_eval.conversation import LabeledConversation, Reason
from handoff_eval.encoders.base import Encoder
from handoff_eval.errors import DataError
from handoff_eval.triggers.calibration import Sigmoid, fit_sigmoid
from handoff_eval.triggers.classifier import ClassifierTrigger
from handoff_eval.triggers.feature_maps import FeatureMap, StackedFeatures, TurnFeatures
from handoff_eval.triggers.head import EstimatorHead, Head, LinearHead, ReasonHead, logistic
from handoff_eval.triggers.penalty import Plan, choose_plan, fit_linear, grouped_splits, held_out
from handoff_eval.triggers.points import Points
from handoff_eval.triggers.words import learn_words

RAW = Sigmoid(1.0, 0.0)
"""What stands for a calibration where none was learnt."""

MIN_PER_REASON = 5
FEW_POSITIVES = 20


def train_classifier(
    labeled: Sequence[LabeledConversation],
    encoder: Encoder | None,
    *,
    words: bool = False,
    head: Any = None,
    name: str = "minilm",
    seed: int = 0,
) -> ClassifierTrigger:
    """Fit a head to say, at each decision point, whether the handoff is due by now.

    A conversation counts once, however many points it has. Penalty and layout are chosen by
    cross-validation over customers (`penalty.choose_plan`). Classes are not reweighted; the
    scores are calibrated at conversation level on values out of fold, so that a peak reads as
    the chance of a need at the prevalence of train.

    Parameters
    ----------
    labeled : sequence of LabeledConversation
        The train split.
    encoder : Encoder, optional
        Gives turn vectors; without one the head stands on words alone.
    words : bool
        Whether word features take part.
    head : scikit-learn classifier, optional
        Instead of logistic regression; cloned. Its raw value is `decision_function`, else the
        log odds of `predict_proba`. It chooses its own penalty.
    name : str
        Name of the arm.
    seed : int
        Assigns customers to folds.

    Raises
    ------
    DataError
        When there are fewer than two customers with or without a handoff, or the words have
        nothing in common.
    """
    from threadpoolctl import threadpool_limits

    groups = np.array([item.conversation.group for item in labeled])
    positive = np.array([item.label.handoff for item in labeled], dtype=bool)
    for kind, members in (("with", groups[positive]), ("without", groups[~positive])):
        if len(set(members)) < 2:
            raise DataError(
                f"Expected at least 2 customers {kind} a handoff in the train split to learn from; "
                f"got {len(set(members))}. Label more conversations."
            )
    features = _features(labeled, encoder, words=words)
    points = Points.of(labeled, features)
    # These matrices are small: on several threads BLAS spends most of its time waiting.
    with threadpool_limits(limits=1):
        splits = grouped_splits(points, groups, seed=seed)
        reasons = _fit_reasons(labeled, points, features)
        trained, sigmoid, unseen = (
            _linear(points, splits, features, reasons)
            if head is None
            else _estimator(points, splits, head, reasons)
        )
    return ClassifierTrigger(
        features,
        trained,
        name=name,
        note=_note(int(positive.sum()), sigmoid),
        held_out=tuple(np.split(unseen, points.offsets[1:-1])),
    )


def _features(
    labeled: Sequence[LabeledConversation], encoder: Encoder | None, *, words: bool
) -> FeatureMap:
    if encoder is None and not words:
        raise ValueError("Expected an encoder or words to learn from; got neither.")
    parts: list[FeatureMap] = [] if encoder is None else [TurnFeatures(encoder)]
    if words:
        learnt = learn_words(labeled)
        if not learnt.blocks[0].width:
            raise DataError(
                "Expected words that at least 2 customers of train share; got none. "
                "Label more conversations, or compare an arm without words."
            )
        parts.append(learnt)
    return parts[0] if len(parts) == 1 else StackedFeatures(parts)


class _Trained(NamedTuple):
    head: Head
    sigmoid: Sigmoid | None
    unseen: NDArray[np.float64]


def _linear(
    points: Points, splits: list[Any], features: FeatureMap, reasons: ReasonHead
) -> _Trained:
    plan, values, judged = choose_plan(points, splits, features.blocks)
    sigmoid = _sigmoid(points, values, judged)
    weights, bias = fit_linear(points, np.arange(points.rows.shape[0]), plan, features.blocks)
    slope, shift = sigmoid or RAW
    head = LinearHead((weights * slope).astype(np.float32), float(bias * slope + shift), reasons)
    return _Trained(head, sigmoid, _unseen(points, values, judged, sigmoid))


def _estimator(points: Points, splits: list[Any], estimator: Any, reasons: ReasonHead) -> _Trained:
    from sklearn.base import clone

    def fit(rows: NDArray[np.int64]) -> Any:
        used, due, weights = points.lessons(rows)
        model = clone(estimator)
        try:
            return model.fit(points.rows[used].toarray(), due, sample_weight=weights)
        except TypeError as error:
            raise DataError(
                f"Expected a head whose fit takes sample_weight, so that a conversation counts "
                f"once; got {type(estimator).__name__} ({error})."
            ) from None

    def values(model: Any, rows: NDArray[np.int64]) -> NDArray[np.float64]:
        raw = EstimatorHead(model, RAW, reasons)
        return raw.values(points.rows[rows].toarray())

    found, judged = held_out(points, splits, lambda inside, outside: values(fit(inside), outside))
    sigmoid = _sigmoid(points, found, judged)
    model = fit(np.arange(points.rows.shape[0]))
    fitted = EstimatorHead(model, sigmoid or RAW, reasons)
    return _Trained(fitted, sigmoid, _unseen(points, found, judged, sigmoid))


def _sigmoid(
    points: Points, values: NDArray[np.float64], judged: NDArray[np.int64]
) -> Sigmoid | None:
    positive = points.positive[judged]
    if len(set(positive)) < 2:
        return None
    return fit_sigmoid(points.peaks(values)[judged], positive)


def _unseen(
    points: Points,
    values: NDArray[np.float64],
    judged: NDArray[np.int64],
    sigmoid: Sigmoid | None,
) -> NDArray[np.float64]:
    """Return the held-out scores on the scale of the trigger, NaN where nobody was judged."""
    scores = np.full(len(values), np.nan)
    if len(judged):
        rows = points.of_conversations(judged)
        slope, shift = sigmoid or RAW
        scores[rows] = logistic(values[rows] * slope + shift)
    return scores


def _note(positives: int, sigmoid: Sigmoid | None) -> str:
    notes = []
    if positives < FEW_POSITIVES:
        notes.append(
            f"learnt from {positives} needed handoffs, under {FEW_POSITIVES}: neither its ranking "
            "nor its scores can be relied on"
        )
    if sigmoid is None:
        notes.append("no better than chance on customers it didn't see, scores not calibrated")
    return "; ".join(notes)


def _fit_reasons(
    labeled: Sequence[LabeledConversation], points: Points, features: FeatureMap
) -> ReasonHead:
    """Learn the main reason at the due point of each positive; rare reasons are left out."""
    from sklearn.linear_model import LogisticRegression

    known = [i for i, item in enumerate(labeled) if item.due is not None and item.label.reasons]
    main = [labeled[i].label.reasons[0] for i in known]
    frequent = tuple(r for r in Reason if main.count(r) >= MIN_PER_REASON)
    if len(frequent) < 2:
        return ReasonHead.empty(points.rows.shape[1])
    kept = [(i, reason) for i, reason in zip(known, main, strict=True) if reason in frequent]
    rows = points.rows[[points.offsets[i] + points.at[i] for i, _ in kept]]
    scale = Plan(1.0, 1.0, 1.0).scale(rows, features.blocks)
    model = LogisticRegression(C=1.0, max_iter=5000)
    model.fit(rows.multiply(scale).tocsr(), [frequent.index(reason) for _, reason in kept])
    coefficients, intercepts = model.coef_ * scale, model.intercept_
    if len(frequent) == 2:
        coefficients = np.vstack([-coefficients[0], coefficients[0]]) / 2
        intercepts = np.array([-intercepts[0], intercepts[0]]) / 2
    return ReasonHead(coefficients.astype(np.float32), intercepts.astype(np.float32), frequent)
