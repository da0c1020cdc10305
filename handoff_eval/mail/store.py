"""Where an outbox keeps its emails, and what can be read there."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import datetime
from typing import Any

from handoff_eval.mail.entries import Held, OutboxEntry, Status
from handoff_eval.mail.rows import entry_of, fields_of

Run = Callable[[str, Mapping[str, object]], Any]
"""Executes one statement with `:name` values; returns a cursor of rows that are mappings."""

_FOR_EVER = 1e12


class Store(ABC):
    """A connection to the table, with its transactions, its clock and its lock.

    Raises
    ------
    DeliveryError
        From any method, when the store can't be read or written; nothing was changed unless the
        connection broke during the commit, and each call may be repeated.
    """

    skip_locked = ""
    """How a row that another worker is taking is passed over, where that needs saying."""

    _held: tuple[int, Run] | None = None
    """The thread inside `together`, and its transaction."""

    @contextmanager
    def together(self, *, lock: str | None = None) -> Iterator[Run]:
        """Make one transaction of the calls within, and of statements given to what it yields.

        So a service that keeps its own tables beside the outbox's stores a decision and the email
        that follows from it at once, or neither.

        Parameters
        ----------
        lock : str, optional
            A name that no other process holds meanwhile.
        """
        with self._begin(write=True) as run:
            if lock is not None:
                self._lock(run, lock)
            self._held = (threading.get_ident(), run)
            try:
                yield run
            finally:
                self._held = None

    def reading(self) -> AbstractContextManager[Run]:
        """Return a transaction for statements that only read."""
        return self._transaction(write=False)

    def seconds_to_next(self, *, with_digests: bool = False) -> float | None:
        """Return how long until something is due, 0 when it is; None when nothing waits.

        A digest counts once it is due, or beforehand too with `with_digests`.
        """
        with self._transaction(write=False) as run:
            now = self._now(run)
            (row,) = run(
                "SELECT min(due_at) AS due_at FROM outbox WHERE status IN ('queued', 'sending')"
                " OR (status = 'held' AND digest_id IS NULL AND due_at <= :horizon)",
                {"horizon": _FOR_EVER if with_digests else now},
            ).fetchall()
        return None if row["due_at"] is None else max(0.0, float(row["due_at"]) - now)

    def now(self) -> float:
        """Return seconds since 1970 by the clock that all processes of this outbox share."""
        with self._transaction(write=False) as run:
            return self._now(run)

    def counts(self) -> dict[Status, int]:
        """Return the number of emails of each status, zeros included."""
        with self._transaction(write=False) as run:
            rows = run("SELECT status, count(*) AS n FROM outbox GROUP BY status", {}).fetchall()
        found = {row["status"]: int(row["n"]) for row in rows}
        return {status: found.get(status.value, 0) for status in Status}

    def handed_over(self, handoff: str, *, since: datetime, until: datetime | None = None) -> int:
        """Return how many conversations a handoff stored in [since, until), however they went."""
        with self._transaction(write=False) as run:
            (row,) = run(
                "SELECT count(*) AS n FROM outbox WHERE handoff = :handoff AND kind = 'email'"
                " AND created_at >= :since AND created_at < :until",
                {
                    "handoff": handoff,
                    "since": since.timestamp(),
                    "until": _FOR_EVER if until is None else until.timestamp(),
                },
            ).fetchall()
        return int(row["n"])

    def entries(self, *, status: Status | None = None) -> tuple[OutboxEntry, ...]:
        """Return the emails in the order they were stored, all or those of one status."""
        with self._transaction(write=False) as run:
            rows = run(
                "SELECT handoff, kind, conversation_id, message_id, recipients, pending, channel,"
                " status, attempts, due_at, worker, last_error, reference, created_at, sent_at,"
                " (SELECT d.message_id FROM outbox d WHERE d.id = outbox.digest_id) AS digest"
                " FROM outbox WHERE CAST(:status AS TEXT) IS NULL OR status = :status ORDER BY id",
                {"status": status and status.value},
            ).fetchall()
        return tuple(entry_of(row) for row in rows)

    def held_due(self) -> tuple[Held, ...]:
        """Return the held emails of one handoff and address whose digest is due, oldest first."""
        with self._transaction(write=False) as run:
            rows = run(
                "SELECT id, handoff, conversation_id, message_id, sender, recipients, content,"
                " brief, due_at, created_at FROM outbox"
                " WHERE status = 'held' AND digest_id IS NULL AND due_at <= :now"
                " ORDER BY created_at, id",
                {"now": self._now(run)},
            ).fetchall()
        held = [Held(**fields_of(row)) for row in rows]
        return tuple(
            one
            for one in held
            if (one.handoff, one.sender, one.recipients)
            == (held[0].handoff, held[0].sender, held[0].recipients)
        )

    @abstractmethod
    def close(self) -> None:
        """End the connection; what was stored stays."""

    def _transaction(self, *, write: bool = True) -> AbstractContextManager[Run]:
        """Return this thread's open transaction, or a new one."""
        held = self._held
        if held is not None and held[0] == threading.get_ident():
            return nullcontext(held[1])
        return self._begin(write=write)

    @abstractmethod
    def _begin(self, *, write: bool) -> AbstractContextManager[Run]:
        """Return a transaction: committed at the end of the block, undone by an error."""

    @abstractmethod
    def _now(self, run: Run) -> float:
        """Return seconds since 1970 by the clock that all processes of this outbox share."""

    @abstractmethod
    def _lock(self, run: Run, handoff: str) -> None:
        """Let no other transaction count and insert for this handoff before this one ends."""

    @abstractmethod
    def has_table(self, run: Run, name: str) -> bool:
        """Whether a table stands beside the outbox's."""

    @abstractmethod
    def compact(self) -> None:
        """Give back the room of removed rows, so that no byte of them is left in the files."""
