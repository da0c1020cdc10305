"""Remove one person from everything that can be reached, and say what can't be.

A person is named by the platform's id or the email address of a customer; their conversations
follow from datasets and from a service's state. Removed bytes are overwritten: SQLite with
`secure_delete` and `VACUUM`, PostgreSQL with `VACUUM FULL`, files by writing them anew.
"""

from __future__ import annotations

import csv
import json
import os
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from handoff_eval.errors import DataError
from handoff_eval.mail.outbox import Outbox, open_outbox
from handoff_eval.mail.store import Run
from handoff_eval.transcripts.jsonl import read_objects
from handoff_eval.transcripts.write import LABELS

BEYOND = (
    "emails that were sent, and copies of them with the mail provider and in the team's inboxes",
    "what a help desk took over live: ask Intercom or Zendesk to delete it",
    "the weights and vocabularies of triggers that were trained on these conversations, and their "
    "thresholds: train and export again",
    "what the provider of a language model kept of what it was asked",
    "backups, snapshots of disks, PostgreSQL's write-ahead log and archives",
    "what was printed, exported or copied elsewhere: exported bundles, scores, reports with "
    "transcripts, notebooks, logs and runs written with --log-text",
)
"""What no command can remove, named so that somebody can."""


@dataclass
class Forgotten:
    """What was removed, by place, and what was found and could not be.

    Attributes
    ----------
    conversations : set of str
        Ids of the person's conversations.
    texts : set of str
        What was said in them, for the caches whose keys are digests of a text.
    removed : dict of str to int
        Lines, rows or vectors, by place.
    left : list of str
        Places that hold them still, each with the reason.
    """

    conversations: set[str] = field(default_factory=set)
    texts: set[str] = field(default_factory=set)
    removed: dict[str, int] = field(default_factory=dict)
    left: list[str] = field(default_factory=list)

    def note(self, place: str, count: int) -> None:
        """Add to what was removed there."""
        self.removed[place] = self.removed.get(place, 0) + count


def forget_in_dataset(folder: Path, customer: str, found: Forgotten) -> None:
    """Remove a person's lines from every JSON Lines file of a dataset folder.

    A conversation is theirs by its customer; labels, facts and other lines follow by its id.

    Raises
    ------
    DataError
        When the folder has no transcripts or a file can't be written.
    """
    transcripts = folder / "transcripts.jsonl"
    if not transcripts.is_file():
        raise DataError(f"{folder}: expected a dataset folder with transcripts.jsonl; found none.")
    with transcripts.open("rb") as stream:
        for _, document in read_objects(stream):
            if isinstance(document, dict) and _is_theirs(document.get("customer"), customer):
                found.conversations.add(str(document.get("id")))
                turns = document.get("turns")
                found.texts |= {
                    str(turn.get("text"))
                    for turn in (turns if isinstance(turns, list) else [])
                    if isinstance(turn, dict)
                }
    for file in sorted(folder.glob("*.jsonl")):
        _rewrite(file, lambda line: _names(line, found.conversations), found)


def forget_in_reviews(folder: Path, found: Forgotten) -> None:
    """Remove what reviewers said of a person's conversations, as far as those were found.

    Raises
    ------
    DataError
        When the folder has no reviews or they can't be written.
    """
    labels = folder / LABELS
    if not labels.is_file():
        raise DataError(f"{folder}: expected a reviews folder with {LABELS}; found none.")
    _rewrite(labels, lambda line: _names(line, found.conversations), found)


def _is_theirs(who: object, customer: str) -> bool:
    return isinstance(who, dict) and customer in (who.get("id"), who.get("email"))


def _names(line: bytes, conversations: set[str]) -> bool:
    try:
        document = json.loads(line)
    except ValueError:
        return False
    keys = ("id", "conversation_id")
    return isinstance(document, dict) and any(document.get(k) in conversations for k in keys)


def _rewrite(file: Path, drop: Callable[[bytes], bool], found: Forgotten) -> None:
    """Write a file anew without some lines, then overwrite the bytes of the former one."""
    lines = file.read_bytes().splitlines(keepends=True)
    kept = [line for line in lines if not drop(line)]
    if len(kept) == len(lines):
        return
    partial = file.with_name(f".{file.name}.partial")
    try:
        with partial.open("wb") as stream:
            stream.writelines(kept)
            os.fsync(stream.fileno())
        with file.open("r+b") as former:
            partial.replace(file)
            former.write(b"\0" * sum(map(len, lines)))
            os.fsync(former.fileno())
    except OSError as error:
        raise DataError(f"{file}: can't be written ({error.strerror}).") from None
    found.note(str(file), len(lines) - len(kept))


