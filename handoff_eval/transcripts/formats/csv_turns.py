"""Tables with one row a turn.

Any CSV that Python's `csv` module reads, in UTF-8, with a header. Columns are known by their
usual names or named with --columns. The rows of a conversation may stand anywhere: they are
sorted on disk, in a temporary SQLite file, so that memory stays bounded whatever the size.
"""

from __future__ import annotations

import csv
import json
import sqlite3
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import closing
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any, TextIO

from handoff_eval.conversation import Role
from handoff_eval.errors import DataError, SettingsError
from handoff_eval.transcripts.formats.base import (
    Advance,
    Draft,
    Format,
    ImportOptions,
    Meter,
    plain,
    timestamp,
    turn,
)
from handoff_eval.transcripts.jsonl import MAX_LINE_BYTES, refuse_unwritable
from handoff_eval.transcripts.refusals import FieldError, Refusal, printable, shown

COLUMNS = {
    "id": "conversation_id conversationid conversation thread_id chat_id ticket_id session_id id",
    "role": "role speaker sender sender_type author_type author from",
    "text": "text message body content utterance",
    "at": "at timestamp created_at sent_at time date",
    "started_at": "started_at",
    "customer.id": "customer_id user_id contact_id visitor_id customer",
    "customer.email": "customer_email user_email email",
    "channel": "channel",
}
"""The names by which each field's column is known, in the order they are tried."""

ROLES = {
    Role.CUSTOMER: "customer user visitor client contact lead requester guest end-user end_user",
    Role.AGENT: "agent assistant bot chatbot ai ai_agent",
    Role.HUMAN: "human operator staff support admin representative human_agent employee",
    Role.SYSTEM: "system tool function event",
}
"""The words by which each role is known; --roles adds to them and overrules them."""

_REQUIRED = ("id", "role", "text")


