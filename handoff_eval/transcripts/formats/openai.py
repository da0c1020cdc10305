"""OpenAI-style messages, one conversation a line.

Schema: "Create chat completion", parameter `messages`, in the OpenAI API reference, and the chat
format of "Supervised fine-tuning" in its guides: `{"messages": [{"role", "content"}]}` with the
roles system, developer, user, assistant, tool and function, content as text or as parts, and
`tool_calls`. Of the fields that people add beside `messages` these are known: id or
conversation_id, user (the customer), created_at or created, channel, metadata.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from handoff_eval.conversation import Role
from handoff_eval.transcripts.formats.base import (
    ImportOptions,
    an_object,
    as_list,
    listed,
    optional_identifier,
    optional_text,
    plain,
    timestamp,
    turn,
)
from handoff_eval.transcripts.formats.documents import Converted, Source, json_format
from handoff_eval.transcripts.refusals import FieldError, shown

ROLES = {
    "system": Role.SYSTEM,
    "developer": Role.SYSTEM,
    "user": Role.CUSTOMER,
    "assistant": Role.AGENT,
    "tool": Role.SYSTEM,
    "function": Role.SYSTEM,
}
_PROMPTS = ("system", "developer")
_PARTS = {
    "image_url": "[image]",
    "input_image": "[image]",
    "input_audio": "[audio]",
    "file": "[file]",
    "input_file": "[file]",
}


def convert(source: Source, options: ImportOptions) -> Converted:
    """Return one conversation; the prompts before its first other message are left out."""
    document = source.document
    messages = listed(document, "messages")
    turns = message_turns(messages, options)
    started = document.get("created_at", document.get("created"))
    customer = document.get("user", document.get("customer_id"))
    own_id = document.get("id", document.get("conversation_id"))
    return Converted(
        {
            "id": optional_identifier(own_id, "id") or source.fallback_id,
            "started_at": timestamp(started, "created_at", options),
            "customer": {"id": optional_identifier(customer, "user")},
            "channel": optional_text(document.get("channel")),
            "turns": turns,
            "metadata": an_object(document.get("metadata") or {}, "metadata"),
        }
    )


def message_turns(messages: list[Any], options: ImportOptions) -> list[dict[str, Any]]:
    """Return the turns of a list of messages, tool calls and results as turns of the system."""
    turns: list[dict[str, Any]] = []
    for index, value in enumerate(messages):
        message = an_object(value, f"messages[{index}]")
        word = message.get("role")
        role = ROLES.get(word) if isinstance(word, str) else None
        if role is None:
            expected = "one of " + ", ".join(repr(name) for name in ROLES)
            got = "nothing" if word is None else shown(word)
            raise FieldError(f"messages[{index}].role", expected, got)
        if word in _PROMPTS and not turns:
            continue
        text = plain(content_text(message, f"messages[{index}].content"), options)
        when = message.get("created_at", message.get("timestamp"))
        at = timestamp(when, f"messages[{index}].created_at", options)
        calls = tool_calls(message)
        if text.strip() or not calls:
            turns.append(turn(role, text, at))
        turns += [turn(Role.SYSTEM, call, at) for call in calls]
    return turns


def content_text(message: Mapping[str, Any], where: str) -> str:
    """Return the words of a message, with pictures and files named by their kind."""
    content = message.get("content")
    if content is None:
        return optional_text(message.get("refusal")) or ""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        raise FieldError(where, "a text, a list of parts or null", shown(content))
    texts = []
    for index, value in enumerate(content):
        part = value if isinstance(value, dict) else {"text": value}
        text = part.get("text", part.get("refusal"))
        if not isinstance(text, str):
            text = _PARTS.get(str(part.get("type")))
        if text is None:
            raise FieldError(f"{where}[{index}]", "a part with text", shown(value))
        texts.append(text)
    return "\n".join(texts)


def tool_calls(message: Mapping[str, Any]) -> list[str]:
    """Return each tool call of a message as a line, in either of the two shapes in use."""
    calls = as_list(message.get("tool_calls"))
    if message.get("function_call"):
        calls = [*calls, {"function": message["function_call"]}]
    lines = []
    for call in calls:
        told = call.get("function", call) if isinstance(call, dict) else {}
        arguments = told.get("arguments", {}) if isinstance(told, dict) else {}
        if not isinstance(arguments, str):
            arguments = json.dumps(arguments, ensure_ascii=False)
        name = told.get("name", "?") if isinstance(told, dict) else "?"
        lines.append(f"[tool call] {name}({arguments})")
    return lines


FORMAT = json_format(
    "openai",
    "JSON lines of OpenAI-style messages",
    lists=("data",),
    convert=convert,
)
