"""An outbox in one SQLite file, for the processes of one machine."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from handoff_eval.errors import DeliveryError, HandoffEvalError, SettingsError
from handoff_eval.mail.outbox import Outbox
from handoff_eval.mail.rows import FORMAT, schema
from handoff_eval.mail.store import Run


class SqliteOutbox(Outbox):
    """An outbox in one SQLite file, shared by any number of processes of one machine.

    Every change is on the disk when the call returns (`synchronous=FULL`), and `BEGIN IMMEDIATE`
    lets one process at a time take an email.

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
    """

    def __init__(
        self, path: Path, *, clock: Callable[[], float] = time.time, busy_seconds: float = 60.0
    ) -> None:
        self.path = path
        self._clock = clock
        self._mutex = threading.Lock()
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

    def close(self) -> None:
        """Close the file; what was stored stays."""
        with self._mutex:
            self._connection.close()

    def has_table(self, run: Run, name: str) -> bool:
        """Whether the file holds a table of this name."""
        found = run("SELECT 1 FROM sqlite_master WHERE name = :name", {"name": name})
        return bool(found.fetchall())

    def compact(self) -> None:
        """Write the file anew and empty its write-ahead log.

        Raises
        ------
        DeliveryError
            When another process has it open in the middle of something.
        """
        with self._mutex, self._failures():
            self._connection.execute("VACUUM")
            (busy, *_) = self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        if busy:
            raise DeliveryError(
                f"Expected nobody to read {self.path} meanwhile; somebody does, so its write-ahead "
                "log holds removed rows still. Repeat when it is free."
            )

    def _prepare(self) -> None:
        try:
            self._connection.execute("PRAGMA synchronous=FULL")
            self._connection.execute("PRAGMA secure_delete=ON")
            with self._transaction():
                (found,) = self._connection.execute("PRAGMA user_version").fetchone()
                (tables,) = self._connection.execute(
                    "SELECT count(*) FROM sqlite_master"
                ).fetchone()
                if found != FORMAT and (found or tables):
                    raise SettingsError(
                        f"Expected {self.path} to be an outbox of format {FORMAT}; got a database "
                        f"of format {found}. Name another file, or use the version of "
                        "handoff-eval that wrote it."
                    )
                if not found:
                    for statement in schema(identity="INTEGER PRIMARY KEY", blob="BLOB"):
                        self._connection.execute(statement)
                    self._connection.execute(f"PRAGMA user_version={FORMAT}")
            self._connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.DatabaseError as error:
            raise SettingsError(
                f"Expected {self.path} to be an outbox; it can't be read as one ({error}). "
                "Name the outbox's file, or one that doesn't exist yet."
            ) from None

    @contextmanager
    def _begin(self, *, write: bool) -> Iterator[Run]:
        with self._mutex, self._failures():
            # A reader that only reads must not wait for the writer.
            self._connection.execute("BEGIN IMMEDIATE" if write else "BEGIN")
            try:
                yield self._run
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise

    def _run(self, statement: str, values: Mapping[str, object]) -> sqlite3.Cursor:
        return self._connection.execute(statement, values)

    def _now(self, run: Run) -> float:  # noqa: ARG002 - PostgreSQL asks the database
        return self._clock()

    def _lock(self, run: Run, handoff: str) -> None:
        """Do nothing: `BEGIN IMMEDIATE` has locked the file."""

    @contextmanager
    def _failures(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.OperationalError as error:
            raise DeliveryError(
                f"Expected to read and write the outbox {self.path}; got: {error}. Nothing was "
                "changed; see that the disk has room and no other program locks it, and repeat."
            ) from error
