"""What is true of an outbox in PostgreSQL alone: its place, its clock, a connection that breaks."""

from __future__ import annotations

import time
from collections.abc import Iterator

import psycopg
import pytest

from handoff_eval.errors import DeliveryError, SettingsError
from handoff_eval.mail.outbox import open_outbox
from handoff_eval.mail.postgres_outbox import PostgresOutbox
from tests.outboxes import put, taken

pytestmark = pytest.mark.medium


@pytest.fixture
def outbox(postgres_url: str) -> Iterator[PostgresOutbox]:
    """Return an outbox in a database of its own."""
    opened = PostgresOutbox(postgres_url)
    yield opened
    opened.close()


def hang_up(url: str) -> None:
    """End every other connection to the database, as a restart of the server does."""
    with psycopg.connect(url, autocommit=True) as other:
        other.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


def test_time_is_the_databases(outbox: PostgresOutbox) -> None:
    """Without a clock of our own an email is due by the database's, which is near ours."""
    put(outbox)

    assert abs(outbox.entries()[0].created_at.timestamp() - time.time()) < 60
    assert taken(outbox).attempts == 1


def test_a_broken_connection_is_opened_again(outbox: PostgresOutbox, postgres_url: str) -> None:
    """The call that meets the break says so, and the next one works."""
    put(outbox)
    hang_up(postgres_url)

    with pytest.raises(DeliveryError, match="Expected to read and write the outbox"):
        put(outbox, 2)
    assert put(outbox, 2)
    assert len(outbox.entries()) == 2


def test_a_table_of_another_format_is_refused(postgres_url: str) -> None:
    """An outbox of another version is named as such and left as it is."""
    PostgresOutbox(postgres_url).close()
    with psycopg.connect(postgres_url, autocommit=True) as other:
        other.execute("COMMENT ON TABLE handoff_eval.outbox IS 'format 77'")

    with pytest.raises(SettingsError, match="to be of format 2; got 'format 77'"):
        PostgresOutbox(postgres_url)


def test_a_database_that_is_not_there_is_told_without_the_password() -> None:
    """The sentence names host and database, and no secret."""
    with pytest.raises(SettingsError, match=r"at 127\.0\.0\.1/mail; got") as raised:
        open_outbox("postgresql://ann:s3cret@127.0.0.1:1/mail")
    assert "s3cret" not in str(raised.value)


def test_tables_of_others_are_not_touched(outbox: PostgresOutbox, postgres_url: str) -> None:
    """Ours is in a schema of its own, beside a table that has the same name."""
    with psycopg.connect(postgres_url, autocommit=True) as other:
        other.execute("CREATE TABLE public.outbox (x int)")
    put(outbox)

    with psycopg.connect(postgres_url) as other:
        assert other.execute("SELECT count(*) FROM public.outbox").fetchone() == (0,)
        assert other.execute("SELECT count(*) FROM handoff_eval.outbox").fetchone() == (1,)
