"""Splits by customer, so that nobody is fitted on in one and judged on in another."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from handoff_eval.conversation import Conversation, Split
from handoff_eval.errors import SettingsError

DEFAULT_SHARES: Mapping[Split, float] = {Split.TRAIN: 0.4, Split.TUNE: 0.3, Split.TEST: 0.3}
_ORDER = (Split.TRAIN, Split.TUNE, Split.TEST)


def assign_splits(
    conversations: Sequence[Conversation],
    shares: Mapping[Split, float] = DEFAULT_SHARES,
    *,
    seed: int,
) -> tuple[Conversation, ...]:
    """Return the conversations, in their order, each with its split; splits they had are dropped.

    A customer goes whole into one split. Where every conversation has a start, customers are
    ordered by their last one and test is the latest, as it is in use; else the order is a hash
    of seed and customer, which leaves a customer where it was when others are added.

    Parameters
    ----------
    conversations : sequence of Conversation
    shares : mapping of Split to float
        Share of the conversations each split aims at; they sum to 1. Met as nearly as whole
        customers allow.
    seed : int
        Of the hash, which also orders customers whose last conversations start together.

    Raises
    ------
    SettingsError
        When a share is negative or the shares don't sum to 1.
    """
    _check_shares(shares)
    sizes: dict[str, int] = {}
    for conversation in conversations:
        sizes[conversation.group] = sizes.get(conversation.group, 0) + 1
    hashes = {group: _unit_hash(f"{seed}:{group}") for group in sizes}
    last = _last_start(conversations)
    if last is None:
        places = hashes
    else:
        places = {}
        before = 0
        for group in sorted(sizes, key=lambda group: (last[group], hashes[group])):
            places[group] = (before + sizes[group] / 2) / len(conversations)
            before += sizes[group]
    return tuple(replace(c, split=_split_at(places[c.group], shares)) for c in conversations)


def _check_shares(shares: Mapping[Split, float]) -> None:
    values = [shares.get(split, 0.0) for split in _ORDER]
    if any(value < 0 for value in values) or abs(sum(values) - 1) > 1e-9:
        got = ", ".join(f"{split.value} {shares.get(split, 0.0):g}" for split in _ORDER)
        raise SettingsError(f"Expected shares from 0 on that sum to 1; got {got}.")


def _last_start(conversations: Sequence[Conversation]) -> dict[str, datetime] | None:
    last: dict[str, datetime] = {}
    for conversation in conversations:
        if conversation.started_at is None:
            return None
        held = last.get(conversation.group, conversation.started_at)
        last[conversation.group] = max(held, conversation.started_at)
    return last


def _unit_hash(text: str) -> float:
    """Return a number in [0, 1) that depends on the text alone, on every machine."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:6]) / 2**48


def _split_at(place: float, shares: Mapping[Split, float]) -> Split:
    edge = 0.0
    for split in _ORDER:
        edge += shares.get(split, 0.0)
        if place < edge:
            return split
    return next(split for split in reversed(_ORDER) if shares.get(split, 0.0) > 0)
