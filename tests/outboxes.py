"""A small email, a clock that stands, and an outbox of either kind."""

from __future__ import annotations

from email.message import EmailMessage
from typing import Any

from handoff_eval.mail.entries import Lease
from handoff_eval.mail.outbox import Outbox


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


def put(
    outbox: Outbox,
    number: int = 1,
    *,
    to: str = "team@example.com",
    text: str = "Please call.",
    **options: Any,
) -> bool:
    """Enqueue the email of conversation c-<number>."""
    message = email(number, to=to, text=text)
    key = {"handoff": "support", "conversation_id": f"c-{number}"}
    return outbox.enqueue(message, **key, **options)


def taken(outbox: Outbox, worker: str = "w1", seconds: float = 10) -> Lease:
    """Take an email that must be due."""
    lease = outbox.take(worker, seconds=seconds)
    assert lease is not None
    return lease
