"""Which conversation to label next: the most useful one, now and then one drawn at random.

Useful are, in this order, conversations on which annotators contradict each other, then those
whose label the trigger contradicts (the surest contradiction first), then those whose score lies
nearest to the threshold, where a label moves it most. Such a choice says nothing of the traffic
as a whole. So every draw is a lottery of which each conversation left in the pool has a ticket,
its chance is stored with the label, and `pool_weights` turns the labels into a sample of the pool.
"""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from handoff_eval.conversation import Label
from handoff_eval.errors import DataError, SettingsError

RANDOM_SHARE = 0.25


class How(StrEnum):
    """Why a conversation was served."""

    DISAGREEMENT = "disagreement"
    UNCERTAIN = "uncertain"
    RANDOM = "random"


@dataclass(frozen=True, slots=True)
class Draw:
    """One conversation served, and the chance it had.

    Attributes
    ----------
    conversation_id : str
    how : How
    probability : float
        That this draw serves this conversation, by usefulness or by lot, in (0, 1].
    pool : int
        Number of conversations it was drawn from, itself included.
    """

    conversation_id: str
    how: How
    probability: float
    pool: int

    def to_dict(self) -> dict[str, Any]:
        """Return the field `sampling` of the label."""
        return {"how": self.how.value, "probability": self.probability, "pool": self.pool}


@dataclass(frozen=True, slots=True)
class Queue:
    """The order in which one annotator is served.

    Parameters
    ----------
    useful : tuple of (str, How)
        Conversations worth a label beyond the average, the most useful first.
    random_share : float
        Share of the draws made by lot, in (0, 1].
    seed : str
        Of the draws; draw k depends on it, k, the pool and `useful` alone, so that a session that
        is resumed is served what it would have been.
    """

    useful: tuple[tuple[str, How], ...]
    random_share: float = RANDOM_SHARE
    seed: str = "0"

    def __post_init__(self) -> None:
        if not 0 < self.random_share <= 1:
            raise SettingsError(
                "Expected random_share to be above 0, so that every conversation can be drawn, "
                f"and at most 1; got {self.random_share!r}."
            )

    def draw(self, pool: Sequence[str], *, drawn: int) -> Draw:
        """Return the next conversation.

        Parameters
        ----------
        pool : sequence of str
            Ids of the conversations without a label of this annotator, in the dataset's order.
        drawn : int
            Number of draws made before.
        """
        if not pool:
            raise ValueError("Expected at least one conversation to draw from; got none.")
        left = set(pool)
        first = next((item for item in self.useful if item[0] in left), None)
        lottery = random.Random(f"{self.seed}:{drawn}")  # noqa: S311 - a design, not a secret
        if first is None or lottery.random() < self.random_share:
            chosen, how = lottery.choice(pool), How.RANDOM
        else:
            chosen, how = first
        if first is None:
            probability = 1 / len(pool)
        else:
            probability = self.random_share / len(pool)
            if chosen == first[0]:
                probability += 1 - self.random_share
        return Draw(chosen, how, probability, len(pool))


def by_usefulness(
    ids: Sequence[str],
    labels: Sequence[Label] = (),
    *,
    scores: Mapping[str, float] | None = None,
    threshold: float = 0.5,
) -> tuple[tuple[str, How], ...]:
    """Return the conversations a label of which is useful, the most useful first.

    Parameters
    ----------
    ids : sequence of str
        Conversations that may be served.
    labels : sequence of Label
        What others have answered.
    scores : mapping of str to float, optional
        A trigger's highest score of each conversation, in [0, 1]; not every one needs one.
    threshold : float
        Where the trigger's decision turns.

    Raises
    ------
    SettingsError
        When a score or the threshold isn't a number in [0, 1], or none of the scores is of these
        ids.
    """
    scores = {} if scores is None else scores
    _check_scores(ids, scores, threshold)
    answers: dict[str, set[bool]] = {}
    for label in labels:
        answers.setdefault(label.conversation_id, set()).add(label.handoff)
    contradictory = [i for i in ids if len(answers.get(i, ())) == 2]
    contradicted = [i for i in ids if i in scores and answers.get(i) == {scores[i] < threshold}]
    surest_first = sorted(contradicted, key=lambda i: -abs(scores[i] - threshold))
    disputed = [*contradictory, *surest_first]
    known = set(disputed)
    undisputed = [i for i in ids if i in scores and i not in known]
    nearest_first = sorted(undisputed, key=lambda i: abs(scores[i] - threshold))
    return (
        *((i, How.DISAGREEMENT) for i in disputed),
        *((i, How.UNCERTAIN) for i in nearest_first),
    )


def pool_weights(labels: Sequence[Label]) -> dict[str, float]:
    """Return a weight for each conversation that undoes the choice by usefulness.

    The mean of weight times anything known of the labelled conversations (1 for a handoff, 0 for
    none) estimates without bias its mean over the whole pool they were drawn from. For draw m of
    M, out of N, that had the chance q:

        weight = 1 + (N - M) / (N - m) * (1 / ((N - m + 1) q) - 1)

    Farquhar, Gal and Rainforth, On Statistical Bias in Active Learning: How and When to Fix It,
    ICLR 2021, equation 3. Labels that came by lot (`how: random`) are no random sample of the
    pool by themselves: the useful ones had been taken out before.

    Parameters
    ----------
    labels : sequence of Label
        All labels one annotator gave in one session, resumed or not, in any order.

    Raises
    ------
    DataError
        When a label has no chance stored, or the pool didn't shrink by one from draw to draw.
    """
    draws = sorted((_draw_of(label) for label in labels), key=lambda draw: -draw.pool)
    if not draws:
        return {}
    size, count = draws[0].pool, len(draws)
    if [draw.pool for draw in draws] != list(range(size, size - count, -1)):
        raise DataError(
            f"Expected the draws of one session, from a pool that shrinks from {size} by one each "
            "time; some are missing or come from another pool. Pass one annotator's labels of one "
            "session, all of them."
        )
    return {
        draw.conversation_id: 1
        + (size - count) / (size - m) * (1 / (draw.pool * draw.probability) - 1)
        if m < size
        else 1.0
        for m, draw in enumerate(draws, 1)
    }


def _draw_of(label: Label) -> Draw:
    stored: Any = label.extra.get("sampling")
    draw: Draw | None = None
    try:
        how, probability, pool = (stored[name] for name in ("how", "probability", "pool"))
        draw = Draw(label.conversation_id, How(how), float(probability), int(pool))
    except (KeyError, TypeError, ValueError):
        pass
    if draw is None or not (0 < draw.probability <= 1 and draw.pool > 0):
        raise DataError(
            f"Expected the label of {label.conversation_id!r} to say in 'sampling' how it was "
            f"drawn; got {stored!r}. Pass labels given in the notebook only."
        )
    return draw


def _check_scores(ids: Sequence[str], scores: Mapping[str, float], threshold: float) -> None:
    named = {f"the score of {i!r}": score for i, score in scores.items()}
    for name, value in {**named, "threshold": threshold}.items():
        if not (math.isfinite(value) and 0 <= value <= 1):
            raise SettingsError(f"Expected {name} to lie between 0 and 1; got {value!r}.")
    if scores and not any(i in scores for i in ids):
        raise SettingsError(
            f"Expected scores by the ids of conversations to label; none of the {len(scores)} is."
        )
