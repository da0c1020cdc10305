"""Zendesk tickets with their comments.

Schema: "Tickets" and "Ticket comments", JSON format, in the Zendesk API reference
(developer.zendesk.com), and the full JSON export of "Exporting data to a JSON, CSV, or XML file"
(support.zendesk.com): tickets with `comments`, each with `author_id`, `public`, `plain_body`,
`html_body`, `body` and `created_at`; people are given in a side-loaded `users` list or in the
ticket's own `requester`. Comments that aren't public are left out. Zendesk doesn't say which
author is an AI agent: name it with --agent-ids.
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
    listed,
    optional_identifier,
    optional_text,
    timestamp,
    turn,
)
from handoff_eval.transcripts.formats.documents import Converted, Source, json_format
from handoff_eval.transcripts.markup import html_to_text
from handoff_eval.transcripts.refusals import FieldError

_SYSTEM_AUTHOR = "-1"


def convert(source: Source, options: ImportOptions) -> Converted:
    """Return one ticket as a conversation."""
    ticket = an_object(source.document.get("ticket", source.document), "ticket")
    people = _people(ticket, source.envelope)
    requester = optional_identifier(_requester(ticket), "requester_id")
    turns = []
    for index, value in enumerate(listed(ticket, "comments")):
        where = f"comments[{index}]"
        comment = an_object(value, where)
        if comment.get("public") is False:
            continue
        author = optional_identifier(comment.get("author_id"), f"{where}.author_id")
        at = timestamp(comment.get("created_at"), f"{where}.created_at", options)
        turns.append(turn(_role(author, requester, people, options), _body(comment), at))
    if not turns:
        raise FieldError("comments", "comments of which one is public", "none that is")
    via = an_object(ticket.get("via") or {}, "via")
    metadata = {"subject": ticket.get("subject"), "tags": ticket.get("tags")}
    return Converted(
        {
            "id": identifier(ticket.get("id"), "id"),
            "started_at": timestamp(ticket.get("created_at"), "created_at", options),
            "customer": {
                "id": requester,
                "email": optional_text(people.get(requester or "", {}).get("email")),
            },
            "channel": optional_text(via.get("channel")),
            "turns": turns,
            "metadata": {name: value for name, value in metadata.items() if value},
        },
        tuple({str(person["name"]) for person in people.values() if person.get("name")}),
    )


def _people(ticket: Mapping[str, Any], envelope: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Return the people of a ticket by their id, of all that its export gives."""
    users = [user for user in as_list(envelope.get("users")) if isinstance(user, dict)]
    known = {str(user.get("id")): user for user in users}
    for name in ("requester", "submitter", "assignee"):
        person = ticket.get(name)
        if isinstance(person, dict) and "id" in person:
            known.setdefault(str(person["id"]), person)
    speakers = {str(_requester(ticket))}
    for comment in as_list(ticket.get("comments")):
        if isinstance(comment, dict):
            speakers.add(str(comment.get("author_id")))
    return {person: known[person] for person in speakers if person in known}


def _requester(ticket: Mapping[str, Any]) -> Any:
    person = ticket.get("requester")
    return ticket.get("requester_id", person.get("id") if isinstance(person, dict) else None)


def _role(
    author: str | None,
    requester: str | None,
    people: Mapping[str, Mapping[str, Any]],
    options: ImportOptions,
) -> Role:
    if author in options.agent_ids:
        return Role.AGENT
    if author is None or author == _SYSTEM_AUTHOR:
        return Role.SYSTEM
    if author == requester or people.get(author, {}).get("role") == "end-user":
        return Role.CUSTOMER
    return Role.HUMAN


def _body(comment: Mapping[str, Any]) -> str:
    text = optional_text(comment.get("plain_body"))
    if text is None and optional_text(comment.get("html_body")):
        text = html_to_text(comment["html_body"])
    words = (text or optional_text(comment.get("body")) or "").strip()
    attached = [ATTACHMENT] * len(as_list(comment.get("attachments")))
    return "\n".join([*([words] if words else []), *attached])


FORMAT = json_format(
    "zendesk",
    "Zendesk tickets with comments, as JSON",
    lists=("tickets",),
    convert=convert,
)
