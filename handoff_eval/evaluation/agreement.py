"""How far two annotators, or a trigger and an annotator, answer alike.

The share of equal answers is easy to read and easy to reach: where 5 % need a handoff, two
annotators who guess at that rate agree on 90 %. Cohen's kappa takes that chance off. Both are
stated beside the confusion matrix they come from, because kappa in turn falls when handoffs get
rare, with annotators as good as before.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from handoff_eval.conversation import ADJUDICATED, Conversation, LabeledConversation, Split
from handoff_eval.errors import DataError
from handoff_eval.evaluation.intervals import (
    Estimate,
    clopper_pearson,
    cluster_weights,
    effective_customers,
    percentile_estimate,
    proportion_estimate,
)
from handoff_eval.evaluation.operating_point import OperatingPoint
from handoff_eval.evaluation.replay import Replay
from handoff_eval.transcripts.read import Dataset

if TYPE_CHECKING:
    import pandas as pd

UNNAMED = "unnamed"
"""What labels without an annotator are listed under."""


@dataclass(frozen=True, slots=True)
class Answers:
    """What one annotator or trigger says of each conversation it was asked about.

    Attributes
    ----------
    name : str
    points : mapping of str to int or None
        By conversation id, the index of the decision point from which on a handoff is warranted
        (of a trigger: at which it fired); None for no handoff.
    """

    name: str
    points: Mapping[str, int | None]


@dataclass(frozen=True, slots=True)
class Agreement:
    """Two sets of answers on the conversations that both have.

    Attributes
    ----------
    first, second : str
        Whose answers.
    conversations : int
        Number both answered.
    both, first_only, second_only, neither : int
        The confusion matrix: who says handoff.
    kappa : Estimate
        Cohen's kappa, 1 for equal answers, 0 for what chance gives; NaN where both always give
        the same one.
    same : Estimate
        Share of conversations with the same answer.
    within_one_point : Estimate
        Where both say handoff, the share in which their turns lie at most one decision point
        apart; NaN where there is none.
    different : tuple of str
        Ids of the conversations that only one of them hands off.
    apart : tuple of str
        Ids of those both hand off, more than one decision point apart.
    """

    first: str
    second: str
    conversations: int
    both: int
    first_only: int
    second_only: int
    neither: int
    kappa: Estimate
    same: Estimate
    within_one_point: Estimate
    different: tuple[str, ...]
    apart: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the agreement as JSON values."""
        return {
            "first": self.first,
            "second": self.second,
            "conversations": self.conversations,
            "confusion": {
                "both": self.both,
                "first_only": self.first_only,
                "second_only": self.second_only,
                "neither": self.neither,
            },
            "kappa": self.kappa.to_dict(),
            "same": self.same.to_dict(),
            "within_one_point": self.within_one_point.to_dict(),
            "different": list(self.different),
            "apart": list(self.apart),
        }


def annotators(dataset: Dataset) -> tuple[str, ...]:
    """Return everyone who labelled, in the order of their first label."""
    return tuple(dict.fromkeys(label.annotator or UNNAMED for label in dataset.labels))


def annotator_answers(dataset: Dataset, annotator: str) -> Answers:
    """Return the answers of one annotator.

    Raises
    ------
    DataError
        When there are no labels of that name.
    """
    conversations = {conversation.id: conversation for conversation in dataset.conversations}
    points = {
        label.conversation_id: LabeledConversation(conversations[label.conversation_id], label).due
        for label in dataset.labels
        if (label.annotator or UNNAMED) == annotator
    }
    if not points:
        known = ", ".join(repr(name) for name in annotators(dataset)) or "nobody"
        raise DataError(
            f"Expected labels of {annotator!r} in {dataset.name!r}; it has labels of {known}."
        )
    return Answers(annotator, points)


def trigger_answers(replay: Replay, point: OperatingPoint, *, split: Split) -> Answers:
    """Return what a trigger decides at an operating point.

    Parameters
    ----------
    replay : Replay
        Scores of the conversations of one split.
    point : OperatingPoint
    split : Split
        Which split that is.

    Raises
    ------
    LeakageError
        When the split isn't test: trigger and threshold were chosen on the others.
    """
    point.check_reportable_on(split)
    fires = replay.first_fire(point.threshold)
    return Answers(
        replay.trigger,
        {i: None if fire < 0 else int(fire) for i, fire in zip(replay.ids, fires, strict=True)},
    )


