"""Trajectories of tau-bench and tau2-bench: LLM agents serving simulated customers with tools.

Schemas: `EnvRunResult` in tau-bench (github.com/sierra-research/tau-bench, `tau_bench/types.py`), a
list of `{"task_id", "trial", "reward", "info", "traj"}` whose trajectory is OpenAI-style; and
`Results` in tau2-bench (github.com/sierra-research/tau2-bench, `src/tau2/data_model`),
`{"info", "tasks", "simulations": [{"id", "task_id", "trial", "messages", "reward_info"}]}`. Tool
calls and results become turns of the system, the agent's policy is left out, and so are the times,
which are those of the simulation and name no zone.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from handoff_eval.conversation import Role
from handoff_eval.transcripts.formats.base import NO_TEXT, ImportOptions, listed, optional_text
from handoff_eval.transcripts.formats.documents import Converted, Source, json_format
from handoff_eval.transcripts.formats.openai import message_turns

_SIGNALS = re.compile(r"\s*###(?:STOP|TRANSFER|OUT-OF-SCOPE)###\s*")


def convert(source: Source, options: ImportOptions) -> Converted:
    """Return one trajectory; the simulated customer's end signals are no words of a customer."""
    document = source.document
    name = "messages" if "messages" in document else "traj"
    messages = [_message(value) for value in _flat(listed(document, name))]
    turns = [
        t
        for t in message_turns(messages, replace(options, html=False))
        if not (t["role"] == Role.CUSTOMER and t["text"] == NO_TEXT)
    ]
    metadata = {
        "task_id": document.get("task_id"),
        "trial": document.get("trial"),
        "reward": _reward(document),
    }
    return Converted(
        {
            "id": optional_text(document.get("id")) or source.fallback_id,
            "customer": {"id": _customer(document)},
            "turns": turns,
            "metadata": {name: value for name, value in metadata.items() if value is not None},
        }
    )


def _flat(messages: list[Any]) -> list[Any]:
    """Return the messages with those that tau2-bench bundles by tool taken apart."""
    flat: list[Any] = []
    for message in messages:
        bundled = message.get("tool_messages") if isinstance(message, dict) else None
        flat += bundled if isinstance(bundled, list) else [message]
    return flat


def _message(message: Any) -> Any:
    if not isinstance(message, dict):
        return message
    kept = {name: value for name, value in message.items() if name != "timestamp"}
    if kept.get("role") == "user" and isinstance(kept.get("content"), str):
        kept["content"] = _SIGNALS.sub("", kept["content"])
    return kept


def _customer(document: Mapping[str, Any]) -> str | None:
    info = document.get("info")
    task = info.get("task") if isinstance(info, dict) else None
    return optional_text(task.get("user_id")) if isinstance(task, dict) else None


def _reward(document: Mapping[str, Any]) -> Any:
    told = document.get("reward_info")
    return told.get("reward") if isinstance(told, dict) else document.get("reward")


FORMAT = json_format(
    "tau-bench",
    "trajectories of tau-bench or tau2-bench, as JSON",
    lists=("simulations",),
    convert=convert,
)
