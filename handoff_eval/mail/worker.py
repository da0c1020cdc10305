"""The worker: takes due emails out of the outbox, hands them over, records what came of it.

An email is recorded as sent after the server's 250. A worker that dies between the two leaves a
lease behind; when that ends, another worker sends a second copy. The copy is the same bytes under
the same Message-ID, so a mailbox that drops duplicates shows one. No order of the two steps
avoids this: recording first would lose the email instead.
"""

from __future__ import annotations

import logging
import os
import random
import socket
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol
from uuid import uuid4

from handoff_eval.errors import DeliveryError, SettingsError
from handoff_eval.mail.brief import Brief
from handoff_eval.mail.delivery import Delivery, Outcome
from handoff_eval.mail.digest import collect_digests
from handoff_eval.mail.entries import Channel, Lease, Status
from handoff_eval.mail.live import LiveHandoff
from handoff_eval.mail.outbox import Outbox

_LOGGER = logging.getLogger(__name__)
_LARGEST_POWER = 62
_SHORTEST_WAIT = 0.01
_IDLE_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """When to try again, and when to stop: exponential back-off with full jitter.

    The wait before attempt n + 1 is uniform on [0, min(cap, base * 2^(n-1))], so that workers
    which failed together don't come back together. The defaults go on for about three days.

    Parameters
    ----------
    base, cap : float
        Seconds.
    max_attempts : int
        After so many an email is a dead letter; a worker that died during one used it up.
    """

    base: float = 2.0
    cap: float = 1800.0
    max_attempts: int = 300

    def __post_init__(self) -> None:
        if not (0 < self.base <= self.cap < float("inf")) or self.max_attempts < 1:
            raise SettingsError(
                "Expected 0 < base <= cap seconds and at least one attempt; "
                f"got base {self.base!r}, cap {self.cap!r}, max_attempts {self.max_attempts!r}."
            )

    def delay(self, attempts: int, *, rng: random.Random) -> float:
        """Return the seconds to wait after `attempts` attempts."""
        return rng.uniform(0, min(self.cap, self.base * 2 ** min(attempts - 1, _LARGEST_POWER)))


@dataclass(frozen=True, slots=True)
class Flushed:
    """What a flush did, and how many emails still wait after it."""

    sent: int
    dead: int
    waiting: int


class Transport(Protocol):
    """What hands a message over; `SmtpTransport` is the one that ships."""

    def deliver(
        self, content: bytes, *, sender: str, recipients: Sequence[str], within: float
    ) -> Delivery:
        """Return the server's answer for each recipient, after at most `within` seconds."""
        ...

    def close(self) -> None:
        """End the connection."""
        ...


