"""What was wrong with a line of a dataset file, in one sentence a user can act on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from handoff_eval.errors import HandoffEvalError

SHOWN_CHARACTERS = 60


@dataclass(frozen=True, slots=True)
class Refusal:
    """A line that was not used.

    Attributes
    ----------
    file : str
        Name of the file.
    line : int or None
        1-based number of the line; None where the file isn't one of lines.
    field : str or None
        The field at fault, such as `turns[2].role`; None when it is the line as a whole.
    expected, got : str
        Phrases: what it must be, and what was found, shortened and escaped.
    """

    file: str
    line: int | None
    field: str | None
    expected: str
    got: str

    def __str__(self) -> str:
        subject = "the line" if self.field is None else f"'{self.field}'"
        place = self.file if self.line is None else f"{self.file}:{self.line}"
        end = "" if self.line is None else " Fix the line."
        return f"{place}: {subject} must be {self.expected}; got {self.got}.{end}"

    def to_dict(self) -> dict[str, Any]:
        """Return the refusal as JSON values."""
        return {
            "file": self.file,
            "line": self.line,
            "field": self.field,
            "expected": self.expected,
            "got": self.got,
        }


class FieldError(HandoffEvalError):
    """Raised inside the reader where a value isn't what the format asks; becomes a `Refusal`."""

    def __init__(self, field: str | None, expected: str, got: str) -> None:
        super().__init__(field, expected, got)
        self.field = field
        self.expected = expected
        self.got = got

    def at(self, file: str, line: int | None) -> Refusal:
        """Return the refusal of one line of one file."""
        return Refusal(file, line, self.field, self.expected, self.got)


def shown(value: Any) -> str:
    """Return a value as a refusal quotes it: in JSON's words, short, control characters escaped."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        cut = value[:SHOWN_CHARACTERS]
        return repr(cut) + ("…" if len(value) > len(cut) else "")
    if isinstance(value, list):
        return f"a list of {len(value)}" if value else "[]"
    if isinstance(value, dict):
        return "an object" if value else "{}"
    text = repr(value)
    return text[:SHOWN_CHARACTERS] + ("…" if len(text) > SHOWN_CHARACTERS else "")


def escaped(name: str) -> str:
    """Return a key of the input as it may stand in a sentence."""
    return repr(name[:SHOWN_CHARACTERS])[1:-1]


def printable(text: str) -> str:
    """Return a text with whatever a terminal might obey written as an escape."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
