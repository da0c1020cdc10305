"""The log of what was decided, a JSON line a conversation, as `handoff-eval decide` writes it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from handoff_eval.errors import DataError
from handoff_eval.transcripts.jsonl import read_objects
from handoff_eval.transcripts.refusals import FieldError, Refusal, shown


@dataclass(frozen=True, slots=True)
class LoggedConversation:
    """What one conversation came to: whether an email went out, and its highest score."""

    conversation_id: str
    fired: bool
    score: float


@dataclass(frozen=True, slots=True)
class DecisionLog:
    """The decisions of one handoff.

    Attributes
    ----------
    handoff : str or None
        Its name; None where the log names none.
    conversations : tuple of LoggedConversation
        Each once, in the order first seen.
    refusals : tuple of Refusal
        Lines that can't be used.
    """

    handoff: str | None
    conversations: tuple[LoggedConversation, ...]
    refusals: tuple[Refusal, ...]


def read_decision_log(path: Path, *, handoff: str | None = None) -> DecisionLog:
    """Read a log; of a conversation decided several times the fires and the highest score count.

    Parameters
    ----------
    path : Path
        JSON lines with `conversation_id`, `fired` and `score`, and `handoff` where there are
        several.
    handoff : str, optional
        Which one to read; None where the log has a single one.

    Raises
    ------
    DataError
        When the file can't be read, holds no usable decision, or holds several handoffs and none
        is named.
    """
    found: dict[str | None, dict[str, LoggedConversation]] = {}
    refusals: list[Refusal] = []
    try:
        with path.open("rb") as stream:
            for line, document in read_objects(stream):
                try:
                    if isinstance(document, FieldError):
                        raise document
                    name, logged = _parse(document)
                except FieldError as fault:
                    refusals.append(fault.at(path.name, line))
                    continue
                held = found.setdefault(name, {}).get(logged.conversation_id, logged)
                found[name][logged.conversation_id] = LoggedConversation(
                    logged.conversation_id,
                    held.fired or logged.fired,
                    max(held.score, logged.score),
                )
    except OSError as error:
        raise DataError(f"{path}: expected a decision log; {error.strerror}.") from None
    names = ", ".join(repr(name) for name in found)
    if handoff is not None and handoff not in found:
        raise DataError(f"{path}: expected decisions of {handoff!r}; it has {names or 'none'}.")
    if handoff is None and len(found) != 1:
        why = f"it holds {names}; say which with --handoff" if found else "no line is usable"
        first = f". The first: {refusals[0]}" if refusals and not found else "."
        raise DataError(f"{path}: expected the decisions of one handoff; {why}{first}")
    chosen = next(iter(found)) if handoff is None else handoff
    return DecisionLog(chosen, tuple(found[chosen].values()), tuple(refusals))


def _parse(document: dict[str, Any]) -> tuple[str | None, LoggedConversation]:
    conversation_id, fired = document.get("conversation_id"), document.get("fired")
    score, name = document.get("score"), document.get("handoff")
    if not isinstance(conversation_id, str) or not conversation_id:
        raise FieldError("conversation_id", "a text", shown(conversation_id))
    if not isinstance(fired, bool):
        raise FieldError("fired", "true or false", shown(fired))
    if isinstance(score, bool) or not isinstance(score, int | float) or not math.isfinite(score):
        raise FieldError("score", "a number", shown(score))
    if name is not None and not isinstance(name, str):
        raise FieldError("handoff", "a text or null", shown(name))
    return name, LoggedConversation(conversation_id, fired, float(score))
