"""HE018-HE019: labels the words speak against, and labels something else gives away."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from handoff_eval.conversation import LabeledConversation
from handoff_eval.evaluation.checks.base import (
    CannotRun,
    Check,
    Finding,
    Inputs,
    count_of,
    customers_of,
    first_few,
    spoken,
    verb,
)
from handoff_eval.evaluation.checks.features import Feature, features
from handoff_eval.evaluation.intervals import Estimate, by_customer
from handoff_eval.evaluation.metrics import area_under_curve
from handoff_eval.severity import Severity
from handoff_eval.transcripts.refusals import escaped, shown

FLAGGED = 0.6
"""Lower limit of the area under the curve above which something gives the label away."""
FEW = 20
FOLDS = 5
TELLS = 0.7
"""Lower limit that the bag of words must reach before its doubts are worth reading."""
TOO_STRONG = 0.8
"""Lower limit above which even length or the last speaker is no longer natural."""


def suspicious_labels(inputs: Inputs) -> Iterator[Finding]:
    """HE018: labels that a model fitted on other customers contradicts most confidently.

    A bag of words with logistic regression is fitted to four fifths of the customers and asked
    about the rest. A label is suspicious where the other answer is as probable as it is on
    average among those labelled that way (confident learning: Northcutt, Jiang and Chuang,
    Journal of Artificial Intelligence Research 70 (2021) 1373-1411).
    """
    items = inputs.need_labels()
    positive = _enough_of_both(items)
    probability = _out_of_fold(items, positive, seed=inputs.seed)
    groups = [item.conversation.group for item in items]
    area = by_customer(partial(area_under_curve, probability, positive), groups, seed=inputs.seed)
    if not _surely(area) > TELLS:
        raise CannotRun(
            f"a bag of words tells the labels apart too poorly to doubt any (area under the curve "
            f"{area})"
        )
    threshold_positive = probability[positive].mean()
    threshold_negative = (1 - probability[~positive]).mean()
    doubt = np.where(positive, 1 - 2 * probability, 2 * probability - 1)
    contradicted = np.where(
        positive, 1 - probability >= threshold_negative, probability >= threshold_positive
    ) & (doubt > 0)
    order = [i for i in np.argsort(-doubt, kind="stable") if contradicted[i]]
    if order:
        yield Finding(
            "HE018",
            Severity.WARNING,
            f"{count_of(len(order), 'label')} {verb(len(order), 'is', 'are')} contradicted by the "
            f"words (a bag of words fitted on other customers, area under the curve {area}); "
            "re-read the examples, the most doubtful first, and correct what is wrong, but leave a "
            "hard case that is right.",
            len(order),
            first_few(
                f"{shown(items[i].conversation.id)}: labelled "
                f"{'positive' if positive[i] else 'negative'}, {probability[i]:.0%} by the words"
                for i in order
            ),
        )


def leaking_features(inputs: Inputs) -> Iterator[Finding]:
    """HE019: what predicts the label without a word being read."""
    items = inputs.need_labels()
    positive = _enough_of_both(items)
    groups = [item.conversation.group for item in items]
    artefacts: list[tuple[str, Estimate]] = []
    natural: list[tuple[str, Estimate]] = []
    for feature in features(items):
        area = _area(feature, positive, groups, seed=inputs.seed)
        if _surely(area) > FLAGGED:
            explained = feature.natural and _surely(area) <= TOO_STRONG
            (natural if explained else artefacts).append((feature.name, area))
    if artefacts:
        yield _told(
            artefacts, Severity.WARNING, "find out why, and remove it or keep it from every trigger"
        )
    if natural:
        yield _told(
            natural,
            Severity.INFO,
            "that is natural, unresolved conversations do run longer, but see that a trigger beats "
            "it",
        )


def _told(told: list[tuple[str, Estimate]], severity: Severity, advice: str) -> Finding:
    told.sort(key=lambda one: -one[1].value)
    lines = [f"{escaped(name)}: {area}" for name, area in told]
    return Finding(
        "HE019",
        severity,
        f"{count_of(len(told), 'thing')} beside the words {verb(len(told), 'predicts', 'predict')} "
        f"the label, most of all by area under the curve {lines[0]}; {advice}.",
        len(told),
        first_few(lines),
    )


def _surely(area: Estimate) -> float:
    """Return the lower limit; an area of 1 in every replicate has none and is 1."""
    return area.value if np.isnan(area.low) else area.low


def _enough_of_both(items: Sequence[LabeledConversation]) -> NDArray[np.bool_]:
    positive = np.array([item.label.handoff for item in items])
    for kind, chosen in (("positives", positive), ("negatives", ~positive)):
        held = [item.conversation for item, yes in zip(items, chosen, strict=True) if yes]
        if len(held) < FEW:
            raise CannotRun(f"there are fewer than {FEW} {kind}")
        if customers_of(held) < FOLDS:
            raise CannotRun(f"the {kind} come from fewer than {FOLDS} customers")
    return positive


def _area(
    feature: Feature, positive: NDArray[np.bool_], groups: Sequence[str], *, seed: int
) -> Estimate:
    def both_ways(weights: NDArray[np.float64]) -> NDArray[np.float64]:
        area = area_under_curve(feature.scores, positive, weights)
        return 1 - area if turned else area

    whole = area_under_curve(feature.scores, positive, np.ones((1, len(positive))))
    turned = not feature.directed and bool(whole[0] < 0.5)
    return by_customer(both_ways, groups, seed=seed)


def _out_of_fold(
    items: Sequence[LabeledConversation], positive: NDArray[np.bool_], *, seed: int
) -> NDArray[np.float64]:
    try:
        from sklearn.feature_extraction.text import TfidfVectorizer
        from sklearn.linear_model import LogisticRegression
        from sklearn.model_selection import StratifiedGroupKFold, cross_val_predict
    except ImportError:
        raise CannotRun(
            "scikit-learn is not installed (pip install 'handoff-eval[bench]')"
        ) from None
    # NDArray[np.float64] of words don't depend on labels, so one vocabulary serves all folds.
    words = TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True, max_features=50_000)
    try:
        weights = words.fit_transform(spoken(item.conversation) for item in items)
    except ValueError:
        raise CannotRun("no word occurs in two conversations") from None
    predicted: NDArray[np.float64] = cross_val_predict(
        LogisticRegression(class_weight="balanced", solver="liblinear", random_state=seed),
        weights,
        positive,
        groups=[item.conversation.group for item in items],
        cv=StratifiedGroupKFold(FOLDS, shuffle=True, random_state=seed),
        method="predict_proba",
    )
    return predicted[:, 1]


CHECKS = (
    Check("HE018", "labels the words support", suspicious_labels),
    Check("HE019", "nothing beside the words tells", leaking_features),
)
