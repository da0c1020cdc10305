"""The decision log: a row a conversation and handoff, from a service's state or JSON lines.

A row is written while the conversation goes on and complete once it is closed. Scoring goes on
after a fire, so that the volume of any higher threshold can be read from the peaks.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from handoff_eval.errors import DataError
from handoff_eval.mail.outbox import is_postgres, open_outbox
from handoff_eval.transcripts.jsonl import read_objects
from handoff_eval.transcripts.refusals import FieldError, shown

_SQLITE = b"SQLite format 3\0"


@dataclass(frozen=True, slots=True)
class LogRow:
    """What one handoff came to in one conversation.

    Attributes
    ----------
    conversation_id, handoff : str
    started_at : datetime
    closed_at : datetime or None
        None while it goes on.
    peak : float
        Highest score, whatever had fired before.
    fired_at : datetime or None
        None where it hasn't fired.
    score : float or None
        At the fire.
    reason, route : str or None
        Of the fire; `email` or `live`.
    needed : bool or None
        What a person says who has read it; None while nobody has.
    audit_probability : float or None
        With which it was drawn to be read; None where it wasn't drawn.
    turns : int or None
        Visible at the fire; None where it hasn't fired, or the log doesn't say.
    """

    conversation_id: str
    handoff: str
    started_at: datetime
    closed_at: datetime | None
    peak: float
    fired_at: datetime | None = None
    score: float | None = None
    reason: str | None = None
    route: str | None = None
    needed: bool | None = None
    audit_probability: float | None = None
    turns: int | None = None

    @property
    def fired(self) -> bool:
        """Whether it was handed over."""
        return self.fired_at is not None

    def to_json(self) -> str:
        """Return the row as one line of JSON, which `read_log` and `handoff-eval audit` read."""
        values = asdict(self)
        for name in ("started_at", "closed_at", "fired_at"):
            values[name] = values[name] and values[name].isoformat()
        values["fired"] = self.fired
        values["score"] = self.peak if self.score is None else self.score
        return json.dumps(values)


def read_log(
    where: str,
    *,
    handoff: str | None = None,
    complete: Callable[[dict[str, Any]], dict[str, Any]] = lambda line: line,
) -> list[LogRow]:
    """Return the rows of one handoff, oldest first.

    Parameters
    ----------
    where : str
        A service's state (SQLite file or PostgreSQL URL), or a file of JSON lines. Lines in which
        `score` refuses a conversation are passed over.
    handoff : str, optional
        Which one, where the log has several.
    complete : callable, optional
        Gives a line the fields of a row that it lacks.

    Raises
    ------
    DataError
        When it can't be read, has a malformed line, no row of that handoff, or rows of several
        and none is named.
    """
    if is_postgres(where) or is_sqlite(Path(where)):
        found = list(_of_state(where))
    else:
        found = list(_of_lines(Path(where), complete))
    names = sorted({row.handoff for row in found})
    if handoff is None and len(names) > 1:
        raise DataError(f"Expected one handoff in the log; it has {', '.join(map(repr, names))}.")
    rows = [row for row in found if handoff is None or row.handoff == handoff]
    if not rows:
        wanted = "" if handoff is None else f" of {handoff!r}"
        held = ", ".join(map(repr, names)) or "none"
        raise DataError(f"Expected decisions{wanted} in the log; it has {held}.")
    return sorted(rows, key=lambda row: (row.started_at, row.conversation_id))


def is_sqlite(path: Path) -> bool:
    """Return whether a file is an SQLite database.

    Raises
    ------
    DataError
        When it can't be read.
    """
    try:
        with path.open("rb") as stream:
            return stream.read(len(_SQLITE)) == _SQLITE
    except OSError as error:
        raise DataError(f"{path}: expected a decision log; {error.strerror}.") from None


def _of_state(where: str) -> Iterator[LogRow]:
    outbox = open_outbox(where)
    try:
        with outbox.reading() as run:
            if not outbox.has_table(run, "decisions"):
                raise DataError("Expected the state of 'handoff-eval serve'; got an outbox alone.")
            found = run(
                "SELECT d.*, c.started_at, c.closed_at FROM decisions d"
                " JOIN conversations c ON c.conversation_id = d.conversation_id",
                {},
            ).fetchall()
    finally:
        outbox.close()
    for row in found:
        yield LogRow(
            conversation_id=row["conversation_id"],
            handoff=row["handoff"],
            started_at=datetime.fromtimestamp(row["started_at"], UTC),
            closed_at=moment(row["closed_at"]),
            peak=row["peak"],
            fired_at=moment(row["fired_at"]),
            score=row["score"],
            reason=row["reason"],
            route=row["route"],
            needed=None if row["needed"] is None else bool(row["needed"]),
            audit_probability=row["audit_probability"],
            turns=row["fired_turns"],
        )


def moment(seconds: float | None) -> datetime | None:
    """Return seconds since 1970 as a time in UTC; None for None."""
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


def _of_lines(path: Path, complete: Callable[[dict[str, Any]], dict[str, Any]]) -> Iterator[LogRow]:
    with path.open("rb") as stream:
        for number, document in read_objects(stream):
            try:
                if isinstance(document, FieldError):
                    raise document
                if "refused" not in document:
                    yield _parse(complete(document))
            except FieldError as fault:
                raise DataError(str(fault.at(path.name, number))) from None


def _parse(document: dict[str, Any]) -> LogRow:
    moments = {name: _time(document, name) for name in ("started_at", "closed_at", "fired_at")}
    if moments["started_at"] is None:
        raise FieldError("started_at", "a time with its time zone", "null")
    texts = {name: document.get(name) for name in ("conversation_id", "handoff")}
    for name, text in texts.items():
        if not isinstance(text, str) or not text:
            raise FieldError(name, "a text", shown(text))
    for name in ("reason", "route"):
        if not isinstance(document.get(name), str | None):
            raise FieldError(name, "a text or null", shown(document[name]))
    needed, probability = document.get("needed"), _number(document, "audit_probability", None)
    if not isinstance(needed, bool | None):
        raise FieldError("needed", "true, false or null", shown(needed))
    if probability is not None and not 0 < probability <= 1:
        raise FieldError("audit_probability", "above 0 and at most 1", shown(probability))
    peak = _number(document, "peak", _REQUIRED)
    assert peak is not None  # noqa: S101 - it is required
    fired = moments["fired_at"] is not None
    return LogRow(
        **texts,  # type: ignore[arg-type]
        **moments,  # type: ignore[arg-type]
        peak=peak,
        score=_number(document, "score", None) if fired else None,
        reason=document.get("reason"),
        route=document.get("route"),
        needed=needed,
        audit_probability=probability,
        turns=document.get("turns") if fired else None,
    )


_REQUIRED = object()


def _number(document: dict[str, Any], name: str, missing: object) -> float | None:
    value = document.get(name)
    if value is None and missing is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise FieldError(name, "a number", shown(value))
    return float(value)


def _time(document: dict[str, Any], name: str) -> datetime | None:
    value = document.get(name)
    if value is None:
        return None
    try:
        moment = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        moment = None
    if moment is None or moment.tzinfo is None:
        raise FieldError(name, "a time with its time zone", shown(value))
    return moment
