"""What one Spark worker does with its rows: parse, decide, and say what was refused.

Texts arrive as bytes, since a table may hold what is no UTF-8, and such a row is refused like any
other instead of ending the job. A worker process reads the bundle once.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa

from handoff_eval import __version__
from handoff_eval.conversation import Conversation
from handoff_eval.errors import SettingsError
from handoff_eval.evaluation.replay import BATCH_TURNS
from handoff_eval.production.bundle import Bundle, read_bundle
from handoff_eval.production.score import score_batch
from handoff_eval.transcripts.jsonl import (
    MAX_LINE_BYTES,
    decode,
    parse_object,
    refuse_unwritable,
    too_long,
)
from handoff_eval.transcripts.parse import parse_conversation
from handoff_eval.transcripts.refusals import FieldError, Refusal, shown

ROWS = pa.schema(
    [
        ("file", pa.string()),
        ("line", pa.int64()),
        ("conversation_id", pa.string()),
        ("refused", pa.string()),
        ("handoff", pa.string()),
        ("fired", pa.bool_()),
        ("turns", pa.int32()),
        ("closed", pa.bool_()),
        ("score", pa.float64()),
        ("threshold", pa.float64()),
        ("reason", pa.string()),
        ("evidence_turn", pa.int32()),
        ("clause", pa.string()),
        ("scores", pa.list_(pa.float64())),
    ]
)
"""Columns of the output: those of `handoff-eval score`, and the file that a row came from."""


@dataclass(frozen=True, slots=True)
class Task:
    """What each worker is told.

    Attributes
    ----------
    archive : str
        Name under which Spark has unpacked the bundle.
    version : str
        Of handoff_eval on the driver.
    """

    archive: str
    version: str = __version__

    def __call__(self) -> Bundle:
        """Return the bundle, read once in this process.

        Raises
        ------
        SettingsError
            When this node has another version of handoff_eval than the driver.
        """
        if self.version != __version__:
            raise SettingsError(
                f"Expected handoff-eval {self.version} on each node, as on the driver; got "
                f"{__version__}. Install the same one."
            )
        return _read_once(self.archive)


@functools.cache
def _read_once(archive: str) -> Bundle:
    from pyspark import SparkFiles

    return read_bundle(Path(SparkFiles.get(archive)))


class _Row(NamedTuple):
    """One conversation, or why there is none, with its place in the input."""

    file: str | None
    line: int | None
    id: str | None
    item: Conversation | Refusal


def decide_lines(
    batches: Iterable[pa.RecordBatch],
    bundle: Callable[[], Bundle],
    before: Mapping[tuple[str, int], int],
) -> Iterator[pa.RecordBatch]:
    """Decide lines of JSON.

    Parameters
    ----------
    batches : iterable of RecordBatch
        Columns `file`, `block` and `value`, the bytes of a line.
    bundle : callable
        Returns what decides, such as a `Task`.
    before : mapping of (str, int) to int
        Lines of a file that stand before each of its blocks.
    """
    return _decide(_from_lines(batches, before), bundle)


def _from_lines(
    batches: Iterable[pa.RecordBatch], before: Mapping[tuple[str, int], int]
) -> Iterator[_Row]:
    at = dict(before)
    for batch in batches:
        for file, block, value in zip(*(column.to_pylist() for column in batch), strict=True):
            at[file, block] += 1
            if value.strip():
                yield _row(file, at[file, block], functools.partial(_object, value))


def _object(value: bytes) -> dict[str, Any]:
    if len(value) > MAX_LINE_BYTES:
        raise too_long(len(value))
    return parse_object(value.rstrip(b"\r"))


def decide_rows(
    batches: Iterable[pa.RecordBatch], bundle: Callable[[], Bundle]
) -> Iterator[pa.RecordBatch]:
    """Decide rows of a table.

    Parameters
    ----------
    batches : iterable of RecordBatch
        Columns `file`, `line`, `id` and `turns`, a list of `number`, `role` and `text`; a number
        that isn't null must be the turn's index.
    bundle : callable
        Returns what decides, such as a `Task`.
    """
    return _decide(_from_rows(batches), bundle)


def _from_rows(batches: Iterable[pa.RecordBatch]) -> Iterator[_Row]:
    for batch in batches:
        for file, line, id_, turns in zip(*(column.to_pylist() for column in batch), strict=True):
            yield _row(file, line, functools.partial(_document, id_, turns))


def _document(id_: bytes | None, turns: list[dict[str, Any]] | None) -> dict[str, Any]:
    document: dict[str, Any] = {"id": _text(id_, "id"), "turns": None}
    if turns is not None:
        size = sum(len(turn["text"] or b"") for turn in turns if turn is not None)
        if size > MAX_LINE_BYTES:
            raise too_long(size)
        document["turns"] = [_turn(turn, index) for index, turn in enumerate(turns)]
    refuse_unwritable(document)
    return document


def _turn(turn: dict[str, Any] | None, index: int) -> dict[str, Any] | None:
    if turn is None:
        return None
    if turn["number"] not in (None, index):
        raise FieldError(f"turns[{index}]", f"number {index}, the next one", shown(turn["number"]))
    return {name: _text(turn[name], f"turns[{index}].{name}") for name in ("role", "text")}


def _text(value: bytes | None, field: str) -> str | None:
    return None if value is None else decode(value, field)


def _row(file: str | None, line: int | None, read: Callable[[], dict[str, Any]]) -> _Row:
    name = "the table" if file is None else file.rpartition("/")[2]
    id_ = None
    try:
        document = read()
        if isinstance(document.get("id"), str):
            id_ = document["id"]
        return _Row(file, line, id_, parse_conversation(document))
    except FieldError as fault:
        return _Row(file, line, id_, fault.at(name, line))


def _decide(rows: Iterator[_Row], bundle: Callable[[], Bundle]) -> Iterator[pa.RecordBatch]:
    for batch in _batches(rows):
        decided = score_batch(bundle(), [(i, row.item) for i, row in enumerate(batch)])
        yield pa.RecordBatch.from_pylist(
            [
                {"conversation_id": row.id, **outcome, "file": row.file, "line": row.line}
                for row, outcome in zip(batch, decided, strict=True)
            ],
            schema=ROWS,
        )


def _batches(rows: Iterator[_Row]) -> Iterator[list[_Row]]:
    batch: list[_Row] = []
    turns = 0
    for row in rows:
        batch.append(row)
        turns += len(row.item.turns) if isinstance(row.item, Conversation) else 1
        if turns >= BATCH_TURNS:
            yield batch
            batch, turns = [], 0
    if batch:
        yield batch
