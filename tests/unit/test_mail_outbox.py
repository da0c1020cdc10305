"""The outbox keeps the first intent of a key, and leases it to one worker at a time."""

from __future__ import annotations

import sqlite3
import stat
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handoff_eval.errors import DataError, DeliveryError, SettingsError
from handoff_eval.mail.outbox import Lease, SqliteOutbox, Status
from handoff_eval.mail.wire import WireMessage, one_line


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


def email(
    number: int = 1, *, to: str = "team@example.com", text: str = "Please call."
) -> EmailMessage:
    """Return a small email to the team."""
    message = EmailMessage()
    message["From"] = "handoff@example.com"
    message["To"] = to
    message["Subject"] = f"Refund {number}"
    message["Message-ID"] = f"<{number}@example.com>"
    message.set_content(text)
    return message


def put(outbox: SqliteOutbox, number: int = 1, **options: str) -> bool:
    """Enqueue the email of conversation c-<number>."""
    return outbox.enqueue(
        email(number, **options), handoff="support", conversation_id=f"c-{number}"
    )


def taken(outbox: SqliteOutbox, worker: str = "w1", seconds: float = 10) -> Lease:
    """Take an email that must be due."""
    lease = outbox.take(worker, seconds=seconds)
    assert lease is not None
    return lease


@pytest.fixture
def clock() -> Clock:
    """Return the clock of the outbox."""
    return Clock()


@pytest.fixture
def outbox(tmp_path: Path, clock: Clock) -> Iterator[SqliteOutbox]:
    """Return an outbox in a folder that did not exist."""
    opened = SqliteOutbox(tmp_path / "deep" / "outbox.db", clock=clock)
    yield opened
    opened.close()


def test_the_same_key_keeps_the_first_message(outbox: SqliteOutbox) -> None:
    """Enqueueing a key twice stores one email, the first."""
    first = put(outbox, text="first")
    second = put(outbox, text="second")
    lease = taken(outbox)

    assert (first, second) == (True, False)
    assert b"first" in lease.content
    assert outbox.take("w2", seconds=10) is None


def test_keys_differ_by_handoff_and_by_conversation(outbox: SqliteOutbox) -> None:
    """One conversation may have an email for each handoff."""
    outbox.enqueue(email(1), handoff="a", conversation_id="bc")
    added = outbox.enqueue(email(2), handoff="ab", conversation_id="c")

    assert added
    assert outbox.counts()[Status.QUEUED] == 2


def test_the_intent_survives_a_new_process(tmp_path: Path) -> None:
    """What was enqueued is there after the file is closed and opened again."""
    path = tmp_path / "outbox.db"
    first = SqliteOutbox(path)
    put(first)
    first.close()
    again = SqliteOutbox(path)
    lease = taken(again)
    again.close()

    assert lease.conversation_id == "c-1"
    assert lease.message_id == "<1@example.com>"


def test_a_lease_ends_and_is_taken_by_another(outbox: SqliteOutbox, clock: Clock) -> None:
    """An email whose worker is gone is due again when the lease ends, not before."""
    put(outbox)
    taken(outbox, "w1", seconds=10)
    clock.now += 9.9
    early = outbox.take("w2", seconds=10)
    clock.now += 0.1
    late = taken(outbox, "w2")

    assert early is None
    assert (late.worker, late.attempts) == ("w2", 2)


def test_a_lost_lease_settles_nothing(outbox: SqliteOutbox, clock: Clock) -> None:
    """A worker whose lease went to another can't put the email back or bury it."""
    put(outbox)
    lost = taken(outbox, "w1", seconds=10)
    clock.now += 10
    taken(outbox, "w2", seconds=10)

    assert not outbox.put_back(lost, delay=0, error="451", pending=lost.pending)
    assert not outbox.bury(lost, error="550")
    assert outbox.entries()[0].worker == "w2"


def test_sent_is_recorded_even_after_the_lease_was_lost(outbox: SqliteOutbox, clock: Clock) -> None:
    """What the server has is sent, whoever holds the lease, so no further copy is made."""
    put(outbox)
    lost = taken(outbox, "w1", seconds=10)
    clock.now += 10
    other = taken(outbox, "w2", seconds=10)
    outbox.mark_sent(lost)
    sent_at = outbox.entries()[0].sent_at
    put_back = outbox.put_back(other, delay=0, error="451", pending=other.pending)
    clock.now += 5
    outbox.mark_sent(other, error="550")
    (entry,) = outbox.entries()

    assert not put_back
    assert (entry.status, entry.sent_at, entry.last_error) == (Status.SENT, sent_at, None)


def test_an_email_put_back_waits_for_its_time(outbox: SqliteOutbox, clock: Clock) -> None:
    """Back-off is kept, and the server's words and the addresses still to be told are on record."""
    put(outbox, to="a@example.com, b@example.com")
    lease = taken(outbox)
    outbox.put_back(lease, delay=60, error="451 greylisted\r\n\x1b[31m", pending=["b@example.com"])
    wait = outbox.seconds_to_next()
    early = outbox.take("w1", seconds=10)
    clock.now += 60
    again = taken(outbox)

    assert wait == 60
    assert early is None
    assert again.pending == ("b@example.com",)
    assert again.recipients == ("a@example.com", "b@example.com")
    assert outbox.entries()[0].last_error == "451 greylisted [31m"


