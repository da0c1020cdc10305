"""What test is sliced by: reason, vertical, channel, length, language, new or returning."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from handoff_eval.conversation import Conversation, LabeledConversation
from handoff_eval.evaluation.findings.language import language_of

METADATA = ("vertical",)


def slice_variables(
    items: Sequence[LabeledConversation],
    history: Sequence[Conversation],
    *,
    metadata: Sequence[str] = METADATA,
) -> dict[str, list[str | None]]:
    """Return the usual variables of conversations, each with one value or None a conversation.

    Parameters
    ----------
    items : sequence of LabeledConversation
    history : sequence of Conversation
        All that is known of the customers, which tells who comes back.
    metadata : sequence of str
        Keys of `metadata` that make variables of their own.
    """
    conversations = [item.conversation for item in items]
    return {
        "reason": [
            item.label.reasons[0].value if item.label.handoff and item.label.reasons else None
            for item in items
        ],
        **{
            key: [None if (v := c.metadata.get(key)) is None else str(v) for c in conversations]
            for key in metadata
        },
        "channel": [c.channel for c in conversations],
        "length": _lengths(conversations),
        "language": [language_of(c) for c in conversations],
        "customer": _returning(conversations, history),
    }


def _lengths(conversations: Sequence[Conversation]) -> list[str | None]:
    """Return thirds by number of turns, named by their edges."""
    turns = np.array([len(c.turns) for c in conversations])
    first, second = np.quantile(turns, [1 / 3, 2 / 3], method="lower")
    names = (f"up to {first} turns", f"{first + 1} to {second} turns", f"over {second} turns")
    return [names[int(n > first) + int(n > second)] for n in turns]


def _returning(
    conversations: Sequence[Conversation], history: Sequence[Conversation]
) -> list[str | None]:
    """Return `new` or `returning`; None where the customer or the time isn't known."""
    first: dict[str, Any] = {}
    for c in history:
        if c.customer.id and c.started_at is not None:
            first[c.group] = min(first.get(c.group, c.started_at), c.started_at)
    return [
        ("returning" if first[c.group] < c.started_at else "new")
        if c.customer.id and c.started_at is not None and c.group in first
        else None
        for c in conversations
    ]
