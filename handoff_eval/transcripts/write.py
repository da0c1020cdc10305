"""Conversations and labels as the lines of a dataset folder."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO

from handoff_eval.conversation import Conversation, Label, Turn
from handoff_eval.errors import DataError

TRANSCRIPTS = "transcripts.jsonl"
LABELS = "labels.jsonl"
FACTS = "facts.jsonl"
DATASHEET = "README.md"


def conversation_to_dict(conversation: Conversation) -> dict[str, Any]:
    """Return the JSON object of one line of `transcripts.jsonl`."""
    customer = conversation.customer
    return {
        **conversation.extra,
        "id": conversation.id,
        "started_at": _time(conversation.started_at),
        "customer": {**customer.extra, "id": customer.id, "email": customer.email},
        "channel": conversation.channel,
        "turns": [_turn_to_dict(turn) for turn in conversation.turns],
        "split": None if conversation.split is None else conversation.split.value,
        "metadata": dict(conversation.metadata),
    }


def label_to_dict(label: Label) -> dict[str, Any]:
    """Return the JSON object of one line of `labels.jsonl`."""
    drawn = label.sampling_probability
    return {
        **label.extra,
        **({} if drawn is None else {"sampling_probability": drawn}),
        "conversation_id": label.conversation_id,
        "handoff": label.handoff,
        "at_turn": label.at_turn,
        "reasons": [reason.value for reason in label.reasons],
        "annotator": label.annotator,
        "labeled_at": _time(label.labeled_at),
        "note": label.note,
    }


def to_line(document: Mapping[str, Any]) -> str:
    r"""Return a JSON object as one line that ends in `\n`.

    Raises
    ------
    DataError
        When a value has no form in strict JSON in UTF-8.
    """
    try:
        line = json.dumps(document, ensure_ascii=False, allow_nan=False) + "\n"
        line.encode("utf-8")
    except (TypeError, ValueError) as error:
        name = document.get("id", document.get("conversation_id"))
        raise DataError(
            f"Expected {name!r} to hold only what JSON in UTF-8 can carry; {error}."
        ) from None
    return line


def write_conversations(
    conversations: Iterable[Conversation], path: Path, *, keep: bool = False
) -> int:
    """Write one conversation a line, replacing the file once all are there; return how many.

    With `keep=True` the lines that the file holds stay, as they are, before the new ones.
    """
    return _write(path, map(conversation_to_dict, conversations), keep=keep)


def write_labels(labels: Iterable[Label], path: Path) -> int:
    """Write one label a line, replacing the file once all are there; return how many."""
    return _write(path, map(label_to_dict, labels))


def write_dataset(
    folder: Path, *, conversations: Iterable[Conversation], labels: Iterable[Label] | None = None
) -> None:
    """Write a dataset folder, making it where it is missing.

    Parameters
    ----------
    folder : Path
        Where `transcripts.jsonl` and `labels.jsonl` go; other files there are left alone.
    conversations, labels : iterable
        Consumed one at a time. With `labels=None` no labels file is written or touched.
    """
    folder.mkdir(parents=True, exist_ok=True)
    write_conversations(conversations, folder / TRANSCRIPTS)
    if labels is not None:
        write_labels(labels, folder / LABELS)


def _write(path: Path, documents: Iterable[Mapping[str, Any]], *, keep: bool = False) -> int:
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    count = 0
    try:
        with unfinished.open("wb") as stream:
            if keep and path.exists():
                _copy(path, stream)
            for document in documents:
                stream.write(to_line(document).encode())
                count += 1
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
    return count


def _copy(path: Path, target: BinaryIO) -> None:
    last = b"\n"
    with path.open("rb") as source:
        while chunk := source.read(2**20):
            target.write(chunk)
            last = chunk[-1:]
    if last != b"\n":
        target.write(b"\n")


def _turn_to_dict(turn: Turn) -> dict[str, Any]:
    document = {**turn.extra, "role": turn.role.value, "text": turn.text}
    if turn.at is not None:
        document["at"] = _time(turn.at)
    return document


def _time(time: datetime | None) -> str | None:
    return None if time is None else time.isoformat()
