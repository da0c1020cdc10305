"""The emails a team would have got, sent for real but to a local mailbox."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

from handoff_eval.conversation import Conversation
from handoff_eval.decision import Decision
from handoff_eval.handoff import Handoff
from handoff_eval.mail.delivery import SmtpSettings, SmtpTransport
from handoff_eval.mail.dispatch import queue_emails
from handoff_eval.mail.sink import CaughtEmail, MailSink
from handoff_eval.mail.sqlite_outbox import SqliteOutbox
from handoff_eval.mail.worker import Worker


def rehearse(
    handoff: Handoff,
    conversations: Mapping[str, Conversation],
    decisions: Sequence[Decision],
    *,
    out: Path,
    sent_at: datetime,
) -> tuple[CaughtEmail, ...]:
    """Send the email of every decision that fired to `out / "mailbox"`, through outbox and SMTP.

    What an earlier rehearsal left in `out` is removed first, so that what is there is of this one.

    Parameters
    ----------
    handoff : Handoff
    conversations : mapping of str to Conversation
        By id.
    decisions : sequence of Decision
    out : Path
        Gets `mailbox/*.eml` and `outbox.sqlite`.
    sent_at : datetime
        The emails' date, with a time zone.

    Returns
    -------
    tuple of CaughtEmail
        In the order of arrival.
    """
    for stale in (*(out / "mailbox").glob("*.eml"), *out.glob("outbox.sqlite*")):
        stale.unlink()
    outbox = SqliteOutbox(out / "outbox.sqlite")
    try:
        queue_emails(outbox, handoff, conversations, decisions, sent_at=sent_at)
        with MailSink(out / "mailbox") as sink:
            Worker(outbox, SmtpTransport(SmtpSettings.from_url(sink.url))).flush()
            return sink.messages()
    finally:
        outbox.close()
