"""The outbox's table, and its rows as values and back; the same in SQLite and PostgreSQL."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from email.message import EmailMessage
from typing import Any

from handoff_eval.errors import DataError
from handoff_eval.mail.entries import Channel, Kind, OutboxEntry, Status
from handoff_eval.mail.wire import WireMessage

FORMAT = 2
"""Number of the table's layout, kept in the store; a reader refuses a number it doesn't know."""

_COLUMNS = """
    handoff TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('email', 'digest', 'notice')),
    conversation_id TEXT NOT NULL,
    message_id TEXT NOT NULL,
    sender TEXT NOT NULL,
    recipients TEXT NOT NULL,
    pending TEXT NOT NULL,
    content {blob} NOT NULL,
    brief TEXT,
    channel TEXT NOT NULL CHECK (channel IN ('email', 'live')),
    live_until DOUBLE PRECISION,
    status TEXT NOT NULL CHECK (status IN ('queued', 'sending', 'held', 'sent', 'dead')),
    attempts INTEGER NOT NULL DEFAULT 0,
    due_at DOUBLE PRECISION NOT NULL,
    worker TEXT,
    last_error TEXT,
    reference TEXT,
    digest_id BIGINT REFERENCES outbox (id),
    created_at DOUBLE PRECISION NOT NULL,
    sent_at DOUBLE PRECISION,
    UNIQUE (handoff, kind, conversation_id)
"""
_INDEXES = (
    "CREATE INDEX outbox_due ON outbox (due_at) WHERE status IN ('queued', 'sending', 'held')",
    "CREATE INDEX outbox_digest ON outbox (digest_id) WHERE digest_id IS NOT NULL",
    "CREATE INDEX outbox_stored ON outbox (handoff, kind, created_at)",
)


def schema(*, identity: str, blob: str) -> tuple[str, ...]:
    """Return the statements that make the table, in the given types of key and of bytes."""
    return (f"CREATE TABLE outbox (id {identity}, {_COLUMNS.format(blob=blob)})", *_INDEXES)


def values_of(
    message: EmailMessage, handoff: str, kind: Kind, conversation_id: str
) -> dict[str, object]:
    """Return the columns of a message under its key.

    Raises
    ------
    DataError
        When the message or the key can't be written as it is.
    """
    wire = WireMessage.of(message)
    try:
        (handoff + conversation_id).encode()
        usable = "\0" not in handoff + conversation_id
    except UnicodeEncodeError:
        usable = False
    if not usable:
        raise DataError(
            "Expected a handoff name and a conversation id in valid Unicode without NUL; "
            f"got {handoff!r} and {conversation_id!r}."
        )
    recipients = json.dumps(wire.recipients)
    return {
        "handoff": handoff,
        "kind": kind.value,
        "conversation_id": conversation_id,
        "message_id": wire.message_id,
        "sender": wire.sender,
        "recipients": recipients,
        "pending": recipients,
        "content": wire.content,
    }


def fields_of(row: Any) -> dict[str, Any]:
    """Return a row's columns in the types of `entries`."""
    fields = dict(row)
    for name in ("recipients", "pending"):
        if name in fields:
            fields[name] = tuple(json.loads(fields[name]))
    for name, kind in (("kind", Kind), ("channel", Channel), ("status", Status)):
        if name in fields:
            fields[name] = kind(fields[name])
    for name in ("due_at", "created_at", "sent_at"):
        if fields.get(name) is not None:
            fields[name] = datetime.fromtimestamp(fields[name], UTC)
    return fields


def entry_of(row: Any) -> OutboxEntry:
    """Return what a row says about its email."""
    fields = fields_of(row)
    status, due_at = fields["status"], fields.pop("due_at")
    waits = status in (Status.QUEUED, Status.SENDING, Status.HELD)
    fields["next_attempt_at"] = due_at if waits else None
    fields["leased_until"] = due_at if status is Status.SENDING else None
    return OutboxEntry(**fields)
