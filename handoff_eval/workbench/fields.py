"""The fields of a handoff as texts that somebody types, and what is wrong with each, in words."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from handoff_eval.errors import SettingsError
from handoff_eval.handoff import Budget, Handoff
from handoff_eval.hours import BusinessHours

Table = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Field:
    """One field of the form.

    Attributes
    ----------
    name : str
        As in the file, with the table it stands in: `budget.min_recall`.
    label, hint : str
        On screen; the hint may be empty.
    read : callable
        Makes the value of a text that isn't empty; raises `SettingsError`.
    lines : int
        Height of its box.
    """

    name: str
    label: str
    hint: str
    read: Callable[[str], Any]
    lines: int = 1

    @property
    def table(self) -> str:
        """The table it stands in; empty for the handoff itself."""
        return self.name.rpartition(".")[0]

    @property
    def key(self) -> str:
        """Its name within the table."""
        return self.name.rpartition(".")[2]


def read_number(text: object) -> int | float:
    """Return a number as it is written: whole ones stay whole, a decimal comma is understood.

    Raises
    ------
    SettingsError
        When it is none.
    """
    written = str(text).strip()
    if re.fullmatch(r"[+-]?\d+", written):
        return int(written)
    try:
        return float(written.replace(",", "."))
    except ValueError:
        raise SettingsError(f"Expected a number; got {written!r}.") from None


def read_list(text: str) -> list[str]:
    """Return what stands between commas, semicolons or line breaks."""
    return [part.strip() for part in re.split(r"[,;\n]", text) if part.strip()]


def read_spans(text: str) -> str | list[str]:
    """Return one span of opening hours as a text, several as a list."""
    spans = read_list(text)
    return spans[0] if len(spans) == 1 else spans


FIELDS = (
    Field("name", "Name", "part of the key under which an email is sent once", str.strip),
    Field("instruction", "When to trigger", "", str, lines=5),
    Field("recipients", "Recipients", "addresses, with commas between them", read_list),
    Field("response_time", "Response time", "told to the customer: one working day, by {due}",
          str.strip),
    Field("hours.timezone", "Time zone", "such as Europe/Berlin; empty: always open", str.strip),
    Field("hours.weekdays", "Monday to Friday", "09:00-17:00; several with commas", read_spans),
    Field("hours.saturday", "Saturday", "empty: closed", read_spans),
    Field("hours.sunday", "Sunday", "empty: closed", read_spans),
    Field("hours.answer_within_hours", "Answer within", "open hours, from which {due} is told",
          read_number),
    Field("budget.max_emails_per_day", "Emails a day", "that the team can read", read_number),
    Field("budget.min_recall", "Recall at least", "share of needed handoffs, 0 to 1", read_number),
    Field("budget.conversations_per_day", "Conversations a day", "where the emails come from",
          read_number),
    Field("budget.prevalence", "Prevalence", "share that needs a handoff; empty: unknown",
          read_number),
)  # fmt: skip
"""In the order of the form; other fields of the file are left as they are."""

_GOOD: Mapping[str, Table] = {
    "": {"name": "x", "recipients": ("team@example.com",)},
    "hours": {"timezone": "UTC", "weekdays": "09:00-17:00", "answer_within_hours": 8},
    "budget": {"max_emails_per_day": 1e-9, "min_recall": 0.5, "conversations_per_day": 1e12},
}


def texts_of(table: Mapping[str, Any]) -> dict[str, str]:
    """Return the fields of a handoff's table as texts."""
    return {field.name: _text(_find(table, field)) for field in FIELDS}


def read_values(texts: Mapping[str, str]) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the value of each field, None where it is left empty, and what is wrong, by field.

    Each is tried among others that are right, so every field is told its own fault at once.
    """
    values: dict[str, Any] = {}
    wrong: dict[str, str] = {}
    for field in FIELDS:
        text = texts.get(field.name, "")
        try:
            values[field.name] = field.read(text) if text.strip() else None
            _try(field, values[field.name])
        except SettingsError as error:
            wrong[field.name] = in_form_words(str(error))
    return values, wrong


def in_form_words(sentence: str) -> str:
    """Return an error with the labels of the form instead of the names in the file."""
    for field in FIELDS:
        sentence = re.sub(rf"\b{field.key}(?= to | is | \(|[,;])", f"“{field.label}”", sentence)
    return sentence


def field_named(sentence: str) -> str | None:
    """Return the field that an error of the file's reader names first."""
    found = [
        (match.start(), field.name)
        for field in FIELDS
        if (match := re.search(rf"\b{field.key}\b", sentence))
    ]
    return min(found)[1] if found else None


def _try(field: Field, value: Any) -> None:
    if value is None:
        if field.table == "" and field.name != "response_time":
            raise SettingsError(f"Expected {field.key}; it is empty.")
        return
    table = {**_GOOD[field.table], field.key: value}
    if field.table == "budget":
        Budget(**table)
    elif field.table == "hours":
        BusinessHours.from_table(table)
    else:
        hours = BusinessHours.from_table(_GOOD["hours"])
        table["recipients"] = tuple(table["recipients"])
        Handoff(**{**table, "hours": hours})


def _find(table: Mapping[str, Any], field: Field) -> Any:
    inner = table.get(field.table, {}) if field.table else table
    return inner.get(field.key)


def _text(value: Any) -> str:
    if value is None:
        return ""
    return ", ".join(str(part) for part in value) if isinstance(value, list) else str(value)
