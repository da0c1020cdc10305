"""An outbox in PostgreSQL, for the processes of any number of machines."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from handoff_eval.errors import DeliveryError, MissingExtraError, SettingsError
from handoff_eval.mail.outbox import Outbox
from handoff_eval.mail.rows import FORMAT, schema
from handoff_eval.mail.store import Run

if TYPE_CHECKING:
    from psycopg import Connection

_SCHEMA = "handoff_eval"
_LOCK = 0x68616E64
"""First key of our advisory locks, so that they don't meet those of another program."""


class PostgresOutbox(Outbox):
    """An outbox in the schema `handoff_eval` of a PostgreSQL database.

    Workers pass over a row that another one is taking (`FOR UPDATE SKIP LOCKED`). A connection
    that broke is opened again by the next call. Time is the database's, so that machines whose
    clocks differ agree on leases.

    Parameters
    ----------
    url : str
        `postgresql://user:password@host:5432/database`; libpq's options may follow.
    clock : callable, optional
        Seconds since 1970 instead of the database's clock.
    connect_seconds : int
        How long to wait for a connection.

    Raises
    ------
    SettingsError
        When the database can't be reached or holds an outbox of another format.
    MissingExtraError
        When psycopg is not installed.
    """

    skip_locked = "FOR UPDATE SKIP LOCKED"

    def __init__(
        self, url: str, *, clock: Callable[[], float] | None = None, connect_seconds: int = 10
    ) -> None:
        try:
            import psycopg
        except ImportError:
            raise MissingExtraError(
                "Expected psycopg, which an outbox in PostgreSQL needs, to be installed; it is "
                "not. Run: pip install 'handoff-eval[service]'"
            ) from None
        self._errors = psycopg.Error
        self._url = url
        self._clock = clock
        self._connect_seconds = connect_seconds
        self._mutex = threading.Lock()
        self._connection: Connection[dict[str, Any]] | None = None
        try:
            self._prepare()
        except psycopg.Error as error:
            self.close()
            raise SettingsError(
                f"Expected a PostgreSQL database at {self.where}; got: {_words(error)}."
            ) from None
        except SettingsError:
            self.close()
            raise

    @property
    def where(self) -> str:
        """The database's host and name, without user or password."""
        parts = urlsplit(self._url)
        return f"{parts.hostname or 'the local socket'}{parts.path}"

    def close(self) -> None:
        """Close the connection; what was stored stays."""
        with self._mutex:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def has_table(self, run: Run, name: str) -> bool:
        """Whether our schema holds a table of this name."""
        found = run("SELECT to_regclass(:name) AS name", {"name": f"{_SCHEMA}.{name}"})
        return found.fetchall()[0]["name"] is not None

    def compact(self) -> None:
        """Write each of our tables anew; the database's own log keeps what it keeps."""
        with self._begin(write=False) as run:
            rows = run(
                "SELECT tablename FROM pg_tables WHERE schemaname = :name", {"name": _SCHEMA}
            )
            tables = [row["tablename"] for row in rows.fetchall()]
        with self._mutex:
            for table in tables:
                self._opened().execute(f'VACUUM FULL {_SCHEMA}."{table}"'.encode())

    def _opened(self) -> Connection[dict[str, Any]]:
        import psycopg
        from psycopg.rows import dict_row

        if self._connection is None or self._connection.closed:
            self._connection = psycopg.connect(
                self._url,
                autocommit=True,
                row_factory=dict_row,
                connect_timeout=self._connect_seconds,
                options=f"-c search_path={_SCHEMA} -c synchronous_commit=on",
            )
        return self._connection

    def _prepare(self) -> None:
        connection = self._opened()
        with connection.transaction():
            # Processes that make the schema at once would collide on its name.
            connection.execute("SELECT pg_advisory_xact_lock(%s, 0)", (_LOCK,))
            connection.execute(f"CREATE SCHEMA IF NOT EXISTS {_SCHEMA}")
            row = connection.execute(
                "SELECT obj_description(to_regclass(%s), 'pg_class') AS format,"
                " to_regclass(%s) IS NOT NULL AS there",
                (f"{_SCHEMA}.outbox", f"{_SCHEMA}.outbox"),
            ).fetchone()
            assert row is not None  # noqa: S101 - a SELECT without FROM gives one row
            if row["there"] and row["format"] != f"format {FORMAT}":
                raise SettingsError(
                    f"Expected the outbox in {self.where} to be of format {FORMAT}; got "
                    f"{row['format'] or 'a table of another program'!r}. Name another database, "
                    "or use the version of handoff-eval that wrote it."
                )
            if not row["there"]:
                identity = "BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY"
                for statement in schema(identity=identity, blob="BYTEA"):
                    connection.execute(statement.encode())
                connection.execute(f"COMMENT ON TABLE outbox IS 'format {FORMAT}'")

    @contextmanager
    def _begin(self, *, write: bool) -> Iterator[Run]:  # noqa: ARG002 - readers don't block
        with self._mutex:
            try:
                connection = self._opened()

                def run(statement: str, values: Mapping[str, object]) -> Any:
                    named = re.sub(r":(\w+)", r"%(\1)s", statement)
                    return connection.execute(named.encode(), values)

                with connection.transaction():
                    yield run
            except self._errors as error:
                raise DeliveryError(
                    f"Expected to read and write the outbox in {self.where}; got: {_words(error)}. "
                    "See that the database runs, and repeat: no email is stored or taken twice."
                ) from error

    def _now(self, run: Run) -> float:
        if self._clock is not None:
            return self._clock()
        (row,) = run(
            "SELECT CAST(extract(epoch FROM clock_timestamp()) AS DOUBLE PRECISION) AS now", {}
        ).fetchall()
        return float(row["now"])

    def _lock(self, run: Run, handoff: str) -> None:
        run("SELECT pg_advisory_xact_lock(:lock, hashtext(:key))", {"lock": _LOCK, "key": handoff})


def _words(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
