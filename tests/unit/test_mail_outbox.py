"""What is true of an outbox in SQLite alone, and of the bytes that are stored."""

from __future__ import annotations

import sqlite3
import stat
import subprocess
import sys
from collections.abc import Iterator
from email import message_from_bytes, policy
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handoff_eval.errors import DeliveryError, SettingsError
from handoff_eval.mail.sqlite_outbox import SqliteOutbox
from handoff_eval.mail.wire import WireMessage, one_line
from tests.outboxes import email, put


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[SqliteOutbox]:
    """Return an outbox in a folder that did not exist."""
    opened = SqliteOutbox(tmp_path / "deep" / "outbox.db")
    yield opened
    opened.close()


def test_many_processes_may_open_a_new_outbox_at_once(tmp_path: Path) -> None:
    """Six processes that make the same file together all succeed, and one key is stored once."""
    path = tmp_path / "outbox.db"
    code = (
        "import sys; from pathlib import Path; from email.message import EmailMessage;"
        "from handoff_eval.mail.sqlite_outbox import SqliteOutbox;"
        "message = EmailMessage(); message['From'] = message['To'] = 'a@example.com';"
        "message['Message-ID'] = '<1@example.com>'; outbox = SqliteOutbox(Path(sys.argv[1]));"
        "print(outbox.enqueue(message, handoff='support', conversation_id='c-1')); outbox.close()"
    )
    running = [
        subprocess.Popen([sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE)
        for _ in range(6)
    ]
    printed = [process.communicate()[0].decode().strip() for process in running]

    assert [process.returncode for process in running] == [0] * 6
    assert sorted(printed) == ["False"] * 5 + ["True"]


def test_every_commit_reaches_the_disk(outbox: SqliteOutbox) -> None:
    """The file is a write-ahead log that is flushed at each commit."""
    connection = outbox._connection

    assert connection.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
    assert connection.execute("PRAGMA synchronous").fetchone()[0] == 2


def test_the_file_is_its_owners_alone(outbox: SqliteOutbox) -> None:
    """Transcripts in the outbox can't be read by other users of the machine."""
    mode = stat.S_IMODE(outbox.path.stat().st_mode)

    assert mode == 0o600


def test_another_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    """A file of another program is named as such, and not changed."""
    path = tmp_path / "other.db"
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE runs (x)")
    other.close()
    before = path.read_bytes()

    with pytest.raises(
        SettingsError, match="to be an outbox of format 2; got a database of format 0"
    ):
        SqliteOutbox(path)
    assert path.read_bytes() == before


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    """A text file is told from an outbox in a sentence."""
    path = tmp_path / "notes.txt"
    path.write_text("These are my notes, not a database. " * 40)

    with pytest.raises(SettingsError, match="can't be read as one"):
        SqliteOutbox(path)


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    """A path under a file is told in a sentence."""
    (tmp_path / "file").write_text("")

    with pytest.raises(SettingsError, match="Expected a file that can be written"):
        SqliteOutbox(tmp_path / "file" / "outbox.db")


def test_an_outbox_that_stays_locked_says_nothing_was_stored(tmp_path: Path) -> None:
    """When another program holds the file, enqueue raises and the intent is not half there."""
    outbox = SqliteOutbox(tmp_path / "outbox.db", busy_seconds=0.05)
    blocker = sqlite3.connect(outbox.path, isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")

    with pytest.raises(DeliveryError, match=r"database is locked\. Nothing was changed"):
        put(outbox)
    blocker.execute("ROLLBACK")
    blocker.close()
    assert put(outbox)
    outbox.close()


def test_an_address_outside_ascii_keeps_its_spelling() -> None:
    """An international address goes out as UTF-8, which its server has to offer."""
    wire = WireMessage.of(email(to="støtte@exämple.com"))

    assert wire.recipients == ("støtte@exämple.com",)
    assert "støtte@exämple.com".encode() in wire.content


@settings(max_examples=60, deadline=None)
@given(
    text=st.text(
        st.characters(
            exclude_categories=["Cs"], exclude_characters="\r\n\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029"
        ),
        max_size=400,
    ),
    subject=st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), max_size=80),
)
def test_any_text_travels_in_seven_bits_and_comes_back(text: str, subject: str) -> None:
    """Wire form is ASCII with CRLF line ends only, and a reader gets the text back."""
    message = email(text=text)
    message.replace_header("Subject", subject)
    content = WireMessage.of(message).content
    body = message_from_bytes(content, policy=policy.default).get_content()

    assert content.isascii()
    assert b"\n" not in content.replace(b"\r\n", b"")
    assert b"\r" not in content.replace(b"\r\n", b"")
    assert body.rstrip("\r\n") == text


@given(words=st.text(max_size=3000))
def test_words_from_outside_are_one_printable_line(words: str) -> None:
    """Whatever a server or customer says is shown as one line of at most 1000 characters."""
    line = one_line(words)

    assert line.isprintable()
    assert len(line) <= 1000