def test_the_longest_due_comes_first(outbox: SqliteOutbox, clock: Clock) -> None:
    """Emails are taken by when they are due, then by when they were stored."""
    for number in (1, 2, 3):
        put(outbox, number)
    first = taken(outbox)
    outbox.put_back(first, delay=5, error="451", pending=first.pending)
    clock.now += 6

    assert [taken(outbox, f"w{i}").conversation_id for i in range(3)] == ["c-2", "c-3", "c-1"]


def test_requeue_revives_the_dead_and_hurries_the_waiting(outbox: SqliteOutbox) -> None:
    """Dead letters start afresh, waiting emails are due now, sent ones stay sent."""
    for number in range(1, 5):
        put(outbox, number)
    dead, waiting, sent = (taken(outbox, f"w{i}") for i in range(3))
    outbox.bury(dead, error="550 no such user")
    outbox.put_back(waiting, delay=900, error="451", pending=waiting.pending)
    outbox.mark_sent(sent)
    named = outbox.requeue(conversation_ids=["c-1", "c-1", "c-3", "nobody"])
    status_after_named = [entry.status for entry in outbox.entries()]
    every = outbox.requeue()

    assert named == 1
    assert status_after_named == [Status.QUEUED, Status.QUEUED, Status.SENT, Status.QUEUED]
    assert every == 3
    assert outbox.seconds_to_next() == 0
    assert outbox.entries()[0].attempts == 0


def test_entries_tell_where_each_email_stands(outbox: SqliteOutbox, clock: Clock) -> None:
    """Times are shown where they mean something, and only there."""
    for number in range(1, 5):
        put(outbox, number)
    leases = [taken(outbox, f"w{i}", seconds=30) for i in range(3)]
    outbox.mark_sent(leases[0], pending=["x@example.com"], error="550 gone")
    outbox.bury(leases[1], error="550 no such user")
    sent, dead, sending, queued = outbox.entries()

    assert (sent.status, sent.pending, sent.last_error) == (
        Status.SENT,
        ("x@example.com",),
        "550 gone",
    )
    assert sent.sent_at is not None
    assert sent.sent_at.timestamp() == clock.now
    assert (sent.next_attempt_at, sent.leased_until) == (None, None)
    assert (dead.status, dead.last_error, dead.next_attempt_at) == (
        Status.DEAD,
        "550 no such user",
        None,
    )
    assert sending.leased_until is not None
    assert sending.leased_until.timestamp() == clock.now + 30
    assert (queued.status, queued.leased_until, queued.attempts) == (Status.QUEUED, None, 0)
    assert outbox.counts() == dict.fromkeys(Status, 1)
    assert [e.status for e in outbox.entries(status=Status.DEAD)] == [Status.DEAD]


def test_no_email_is_taken_twice_by_workers_at_once(tmp_path: Path) -> None:
    """Four connections that take from one file at once share the emails without overlap."""
    path = tmp_path / "outbox.db"
    producer = SqliteOutbox(path)
    for number in range(120):
        put(producer, number)
    leases: list[Lease] = []

    def work(name: str) -> None:
        mine = SqliteOutbox(path)
        while (lease := mine.take(name, seconds=600)) is not None:
            leases.append(lease)
        mine.close()

    threads = [threading.Thread(target=work, args=(f"w{i}",)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    producer.close()

    assert Counter(lease.conversation_id for lease in leases) == {
        f"c-{number}": 1 for number in range(120)
    }


def test_many_processes_may_open_a_new_outbox_at_once(tmp_path: Path) -> None:
    """Six processes that make the same file together all succeed, and one key is stored once."""
    path = tmp_path / "outbox.db"
    code = (
        "import sys; from pathlib import Path; from email.message import EmailMessage;"
        "from handoff_eval.mail.outbox import SqliteOutbox;"
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
        SettingsError, match="to be an outbox of format 1; got a database of format 0"
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


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("Message-ID", None, "Expected a message with a Message-ID"),
        ("Message-ID", "no brackets", "Expected a message with a Message-ID"),
        ("From", None, "Expected one address in From"),
        ("To", None, "at least one in To, Cc or Bcc"),
        ("To", '"a b"@example.com', "Expected addresses such as team@example.com"),
    ],
)
def test_a_message_that_cannot_be_sent_is_refused(
    outbox: SqliteOutbox, name: str, value: str | None, message: str
) -> None:
    """What no server could take, or what would lose its identity, is refused when it is queued."""
    broken = email()
    del broken[name]
    if value is not None:
        broken[name] = value

    with pytest.raises(DataError, match=message):
        outbox.enqueue(broken, handoff="support", conversation_id="c-1")


def test_a_key_outside_unicode_is_refused(outbox: SqliteOutbox) -> None:
    """A lone surrogate in an id is told in a sentence."""
    with pytest.raises(DataError, match="valid Unicode"):
        outbox.enqueue(email(), handoff="support", conversation_id="\ud800")


def test_hidden_recipients_are_in_the_envelope_only(outbox: SqliteOutbox) -> None:
    """Bcc gets the email, and its header is not sent; the caller's message keeps it."""
    message = email()
    message["Bcc"] = "audit@example.com"
    message["Cc"] = "team@example.com, lead@example.com"
    outbox.enqueue(message, handoff="support", conversation_id="c-1")
    lease = taken(outbox)

    assert lease.recipients == ("team@example.com", "lead@example.com", "audit@example.com")
    assert b"audit" not in lease.content
    assert message["Bcc"] == "audit@example.com"


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
