"""The worker: when it tries again, when it gives up, and what it does when it is stopped."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handoff_eval.errors import DeliveryError, SettingsError
from handoff_eval.mail.delivery import Delivery, Outcome, SmtpSettings, SmtpTransport
from handoff_eval.mail.entries import Status
from handoff_eval.mail.sqlite_outbox import SqliteOutbox
from handoff_eval.mail.worker import Flushed, RetryPolicy, Worker
from tests.outboxes import email
from tests.scripted_smtp import ScriptedServer, after


@given(attempts=st.integers(1, 10_000), seed=st.integers())
def test_back_off_stays_between_zero_and_the_cap(attempts: int, seed: int) -> None:
    """The wait is within [0, min(cap, base * 2^(n-1))] for any number of attempts."""
    delay = RetryPolicy(base=2, cap=60).delay(attempts, rng=random.Random(seed))

    # After 1, 2, 3, 4, 5 attempts: 2, 4, 8, 16, 32 seconds; from the 6th on 64 > 60.
    assert 0 <= delay <= ([2, 4, 8, 16, 32][attempts - 1] if attempts <= 5 else 60)


def test_back_off_is_spread_over_the_whole_range() -> None:
    """Jitter is full: the mean of many waits is half the largest."""
    rng = random.Random(7)
    waits = [RetryPolicy(base=8, cap=60).delay(2, rng=rng) for _ in range(4000)]

    # Uniform on [0, 16]: mean 8, standard error 16 / sqrt(12 * 4000) = .07.
    assert abs(sum(waits) / len(waits) - 8) < 0.3
    assert max(waits) > 15.5


@pytest.mark.parametrize(
    "values", [{"base": 0}, {"base": 9, "cap": 3}, {"cap": float("inf")}, {"max_attempts": 0}]
)
def test_a_policy_that_never_ends_is_refused(values: dict[str, float]) -> None:
    """Base, cap and the number of attempts must make sense together."""
    with pytest.raises(SettingsError, match="at least one attempt"):
        RetryPolicy(**values)  # type: ignore[arg-type]


class StubTransport:
    """Answers in turn, and keeps what it was asked."""

    def __init__(self, *answers: Delivery | Callable[[], Delivery]) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[str, ...]] = []
        self.closed = 0

    def deliver(
        self,
        content: bytes,  # noqa: ARG002
        *,
        sender: str,  # noqa: ARG002
        recipients: Sequence[str],
        within: float,  # noqa: ARG002
    ) -> Delivery:
        """Return the next answer."""
        self.asked.append(tuple(recipients))
        answer = self.answers.pop(0)
        return answer if isinstance(answer, Delivery) else answer()

    def close(self) -> None:
        """Count."""
        self.closed += 1


FAST = RetryPolicy(base=0.001, cap=0.001, max_attempts=3)
A, B = "a@example.com", "b@example.com"


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[SqliteOutbox]:
    """Return an outbox with one email to two addresses."""
    opened = SqliteOutbox(tmp_path / "outbox.db")
    opened.enqueue(email(to=f"{A}, {B}"), handoff="support", conversation_id="c-1")
    yield opened
    opened.close()


def test_a_deferred_email_is_sent_later(outbox: SqliteOutbox) -> None:
    """A retry keeps the email, and the attempt that works makes it sent."""
    transport = StubTransport(Delivery(deferred={A: "451", B: "451"}), Delivery(delivered=(A, B)))
    done = Worker(outbox, transport, policy=FAST).flush(within=30)
    (entry,) = outbox.entries()

    assert done == Flushed(sent=1, dead=0, waiting=0)
    assert (entry.status, entry.attempts, entry.pending) == (Status.SENT, 2, ())
    assert entry.last_error is None
    assert transport.closed >= 1


def test_a_refused_email_is_dead_at_once_with_the_servers_words(outbox: SqliteOutbox) -> None:
    """No attempt is wasted on a server that said never."""
    transport = StubTransport(Delivery(refused={A: "550 gone", B: "550 gone"}))
    done = Worker(outbox, transport, policy=FAST).flush(within=30)
    (entry,) = outbox.entries()

    assert done == Flushed(sent=0, dead=1, waiting=0)
    assert (entry.status, entry.attempts, entry.last_error) == (Status.DEAD, 1, "550 gone")


def test_the_last_attempt_makes_a_dead_letter(outbox: SqliteOutbox) -> None:
    """After max_attempts retries the email is a dead letter with the last words."""
    transport = StubTransport(*(Delivery(deferred={A: f"45{i}", B: f"45{i}"}) for i in range(3)))
    Worker(outbox, transport, policy=FAST).flush(within=30)
    (entry,) = outbox.entries()

    assert (entry.status, entry.attempts, entry.last_error) == (Status.DEAD, 3, "452")


def test_only_those_without_it_are_asked_again(outbox: SqliteOutbox) -> None:
    """An address that has the email is never sent another."""
    transport = StubTransport(
        Delivery(delivered=(A,), deferred={B: "450"}), Delivery(delivered=(B,))
    )
    Worker(outbox, transport, policy=FAST).flush(within=30)
    (entry,) = outbox.entries()

    assert transport.asked == [(A, B), (B,)]
    assert (entry.status, entry.pending) == (Status.SENT, ())


def test_an_email_somebody_has_is_sent_and_the_refusal_on_record(outbox: SqliteOutbox) -> None:
    """One dead mailbox of a team does not make a dead letter of an email the team has."""
    transport = StubTransport(
        Delivery(delivered=(A,), deferred={B: "450"}), Delivery(refused={B: "550 gone"})
    )
    done = Worker(outbox, transport, policy=FAST).flush(within=30)
    (entry,) = outbox.entries()

    assert done == Flushed(sent=1, dead=0, waiting=0)
    assert (entry.status, entry.pending, entry.last_error) == (Status.SENT, (B,), "550 gone")


def test_an_email_that_kills_its_workers_ends_as_a_dead_letter(outbox: SqliteOutbox) -> None:
    """Attempts count when they begin, so a crash loop ends."""
    for name in ("w1", "w2", "w3"):
        outbox.take(name, seconds=0)
    transport = StubTransport()
    Worker(outbox, transport, policy=FAST).flush(within=30)
    (entry,) = outbox.entries()

    assert transport.asked == []
    assert (entry.status, entry.last_error) == (
        Status.DEAD,
        "the worker died during the last attempt",
    )


def test_a_flush_ends_in_time_and_says_what_waits(outbox: SqliteOutbox) -> None:
    """An email in back-off is counted as waiting when the time is over."""
    transport = StubTransport(Delivery(deferred={A: "451", B: "451"}))
    policy = RetryPolicy(base=3600, cap=3600)
    done = Worker(outbox, transport, policy=policy, seed=1).flush(within=0.2)

    assert done == Flushed(sent=0, dead=0, waiting=1)


def test_a_stopped_worker_finishes_the_email_in_its_hands(outbox: SqliteOutbox) -> None:
    """Stopping in the middle of an attempt records it, and takes no other email."""
    outbox.enqueue(email(2), handoff="support", conversation_id="c-2")

    def stop_midway() -> Delivery:
        worker.stop()
        return Delivery(delivered=(A, B))

    transport = StubTransport(stop_midway)
    worker = Worker(outbox, transport, policy=FAST)
    worker.run()

    assert [e.status for e in outbox.entries()] == [Status.SENT, Status.QUEUED]
    assert transport.closed == 1


def test_a_waiting_worker_stops_at_once(tmp_path: Path) -> None:
    """A worker with nothing to do doesn't sleep through a stop."""
    outbox = SqliteOutbox(tmp_path / "outbox.db")
    worker = Worker(outbox, StubTransport(), poll=60)
    thread = threading.Thread(target=worker.run)
    thread.start()
    time.sleep(0.05)
    begun = time.monotonic()
    worker.stop()
    thread.join(timeout=10)
    took = time.monotonic() - begun
    outbox.close()

    assert not thread.is_alive()
    assert took < 5