def forget_in_store(where: str, customer: str, found: Forgotten) -> None:
    """Remove a person from an outbox, and from a service's state where it is one.

    An email that was not sent yet is removed and never sent. A digest that lists them is removed
    too; if it was not sent, its other conversations wait for the next one.

    Raises
    ------
    SettingsError
        When there is no such store.
    DeliveryError
        When it can't be written; nothing was changed then.
    """
    outbox = open_outbox(where)
    try:
        with outbox.together(lock="forget") as run:
            state = outbox.has_table(run, "conversations")
            if state:
                rows = run(
                    "SELECT conversation_id FROM conversations"
                    " WHERE customer_id = :who OR customer_email = :who",
                    {"who": customer},
                ).fetchall()
                found.conversations |= {row["conversation_id"] for row in rows}
            emails = digests = stated = 0
            for name in sorted(found.conversations | set(_written_about(outbox, customer))):
                key = {"id": name}
                digests += _release(run, name)
                emails += run(
                    "DELETE FROM outbox WHERE conversation_id = :id AND kind = 'email'", key
                ).rowcount
                if state and name in found.conversations:
                    texts = run("SELECT text FROM turns WHERE conversation_id = :id", key)
                    found.texts |= {row["text"] for row in texts.fetchall()}
                    run("DELETE FROM turns WHERE conversation_id = :id", key)
                    run("DELETE FROM decisions WHERE conversation_id = :id", key)
                    stated += run(
                        "DELETE FROM conversations WHERE conversation_id = :id", key
                    ).rowcount
        outbox.compact()
    finally:
        outbox.close()
    found.note(f"{_shown(where)}: emails and digests", emails + digests)
    if state:
        found.note(f"{_shown(where)}: conversations with turns and decisions", stated)


def _written_about(outbox: Outbox, customer: str) -> Iterator[str]:
    """Yield conversations whose email is to be answered to this address."""
    if "@" not in customer:
        return
    with outbox.reading() as run:
        rows = run("SELECT conversation_id, content FROM outbox WHERE kind = 'email'", {})
        for row in rows.fetchall():
            head = bytes(row["content"]).partition(b"\r\n\r\n")[0].lower()
            replies = [line for line in head.split(b"\r\n") if line.startswith(b"reply-to:")]
            if any(customer.lower().encode() in line for line in replies):
                yield row["conversation_id"]


def _release(run: Run, conversation_id: str) -> int:
    """Remove the digests that list a conversation and free the others of one that wasn't sent."""
    rows = run(
        "SELECT digest_id FROM outbox WHERE conversation_id = :id AND kind = 'email'"
        " AND digest_id IS NOT NULL",
        {"id": conversation_id},
    ).fetchall()
    for row in rows:
        key = {"digest": row["digest_id"]}
        run("UPDATE outbox SET digest_id = NULL WHERE digest_id = :digest", key)
        run("DELETE FROM outbox WHERE id = :digest", key)
    return len(rows)


def _shown(where: str) -> str:
    return where.rpartition("@")[2] if "://" in where else where


def forget_in_artifacts(folder: Path, customer: str, found: Forgotten) -> None:
    """Remove rows about a person from the tables of a tracking store; name what names them still.

    Parameters
    ----------
    folder : Path
        Of the artifacts.
    customer : str
    found : Forgotten
    """
    names = found.conversations | {customer}
    for file in sorted(path for path in folder.rglob("*") if path.is_file()):
        if file.suffix == ".csv":
            _rewrite(file, lambda line: _cells(line) & names != set(), found)
        look_into(file, customer, found)


def look_into(file: Path, customer: str, found: Forgotten) -> None:
    """Note a file of a tracking store that names a person or one of their conversations still."""
    if _holds(file, found.conversations | {customer}):
        found.left.append(f"{file} (names them, and is no table: delete its run)")


def _cells(line: bytes) -> set[str]:
    return set(next(csv.reader([line.decode("utf-8", "replace")]), []))


def _holds(file: Path, names: Iterable[str]) -> bool:
    words = b"|".join(re.escape(name.encode()) for name in names)
    return re.search(rb"(?<![\w-])(?:" + words + rb")(?![\w-])", file.read_bytes()) is not None
