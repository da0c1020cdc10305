"""Examples for the prompt, chosen from train by a rule that gives the same ones every time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from handoff_eval.conversation import DecisionPoint, LabeledConversation, Role, Turn
from handoff_eval.errors import DataError, SettingsError
from handoff_eval.llm.quoting import quote_transcript
from handoff_eval.triggers.train_only import check_train_only

MAX_SHOTS = 8
SHOT_BYTES = 600
"""A longer prefix makes no example, so that examples leave the transcript its room."""


@dataclass(frozen=True, slots=True)
class Shot:
    """A conversation prefix and whether it is handed off there."""

    turns: tuple[Turn, ...]
    closed: bool
    handoff: bool


def check_shots(count: int) -> int:
    """Return the number of examples where it can be served.

    Raises
    ------
    SettingsError
        When it is odd, negative or above 8.
    """
    if not (0 <= count <= MAX_SHOTS and count % 2 == 0):
        raise SettingsError(
            f"Expected an even number of examples from 0 to {MAX_SHOTS}, half of them handoffs; "
            f"got {count}."
        )
    return count


def choose_shots(
    labeled: Sequence[LabeledConversation],
    count: int,
    encode: Callable[[Sequence[str]], NDArray[np.float32]],
) -> tuple[Shot, ...]:
    """Return the examples: handoffs and others in turn, each kind as unlike itself as can be.

    A handoff is shown up to the point where it is due, another conversation up to the customer's
    last turn, or to its end where the handoff beside it is shown to its end, so that the state
    gives nothing away. Of each kind the first is the one nearest to the mean of its kind; each
    further one is the one whose nearest chosen neighbour is farthest, by the cosine of the mean
    vector of the customer's turns. One conversation a customer, the first by id; ties go to the
    first by id.

    Parameters
    ----------
    labeled : sequence of LabeledConversation
        Of the train split.
    count : int
        Even, 0 to 8.
    encode : callable
        Gives unit vectors of texts, shape (texts, dimension).

    Raises
    ------
    LeakageError
        When a conversation is not of train.
    DataError
        When there are too few conversations that are short enough.
    """
    check_shots(count)
    check_train_only(labeled, "examples")
    if count == 0:
        return ()
    ordered = sorted(labeled, key=lambda item: item.conversation.id)
    chosen: dict[bool, list[LabeledConversation]] = {}
    for handoff in (True, False):
        candidates, customers = [], set()
        for item in ordered:
            if item.label.handoff is handoff and item.conversation.group not in customers:
                longest = max(_shown(item, closed).turns for closed in (False, True))
                if _fits(item.conversation.turns[:longest]):
                    candidates.append(item)
                    customers.add(item.conversation.group)
        if len(candidates) < count // 2:
            raise DataError(
                f"Expected {count // 2} customers {'with' if handoff else 'without'} a handoff in "
                f"train whose words fit {SHOT_BYTES} bytes, for {count} examples; got "
                f"{len(candidates)}. Ask for fewer with --shots."
            )
        vectors = np.array([_vector(item, encode) for item in candidates])
        chosen[handoff] = [candidates[i] for i in farthest_first(vectors, count // 2)]
    shots = []
    for positive, negative in zip(chosen[True], chosen[False], strict=True):
        closed = _shown(positive, False).closed
        shots += [_shot(positive, closed), _shot(negative, closed)]
    return tuple(shots)


def farthest_first(vectors: NDArray[np.float32], count: int) -> list[int]:
    """Return the places of `count` rows spread over the rows, the most central one first.

    Gonzalez' farthest-first traversal (Theoretical Computer Science 38, 1985) under cosine
    similarity; among equals the first row is taken.
    """
    chosen = [int(np.argmax(vectors @ vectors.mean(axis=0)))]
    nearest = vectors @ vectors[chosen[0]]
    while len(chosen) < count:
        nearest[chosen] = np.inf
        chosen.append(int(np.argmin(nearest)))
        nearest = np.maximum(nearest, vectors @ vectors[chosen[-1]])
    return chosen


def _shown(item: LabeledConversation, closed: bool) -> DecisionPoint:
    points = item.conversation.decision_points()
    if item.due is not None:
        return points[item.due]
    return points[-1] if closed or len(points) == 1 else points[-2]


def _shot(item: LabeledConversation, closed: bool) -> Shot:
    point = _shown(item, closed)
    return Shot(item.conversation.turns[: point.turns], point.closed, item.label.handoff)


def _fits(turns: Sequence[Turn]) -> bool:
    whole = quote_transcript(turns, max_bytes=100 * SHOT_BYTES)
    return len(whole.encode()) <= SHOT_BYTES


def _vector(
    item: LabeledConversation, encode: Callable[[Sequence[str]], NDArray[np.float32]]
) -> NDArray[np.float32]:
    turns = item.conversation.turns[: _shown(item, True).turns]
    said = [turn.text for turn in turns if turn.role is Role.CUSTOMER] or [""]
    mean = encode(said).mean(axis=0)
    return np.asarray(mean / max(float(np.linalg.norm(mean)), 1e-12), dtype=np.float32)
