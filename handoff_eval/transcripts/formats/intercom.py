"""Intercom conversations with their parts.

Schema: "The conversation model" and "Conversation part model" of the Intercom REST API reference
(developers.intercom.com), as also typed in the vendor's client `intercom-client`: `source` holds
the first message and its author, `conversation_parts.conversation_parts` the rest, bodies may be
HTML, times are seconds since 1970. A list is `{"type": "conversation.list", "conversations": []}`.
Notes, which the customer never saw, are left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from handoff_eval.conversation import Role
from handoff_eval.transcripts.formats.base import (
    ATTACHMENT,
    ImportOptions,
    an_object,
    as_list,
    identifier,
    optional_identifier,
    optional_text,
    timestamp,
    turn,
)
from handoff_eval.transcripts.formats.documents import Converted, Source, json_format
from handoff_eval.transcripts.markup import html_to_text
from handoff_eval.transcripts.refusals import FieldError, shown

_CUSTOMERS = frozenset({"user", "lead", "contact"})
_ROLES = {"admin": Role.HUMAN, "team": Role.HUMAN, "bot": Role.AGENT}


def convert(source: Source, options: ImportOptions) -> Converted:
    """Return one conversation."""
    document = source.document
    opening = an_object(document.get("source") or {}, "source")
    parts = _parts(document)
    turns = []
    if optional_text(opening.get("body")) or as_list(opening.get("attachments")):
        turns.append(_turn(opening, document.get("created_at"), "source", options))
    for index, value in enumerate(parts):
        where = f"conversation_parts[{index}]"
        part = an_object(value, where)
        if str(part.get("part_type")).startswith("note"):
            continue
        if optional_text(part.get("body")) or as_list(part.get("attachments")):
            turns.append(_turn(part, part.get("created_at"), where, options))
    if not turns:
        raise FieldError("conversation_parts", "parts of which one has a body", "none that has")
    tags = as_list(an_object(document.get("tags") or {}, "tags").get("tags"))
    metadata = {
        "subject": html_to_text(optional_text(opening.get("subject")) or ""),
        "delivered_as": optional_text(opening.get("delivered_as")),
        "tags": [tag["name"] for tag in tags if isinstance(tag, dict) and "name" in tag],
    }
    authors = [an_object(item.get("author") or {}, "author") for item in (opening, *parts)]
    return Converted(
        {
            "id": identifier(document.get("id"), "id"),
            "started_at": timestamp(document.get("created_at"), "created_at", options),
            "customer": _customer(document, authors),
            "channel": optional_text(opening.get("type")),
            "turns": turns,
            "metadata": {name: value for name, value in metadata.items() if value},
        },
        tuple({str(a["name"]) for a in authors if a.get("type") != "bot" and a.get("name")}),
    )


def _parts(document: Mapping[str, Any]) -> list[Any]:
    held = document.get("conversation_parts")
    if isinstance(held, dict):
        held = held.get("conversation_parts")
    if held is None:
        return []
    if not isinstance(held, list):
        raise FieldError("conversation_parts", "a list of parts", shown(held))
    return held


def _turn(
    part: Mapping[str, Any], created: Any, where: str, options: ImportOptions
) -> dict[str, Any]:
    author = an_object(part.get("author") or {}, f"{where}.author")
    kind = str(author.get("type"))
    role = Role.CUSTOMER if kind in _CUSTOMERS else _ROLES.get(kind, Role.SYSTEM)
    if author.get("from_ai_agent") or author.get("is_ai_answer"):
        role = Role.AGENT
    body = html_to_text(optional_text(part.get("body")) or "")
    attached = [ATTACHMENT] * len(as_list(part.get("attachments")))
    text = "\n".join([*([body] if body else []), *attached])
    return turn(role, text, timestamp(created, f"{where}.created_at", options))


def _customer(document: Mapping[str, Any], authors: list[dict[str, Any]]) -> dict[str, Any]:
    contacts = as_list(an_object(document.get("contacts") or {}, "contacts").get("contacts"))
    first = contacts[0] if contacts and isinstance(contacts[0], dict) else {}
    spoke = next((a for a in authors if str(a.get("type")) in _CUSTOMERS), {})
    return {
        "id": optional_identifier(first.get("id") or spoke.get("id"), "contacts"),
        "email": optional_text(spoke.get("email")),
    }


FORMAT = json_format(
    "intercom",
    "Intercom conversations with conversation_parts, as JSON",
    lists=("conversations", "data"),
    convert=convert,
)
