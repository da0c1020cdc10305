"""What a format gets and gives: drafts in the dataset format, checked and written elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import Any

from handoff_eval.conversation import Role
from handoff_eval.transcripts.markup import html_to_text
from handoff_eval.transcripts.refusals import FieldError, Refusal, shown

Advance = Callable[[int], object]
"""Told how many more bytes of the source have been read."""

ATTACHMENT = "[attachment]"
NO_TEXT = "[no text]"
"""Stands for a customer's turn without words, which is still a moment to decide at."""

_MILLISECONDS_FROM = 1e11


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportOptions:
    """What the user says about a source.

    Attributes
    ----------
    columns : mapping of str to str
        For CSV: the column of each field, such as `{"role": "speaker"}`.
    roles : mapping of str to Role
        Words of the source for a role, beside the common ones; the word in lower case.
    time_zone : tzinfo, optional
        Of times that name none.
    time_format : str, optional
        `strptime` format of times that are neither ISO 8601 nor seconds since 1970.
    html : bool
        Texts are HTML, where the format itself doesn't say so.
    agent_ids : frozenset of str
        Authors that are the AI agent, where the format can't tell it from a person.
    """

    columns: Mapping[str, str] = field(default_factory=dict)
    roles: Mapping[str, Role] = field(default_factory=dict)
    time_zone: tzinfo | None = None
    time_format: str | None = None
    html: bool = False
    agent_ids: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Draft:
    """A conversation as a JSON object of the dataset format, not yet checked.

    Attributes
    ----------
    file : str
    line : int or None
        Where it starts, as in a refusal.
    document : dict
    names : tuple of str
        Names of people that the source gives, for masking.
    """

    file: str
    line: int | None
    document: dict[str, Any]
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Format:
    """A format by the name a user gives it.

    Attributes
    ----------
    name : str
    summary : str
        One line for the help text.
    suffixes : tuple of str
        Of the files that are read where the source is a folder.
    read : callable
        Yields a draft or a refusal for each conversation of a file.
    """

    name: str
    summary: str
    suffixes: tuple[str, ...]
    read: Callable[[Path, ImportOptions, Advance], Iterator[Draft | Refusal]]


class Meter:
    """Reports how far a file has been read, from its start, as steps of its size."""

    def __init__(self, advance: Advance) -> None:
        self._advance = advance
        self._done = 0

    def to(self, position: int) -> None:
        """Report everything up to a position that was not reported yet."""
        if position > self._done:
            self._advance(position - self._done)
            self._done = position


def timestamp(value: Any, where: str, options: ImportOptions) -> str | None:
    """Return a time of the source as ISO 8601 with its zone; None where there is none.

    ISO 8601, seconds or milliseconds since 1970, and the user's own format are read.

    Raises
    ------
    FieldError
        When it can't be read, or names no zone and the user gave none.
    """
    if value is None or value == "":
        return None
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _from_epoch(value, where)
    expected = "a time in ISO 8601 or seconds since 1970 (else give --time-format)"
    if not isinstance(value, str):
        raise FieldError(where, expected, shown(value))
    text = value.strip()
    try:
        if options.time_format is not None:
            time = datetime.strptime(text, options.time_format)
        elif text.replace(".", "", 1).isdecimal() and len(text) >= 9:
            return _from_epoch(float(text), where)
        else:
            time = datetime.fromisoformat(text.removesuffix(" UTC") + "Z" * text.endswith(" UTC"))
    except ValueError:
        raise FieldError(where, expected, shown(value)) from None
    if time.tzinfo is None:
        if options.time_zone is None:
            raise FieldError(
                where, "a time that names its zone (else give --time-zone)", shown(value)
            )
        time = time.replace(tzinfo=options.time_zone)
    return time.isoformat()


def turn(role: Role, text: str, at: str | None = None) -> dict[str, Any]:
    """Return a turn of the dataset format."""
    text = text if text.strip() or role is not Role.CUSTOMER else NO_TEXT
    return {"role": role.value, "text": text} | ({} if at is None else {"at": at})


def plain(text: str, options: ImportOptions) -> str:
    """Return a text without its markup, where the user says that it has some."""
    return html_to_text(text) if options.html else text


def listed(document: Mapping[str, Any], name: str) -> list[Any]:
    """Return a field that must be a list with something in it."""
    value = document.get(name)
    if not isinstance(value, list) or not value:
        got = shown(value) if name in document else "nothing"
        raise FieldError(name, "a list with at least one entry", got)
    return value


def an_object(value: Any, where: str) -> dict[str, Any]:
    """Return a value that must be an object."""
    if not isinstance(value, dict):
        raise FieldError(where, "an object", shown(value))
    return value


def identifier(value: Any, where: str) -> str:
    """Return an id as text; whole numbers are ids in many sources."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if not isinstance(value, str) or not value.strip():
        raise FieldError(where, "an id", "nothing" if value is None else shown(value))
    return value


def optional_identifier(value: Any, where: str) -> str | None:
    """Return an id as text, None where there is none."""
    return None if value in (None, "") else identifier(value, where)


def as_list(value: Any) -> list[Any]:
    """Return a list as it is, and anything else as an empty one."""
    return value if isinstance(value, list) else []


def optional_text(value: Any) -> str | None:
    """Return a text that isn't blank, else None."""
    return value if isinstance(value, str) and value.strip() else None


def _from_epoch(value: float, where: str) -> str:
    try:
        seconds = value / 1000 if abs(value) >= _MILLISECONDS_FROM else value
        return datetime.fromtimestamp(seconds, tz=UTC).isoformat()
    except (OverflowError, OSError, ValueError):
        raise FieldError(where, "seconds since 1970 in a year up to 9999", shown(value)) from None
