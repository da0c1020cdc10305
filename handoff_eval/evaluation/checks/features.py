"""What is known of a conversation without reading it, as one score each for HE019."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from handoff_eval.conversation import LabeledConversation, Role
from handoff_eval.evaluation.checks.base import spoken

MAX_LEVELS = 50
FOLDS = 5


@dataclass(frozen=True, slots=True)
class Feature:
    """A score for each conversation, and whether a reader would call it natural that it tells.

    Attributes
    ----------
    name : str
    scores : float array, shape (n,)
    natural : bool
        Unresolved conversations do run longer; a channel or a field of metadata that knows the
        label is an artefact of how the set was made, until somebody explains it.
    directed : bool
        Whether higher is known to mean positive; else either direction counts.
    """

    name: str
    scores: NDArray[np.float64]
    natural: bool
    directed: bool


def features(items: Sequence[LabeledConversation]) -> Iterator[Feature]:
    """Yield every feature that varies."""
    for feature in (*_shape(items), *_surroundings(items), *_metadata(items)):
        if len(np.unique(feature.scores)) > 1:
            yield feature


def _shape(items: Sequence[LabeledConversation]) -> Iterator[Feature]:
    conversations = [item.conversation for item in items]
    counted = {
        "length in characters": [len(spoken(c)) for c in conversations],
        "number of turns": [len(c.turns) for c in conversations],
        "number of customer turns": [
            sum(turn.role is Role.CUSTOMER for turn in c.turns) for c in conversations
        ],
    }
    for name, values in counted.items():
        yield Feature(name, np.array(values, dtype=np.float64), natural=True, directed=False)
    yield _levels("who speaks first", [c.turns[0].role for c in conversations], items, natural=True)
    yield _levels("who speaks last", [c.turns[-1].role for c in conversations], items, natural=True)


def _surroundings(items: Sequence[LabeledConversation]) -> Iterator[Feature]:
    conversations = [item.conversation for item in items]
    place = np.arange(len(items), dtype=np.float64)
    yield Feature("place in the file", place, natural=False, directed=False)
    has_email = [c.customer.email is not None for c in conversations]
    yield _levels("whether an address is known", has_email, items, natural=False)
    yield _levels("channel", [c.channel for c in conversations], items, natural=False)
    if all(c.started_at is not None for c in conversations):
        starts = [c.started_at for c in conversations if c.started_at is not None]
        yield _levels("hour of day", [start.hour for start in starts], items, natural=False)
        yield _levels("day of week", [start.weekday() for start in starts], items, natural=False)


def _metadata(items: Sequence[LabeledConversation]) -> Iterator[Feature]:
    fields = [item.conversation.metadata for item in items]
    for name in dict.fromkeys(name for values in fields for name in values):
        values = [held.get(name) for held in fields]
        title = f"metadata.{name}"
        numbers = [_number(value) for value in values]
        levels = [_text(value) for value in values]
        if None not in numbers:
            scores = np.array(numbers, dtype=np.float64)
            yield Feature(title, scores, natural=False, directed=False)
        elif len(set(levels)) <= MAX_LEVELS:
            yield _levels(title, levels, items, natural=False)
        else:
            given = [value is not None for value in values]
            yield _levels(f"whether {title} is given", given, items, natural=False)


def _levels(
    name: str, values: Sequence[object], items: Sequence[LabeledConversation], *, natural: bool
) -> Feature:
    """Score each conversation by how often its level is positive among *other* customers.

    The shares come from the other folds of customers and are drawn to the overall share by one
    observation, (hits + overall) / (size + 1), so that a level seen once predicts little: the
    m-estimate with m = 1 (Cestnik, Estimating probabilities: a crucial task in machine learning,
    ECAI 1990, 147-149), used as by Micci-Barreca (SIGKDD Explorations 3 (2001) 27-32).
    """
    positive = np.array([item.label.handoff for item in items], dtype=np.float64)
    fold = np.array([_fold(item.conversation.group) for item in items])
    codes = np.unique([_text(value) for value in values], return_inverse=True)[1]
    scores = np.empty(len(items))
    for held_out in range(FOLDS):
        rest = fold != held_out
        overall = positive[rest].mean() if rest.any() else 0.5
        size = np.bincount(codes[rest], minlength=codes.max() + 1)
        hits = np.bincount(codes[rest], positive[rest], minlength=codes.max() + 1)
        shares = (hits + overall) / (size + 1)
        # Only the order within a fold means anything: the overall share differs between folds.
        scores[~rest] = (shares - overall)[codes[~rest]]
    if len(np.unique(codes)) == 1:
        scores[:] = 0.0
    return Feature(name, scores, natural=natural, directed=True)


def _fold(group: str) -> int:
    return int.from_bytes(hashlib.sha256(group.encode()).digest()[:4]) % FOLDS


def _number(value: Any) -> float | None:
    """Return a number, or the mean of a list of numbers; None for anything else."""
    if isinstance(value, list) and value:
        parts = [_number(part) for part in value]
        known = [part for part in parts if part is not None]
        return sum(known) / len(known) if len(known) == len(parts) else None
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value) if abs(value) < 1e300 else None
    return None


def _text(value: Any) -> str:
    return f"{type(value).__name__}:{value}"
