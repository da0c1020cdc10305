"""Customer text as data inside a prompt: it can't open, close or imitate a position.

A model's server turns `<|im_end|>` inside a message into the real control token, so angle and
square brackets never pass; a turn is always one line, and a line never starts with its text.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from handoff_eval.conversation import Role, Turn

_SPEAKERS = {
    Role.CUSTOMER: "Customer",
    Role.AGENT: "Agent",
    Role.HUMAN: "Colleague",
    Role.SYSTEM: "Platform",
}
_BRACKETS = str.maketrans("<>[]", "‹›()")
_DROPPED = frozenset({"Cc", "Cf", "Co", "Cn"})
_LABELS = (
    "customer|client|user|agent|assistant|bot|ai|model|human|colleague|person|platform|system"
    "|developer|tool|function|instructions?|rules?|transcript|question|answer"
)
_LABEL = re.compile(rf"\b({_LABELS})(?:[^\w:]{{0,4}}[:∶꞉ː⁚˸]+)+", re.IGNORECASE)
_BLOCK = 4


def quote(text: str) -> str:
    """Return hostile text as part of one line: no control, no brackets, no speaker's label.

    Compatibility forms are folded first (a full-width `＜` is a `<`), line breaks of every kind
    become spaces, invisible characters go, and `System:` becomes `System -`.
    """
    return _LABEL.sub(r"\1 -", _inert(text)).strip()


def quote_rule(text: str) -> str:
    """Return an instruction with its lines and labels, and nothing that closes its position.

    It is the team's own, yet may have been pasted from anywhere: brackets, controls and
    invisible characters go as they do in `quote`.
    """
    return "\n".join(_inert(line).strip() for line in text.strip().splitlines())


def quote_transcript(turns: Sequence[Turn], *, max_bytes: int, numbered: bool = False) -> str:
    """Return the turns as lines `Speaker: text`, the oldest left out where they don't fit.

    Parameters
    ----------
    turns : sequence of Turn
        Oldest first.
    max_bytes : int
        Upper limit in bytes of UTF-8: a byte-level tokenizer never makes more tokens than that.
        At least 200.
    numbered : bool
        Begin each line with its 0-based place in `turns`, `[3] Customer: …`; no quoted text holds
        a square bracket, so no turn can claim another's place.

    Returns
    -------
    str
        A first line says how many turns are left out; they go in blocks of four, so that the
        beginning of a growing transcript, and the model's cache of it, lasts for some turns. A
        turn too long by itself keeps its beginning and its end.
    """
    if max_bytes < 200:
        raise ValueError(f"Expected max_bytes of at least 200; got {max_bytes}.")
    marks = [f"[{place}] " if numbered else "" for place in range(len(turns))]
    lines = [_line(turn, mark, max_bytes - 100) for turn, mark in zip(turns, marks, strict=True)]
    left_out = 0
    while (text := _join(lines, left_out)) and len(text.encode()) > max_bytes:
        left_out = min(left_out + _BLOCK, len(lines) - 1)
    return text


def _join(lines: Sequence[str], left_out: int) -> str:
    if not lines:
        return "(no turns)"
    note = [f"({left_out} earlier turns left out)"] if left_out else []
    return "\n".join([*note, *lines[left_out:]])


def _line(turn: Turn, mark: str, limit: int) -> str:
    line = f"{mark}{_SPEAKERS[turn.role]}: {quote(turn.text)}"
    raw = line.encode()
    if len(raw) <= limit:
        return line
    half = limit // 2 - 4
    beginning, end = raw[:half].decode(errors="ignore"), raw[-half:].decode(errors="ignore")
    return f"{beginning} … {end}"


def _inert(text: str) -> str:
    """Fold compatibility forms, join lines, drop what can't be seen and replace brackets."""
    line = " ".join(unicodedata.normalize("NFKC", text).split())
    return "".join(_visible(character) for character in line).translate(_BRACKETS)


def _visible(character: str) -> str:
    if "\ufe00" <= character <= "\ufe0f" or "\U000e0100" <= character <= "\U000e01ef":
        return ""
    category = unicodedata.category(character)
    if category == "Cs":
        return "\ufffd"
    return "" if category in _DROPPED else character