def read(path: Path, options: ImportOptions, advance: Advance) -> Iterator[Draft | Refusal]:
    """Yield the conversations of a table in the order of their first rows."""
    csv.field_size_limit(MAX_LINE_BYTES)
    with (
        path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as stream,
        tempfile.TemporaryDirectory() as folder,
        closing(sqlite3.connect(Path(folder) / "rows.sqlite")) as rows,
    ):
        rows.executescript(
            "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;"
            "CREATE TABLE turns (conversation INTEGER, line INTEGER, fields TEXT);"
        )
        meter = Meter(advance)
        yield from _store(stream, path, options, meter, rows)
        size = path.stat().st_size
        (total,) = rows.execute("SELECT COUNT(*) FROM turns").fetchone()
        ordered = rows.execute("SELECT * FROM turns ORDER BY conversation, line")
        made = 0
        for _, group in groupby(ordered, key=itemgetter(0)):
            turns = list(group)
            yield _draft(path.name, turns, options)
            made += len(turns)
            meter.to((size + size * made // total) // 2)
        meter.to(size)


def _store(
    stream: TextIO, path: Path, options: ImportOptions, meter: Meter, rows: sqlite3.Connection
) -> Iterator[Refusal]:
    """Put each usable row into the table; yield a refusal for each that names no conversation."""
    reader = csv.reader(stream, _dialect(stream))
    header = next(_rows(reader), None)
    if header is None or isinstance(header[1], csv.Error):
        raise DataError(f"Expected a header and rows in {path.name}; got an empty table.")
    columns = _columns(header[1], options, path.name)
    places: dict[str, int] = {}
    for line, values in _rows(reader):
        # Reading is the first half of the work, and making conversations the second.
        meter.to(stream.buffer.tell() // 2)
        try:
            fields = _fields(values, columns, len(header[1]))
        except FieldError as error:
            yield error.at(path.name, line)
            continue
        place = places.setdefault(fields["id"], len(places))
        rows.execute("INSERT INTO turns VALUES (?, ?, ?)", (place, line, json.dumps(fields)))


def _dialect(stream: TextIO) -> type[csv.Dialect]:
    """Return the delimiter and quotes in use, judged by the header alone."""
    start = stream.readline()
    stream.seek(0)

    class Dialect(csv.excel):
        delimiter = max(",;\t|", key=start.count)

    return Dialect


def _rows(reader: Any) -> Iterator[tuple[int, list[str] | csv.Error]]:
    """Yield each row that isn't empty with the line it starts on, or what is wrong with it."""
    while True:
        line = reader.line_num + 1
        try:
            values = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield line, error
            continue
        if any(value.strip() for value in values):
            yield line, values


def _columns(header: list[str], options: ImportOptions, file: str) -> dict[str, int]:
    """Return the place of each field's column.

    Raises
    ------
    SettingsError
        When a named column isn't there, or a required field has none.
    """
    places = {name.strip().casefold(): place for place, name in enumerate(header)}
    found: dict[str, int] = {}
    for field, column in options.columns.items():
        if column.strip().casefold() not in places:
            raise SettingsError(
                f"Expected the column {column!r} for {field!r} in {file}; it has "
                f"{', '.join(map(repr, header))}."
            )
        found[field] = places[column.strip().casefold()]
    taken = set(found.values())
    for field, names in COLUMNS.items():
        spaced = [name for known in names.split() for name in (known, known.replace("_", " "))]
        place = next((places[n] for n in spaced if n in places and places[n] not in taken), None)
        if field not in found and place is not None:
            found[field] = place
            taken.add(place)
    missing = [field for field in _REQUIRED if field not in found]
    if missing:
        raise SettingsError(
            f"Expected a column for {' and '.join(map(repr, missing))} in {file}; it has "
            f"{', '.join(map(repr, header))}. Name it, as in --columns {missing[0]}=COLUMN."
        )
    return found


def _fields(
    values: list[str] | csv.Error, columns: Mapping[str, int], width: int
) -> dict[str, str]:
    if isinstance(values, csv.Error):
        raise FieldError(None, "a row of CSV", printable(str(values)))
    if len(values) != width:
        raise FieldError(None, f"a row of {width} columns, as the header has", str(len(values)))
    fields = {field: values[place] for field, place in columns.items()}
    for field, value in fields.items():
        if not value.isascii() or "\0" in value:
            refuse_unwritable(_without_escapes(value, field), field)
    fields["id"] = fields["id"].strip()
    if not fields["id"]:
        raise FieldError("id", "the id of a conversation", "nothing")
    return fields


def _without_escapes(value: str, field: str) -> str:
    """Return the text, or say which byte of it isn't UTF-8."""
    for character in value:
        if "\udc80" <= character <= "\udcff":
            raise FieldError(field, "text in UTF-8", f"byte 0x{ord(character) - 0xDC00:02x}")
    return value


def _draft(file: str, rows: list[tuple[int, int, str]], options: ImportOptions) -> Draft | Refusal:
    turns = []
    first = json.loads(rows[0][2])
    for _, line, packed in rows:
        fields = json.loads(packed)
        try:
            role = _role(fields["role"], options)
            at = timestamp(fields.get("at"), "at", options)
            turns.append(turn(role, plain(fields["text"], options), at))
        except FieldError as error:
            return error.at(file, line)
    try:
        started = timestamp(first.get("started_at"), "started_at", options)
    except FieldError as error:
        return error.at(file, rows[0][1])
    document = {
        "id": first["id"],
        "started_at": started,
        "customer": {
            "id": first.get("customer.id", "").strip() or None,
            "email": first.get("customer.email", "").strip() or None,
        },
        "channel": first.get("channel", "").strip() or None,
        "turns": turns,
        "metadata": {
            field.removeprefix("metadata."): value
            for field, value in first.items()
            if field.startswith("metadata.") and value.strip()
        },
    }
    return Draft(file, rows[0][1], document)


def _role(word: str, options: ImportOptions) -> Role:
    plain_word = word.strip().casefold()
    if plain_word in options.roles:
        return options.roles[plain_word]
    for role, words in ROLES.items():
        if plain_word in words.split():
            return role
    raise FieldError("role", "a word for a role (else name it, as --roles WORD=agent)", shown(word))


FORMAT = Format("csv", "a table with one row a turn", (".csv", ".tsv"), read)
