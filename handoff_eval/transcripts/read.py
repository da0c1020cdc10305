"""A dataset folder as conversations, labels and the lines that had to be refused."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from handoff_eval.conversation import (
    ADJUDICATED,
    Conversation,
    Label,
    LabeledConversation,
    ReferenceFact,
    Split,
)
from handoff_eval.errors import DataError
from handoff_eval.transcripts.jsonl import read_objects
from handoff_eval.transcripts.parse import parse_conversation, parse_label
from handoff_eval.transcripts.reference import parse_facts
from handoff_eval.transcripts.refusals import FieldError, Refusal, shown
from handoff_eval.transcripts.write import (
    DATASHEET,
    FACTS,
    LABELS,
    TRANSCRIPTS,
    conversation_to_dict,
    label_to_dict,
)


@dataclass(frozen=True, slots=True)
class Counts:
    """How many there are, of the whole dataset or of one split."""

    conversations: int
    customers: int
    labeled: int
    positives: int
    unlabeled: int


@dataclass(frozen=True, slots=True)
class Dataset:
    """What a dataset folder holds.

    Attributes
    ----------
    name : str
        Name of the folder.
    path : Path
        The folder.
    conversations : tuple of Conversation
        In file order, each id once.
    labels : tuple of Label
        All labels of all annotators, in file order; each names one of the conversations.
    refusals : tuple of Refusal
        The lines that were not used, in file order, transcripts first.
    digest : str
        sha256 over the content of both files. Spacing, key order and refused lines don't
        change it; any change to a conversation, a label or their order does.
    datasheet : Path or None
        The folder's README.md, where there is one.
    facts : mapping of str to tuple of ReferenceFact
        What a summary of a conversation must keep, by its id, where somebody wrote it down. No
        trigger sees them, so they are no part of the digest.
    """

    name: str
    path: Path
    conversations: tuple[Conversation, ...]
    labels: tuple[Label, ...]
    refusals: tuple[Refusal, ...]
    digest: str
    datasheet: Path | None = None
    facts: Mapping[str, tuple[ReferenceFact, ...]] = field(default_factory=dict)

    def labeled(self, split: Split | None = None) -> tuple[LabeledConversation, ...]:
        """Return the labelled conversations of one split (None: all) with the label of record.

        That label is the adjudicated one where there is one, else the last one written, beside
        which the other annotators' stand.
        """
        counting = self.labels_of_record()
        others: dict[str, tuple[Label, ...]] = {}
        for label in self.labels:
            held = counting[label.conversation_id]
            if label is not held and held.annotator != ADJUDICATED:
                others[label.conversation_id] = (*others.get(label.conversation_id, ()), label)
        return tuple(
            LabeledConversation(
                conversation, counting[conversation.id], others.get(conversation.id, ())
            )
            for conversation in self._of(split)
            if conversation.id in counting
        )

    def unlabeled(self, split: Split | None = None) -> tuple[Conversation, ...]:
        """Return the conversations of one split (None: all) that nobody has labelled."""
        known = {label.conversation_id for label in self.labels}
        return tuple(c for c in self._of(split) if c.id not in known)

    def labels_of_record(self) -> dict[str, Label]:
        """Return the label that counts of each labelled conversation, by its id."""
        return of_record(self.labels)

    def counts(self, split: Split | None = None) -> Counts:
        """Return the numbers of one split (None: of the whole dataset)."""
        conversations = self._of(split)
        labeled = self.labeled(split)
        return Counts(
            conversations=len(conversations),
            customers=len({conversation.group for conversation in conversations}),
            labeled=len(labeled),
            positives=sum(item.label.handoff for item in labeled),
            unlabeled=len(conversations) - len(labeled),
        )

    def _of(self, split: Split | None) -> tuple[Conversation, ...]:
        if split is None:
            return self.conversations
        return tuple(c for c in self.conversations if c.split is split)


def of_record(labels: Iterable[Label]) -> dict[str, Label]:
    """Return the label that counts of each conversation: the adjudicated one, else the last."""
    counting: dict[str, Label] = {}
    for label in labels:
        held = counting.get(label.conversation_id)
        if held is None or held.annotator != ADJUDICATED:
            counting[label.conversation_id] = label
    return counting


def iter_conversations(
    source: Path | BinaryIO, *, name: str | None = None
) -> Iterator[Conversation | Refusal]:
    """Yield the conversations of a file or binary stream, and a refusal for each unusable line.

    Nothing is kept between lines, so a stream may be endless; an id that comes twice is a matter
    of the dataset (`read_dataset`) and is not seen here.

    Parameters
    ----------
    source : Path or binary stream
        JSON lines, such as `sys.stdin.buffer`.
    name : str, optional
        What refusals call the source; the file's name, or `stdin`, when None.

    Raises
    ------
    DataError
        When the file can't be opened or read.
    """
    if isinstance(source, Path):
        label = name or source.name
        try:
            with source.open("rb") as stream:
                yield from iter_conversations(stream, name=label)
        except OSError as error:
            raise DataError(
                f"{source}: expected a readable file of transcripts; {error.strerror}."
            ) from None
        return
    for line, document in read_objects(source):
        if isinstance(document, FieldError):
            yield document.at(name or "stdin", line)
            continue
        try:
            yield parse_conversation(document)
        except FieldError as fault:
            yield fault.at(name or "stdin", line)


def read_dataset(folder: Path) -> Dataset:
    """Read a dataset folder, keeping every good line and naming every other one.

    `labels.jsonl` may be missing: then it is traffic without labels.

    Raises
    ------
    DataError
        When the folder or its transcripts are missing or unreadable, or no conversation in it
        is usable.
    """
    folder = Path(folder)
    if not folder.exists():
        raise DataError(f"Expected a dataset folder at {folder}; there is none. Check the path.")
    if not folder.is_dir():
        raise DataError(
            f"Expected a folder that holds {TRANSCRIPTS}; got the file {folder}. Give its folder."
        )
    if not (folder / TRANSCRIPTS).exists():
        raise DataError(
            f"Expected {TRANSCRIPTS} in {folder}; there is none. "
            "Make one with 'handoff-eval import', or check the path."
        )
    conversations, refusals, refused_ids = _read_transcripts(folder / TRANSCRIPTS)
    if not conversations:
        raise DataError(_nothing_usable(folder, refusals))
    labels: list[Label] = []
    if (folder / LABELS).exists():
        labels, refused_labels = _read_labels(folder / LABELS, conversations, refused_ids)
        refusals += refused_labels
    facts: dict[str, tuple[ReferenceFact, ...]] = {}
    if (folder / FACTS).exists():
        facts, refused_facts = _read_facts(folder / FACTS, conversations)
        refusals += refused_facts
    datasheet = folder / DATASHEET
    return Dataset(
        name=folder.resolve().name,
        path=folder,
        conversations=tuple(conversations.values()),
        labels=tuple(labels),
        refusals=tuple(refusals),
        digest=content_digest(conversations.values(), labels),
        datasheet=datasheet if datasheet.is_file() else None,
        facts=facts,
    )


def content_digest(conversations: Iterable[Conversation], labels: Iterable[Label]) -> str:
    """Return the sha256 of conversations and labels in their order, in one canonical form."""
    digest = hashlib.sha256()
    for kind, documents in (
        ("transcripts", map(conversation_to_dict, conversations)),
        ("labels", map(label_to_dict, labels)),
    ):
        digest.update(f"{kind}\n".encode())
        for document in documents:
            digest.update(_canonical(document))
    return digest.hexdigest()


def _canonical(document: Mapping[str, Any]) -> bytes:
    text = json.dumps(document, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return f"{text}\n".encode()


def _read_transcripts(
    path: Path,
) -> tuple[dict[str, Conversation], list[Refusal], dict[str, int]]:
    """Return the conversations by id, the refusals, and the line of each id that was refused."""
    conversations: dict[str, Conversation] = {}
    first_line: dict[str, int] = {}
    refused_ids: dict[str, int] = {}
    refusals: list[Refusal] = []
    for line, document in _objects(path):
        try:
            if isinstance(document, FieldError):
                raise document
            conversation = parse_conversation(document)
            if conversation.id in conversations:
                raise FieldError(
                    "id",
                    "an id that no line before has",
                    f"{shown(conversation.id)}, as on line {first_line[conversation.id]}",
                )
        except FieldError as fault:
            refusals.append(fault.at(path.name, line))
            if isinstance(document, dict) and isinstance(document.get("id"), str):
                refused_ids.setdefault(document["id"], line)
            continue
        conversations[conversation.id] = conversation
        first_line[conversation.id] = line
    return conversations, refusals, refused_ids


def _read_labels(
    path: Path, conversations: Mapping[str, Conversation], refused_ids: Mapping[str, int]
) -> tuple[list[Label], list[Refusal]]:
    labels: list[Label] = []
    refusals: list[Refusal] = []
    first_line: dict[tuple[str, str | None], int] = {}
    for line, document in _objects(path):
        try:
            if isinstance(document, FieldError):
                raise document
            label = parse_label(document)
            _check_against(label, conversations, refused_ids)
            key = (label.conversation_id, label.annotator)
            if key in first_line:
                who = "no annotator" if label.annotator is None else shown(label.annotator)
                raise FieldError(
                    "annotator",
                    f"one that has not labelled {shown(label.conversation_id)} before",
                    f"{who}, as on line {first_line[key]}",
                )
        except FieldError as fault:
            refusals.append(fault.at(path.name, line))
            continue
        labels.append(label)
        first_line[key] = line
    return labels, refusals


def _read_facts(
    path: Path, conversations: Mapping[str, Conversation]
) -> tuple[dict[str, tuple[ReferenceFact, ...]], list[Refusal]]:
    facts: dict[str, tuple[ReferenceFact, ...]] = {}
    refusals: list[Refusal] = []
    first_line: dict[str, int] = {}
    for line, document in _objects(path):
        try:
            if isinstance(document, FieldError):
                raise document
            conversation_id, found = parse_facts(document, conversations)
            if conversation_id in facts:
                raise FieldError(
                    "conversation_id",
                    "one that no line before has",
                    f"{shown(conversation_id)}, as on line {first_line[conversation_id]}",
                )
        except FieldError as fault:
            refusals.append(fault.at(path.name, line))
            continue
        facts[conversation_id] = found
        first_line[conversation_id] = line
    return facts, refusals


def _check_against(
    label: Label, conversations: Mapping[str, Conversation], refused_ids: Mapping[str, int]
) -> None:
    conversation = conversations.get(label.conversation_id)
    if conversation is None:
        got = shown(label.conversation_id)
        if label.conversation_id in refused_ids:
            got += f", refused on line {refused_ids[label.conversation_id]} there"
        raise FieldError("conversation_id", f"the id of a conversation in {TRANSCRIPTS}", got)
    last = len(conversation.turns) - 1
    if label.at_turn is not None and label.at_turn > last:
        raise FieldError(
            "at_turn",
            f"at most {last}, the last turn of {shown(conversation.id)}, or null for its close",
            shown(label.at_turn),
        )


def _objects(path: Path) -> Iterator[tuple[int, dict[str, Any] | FieldError]]:
    try:
        with path.open("rb") as stream:
            yield from read_objects(stream)
    except OSError as error:
        raise DataError(f"{path}: expected a readable file; {error.strerror}.") from None


def _nothing_usable(folder: Path, refusals: list[Refusal]) -> str:
    if not refusals:
        return f"Expected conversations in {folder / TRANSCRIPTS}; the file is empty."
    return (
        f"Expected at least one usable conversation in {folder / TRANSCRIPTS}; all "
        f"{len(refusals)} lines were refused. The first: {refusals[0]}"
    )