class Worker:
    """Sends what is due, one email at a time; run as many as you like on one outbox.

    Parameters
    ----------
    outbox : Outbox
    transport : Transport
        This worker's own.
    live : mapping of str to LiveHandoff, optional
        The help desk of each handoff by its name; what has none here becomes an email.
    policy : RetryPolicy
    lease : float
        Seconds an email is kept from other workers. An attempt is cut after two thirds of it,
        so that a slow server can't outlive the lease; only a process that is frozen for longer
        than a third of it between two instructions can.
    poll : float
        Longest wait, in seconds, before looking for new emails.
    seed : int, optional
        Makes the jitter repeatable.
    on_attempt : callable, optional
        Called with the lease and the answer after each attempt is recorded.
    """

    def __init__(
        self,
        outbox: Outbox,
        transport: Transport,
        *,
        live: Mapping[str, LiveHandoff] | None = None,
        policy: RetryPolicy | None = None,
        lease: float = 300.0,
        poll: float = 1.0,
        seed: int | None = None,
        on_attempt: Callable[[Lease, Delivery], None] | None = None,
    ) -> None:
        if not 0 < lease < float("inf"):
            raise SettingsError(f"Expected lease to be seconds above 0; got {lease!r}.")
        self.name = f"{socket.gethostname()}:{os.getpid()}:{uuid4().hex[:8]}"
        self._outbox = outbox
        self._transport = transport
        self._live = {} if live is None else live
        self._policy = policy or RetryPolicy()
        self._lease = lease
        self._poll = poll
        self._rng = random.Random(seed)  # noqa: S311 - jitter, not a secret
        self._on_attempt = on_attempt
        self._stopping = threading.Event()
        self._sent = self._dead = 0

    def stop(self) -> None:
        """Ask the worker to end after the email in its hands; safe in a signal handler."""
        self._stopping.set()

    def run(self) -> None:
        """Work until `stop` is called, through failures of the outbox's store too."""
        try:
            while not self._stopping.is_set():
                try:
                    if not self.step():
                        self._wait(self._poll)
                except DeliveryError as error:
                    _LOGGER.warning("%s", error)
                    self._stopping.wait(self._poll)
        finally:
            self.close()

    def flush(self, *, within: float | None = None) -> Flushed:
        """Work until nothing waits, counting what became of the emails.

        Emails in back-off, and those that another worker has or had when it died, are waited
        for.

        Parameters
        ----------
        within : float, optional
            Seconds after which no further attempt is begun; None means no limit.
        """
        self._sent = self._dead = 0
        end = float("inf") if within is None else time.monotonic() + within
        try:
            while self._outbox.seconds_to_next() is not None and not self._stopping.is_set():
                left = end - time.monotonic()
                if left <= 0:
                    break
                if not self.step():
                    self._wait(min(self._poll, left))
        finally:
            self.close()
        counts = self._outbox.counts()
        waiting = counts[Status.QUEUED] + counts[Status.SENDING]
        return Flushed(sent=self._sent, dead=self._dead, waiting=waiting)

    def step(self) -> bool:
        """Make one attempt at the email that has been due longest; False when none is due."""
        collect_digests(self._outbox)
        lease = self._outbox.take(self.name, seconds=self._lease)
        if lease is None:
            return False
        if lease.channel is Channel.LIVE:
            self._go_live(lease)
            return True
        if lease.attempts > self._policy.max_attempts:
            self._end(lease, lease.pending, "the worker died during the last attempt")
            return True
        answer = self._transport.deliver(
            lease.content,
            sender=lease.sender,
            recipients=lease.pending,
            within=self._lease * 2 / 3,
        )
        self._record(lease, answer)
        if self._on_attempt is not None:
            self._on_attempt(lease, answer)
        return True

    def close(self) -> None:
        """End the connections; the next step opens them again."""
        self._transport.close()
        for desk in self._live.values():
            desk.close()

    def _go_live(self, lease: Lease) -> None:
        """Hand over live, or make it an email that is due at once."""
        words = "no live side is set up here"
        desk = self._live.get(lease.handoff)
        if desk is not None and lease.brief is not None:
            words = "it came too late for the live side"
            if lease.live_until is not None and self._outbox.now() < lease.live_until:
                answer = desk.open(Brief.from_json(lease.brief))
                if answer.accepted:
                    self._insist(lambda: self._outbox.mark_sent(lease, reference=answer.reference))
                    self._sent += 1
                    return
                words = answer.words
        self._outbox.fall_back(lease, error=words)

    def _insist(self, record: Callable[[], None]) -> None:
        """Record what the other side has, again and again while the lease lasts.

        A store that fails for a moment (a database that restarts) must not make a second copy.
        """
        end = time.monotonic() + self._lease / 3
        while True:
            try:
                record()
                return
            except DeliveryError:
                if time.monotonic() > end:
                    raise
                time.sleep(min(0.2, self._lease / 30))

    def _record(self, lease: Lease, answer: Delivery) -> None:
        pending = tuple(a for a in lease.pending if a not in answer.delivered)
        if answer.outcome is Outcome.RETRY and lease.attempts < self._policy.max_attempts:
            delay = self._policy.delay(lease.attempts, rng=self._rng)
            self._outbox.put_back(lease, delay=delay, error=answer.words, pending=pending)
        else:
            self._end(lease, pending, answer.words)

    def _end(self, lease: Lease, pending: tuple[str, ...], words: str) -> None:
        if len(pending) < len(lease.recipients):
            self._insist(
                lambda: self._outbox.mark_sent(lease, pending=pending, error=words or None)
            )
            self._sent += 1
        else:
            self._outbox.bury(lease, error=words)
            self._dead += 1

    def _wait(self, at_most: float) -> None:
        due = self._outbox.seconds_to_next()
        if due is None or due > _IDLE_SECONDS:
            self._transport.close()
        self._stopping.wait(at_most if due is None else max(_SHORTEST_WAIT, min(due, at_most)))
