"""Scores of train by triggers that saw nothing of the customer."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from handoff_eval.conversation import LabeledConversation
from handoff_eval.errors import DataError
from handoff_eval.trigger import Trigger

FOLDS = 5


def out_of_fold_scores(
    labeled: Sequence[LabeledConversation],
    train: Callable[[Sequence[LabeledConversation]], Trigger],
    *,
    seed: int = 0,
) -> list[NDArray[np.float64]]:
    """Return each conversation's scores at its decision points, by a trigger that didn't see it.

    The whole training is done again in each fold, whatever it chooses and calibrates inside, so
    the scores are on the scale of the trigger and owe nothing to the customer's other words.

    Parameters
    ----------
    labeled : sequence of LabeledConversation
        The train split.
    train : callable
        Gives a trigger from labelled conversations.
    seed : int
        Assigns customers to folds.

    Raises
    ------
    DataError
        When fewer than four customers have, or have not, a handoff: two for a fold to learn from
        must be left.
    """
    from sklearn.model_selection import StratifiedGroupKFold

    groups = np.array([item.conversation.group for item in labeled])
    positive = np.array([item.label.handoff for item in labeled], dtype=bool)
    customers = min(len(set(groups[positive])), len(set(groups[~positive])))
    if customers < 4:
        raise DataError(
            "Expected at least 4 customers with and 4 without a handoff in train to score them "
            f"unseen; got {customers} of one kind. Label more conversations."
        )
    folds = StratifiedGroupKFold(min(FOLDS, customers), shuffle=True, random_state=seed)
    scores = [np.zeros(0)] * len(labeled)
    for inside, outside in folds.split(positive, positive, groups):
        trigger = train([labeled[i] for i in inside])
        for i in outside:
            scores[i] = _played(trigger, labeled[i])
    return scores


def _played(trigger: Trigger, item: LabeledConversation) -> NDArray[np.float64]:
    history = [trigger.start()]
    for observation in trigger.encode(item.conversation.turns):
        history.append(trigger.update(history[-1], observation))
    points = item.conversation.decision_points()
    states = [history[point.turns] for point in points]
    return np.array(trigger.score(states, [point.closed for point in points]))
