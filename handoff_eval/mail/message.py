"""The email a support team answers from: headers, plain text and HTML, transcript included.

Everything a customer wrote is quoted, named as theirs and cleaned: no control character reaches
a header or the body, and HTML is escaped by the template. The same handoff, conversation,
decision, summary and time give the same bytes.
"""

from __future__ import annotations

import gzip
from datetime import datetime
from email.message import EmailMessage
from email.policy import SMTP

from handoff_eval.conversation import Conversation
from handoff_eval.decision import Decision
from handoff_eval.errors import DataError
from handoff_eval.evaluation.pages.template import template
from handoff_eval.handoff import Handoff
from handoff_eval.mail.body import View, plain_text, transcript_lines
from handoff_eval.mail.headers import (
    add_bodies,
    email_key,
    set_boundaries,
    set_team_headers,
    set_text,
)
from handoff_eval.summaries.contact import find_contact
from handoff_eval.summaries.summary import Summary

LARGEST_PLAIN = 6_000_000
"""Octets of transcript that are attached as plain text; a longer one is compressed."""


def view_of(
    handoff: Handoff,
    conversation: Conversation,
    decision: Decision,
    summary: Summary,
    *,
    sent_at: datetime,
) -> View:
    """Return what is shown of a decision that fired.

    Raises
    ------
    DataError
        When `sent_at` has no time zone or `decision` is about another conversation.
    """
    if sent_at.tzinfo is None:
        raise DataError(f"Expected sent_at with a time zone; got {sent_at.isoformat()}.")
    if decision.conversation_id != conversation.id:
        raise DataError(
            f"Expected a decision about {conversation.id!r}; got one about "
            f"{decision.conversation_id!r}."
        )
    contact = find_contact(
        conversation, turns=decision.turns, exclude=(*handoff.recipients, handoff.sender)
    )
    return View(handoff, conversation, decision, summary, contact, sent_at)


def build_message(view: View) -> EmailMessage:
    """Return the email of a decision that fired, ready for the outbox.

    The same view gives the same bytes. Reply-To keeps the customer's address where personal data
    is masked.

    Raises
    ------
    SettingsError
        When an address of the handoff doesn't fit into a mail header.
    MissingExtraError
        When jinja2 is not installed.
    """
    handoff, conversation, decision = view.handoff, view.conversation, view.decision
    reason = decision.explanation.reason
    key = email_key(handoff.name, conversation.id)
    message = EmailMessage(policy=SMTP)
    set_team_headers(
        message,
        handoff=handoff.name,
        sender=handoff.sender,
        recipients=handoff.recipients,
        subject=view.subject,
        sent_at=view.sent_at,
        key=key,
        reply_to=view.contact.address,
    )
    set_text(message, "X-Handoff-Conversation", conversation.id)
    message["X-Handoff-Reason"] = "none" if reason is None else reason.value
    message["X-Handoff-Score"] = f"{decision.score:.6f}"
    page = view.page()
    html = template("mail/handoff.html").render(page)
    add_bodies(message, plain=plain_text(page), html=html + "\n")
    if view.attached:
        _attach_transcript(message, view)
    set_boundaries(message, key)
    return message


def _attach_transcript(message: EmailMessage, view: View) -> None:
    text = "\n".join(transcript_lines(view.transcript(whole=True))) + "\n"
    content = text.encode("utf-8", "replace")
    if len(content) <= LARGEST_PLAIN:
        message.add_attachment(
            text, subtype="plain", charset="utf-8", cte="base64", filename="transcript.txt"
        )
    else:
        # No time of compression is written, so that the same transcript gives the same bytes.
        packed = gzip.compress(content, mtime=0)
        message.add_attachment(
            packed, maintype="application", subtype="gzip", filename="transcript.txt.gz"
        )
