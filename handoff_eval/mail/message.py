"""The email a support team answers from: headers, plain text and HTML, transcript included.

Everything a customer wrote is quoted, named as theirs and cleaned: no control character reaches
a header or the body, and HTML is escaped by the template. The same handoff, conversation,
decision, summary and time give the same bytes.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from datetime import datetime
from email.errors import MessageError
from email.header import Header
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from functools import cache
from importlib.resources import files
from typing import Any

from handoff_eval.conversation import Conversation
from handoff_eval.decision import Decision
from handoff_eval.errors import DataError, MissingExtraError, SettingsError
from handoff_eval.handoff import Handoff
from handoff_eval.mail.body import View, plain_text, transcript_lines
from handoff_eval.summaries.contact import Contact, find_contact
from handoff_eval.summaries.summary import Summary

_HEADER = 200


def build_message(
    handoff: Handoff,
    conversation: Conversation,
    decision: Decision,
    summary: Summary,
    *,
    sent_at: datetime,
    mask_personal_data: bool = False,
) -> EmailMessage:
    """Return the email of a decision that fired, ready for the outbox.

    Parameters
    ----------
    handoff : Handoff
        Gives sender, recipients and the response time the customer is told.
    conversation : Conversation
        Only the first `decision.turns` turns are shown.
    decision : Decision
    summary : Summary
        Of the same turns.
    sent_at : datetime
        The email's date; needs a time zone.
    mask_personal_data : bool
        Mask email addresses and telephone numbers wherever they are shown. Reply-To keeps the
        customer's address, and payment cards are masked in any case.

    Raises
    ------
    DataError
        When `sent_at` has no time zone or `decision` is about another conversation.
    SettingsError
        When an address of the handoff doesn't fit into a mail header.
    MissingExtraError
        When jinja2 is not installed.
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
    view = View(handoff, conversation, decision, summary, contact, mask_personal_data)
    message = EmailMessage(policy=SMTP)
    _set_headers(message, handoff, conversation, decision, contact, view.subject, sent_at)
    page = view.page()
    for subtype, body in (("plain", plain_text(page)), ("html", _template().render(page) + "\n")):
        add = message.set_content if subtype == "plain" else message.add_alternative
        add(body, subtype=subtype, charset="utf-8", cte=_transfer_encoding(body))
    if view.attached:
        message.add_attachment(
            "\n".join(transcript_lines(view.transcript(whole=True))) + "\n",
            subtype="plain",
            charset="utf-8",
            cte="base64",
            filename="transcript.txt",
        )
    digest = _key(handoff.name, conversation.id)[:24]
    for number, part in enumerate(part for part in message.walk() if part.is_multipart()):
        # "=_" can't occur in quoted-printable or base64, so no text can end a part.
        part.set_boundary(f"=_{digest}_{number}")
    return message


def _set_headers(
    message: EmailMessage,
    handoff: Handoff,
    conversation: Conversation,
    decision: Decision,
    contact: Contact,
    subject: str,
    sent_at: datetime,
) -> None:
    reason = decision.explanation.reason
    domain = _ascii_domain(handoff)
    slug = re.sub(r"[^a-z0-9]+", "-", handoff.name.casefold()).strip("-")[:40]
    message["From"] = _address(handoff.sender, handoff)
    message["To"] = [_address(recipient, handoff) for recipient in handoff.recipients]
    if contact.address is not None:
        message["Reply-To"] = _address(contact.address, handoff)
    _set_text(message, "Subject", subject)
    message["Date"] = sent_at
    message["Message-ID"] = f"<{_key(handoff.name, conversation.id)[:40]}@{domain}>"
    message["Auto-Submitted"] = "auto-generated"
    message["List-Id"] = f"<{slug or 'handoff'}.handoff.{domain}>"
    _set_text(message, "X-Handoff-Name", handoff.name)
    _set_text(message, "X-Handoff-Conversation", conversation.id)
    message["X-Handoff-Reason"] = "none" if reason is None else reason.value
    message["X-Handoff-Score"] = f"{decision.score:.6f}"


def _key(name: str, conversation_id: str) -> str:
    joined = f"{name}\0{conversation_id}".encode("utf-8", "surrogatepass")
    return hashlib.sha256(joined).hexdigest()


def _address(spec: str, handoff: Handoff) -> Address:
    try:
        return Address(addr_spec=spec)
    except (ValueError, MessageError) as error:
        raise SettingsError(
            f"Expected addresses such as team@example.com in {handoff.name!r}; got {spec!r} "
            f"({error})."
        ) from None


def _ascii_domain(handoff: Handoff) -> str:
    domain = handoff.sender.rpartition("@")[2]
    try:
        return domain.encode("idna").decode("ascii")
    except UnicodeError as error:
        raise SettingsError(
            f"Expected the sender of {handoff.name!r} to be on a domain such as example.com; "
            f"got {handoff.sender!r} ({error})."
        ) from None


def _set_text(message: EmailMessage, name: str, text: str) -> None:
    """Set a header to text from outside, on one short line of its own."""
    kept = "".join(
        " " if unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp") else c
        for c in text[: 4 * _HEADER]
        if c not in "\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
    )
    line = " ".join(kept.split())
    line = line if len(line) <= _HEADER else line[: _HEADER - 1] + "…"
    if line.isascii() and "=?" not in line:
        message[name] = line
    else:
        # EmailMessage folds foreign text so that a space between two encoded words is lost.
        encoded = Header(line, "utf-8", maxlinelen=75, header_name=name).encode(linesep="\r\n")
        message.set_raw(name, encoded)


def _transfer_encoding(body: str) -> str:
    foreign = sum(len(run) for run in re.findall(r"[^\x00-\x7f]+", body))
    return "base64" if foreign > len(body) / 6 else "quoted-printable"


@cache
def _template() -> Any:
    try:
        from jinja2 import Environment, StrictUndefined
    except ImportError:
        raise MissingExtraError(
            "Expected jinja2 for the HTML of the email; it is not installed. "
            "Install handoff-eval[bench]."
        ) from None
    source = files("handoff_eval.mail").joinpath("handoff.html").read_text(encoding="utf-8")
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.from_string(source)
