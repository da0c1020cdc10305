"""A durable queue of emails: the intent is stored before anything is sent.

A row is the promise that one conversation's email for one handoff will be sent and, once sent,
the reason it never is again. Statements keep to what SQLite and PostgreSQL share (`ON CONFLICT`,
`RETURNING`, seconds as floats), so that another store can have the same methods and sentences.
"""

from __future__ import annotations

import json
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from enum import StrEnum
from pathlib import Path
from typing import Any

from handoff_eval.errors import DataError, DeliveryError, HandoffEvalError, SettingsError
from handoff_eval.mail.wire import WireMessage, one_line

FORMAT = 1
"""Number of the table's layout, kept in the file; a reader refuses a number it doesn't know."""

_SCHEMA = (
    """CREATE TABLE outbox (
    id INTEGER PRIMARY KEY,
    handoff TEXT NOT NULL,
    conversation_id TEXT NOT NULL,
    message_id TEXT NOT NULL,
    sender TEXT NOT NULL,
    recipients TEXT NOT NULL,
    pending TEXT NOT NULL,
    content BLOB NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('queued', 'sending', 'sent', 'dead')),
    attempts INTEGER NOT NULL DEFAULT 0,
    due_at REAL NOT NULL,
    worker TEXT,
    last_error TEXT,
    created_at REAL NOT NULL,
    sent_at REAL,
    UNIQUE (handoff, conversation_id)
)""",
    "CREATE INDEX outbox_due ON outbox (due_at) WHERE status IN ('queued', 'sending')",
    f"PRAGMA user_version={FORMAT}",
)


class Status(StrEnum):
    """Where an email stands."""

    QUEUED = "queued"
    SENDING = "sending"
    SENT = "sent"
    DEAD = "dead"


@dataclass(frozen=True, slots=True)
class Lease:
    """One email, taken by one worker until a time.

    Parameters
    ----------
    pending : tuple of str
        The addresses that don't have it yet; the first time all of `recipients`.
    content : bytes
        The message as it goes over the wire; every copy is the same bytes.
    attempts : int
        How often it was taken, this time included.
    """

    id: int
    worker: str
    handoff: str
    conversation_id: str
    message_id: str
    sender: str
    recipients: tuple[str, ...]
    pending: tuple[str, ...]
    content: bytes
    attempts: int


@dataclass(frozen=True, slots=True)
class OutboxEntry:
    """What is known about one email, without its content.

    Parameters
    ----------
    pending : tuple of str
        Addresses that don't have it; on a sent email those that the server refused.
    next_attempt_at : datetime or None
        When it is due; None once it is sent or dead.
    leased_until : datetime or None
        Until when `worker` has it; None unless it is being sent.
    last_error : str or None
        The server's words at the last attempt that did not reach everyone.
    """

    handoff: str
    conversation_id: str
    message_id: str
    recipients: tuple[str, ...]
    pending: tuple[str, ...]
    status: Status
    attempts: int
    next_attempt_at: datetime | None
    leased_until: datetime | None
    worker: str | None
    last_error: str | None
    created_at: datetime
    sent_at: datetime | None


