"""Hypothesis strategies for conversations and labels as a dataset folder may hold them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from hypothesis import strategies as st

from handoff_eval.conversation import (
    Conversation,
    Customer,
    Label,
    Reason,
    Role,
    Split,
    Turn,
)

WORDS = st.text(
    st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=40
).filter(lambda text: bool(text.strip()))
ANY_TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=40)
ZONES = st.sampled_from(
    [UTC, timezone(timedelta(hours=5, minutes=45)), timezone(-timedelta(hours=8))]
)
TIMES = st.datetimes(
    min_value=datetime(1990, 1, 1), max_value=datetime(2090, 1, 1), timezones=ZONES
)
JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**60), 2**60)
    | st.floats(allow_nan=False, allow_infinity=False)
    | ANY_TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(ANY_TEXT, inner, max_size=3),
    max_leaves=5,
)


def extras() -> st.SearchStrategy[dict[str, Any]]:
    """Fields this project doesn't know, under names it won't ever use."""
    return st.dictionaries(ANY_TEXT.map("x-{}".format), JSON_VALUES, max_size=2)


@st.composite
def turns(draw: st.DrawFn) -> Turn:
    """One turn; a customer's is never blank."""
    role = draw(st.sampled_from(Role))
    return Turn(
        role=role,
        text=draw(WORDS if role is Role.CUSTOMER else ANY_TEXT),
        at=draw(st.none() | TIMES),
        extra=draw(extras()),
    )


@st.composite
def conversations(draw: st.DrawFn, *, conversation_id: str | None = None) -> Conversation:
    """One conversation with any of its optional parts."""
    return Conversation(
        id=draw(WORDS) if conversation_id is None else conversation_id,
        turns=tuple(draw(st.lists(turns(), min_size=1, max_size=6))),
        started_at=draw(st.none() | TIMES),
        customer=Customer(
            id=draw(st.none() | WORDS), email=draw(st.none() | WORDS), extra=draw(extras())
        ),
        channel=draw(st.none() | WORDS),
        split=draw(st.none() | st.sampled_from(Split)),
        metadata=draw(st.dictionaries(ANY_TEXT, JSON_VALUES, max_size=2)),
        extra=draw(extras()),
    )


@st.composite
def labels(draw: st.DrawFn, conversation: Conversation, *, annotator: str | None = None) -> Label:
    """Draw a label that the format allows for this conversation."""
    handoff = draw(st.booleans())
    last = len(conversation.turns) - 1
    return Label(
        conversation_id=conversation.id,
        handoff=handoff,
        at_turn=draw(st.none() | st.integers(0, last)) if handoff else None,
        reasons=tuple(draw(st.lists(st.sampled_from(Reason), max_size=3))) if handoff else (),
        annotator=annotator,
        labeled_at=draw(st.none() | TIMES),
        note=draw(st.none() | ANY_TEXT),
        extra=draw(extras()),
    )


@st.composite
def datasets(draw: st.DrawFn) -> tuple[list[Conversation], list[Label]]:
    """Conversations with ids of their own, some labelled by one or several annotators."""
    ids = draw(st.lists(WORDS, min_size=1, max_size=4, unique=True))
    made = [draw(conversations(conversation_id=i)) for i in ids]
    written = [
        draw(labels(conversation, annotator=annotator))
        for conversation in made
        for annotator in draw(
            st.lists(st.sampled_from(["a1", "a2", "adjudicated", None]), max_size=3, unique=True)
        )
    ]
    return made, written