def agreement(
    conversations: Sequence[Conversation],
    *,
    first: Answers,
    second: Answers,
    weight: Mapping[str, float] | None = None,
    seed: int = 0,
) -> Agreement:
    """Compare two sets of answers.

    Cohen's kappa is (p_o - p_e) / (1 - p_e), where p_o is the share of equal answers and p_e what
    it would be if each gave answers at random in the shares they have (Cohen, Educational and
    Psychological Measurement 20 (1960) 37-46). Its interval is the percentile bootstrap over
    customers, and where all answers are equal, which leaves a bootstrap no width, the exact limits
    of the share of equal answers, carried over; the shares have exact limits where every
    conversation has a customer of its own, else the same bootstrap.

    Parameters
    ----------
    conversations : sequence of Conversation
        Those to look at; the ones not answered by both are left out.
    first, second : Answers
    weight : mapping of str to float, optional
        By id, what a conversation stands for; the rest, and all where it is None, for themselves.
        The confusion matrix counts what was read.
    seed : int
        Of the bootstrap.

    Raises
    ------
    DataError
        When no conversation has both answers.
    """
    shared = [c for c in conversations if c.id in first.points and c.id in second.points]
    if not shared:
        raise DataError(
            f"Expected conversations that {first.name!r} and {second.name!r} have both answered; "
            f"there is none among {len(conversations)}."
        )
    n = len(shared)
    groups = [conversation.group for conversation in shared]
    each = np.array([(weight or {}).get(conversation.id, 1.0) for conversation in shared])
    weights = cluster_weights(groups, seed=seed) * each
    pairs = [(first.points[c.id], second.points[c.id]) for c in shared]
    one = np.array([a is not None for a, _ in pairs])
    other = np.array([b is not None for _, b in pairs])
    near = np.array([a is not None and b is not None and abs(a - b) <= 1 for a, b in pairs])
    both = one & other
    return Agreement(
        first=first.name,
        second=second.name,
        conversations=n,
        both=int(both.sum()),
        first_only=int((one & ~other).sum()),
        second_only=int((~one & other).sum()),
        neither=int((~one & ~other).sum()),
        kappa=_kappa_estimate(one, other, weights, groups, each),
        same=proportion_estimate(one == other, groups, weights, weight=each),
        within_one_point=proportion_estimate(
            near[both],
            [group for group, kept in zip(groups, both, strict=True) if kept],
            weights[:, both],
            weight=each[both],
        ),
        different=_ids(shared, one != other),
        apart=_ids(shared, both & ~near),
    )


def label_weights(dataset: Dataset) -> dict[str, float]:
    """Return what each labelled conversation stands for, by its id."""
    return {key: label.weight for key, label in dataset.labels_of_record().items()}


def annotator_agreements(dataset: Dataset, *, seed: int = 0) -> tuple[Agreement, ...]:
    """Return the agreement of each two named annotators who share a conversation.

    The adjudicated labels are no annotator's: they were given in sight of the others.
    """
    named = [name for name in annotators(dataset) if name not in {UNNAMED, ADJUDICATED}]
    weight = label_weights(dataset)
    return tuple(
        agreement(dataset.conversations, first=one, second=other, weight=weight, seed=seed)
        for one, other in combinations([annotator_answers(dataset, name) for name in named], 2)
        if one.points.keys() & other.points.keys()
    )


def agreement_frame(agreements: Sequence[Agreement]) -> pd.DataFrame:
    """Return one row a pair of annotators, each share with its interval and its own n."""
    import pandas as pd

    rows = [
        {
            "pair": f"{pair.first}, {pair.second}",
            "n": pair.conversations,
            "both": pair.both,
            "first only": pair.first_only,
            "second only": pair.second_only,
            "neither": pair.neither,
            "kappa": pair.kappa.short,
            "same answer": pair.same.short,
            "within one decision point": str(pair.within_one_point),
        }
        for pair in agreements
    ]
    return pd.DataFrame(rows).set_index("pair")


def cohen_kappa(
    first: NDArray[np.bool_], second: NDArray[np.bool_], weights: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return Cohen's kappa for each row of weights, shape (replicates,)."""
    total = weights.sum(axis=1)
    p, q = weights @ first / total, weights @ second / total
    observed = weights @ (first == second) / total
    chance = p * q + (1 - p) * (1 - q)
    with np.errstate(invalid="ignore", divide="ignore"):
        kappa: NDArray[np.float64] = (observed - chance) / (1 - chance)
    return kappa


def _kappa_estimate(
    first: NDArray[np.bool_],
    second: NDArray[np.bool_],
    weights: NDArray[np.float64],
    groups: Sequence[str],
    each: NDArray[np.float64],
) -> Estimate:
    n = len(first)
    value = float(cohen_kappa(first, second, each[None])[0])
    if (first == second).all() and not np.isnan(value):
        customers = max(1, int(effective_customers(groups, each)))
        share = float(np.average(first, weights=each))
        chance = share**2 + (1 - share) ** 2
        low = (clopper_pearson(customers, customers)[0] - chance) / (1 - chance)
        return Estimate(value, low, 1.0, n, "exact binomial")
    return percentile_estimate(value, cohen_kappa(first, second, weights), n)


def _ids(conversations: Sequence[Conversation], which: NDArray[np.bool_]) -> tuple[str, ...]:
    return tuple(c.id for c, chosen in zip(conversations, which, strict=True) if chosen)
