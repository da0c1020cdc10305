"""What every outbox does, in SQLite and in a real PostgreSQL."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from handoff_eval.errors import DataError
from handoff_eval.mail.entries import Channel, Kind, Lease, Limit, Status
from handoff_eval.mail.outbox import Outbox
from handoff_eval.mail.postgres_outbox import PostgresOutbox
from handoff_eval.mail.sqlite_outbox import SqliteOutbox
from tests.outboxes import Clock, email, put, taken

Opener = Callable[[], Outbox]


@pytest.fixture
def clock() -> Clock:
    """Return the clock of the outbox."""
    return Clock()


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.medium)])
def opener(request: pytest.FixtureRequest, tmp_path: Path, clock: Clock) -> Iterator[Opener]:
    """Return what opens one and the same outbox again and again."""
    opened: list[Outbox] = []
    url = request.getfixturevalue("postgres_url") if request.param == "postgres" else ""

    def open_it() -> Outbox:
        opened.append(
            PostgresOutbox(url, clock=clock)
            if url
            else SqliteOutbox(tmp_path / "deep" / "outbox.db", clock=clock)
        )
        return opened[-1]

    yield open_it
    for outbox in opened:
        outbox.close()


@pytest.fixture
def outbox(opener: Opener) -> Outbox:
    """Return an outbox in a place that did not exist."""
    return opener()


def test_the_same_key_keeps_the_first_message(outbox: Outbox) -> None:
    """Enqueueing a key twice stores one email, the first."""
    first = put(outbox, text="first")
    second = put(outbox, text="second")
    lease = taken(outbox)

    assert (first, second) == (True, False)
    assert b"first" in lease.content
    assert outbox.take("w2", seconds=10) is None


def test_keys_differ_by_handoff_and_by_conversation(outbox: Outbox) -> None:
    """One conversation may have an email for each handoff."""
    outbox.enqueue(email(1), handoff="a", conversation_id="bc")
    added = outbox.enqueue(email(2), handoff="ab", conversation_id="c")

    assert added
    assert outbox.counts()[Status.QUEUED] == 2


def test_a_lease_ends_and_is_taken_by_another(outbox: Outbox, clock: Clock) -> None:
    """An email whose worker is gone is due again when the lease ends, not before."""
    put(outbox)
    taken(outbox, "w1", seconds=10)
    clock.now += 9.9
    early = outbox.take("w2", seconds=10)
    clock.now += 0.1
    late = taken(outbox, "w2")

    assert early is None
    assert (late.worker, late.attempts) == ("w2", 2)


def test_a_lost_lease_settles_nothing(outbox: Outbox, clock: Clock) -> None:
    """A worker whose lease went to another can't put the email back or bury it."""
    put(outbox)
    lost = taken(outbox, "w1", seconds=10)
    clock.now += 10
    taken(outbox, "w2", seconds=10)

    assert not outbox.put_back(lost, delay=0, error="451", pending=lost.pending)
    assert not outbox.bury(lost, error="550")
    assert outbox.entries()[0].worker == "w2"


def test_sent_is_recorded_even_after_the_lease_was_lost(outbox: Outbox, clock: Clock) -> None:
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


def test_an_email_put_back_waits_for_its_time(outbox: Outbox, clock: Clock) -> None:
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


def test_the_longest_due_comes_first(outbox: Outbox, clock: Clock) -> None:
    """Emails are taken by when they are due, then by when they were stored."""
    for number in (1, 2, 3):
        put(outbox, number)
    first = taken(outbox)
    outbox.put_back(first, delay=5, error="451", pending=first.pending)
    clock.now += 6

    assert [taken(outbox, f"w{i}").conversation_id for i in range(3)] == ["c-2", "c-3", "c-1"]


def test_requeue_revives_the_dead_and_hurries_the_waiting(outbox: Outbox) -> None:
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


def test_entries_tell_where_each_email_stands(outbox: Outbox, clock: Clock) -> None:
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
    assert outbox.counts() == {**dict.fromkeys(Status, 1), Status.HELD: 0}
    assert [e.status for e in outbox.entries(status=Status.DEAD)] == [Status.DEAD]


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
    outbox: Outbox, name: str, value: str | None, message: str
) -> None:
    """What no server could take, or what would lose its identity, is refused when it is queued."""
    broken = email()
    del broken[name]
    if value is not None:
        broken[name] = value

    with pytest.raises(DataError, match=message):
        outbox.enqueue(broken, handoff="support", conversation_id="c-1")


def test_a_key_outside_unicode_is_refused(outbox: Outbox) -> None:
    """A lone surrogate in an id is told in a sentence."""
    with pytest.raises(DataError, match="valid Unicode"):
        outbox.enqueue(email(), handoff="support", conversation_id="\ud800")


def test_hidden_recipients_are_in_the_envelope_only(outbox: Outbox) -> None:
    """Bcc gets the email, and its header is not sent; the caller's message keeps it."""
    message = email()
    message["Bcc"] = "audit@example.com"
    message["Cc"] = "team@example.com, lead@example.com"
    outbox.enqueue(message, handoff="support", conversation_id="c-1")
    lease = taken(outbox)

    assert lease.recipients == ("team@example.com", "lead@example.com", "audit@example.com")
    assert b"audit" not in lease.content
    assert message["Bcc"] == "audit@example.com"


