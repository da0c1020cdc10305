"""From the JSON objects of the dataset format to conversations and labels, field by field."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, TypeVar

from handoff_eval.conversation import (
    Conversation,
    Customer,
    Label,
    Reason,
    Role,
    Split,
    Turn,
)
from handoff_eval.transcripts.refusals import FieldError, shown

CONVERSATION_FIELDS = frozenset(
    {"id", "started_at", "customer", "channel", "turns", "split", "metadata"}
)
CUSTOMER_FIELDS = frozenset({"id", "email"})
TURN_FIELDS = frozenset({"role", "text", "at"})
LABEL_FIELDS = frozenset(
    {
        "conversation_id",
        "handoff",
        "at_turn",
        "reasons",
        "annotator",
        "labeled_at",
        "note",
        "sampling_probability",
    }
)

_Enum = TypeVar("_Enum", bound=StrEnum)
_NOTHING = "nothing"


def parse_conversation(document: Mapping[str, Any]) -> Conversation:
    """Return the conversation of one line of `transcripts.jsonl`; unknown fields go to `extra`.

    Raises
    ------
    FieldError
        At the first field that isn't what the format asks.
    """
    conversation_id = _text(document, "id")
    turns = document.get("turns", _Missing)
    if turns is _Missing:
        raise FieldError("turns", "a list with at least one turn", _NOTHING)
    if not isinstance(turns, list) or not turns:
        raise FieldError("turns", "a list with at least one turn", shown(turns))
    return Conversation(
        id=conversation_id,
        turns=tuple(_turn(turn, f"turns[{index}]") for index, turn in enumerate(turns)),
        started_at=_time(document, "started_at"),
        customer=_customer(document.get("customer")),
        channel=_optional_text(document, "channel"),
        split=_optional_choice(document, "split", Split),
        metadata=_optional_object(document, "metadata"),
        extra=_rest(document, CONVERSATION_FIELDS),
    )


def parse_label(document: Mapping[str, Any]) -> Label:
    """Return the label of one line of `labels.jsonl`; unknown fields go to `extra`.

    Raises
    ------
    FieldError
        At the first field that isn't what the format asks, or where `at_turn` or `reasons` are
        set on a label that says no handoff is needed.
    """
    conversation_id = _text(document, "conversation_id")
    handoff = document.get("handoff", _Missing)
    if not isinstance(handoff, bool):
        got = _NOTHING if handoff is _Missing else shown(handoff)
        raise FieldError("handoff", "true or false", got)
    at_turn = document.get("at_turn")
    if at_turn is not None and (
        isinstance(at_turn, bool) or not isinstance(at_turn, int) or at_turn < 0
    ):
        raise FieldError("at_turn", "a whole number from 0 on, or null", shown(at_turn))
    reasons = document.get("reasons")
    if reasons is not None and not isinstance(reasons, list):
        raise FieldError("reasons", "a list of reasons", shown(reasons))
    parsed = tuple(
        _choice(reason, f"reasons[{index}]", Reason) for index, reason in enumerate(reasons or ())
    )
    if not handoff and at_turn is not None:
        raise FieldError("at_turn", "null where 'handoff' is false", shown(at_turn))
    if not handoff and parsed:
        raise FieldError("reasons", "empty where 'handoff' is false", shown(reasons))
    return Label(
        conversation_id=conversation_id,
        handoff=handoff,
        at_turn=at_turn,
        reasons=parsed,
        annotator=_optional_text(document, "annotator"),
        labeled_at=_time(document, "labeled_at"),
        note=_optional_text(document, "note", blank=True),
        sampling_probability=_optional_probability(document, "sampling_probability"),
        extra=_rest(document, LABEL_FIELDS),
    )


class _Missing:
    """Stands for a field that isn't there, where null is a value of its own."""


def _turn(value: Any, where: str) -> Turn:
    if not isinstance(value, dict):
        raise FieldError(where, "an object with 'role' and 'text'", shown(value))
    role = _choice(value.get("role", _Missing), f"{where}.role", Role)
    text = value.get("text", _Missing)
    if not isinstance(text, str):
        raise FieldError(f"{where}.text", "a text", _NOTHING if text is _Missing else shown(text))
    # Tools answer nothing and agents send pictures, and dropping such a turn would shift at_turn;
    # a customer's turn is where a trigger is asked.
    if role is Role.CUSTOMER and not text.strip():
        raise FieldError(f"{where}.text", "a text that isn't blank", shown(text))
    return Turn(
        role=role,
        text=text,
        at=_time(value, "at", f"{where}.at"),
        extra=_rest(value, TURN_FIELDS),
    )


def _customer(value: Any) -> Customer:
    if value is None:
        return Customer()
    if not isinstance(value, dict):
        raise FieldError("customer", "an object or null", shown(value))
    return Customer(
        id=_optional_text(value, "id", "customer.id"),
        email=_optional_text(value, "email", "customer.email"),
        extra=_rest(value, CUSTOMER_FIELDS),
    )


def _text(document: Mapping[str, Any], field: str) -> str:
    value = document.get(field, _Missing)
    if not isinstance(value, str) or not value.strip():
        got = _NOTHING if value is _Missing else shown(value)
        raise FieldError(field, "a text that isn't blank", got)
    return value


def _optional_text(
    document: Mapping[str, Any], field: str, where: str | None = None, *, blank: bool = False
) -> str | None:
    value = document.get(field)
    if value is not None and (not isinstance(value, str) or not (blank or value.strip())):
        expected = "a text or null" if blank else "a text that isn't blank, or null"
        raise FieldError(where or field, expected, shown(value))
    return value


def _optional_probability(document: Mapping[str, Any], field: str) -> float | None:
    value = document.get(field)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= 1:
        raise FieldError(field, "a number above 0 and at most 1, or null", shown(value))
    return float(value)


def _choice(value: Any, where: str, choices: type[_Enum]) -> _Enum:
    if isinstance(value, str) and value in {choice.value for choice in choices}:
        return choices(value)
    expected = "one of " + ", ".join(repr(choice.value) for choice in choices)
    raise FieldError(where, expected, _NOTHING if value is _Missing else shown(value))


def _optional_choice(document: Mapping[str, Any], field: str, choices: type[_Enum]) -> _Enum | None:
    value = document.get(field)
    return None if value is None else _choice(value, field, choices)


def _optional_object(document: Mapping[str, Any], field: str) -> dict[str, Any]:
    value = document.get(field)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise FieldError(field, "an object or null", shown(value))
    return value


def _time(document: Mapping[str, Any], field: str, where: str | None = None) -> datetime | None:
    value = document.get(field)
    if value is None:
        return None
    expected = "a time with its time zone, such as '2026-03-02T09:14:00+00:00', or null"
    if not isinstance(value, str):
        raise FieldError(where or field, expected, shown(value))
    try:
        time = datetime.fromisoformat(value)
        if time.tzinfo is None:
            raise FieldError(where or field, expected, f"{shown(value)}, which names no time zone")
        time.astimezone(UTC)
    except (ValueError, OverflowError):
        raise FieldError(where or field, expected, shown(value)) from None
    return time


def _rest(document: Mapping[str, Any], known: frozenset[str]) -> dict[str, Any]:
    return {name: value for name, value in document.items() if name not in known}
