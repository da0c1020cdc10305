"""The emails of a campaign: which there are, and how each one has to end."""

from __future__ import annotations

from dataclasses import dataclass
from email.message import EmailMessage
from hashlib import sha256

from handoff_eval.mail.entries import OutboxEntry, Status
from handoff_eval.mail.wire import WireMessage

NO_SUCH_USER = "550 5.1.1 No such user here"
REFUSED_CONTENT = "554 5.7.1 Refused by our policy"
TEAM, GONE = "team@example.com", "gone@example.com"


@dataclass(frozen=True, slots=True)
class Expected:
    """How an email has to end, whatever happens on the way."""

    message_id: str
    sha256: str
    status: Status
    pending: tuple[str, ...] = ()
    last_error: str | None = None

    def differs_from(self, entry: OutboxEntry) -> bool:
        """Tell whether the outbox says something else."""
        found = (entry.status, entry.pending, entry.last_error)
        return found != (self.status, self.pending, self.last_error)


def make_email(number: int, *, text: str = "first") -> EmailMessage:
    """Return email `number`; of 50, one is to somebody gone and one of refused content.

    Two more are to the team and to somebody gone: the team must get them all the same.
    """
    message = EmailMessage()
    message["From"] = "handoff@example.com"
    message["To"] = GONE if number % 50 == 1 else f"{TEAM}, {GONE}" if number % 25 == 2 else TEAM
    message["Subject"] = f"Refund for order {number}: charged twice"
    message["Message-ID"] = f"<c-{number}@handoff.example.com>"
    if number % 50 == 3:
        message["X-Policy"] = "refuse"
    message.set_content(f"This is the {text} text of email {number}.\n.\nÜber 100 € offen.\n" * 20)
    return message


def expected_end(number: int) -> Expected:
    """Return how email `number` has to end."""
    wire = WireMessage.of(make_email(number))
    identity = (wire.message_id, sha256(wire.content).hexdigest())
    if number % 50 == 1:
        return Expected(*identity, Status.DEAD, (GONE,), NO_SUCH_USER)
    if number % 50 == 3:
        return Expected(*identity, Status.DEAD, (TEAM,), REFUSED_CONTENT)
    if number % 25 == 2:
        return Expected(*identity, Status.SENT, (GONE,), f"{GONE}: {NO_SUCH_USER}")
    return Expected(*identity, Status.SENT)
