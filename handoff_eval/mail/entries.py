"""What an outbox says about its emails: where each stands, who holds it, what it waits for."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Status(StrEnum):
    """Where an email stands; `held` waits for a digest, or for the digest that lists it."""

    QUEUED = "queued"
    SENDING = "sending"
    HELD = "held"
    SENT = "sent"
    DEAD = "dead"


class Kind(StrEnum):
    """What an email is: one conversation's, a digest of several, or a notice about the volume."""

    EMAIL = "email"
    DIGEST = "digest"
    NOTICE = "notice"


class Channel(StrEnum):
    """Which way a handoff goes; one that the live side refuses becomes an email."""

    EMAIL = "email"
    LIVE = "live"


@dataclass(frozen=True, slots=True)
class Limit:
    """A cap on the emails that go out on their own; the rest is held for a digest.

    Parameters
    ----------
    emails : int
        How many of a handoff may go out since `since`.
    since : datetime
        Start of the window.
    held_until : datetime
        When the digest of those beyond is due.
    """

    emails: int
    since: datetime
    held_until: datetime


@dataclass(frozen=True, slots=True)
class Lease:
    """One email, taken by one worker until a time.

    Parameters
    ----------
    pending : tuple of str
        The addresses that don't have it yet; the first time all of `recipients`.
    content : bytes
        The message as it goes over the wire; every copy is the same bytes.
    brief : str or None
        The handoff in short, as `Brief.to_json` wrote it; the live side gets this.
    live_until : float or None
        Seconds since 1970 until when the live side may be asked.
    attempts : int
        How often it was taken on this channel, this time included.
    """

    id: int
    worker: str
    handoff: str
    kind: Kind
    conversation_id: str
    message_id: str
    sender: str
    recipients: tuple[str, ...]
    pending: tuple[str, ...]
    content: bytes
    brief: str | None
    channel: Channel
    live_until: float | None
    attempts: int


@dataclass(frozen=True, slots=True)
class Held:
    """One email that waits for a digest which is due."""

    id: int
    handoff: str
    conversation_id: str
    message_id: str
    sender: str
    recipients: tuple[str, ...]
    content: bytes
    brief: str | None
    due_at: datetime
    created_at: datetime


@dataclass(frozen=True, slots=True)
class OutboxEntry:
    """What is known about one email, without its content.

    Parameters
    ----------
    channel : Channel
        The way it went, or goes by now.
    pending : tuple of str
        Addresses that don't have it; on a sent email those that the server refused.
    next_attempt_at : datetime or None
        When it, or the digest it waits for, is due; None once it is sent or dead.
    leased_until : datetime or None
        Until when `worker` has it; None unless it is being sent.
    last_error : str or None
        The server's words at the last attempt that did not reach everyone.
    reference : str or None
        What the live side calls it, such as "zendesk ticket 35436".
    digest : str or None
        Message-ID of the digest that lists it.
    """

    handoff: str
    kind: Kind
    conversation_id: str
    message_id: str
    recipients: tuple[str, ...]
    pending: tuple[str, ...]
    channel: Channel
    status: Status
    attempts: int
    next_attempt_at: datetime | None
    leased_until: datetime | None
    worker: str | None
    last_error: str | None
    reference: str | None
    digest: str | None
    created_at: datetime
    sent_at: datetime | None
