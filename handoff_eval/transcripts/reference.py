"""From one line of `facts.jsonl` to the reference facts of a conversation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from handoff_eval.conversation import Conversation, ReferenceFact, ReferenceKind
from handoff_eval.transcripts.refusals import FieldError, shown

REFERENCE_FIELDS = frozenset({"kind", "text", "turn", "needed"})


def parse_facts(
    document: Mapping[str, Any], conversations: Mapping[str, Conversation]
) -> tuple[str, tuple[ReferenceFact, ...]]:
    """Return the conversation's id and its facts, every one of which stands in its turn.

    Raises
    ------
    FieldError
        At the first value that isn't what the format asks. A fact in words of its own could not
        be checked against the conversation, so its text must be the turn's, spacing aside.
    """
    conversation_id = document.get("conversation_id")
    conversation = conversations.get(conversation_id) if isinstance(conversation_id, str) else None
    if not isinstance(conversation_id, str) or conversation is None:
        raise FieldError(
            "conversation_id",
            "the id of a conversation in transcripts.jsonl",
            shown(conversation_id),
        )
    facts = document.get("facts")
    if not isinstance(facts, list) or not facts:
        raise FieldError("facts", "a list with at least one fact", shown(facts))
    parsed = tuple(_fact(fact, f"facts[{i}]", conversation) for i, fact in enumerate(facts))
    return conversation_id, parsed


def _fact(value: Any, where: str, conversation: Conversation) -> ReferenceFact:
    if not isinstance(value, dict):
        raise FieldError(where, "an object with 'kind', 'text' and 'turn'", shown(value))
    kind, text, turn = value.get("kind"), value.get("text"), value.get("turn")
    if not isinstance(kind, str) or kind not in {known.value for known in ReferenceKind}:
        expected = "one of " + ", ".join(repr(known.value) for known in ReferenceKind)
        raise FieldError(f"{where}.kind", expected, shown(kind))
    last = len(conversation.turns) - 1
    if isinstance(turn, bool) or not isinstance(turn, int) or not 0 <= turn <= last:
        expected = f"a turn of {shown(conversation.id)}, 0 to {last}"
        raise FieldError(f"{where}.turn", expected, shown(turn))
    if not isinstance(text, str) or not text.strip():
        raise FieldError(f"{where}.text", "a text that isn't blank", shown(text))
    if " ".join(text.split()) not in " ".join(conversation.turns[turn].text.split()):
        raise FieldError(f"{where}.text", f"words of turn {turn} as they stand there", shown(text))
    needed = value.get("needed", True)
    if not isinstance(needed, bool):
        raise FieldError(f"{where}.needed", "true or false", shown(needed))
    return ReferenceFact(ReferenceKind(kind), text, turn, needed)