class SqliteOutbox:
    """An outbox in one SQLite file, shared by any number of processes of one machine.

    Every change is one transaction, on the disk when the call returns (`synchronous=FULL`).

    Parameters
    ----------
    path : Path
        Created with its folders when missing, readable by its owner only: it holds transcripts.
    clock : callable
        Seconds since 1970; the processes of one outbox must agree on it.
    busy_seconds : float
        How long a statement waits for another process before it gives up.

    Raises
    ------
    SettingsError
        When the file can't be opened or is no outbox of this format.
    DeliveryError
        From any method, when the file can't be read or written; nothing was changed.
    """

    def __init__(
        self, path: Path, *, clock: Callable[[], float] = time.time, busy_seconds: float = 60.0
    ) -> None:
        self.path = path
        self._clock = clock
        self._lock = threading.Lock()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        except OSError as error:
            raise SettingsError(
                f"Expected a file that can be written at {path}; got: {error.strerror}."
            ) from None
        self._connection = sqlite3.connect(
            path, timeout=busy_seconds, isolation_level=None, check_same_thread=False
        )
        self._connection.row_factory = sqlite3.Row
        try:
            self._prepare()
        except HandoffEvalError:
            self._connection.close()
            raise

    def _prepare(self) -> None:
        try:
            self._connection.execute("PRAGMA synchronous=FULL")
            with self._transaction() as connection:
                (found,) = connection.execute("PRAGMA user_version").fetchone()
                (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
                if found != FORMAT and (found or tables):
                    raise SettingsError(
                        f"Expected {self.path} to be an outbox of format {FORMAT}; got a database "
                        f"of format {found}. Name another file, or use the version of "
                        "handoff-eval that wrote it."
                    )
                for statement in _SCHEMA if not found else ():
                    connection.execute(statement)
            self._connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.DatabaseError as error:
            raise SettingsError(
                f"Expected {self.path} to be an outbox; it can't be read as one ({error}). "
                "Name the outbox's file, or one that doesn't exist yet."
            ) from None

    def enqueue(self, message: EmailMessage, *, handoff: str, conversation_id: str) -> bool:
        """Store the intent to send a message; once this returns it survives a crash.

        Parameters
        ----------
        message : EmailMessage
            With From, Message-ID and at least one address in To, Cc or Bcc; Bcc is not sent on.
        handoff, conversation_id : str
            The key under which an email is sent once.

        Returns
        -------
        bool
            True when it was stored now; False when the key was there and the first is kept.

        Raises
        ------
        DataError
            When the message or the key can't be written as it is.
        """
        wire = WireMessage.of(message)
        try:
            (handoff + conversation_id).encode()
        except UnicodeEncodeError:
            raise DataError(
                "Expected a handoff name and a conversation id in valid Unicode; "
                f"got {handoff!r} and {conversation_id!r}."
            ) from None
        with self._transaction() as connection:
            stored = connection.execute(
                "INSERT INTO outbox (handoff, conversation_id, message_id, sender, recipients,"
                " pending, content, status, due_at, created_at)"
                " VALUES (:handoff, :conversation_id, :message_id, :sender, :recipients,"
                " :recipients, :content, 'queued', :now, :now)"
                " ON CONFLICT (handoff, conversation_id) DO NOTHING",
                {
                    "handoff": handoff,
                    "conversation_id": conversation_id,
                    "message_id": wire.message_id,
                    "sender": wire.sender,
                    "recipients": json.dumps(wire.recipients),
                    "content": wire.content,
                    "now": self._clock(),
                },
            ).rowcount
        return stored == 1

    def take(self, worker: str, *, seconds: float) -> Lease | None:
        """Lease the email that has been due longest; None when none is due.

        A leased email is due again when its lease ends, which is how the email of a worker that
        was killed comes back.

        Parameters
        ----------
        worker : str
            Who takes it: unique among all processes, and holding one lease at a time.
        seconds : float
            How long it is kept from every other worker.
        """
        with self._transaction() as connection:
            now = self._clock()
            rows = connection.execute(
                "UPDATE outbox SET status = 'sending', worker = :worker, due_at = :until,"
                " attempts = attempts + 1 WHERE id = (SELECT id FROM outbox"
                " WHERE status IN ('queued', 'sending') AND due_at <= :now"
                " ORDER BY due_at, id LIMIT 1)"
                " RETURNING id, worker, handoff, conversation_id, message_id, sender, recipients,"
                " pending, content, attempts",
                {"worker": worker, "until": now + seconds, "now": now},
            ).fetchall()
        return Lease(**_fields(rows[0])) if rows else None

    def mark_sent(
        self, lease: Lease, *, pending: Collection[str] = (), error: str | None = None
    ) -> None:
        """Record that the server has it, whoever holds the lease by now.

        Parameters
        ----------
        pending : collection of str
            Addresses that the server did not take.
        error : str, optional
            The server's words about them.
        """
        with self._transaction() as connection:
            connection.execute(
                "UPDATE outbox SET status = 'sent', sent_at = ?, pending = ?, last_error = ?"
                " WHERE id = ? AND status <> 'sent'",
                (self._clock(), json.dumps([*pending]), error and one_line(error), lease.id),
            )

    def put_back(self, lease: Lease, *, delay: float, error: str, pending: Collection[str]) -> bool:
        """Queue it again for `pending`, due in `delay` seconds; False when the lease was lost."""
        return self._settle(lease, Status.QUEUED, error, self._clock() + delay, pending)

    def bury(self, lease: Lease, *, error: str) -> bool:
        """Make it a dead letter with the server's words; False when the lease was lost."""
        return self._settle(lease, Status.DEAD, error, self._clock(), lease.pending)

    def _settle(
        self, lease: Lease, status: Status, error: str, due_at: float, pending: Collection[str]
    ) -> bool:
        with self._transaction() as connection:
            changed = connection.execute(
                "UPDATE outbox SET status = ?, due_at = ?, pending = ?, last_error = ?"
                " WHERE id = ? AND status = 'sending' AND worker = ?",
                (
                    *(status.value, due_at, json.dumps([*pending]), one_line(error)),
                    *(lease.id, lease.worker),
                ),
            ).rowcount
        return changed == 1

    def requeue(self, *, conversation_ids: Collection[str] | None = None) -> int:
        """Make dead letters and waiting emails due now, their attempts counted afresh.

        Parameters
        ----------
        conversation_ids : collection of str, optional
            Only these conversations; None means all.

        Returns
        -------
        int
            How many emails that concerned.
        """
        chosen = [None] if conversation_ids is None else [*dict.fromkeys(conversation_ids)]
        with self._transaction() as connection:
            return sum(
                connection.execute(
                    "UPDATE outbox SET status = 'queued', attempts = 0, due_at = :now"
                    " WHERE status IN ('dead', 'queued')"
                    " AND (:id IS NULL OR conversation_id = :id)",
                    {"now": self._clock(), "id": conversation_id},
                ).rowcount
                for conversation_id in chosen
            )

    def seconds_to_next(self) -> float | None:
        """Return how long until something is due, 0 when it is; None when nothing waits."""
        ((due_at,),) = self._read(
            "SELECT min(due_at) FROM outbox WHERE status IN ('queued', 'sending')"
        )
        return None if due_at is None else max(0.0, due_at - self._clock())

    def counts(self) -> dict[Status, int]:
        """Return the number of emails of each status, zeros included."""
        rows = self._read("SELECT status, count(*) FROM outbox GROUP BY status")
        found = {row[0]: row[1] for row in rows}
        return {status: found.get(status.value, 0) for status in Status}

    def entries(self, *, status: Status | None = None) -> tuple[OutboxEntry, ...]:
        """Return the emails in the order they were stored, all or those of one status."""
        rows = self._read(
            "SELECT handoff, conversation_id, message_id, recipients, pending, status, attempts,"
            " due_at, worker, last_error, created_at, sent_at FROM outbox"
            " WHERE :status IS NULL OR status = :status ORDER BY id",
            {"status": status and status.value},
        )
        return tuple(_entry(row) for row in rows)

    def close(self) -> None:
        """Close the file; what was stored stays."""
        with self._lock:
            self._connection.close()

    def _read(self, query: str, values: Mapping[str, object] | None = None) -> list[sqlite3.Row]:
        with self._lock, self._failures():
            return self._connection.execute(query, values or {}).fetchall()

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._lock, self._failures():
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise

    @contextmanager
    def _failures(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.OperationalError as error:
            raise DeliveryError(
                f"Expected to read and write the outbox {self.path}; got: {error}. Nothing was "
                "changed; see that the disk has room and no other program locks it, and repeat."
            ) from error


def _fields(row: sqlite3.Row) -> dict[str, Any]:
    fields = dict(row)
    for name in ("recipients", "pending"):
        fields[name] = tuple(json.loads(fields[name]))
    return fields


def _entry(row: sqlite3.Row) -> OutboxEntry:
    fields = _fields(row)
    status = fields["status"] = Status(fields["status"])
    due_at = _moment(fields.pop("due_at"))
    fields["next_attempt_at"] = due_at if status in (Status.QUEUED, Status.SENDING) else None
    fields["leased_until"] = due_at if status is Status.SENDING else None
    for name in ("created_at", "sent_at"):
        fields[name] = _moment(fields[name])
    return OutboxEntry(**fields)


def _moment(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