def test_every_attempt_is_reported(outbox: SqliteOutbox) -> None:
    """A listener sees each lease with its answer, in order."""
    seen: list[tuple[str, Outcome]] = []
    transport = StubTransport(Delivery(deferred={A: "451", B: "451"}), Delivery(delivered=(A, B)))
    Worker(
        outbox,
        transport,
        policy=FAST,
        on_attempt=lambda lease, answer: seen.append((lease.conversation_id, answer.outcome)),
    ).flush(within=30)

    assert seen == [("c-1", Outcome.RETRY), ("c-1", Outcome.DELIVERED)]


def test_a_lease_must_have_a_length(outbox: SqliteOutbox) -> None:
    """A lease of no seconds would hand every email to every worker."""
    with pytest.raises(SettingsError, match="Expected lease to be seconds above 0; got 0"):
        Worker(outbox, StubTransport(), lease=0)


def test_every_copy_has_the_same_message_id(tmp_path: Path) -> None:
    """When the reply to an accepted message is lost, the second copy is the same bytes."""
    outbox = SqliteOutbox(tmp_path / "outbox.db")
    outbox.enqueue(email(), handoff="support", conversation_id="c-1")
    late = iter([after(0.5, b"250 kept"), after(0, b"250 kept")])
    with ScriptedServer({"END": lambda verb: next(late)(verb)}) as server:
        transport = SmtpTransport(SmtpSettings("127.0.0.1", server.port, timeout=0.2))
        done = Worker(outbox, transport, policy=FAST).flush(within=30)
    outbox.close()

    assert done.sent == 1
    assert len(server.received) == 2
    assert server.received[0] == server.received[1]
    assert b"Message-ID: <1@example.com>" in server.received[0]


def test_a_store_that_fails_for_a_moment_makes_no_second_copy(
    outbox: SqliteOutbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the server took is recorded as soon as the store works again."""
    record, failures = outbox.mark_sent, [DeliveryError("the database restarts")] * 2

    def flaky(*values: Any, **options: Any) -> None:
        if failures:
            raise failures.pop()
        record(*values, **options)

    monkeypatch.setattr(outbox, "mark_sent", flaky)
    transport = StubTransport(Delivery(delivered=(A, B)))
    done = Worker(outbox, transport, lease=3.0).flush(within=10)

    assert done.sent == 1
    assert outbox.entries()[0].attempts == 1


def test_a_worker_outlives_a_store_that_fails(
    outbox: SqliteOutbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A failure while looking for work is told, and the worker goes on."""
    take, failures = outbox.take, [DeliveryError("the database restarts")]

    def flaky(*values: Any, **options: Any) -> Any:
        if failures:
            raise failures.pop()
        return take(*values, **options)

    monkeypatch.setattr(outbox, "take", flaky)
    transport = StubTransport(Delivery(delivered=(A, B)))
    worker = Worker(outbox, transport, poll=0.01, on_attempt=lambda *_: worker.stop())
    worker.run()

    assert outbox.entries()[0].status is Status.SENT