def test_the_intent_survives_a_new_connection(opener: Opener) -> None:
    """What was enqueued is there after the outbox is closed and opened again."""
    first = opener()
    put(first)
    first.close()
    lease = taken(opener())

    assert lease.conversation_id == "c-1"
    assert lease.message_id == "<1@example.com>"


def test_no_email_is_taken_twice_by_workers_at_once(opener: Opener) -> None:
    """Four connections that take from one outbox at once share the emails without overlap."""
    producer = opener()
    for number in range(60):
        put(producer, number)
    leases: list[Lease] = []

    def work(name: str, mine: Outbox) -> None:
        while (lease := mine.take(name, seconds=600)) is not None:
            leases.append(lease)

    threads = [threading.Thread(target=work, args=(f"w{i}", opener())) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert Counter(lease.conversation_id for lease in leases) == {
        f"c-{number}": 1 for number in range(60)
    }


def day(clock: Clock, emails: int) -> Limit:
    """Return a cap on the day that began an hour ago, its digest due in two hours."""
    return Limit(emails, at(clock.now - 3600), at(clock.now + 7200))


def at(seconds: float) -> datetime:
    """Return the moment of a clock."""
    return datetime.fromtimestamp(seconds, UTC)


def test_emails_beyond_the_cap_are_held_and_urgent_ones_pass(outbox: Outbox, clock: Clock) -> None:
    """Of five emails under a cap of two, two go, two wait, and the one without a limit goes."""
    for number in range(4):
        put(outbox, number, limit=day(clock, 2))
    put(outbox, 4)
    statuses = [entry.status for entry in outbox.entries()]

    assert statuses == [Status.QUEUED] * 2 + [Status.HELD] * 2 + [Status.QUEUED]
    assert outbox.entries()[2].next_attempt_at == at(clock.now + 7200)
    assert [taken(outbox, f"w{i}").conversation_id for i in range(3)] == ["c-0", "c-1", "c-4"]
    assert outbox.take("w", seconds=1) is None
    assert outbox.handed_over("support", since=at(clock.now - 1)) == 5


def test_a_new_window_has_its_own_cap(outbox: Outbox, clock: Clock) -> None:
    """What went out before the window began doesn't count."""
    put(outbox, 1, limit=day(clock, 1))
    clock.now += 86400
    put(outbox, 2, limit=day(clock, 1))

    assert [entry.status for entry in outbox.entries()] == [Status.QUEUED] * 2


def test_a_cap_holds_when_many_enqueue_at_once(opener: Opener, clock: Clock) -> None:
    """Four connections that enqueue together let exactly the cap through."""
    outboxes = [opener() for _ in range(4)]

    def work(index: int) -> None:
        for number in range(8):
            put(outboxes[index], 10 * index + number, limit=day(clock, 5))

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert outboxes[0].counts()[Status.QUEUED] == 5
    assert outboxes[0].counts()[Status.HELD] == 27


def held_up(outbox: Outbox, clock: Clock, numbers: range) -> list[int]:
    """Hold some emails, let their digest be due, and return their numbers in the store."""
    for number in numbers:
        put(outbox, number, limit=day(clock, 0))
    clock.now += 7200
    return [held.id for held in outbox.held_due()]


def test_a_digest_and_its_members_are_sent_together(outbox: Outbox, clock: Clock) -> None:
    """Members wait while their digest is on its way, and are sent in the moment it is."""
    members = held_up(outbox, clock, range(3))
    stored = outbox.enqueue_digest(email(99), handoff="support", key="d1", members=members)
    lease = taken(outbox)
    waiting = outbox.counts()[Status.HELD]
    outbox.mark_sent(lease)
    entries = outbox.entries()

    assert stored
    assert lease.kind is Kind.DIGEST
    assert waiting == 3
    assert {(entry.status, entry.sent_at) for entry in entries} == {(Status.SENT, at(clock.now))}
    assert [entry.digest for entry in entries] == ["<99@example.com>"] * 3 + [None]


def test_an_email_is_listed_in_one_digest(outbox: Outbox, clock: Clock) -> None:
    """A second process that collected the same emails stores nothing."""
    members = held_up(outbox, clock, range(2))
    first = outbox.enqueue_digest(email(99), handoff="support", key="d1", members=members)
    second = outbox.enqueue_digest(email(98), handoff="support", key="d2", members=members[:1])

    assert (first, second) == (True, False)
    assert outbox.held_due() == ()
    assert [entry.kind for entry in outbox.entries()] == [Kind.EMAIL, Kind.EMAIL, Kind.DIGEST]


def test_a_refused_digest_keeps_its_members_until_it_is_retried(
    outbox: Outbox, clock: Clock
) -> None:
    """When the server refuses a digest its emails stay held, and go with it after a retry."""
    members = held_up(outbox, clock, range(2))
    outbox.enqueue_digest(email(99), handoff="support", key="d1", members=members)
    outbox.bury(taken(outbox), error="552 too large")
    after = outbox.counts()
    outbox.requeue()
    outbox.mark_sent(taken(outbox))

    assert (after[Status.HELD], after[Status.DEAD]) == (2, 1)
    assert outbox.counts()[Status.SENT] == 3


def test_digests_are_of_one_handoff_and_one_address(outbox: Outbox, clock: Clock) -> None:
    """What goes to other people is collected on its own."""
    put(outbox, 1, limit=day(clock, 0))
    put(outbox, 2, to="other@example.com", limit=day(clock, 0))
    put(outbox, 3, limit=day(clock, 0))
    before = outbox.held_due()
    clock.now += 7200

    assert before == ()
    assert [held.conversation_id for held in outbox.held_due()] == ["c-1", "c-3"]


def test_a_held_email_is_waited_for_only_once_its_digest_is_due(
    outbox: Outbox, clock: Clock
) -> None:
    """A flush doesn't wait for tomorrow's digest; a scheduler may ask when it is."""
    put(outbox, 1, limit=day(clock, 0))

    assert outbox.seconds_to_next() is None
    assert outbox.seconds_to_next(with_digests=True) == 7200
    clock.now += 7200
    assert outbox.seconds_to_next() == 0


def test_a_held_email_can_be_sent_on_its_own(outbox: Outbox, clock: Clock) -> None:
    """Retrying it by name takes it out of the digest; retrying all does not."""
    put(outbox, 1, limit=day(clock, 0))
    every = outbox.requeue()
    named = outbox.requeue(conversation_ids=["c-1"])

    assert (every, named) == (0, 1)
    assert outbox.entries()[0].status is Status.QUEUED


def test_a_refused_live_handoff_becomes_an_email_at_once(outbox: Outbox, clock: Clock) -> None:
    """The same row goes by email, its attempts counted afresh, the refusal on record."""
    put(outbox, 1, live_until=at(clock.now + 60), brief="{}")
    lease = taken(outbox)
    fell = outbox.fall_back(lease, error="429 slow down")
    (entry,) = outbox.entries()
    again = taken(outbox, "w2")

    assert (lease.channel, lease.live_until, lease.brief) == (Channel.LIVE, clock.now + 60, "{}")
    assert fell
    assert (entry.channel, entry.status, entry.last_error) == (
        Channel.EMAIL,
        Status.QUEUED,
        "429 slow down",
    )
    assert (again.channel, again.attempts) == (Channel.EMAIL, 1)


def test_an_accepted_live_handoff_keeps_the_other_sides_name_for_it(
    outbox: Outbox, clock: Clock
) -> None:
    """Accepted live, it is sent, and no email follows."""
    put(outbox, 1, live_until=at(clock.now + 60))
    outbox.mark_sent(taken(outbox), reference="zendesk ticket 3")
    (entry,) = outbox.entries()

    assert (entry.status, entry.channel, entry.reference) == (
        Status.SENT,
        Channel.LIVE,
        "zendesk ticket 3",
    )
    assert outbox.seconds_to_next() is None


def test_live_handoffs_use_up_no_cap(outbox: Outbox, clock: Clock) -> None:
    """What goes live is no email, so it takes no place of one."""
    put(outbox, 1, live_until=at(clock.now + 60), limit=day(clock, 1))
    put(outbox, 2, limit=day(clock, 1))

    assert [entry.status for entry in outbox.entries()] == [Status.QUEUED] * 2


def test_a_notice_comes_once_a_period(outbox: Outbox, clock: Clock) -> None:
    """A second notice is stored only after the stated quiet time."""

    def notify(number: int) -> bool:
        quiet = at(clock.now - 7 * 86400)
        return outbox.enqueue_notice(
            email(number), handoff="support", about=f"day {number}", quiet_since=quiet
        )

    first = notify(1)
    clock.now += 6 * 86400
    soon = notify(2)
    clock.now += 2 * 86400
    later = notify(3)

    assert (first, soon, later) == (True, False, True)


def test_calls_together_are_stored_at_once_or_not_at_all(outbox: Outbox, opener: Opener) -> None:
    """An error undoes every call within, and nobody else sees any of them before the end."""
    other = opener()

    def put_and_stop() -> None:
        with outbox.together():
            put(outbox, 1)
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        put_and_stop()
    with outbox.together(lock="a name"):
        put(outbox, 2)
        put(outbox, 3)
        seen = other.counts()[Status.QUEUED]

    assert seen == 0
    assert [entry.conversation_id for entry in other.entries()] == ["c-2", "c-3"]


def test_other_tables_are_known_by_name(outbox: Outbox) -> None:
    """A table beside the outbox's is found once it is made, and compacting keeps what is there."""
    with outbox.together() as run:
        before = outbox.has_table(run, "beside")
        run("CREATE TABLE beside (n INTEGER)", {})
        after = outbox.has_table(run, "beside")
    put(outbox, 1)
    outbox.compact()

    assert (before, after) == (False, True)
    assert outbox.counts()[Status.QUEUED] == 1
