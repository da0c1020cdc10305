"""The digest: the emails that waited beyond the cap, in one, each attached whole.

A digest is an email of the outbox like any other, with a Message-ID made of what it lists. Its
members are tied to it in the transaction that stores it, and are sent in the one that records it
as sent; so none is dropped and none is listed twice.
"""

from __future__ import annotations

from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTP
from typing import Any

from handoff_eval.evaluation.pages.template import template
from handoff_eval.mail.brief import Brief
from handoff_eval.mail.entries import Held
from handoff_eval.mail.headers import add_bodies, email_key, set_boundaries, set_team_headers
from handoff_eval.mail.outbox import Outbox

LARGEST = 15_000_000
"""Octets of emails in one digest; what doesn't fit goes into another one at once."""


def collect_digests(outbox: Outbox) -> int:
    """Queue the digests that are due; return how many."""
    queued = 0
    while held := outbox.held_due():
        chosen, size = [held[0]], len(held[0].content)
        for one in held[1:]:
            size += len(one.content)
            if size > LARGEST:
                break
            chosen.append(one)
        key = email_key("digest", held[0].handoff, *(one.conversation_id for one in chosen))
        members = [one.id for one in chosen]
        message = build_digest(chosen, key=key)
        if not outbox.enqueue_digest(message, handoff=held[0].handoff, key=key, members=members):
            break
        queued += 1
    return queued


def build_digest(held: list[Held], *, key: str) -> EmailMessage:
    """Return one email that lists others of the same handoff and attaches each."""
    handoff = held[0].handoff
    count = len(held)
    page = {
        "handoff": handoff,
        "title": f"{count} conversation{'s' if count > 1 else ''} waiting for an answer",
        "items": [_item(one, number) for number, one in enumerate(held, 1)],
    }
    message = EmailMessage(policy=SMTP)
    set_team_headers(
        message,
        handoff=handoff,
        sender=held[0].sender,
        recipients=held[0].recipients,
        subject=f"Digest: {page['title']} ({handoff})",
        sent_at=max(one.due_at for one in held),
        key=key,
    )
    add_bodies(message, plain=_plain(page), html=template("mail/digest.html").render(page) + "\n")
    for number, one in enumerate(held, 1):
        if one.content.isascii():
            message.add_attachment(
                message_from_bytes(one.content, policy=SMTP), filename=f"{number:03d}.eml"
            )
        else:
            # Headers outside ASCII can't stand in a part of seven bits; the bytes are kept whole.
            message.add_attachment(
                one.content, maintype="application", subtype="octet-stream",
                filename=f"{number:03d}.eml",
            )  # fmt: skip
    set_boundaries(message, key)
    return message


def _item(held: Held, number: int) -> dict[str, Any]:
    since = held.created_at
    item = {
        "number": number,
        "since": f"{since.day} {since:%B, %H:%M} UTC",
        "file": f"{number:03d}.eml",
        "conversation": held.conversation_id[:200],
    }
    if held.brief is None:
        subject = str(message_from_bytes(held.content, policy=SMTP)["Subject"] or "")
        return item | {"subject": subject, "address": "see inside", "reason": "", "lines": ()}
    brief = Brief.from_json(held.brief)
    return item | {
        "conversation": brief.conversation_id[:200],
        "subject": brief.subject,
        "address": brief.address or "no address",
        "reason": brief.reason,
        "lines": brief.lines,
    }


def _plain(page: dict[str, Any]) -> str:
    lines = [page["title"], ""]
    lines += [
        "They came after the day's cap was reached. Each is attached whole: open it and reply."
    ]
    for item in page["items"]:
        lines += [
            "",
            f"{item['number']}. {item['subject']}",
            f"   {item['address']}, since {item['since']}, {item['file']}",
            f"   {item['reason']}",
        ]
        for line in item["lines"]:
            lines += [f"   | {part}" for part in line.split("\n")]
    return "\n".join([*lines, "", "-- ", f"The digest of the handoff {page['handoff']}."]) + "\n"
