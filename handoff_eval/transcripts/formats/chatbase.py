"""Chatbase conversation exports.

Schema: "Export conversations" of the Chatbase API v2 (`GET /agents/{agentId}/conversations/export`,
also written by `chatbase conversations export`): `{"data": [{"id", "createdAt", "userId", "source",
"status", "messages": [{"role", "parts", "createdAt"}]}]}`, times in seconds since 1970, parts of
type text, tool-call and tool-result. "Get conversations for a chatbot" of API v1 is read as well,
whose messages have `content` in place of parts and whose names are written with underscores.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from handoff_eval.conversation import Role
from handoff_eval.transcripts.formats.base import (
    ImportOptions,
    an_object,
    identifier,
    listed,
    optional_identifier,
    optional_text,
    plain,
    timestamp,
    turn,
)
from handoff_eval.transcripts.formats.documents import Converted, Source, json_format
from handoff_eval.transcripts.refusals import FieldError, shown

_ROLES = {"user": Role.CUSTOMER, "assistant": Role.AGENT}


def convert(source: Source, options: ImportOptions) -> Converted:
    """Return one conversation."""
    document = source.document
    turns: list[dict[str, Any]] = []
    for index, value in enumerate(listed(document, "messages")):
        where = f"messages[{index}]"
        turns += _turns(an_object(value, where), where, options)
    if not turns:
        raise FieldError("messages", "messages of which one has text", "none that has")
    started = document.get("createdAt", document.get("created_at"))
    metadata = {name: document.get(name) for name in ("title", "status", "country")}
    return Converted(
        {
            "id": identifier(document.get("id"), "id"),
            "started_at": timestamp(started, "createdAt", options),
            "customer": {"id": optional_identifier(document.get("userId"), "userId")},
            "channel": optional_text(document.get("source")),
            "turns": turns,
            "metadata": {name: value for name, value in metadata.items() if value},
        }
    )


def _turns(
    message: Mapping[str, Any], where: str, options: ImportOptions
) -> Iterator[dict[str, Any]]:
    word = message.get("role")
    role = _ROLES.get(word) if isinstance(word, str) else None
    if role is None:
        got = "nothing" if word is None else shown(word)
        raise FieldError(f"{where}.role", "'user' or 'assistant'", got)
    at = timestamp(message.get("createdAt"), f"{where}.createdAt", options)
    if "parts" not in message:
        content = message.get("content")
        if not isinstance(content, str):
            raise FieldError(f"{where}.content", "a text", shown(content))
        yield turn(role, plain(content, options), at)
        return
    words = []
    for index, value in enumerate(listed(message, "parts")):
        part = an_object(value, f"{where}.parts[{index}]")
        kind = part.get("type")
        if kind == "text" and isinstance(part.get("text"), str):
            words.append(plain(part["text"], options))
        elif kind == "tool-call":
            yield turn(Role.SYSTEM, f"[tool call] {part.get('toolName')}", at)
        elif kind == "tool-result":
            output = json.dumps(part.get("output"), ensure_ascii=False)
            yield turn(Role.SYSTEM, f"[tool result] {part.get('toolName')}: {output}", at)
        else:
            raise FieldError(
                f"{where}.parts[{index}].type", "'text', 'tool-call' or 'tool-result'", shown(kind)
            )
    if words:
        yield turn(role, "\n".join(words), at)


FORMAT = json_format(
    "chatbase",
    "Chatbase conversation export, as JSON",
    lists=("data", "conversations"),
    convert=convert,
)
