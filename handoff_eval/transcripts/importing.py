"""From another tool's export to a dataset folder, one conversation in memory at a time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from handoff_eval.conversation import Conversation
from handoff_eval.errors import DataError
from handoff_eval.transcripts.formats.base import Advance, Draft, Format, ImportOptions
from handoff_eval.transcripts.jsonl import refuse_unwritable
from handoff_eval.transcripts.mask import Masker, key_of, save_key
from handoff_eval.transcripts.parse import parse_conversation
from handoff_eval.transcripts.read import iter_conversations
from handoff_eval.transcripts.refusals import FieldError, Refusal, shown
from handoff_eval.transcripts.write import TRANSCRIPTS, write_conversations

KEPT_REFUSALS = 100


@dataclass(slots=True)
class ImportSummary:
    """What an import did.

    Attributes
    ----------
    conversations, turns : int
        Written.
    refused : int
        Conversations, or rows that belong to none, that were not.
    refusals : list of Refusal
        The first hundred of them.
    """

    conversations: int = 0
    turns: int = 0
    refused: int = 0
    refusals: list[Refusal] = field(default_factory=list)

    def refuse(self, refusal: Refusal) -> None:
        """Count a refusal, and keep it while there is room."""
        self.refused += 1
        if len(self.refusals) < KEPT_REFUSALS:
            self.refusals.append(refusal)


def source_files(source: Path, form: Format) -> list[Path]:
    """Return the file, or the files of a folder that the format reads, by name.

    Raises
    ------
    DataError
        When there is nothing to read.
    """
    if source.is_file():
        return [source]
    if not source.is_dir():
        raise DataError(f"Expected a file or folder at {source}; there is none. Check the path.")
    files = sorted(p for p in source.rglob("*") if p.suffix in form.suffixes and p.is_file())
    if not files:
        raise DataError(
            f"Expected files ending in {', '.join(form.suffixes)} in {source}; got none."
        )
    return files


def import_conversations(
    form: Format,
    source: Path,
    folder: Path,
    *,
    options: ImportOptions,
    mask: bool = False,
    append: bool = False,
    advance: Advance = lambda _: None,
) -> ImportSummary:
    """Write the conversations of a source into a dataset folder.

    The folder's transcripts change only when all of the source has been read.

    Parameters
    ----------
    form : Format
    source : Path
        A file, or a folder whose files are all read.
    folder : Path
        Made where it is missing.
    options : ImportOptions
    mask : bool
        Replace personal data by pseudonyms (`transcripts.mask`).
    append : bool
        Add to the transcripts that the folder has.
    advance : callable
        Told how many more bytes have been read.

    Raises
    ------
    DataError
        When the source can't be read or holds no usable conversation, or the folder has
        transcripts already and `append` is False.
    SettingsError
        When the options don't fit the source.
    """
    files = source_files(source, form)
    target = folder / TRANSCRIPTS
    if target.exists() and not append:
        raise DataError(
            f"Expected a folder without {TRANSCRIPTS}; {folder} has one. Choose another folder, "
            "or give --append to add to it."
        )
    key = key_of(folder) if mask else None
    summary = ImportSummary()
    is_new = not folder.exists()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        conversations = _conversations(form, files, target, options, key, advance, summary)
        write_conversations(conversations, target, keep=append)
    except OSError as error:
        raise DataError(
            f"{error.filename or source}: can't be read or written; {error.strerror}."
        ) from None
    finally:
        if is_new:
            with suppress(OSError):
                folder.rmdir()
    if key is not None:
        save_key(folder, key)
    return summary


def _conversations(
    form: Format,
    files: list[Path],
    target: Path,
    options: ImportOptions,
    key: bytes | None,
    advance: Advance,
    summary: ImportSummary,
) -> Iterator[Conversation]:
    masker = None if key is None else Masker(key)
    seen = set()
    if target.exists():
        seen = {item.id for item in iter_conversations(target) if isinstance(item, Conversation)}
    for file in files:
        for item in form.read(file, options, advance):
            try:
                if isinstance(item, Refusal):
                    summary.refuse(item)
                    continue
                conversation = _conversation(item, masker)
                if conversation.id in seen:
                    raise FieldError(
                        "id", "an id that no conversation before has", shown(conversation.id)
                    )
            except FieldError as error:
                summary.refuse(error.at(item.file, item.line))
                continue
            seen.add(conversation.id)
            summary.conversations += 1
            summary.turns += len(conversation.turns)
            yield conversation
    if not summary.conversations:
        first = f" The first: {summary.refusals[0]}" if summary.refusals else ""
        raise DataError(
            f"Expected at least one usable conversation; {summary.refused} were refused.{first}"
        )


def _conversation(draft: Draft, masker: Masker | None) -> Conversation:
    """Return the checked conversation, its turns in the order of time where all have one.

    A customer known by address alone gets it as id, so that they stay on one split.
    """
    refuse_unwritable(draft.document)
    parsed = parse_conversation(draft.document)
    if masker is not None:
        parsed = parse_conversation(masker.document(draft.document, draft.names))
    times = [turn.at for turn in parsed.turns if turn.at is not None]
    turns = parsed.turns
    if len(times) == len(turns):
        order = sorted(range(len(turns)), key=lambda index: times[index])
        turns = tuple(turns[index] for index in order)
    customer = parsed.customer
    if customer.id is None and customer.email is not None:
        customer = replace(customer, id=customer.email.casefold())
    started = parsed.started_at or (min(times) if times else None)
    return replace(parsed, turns=turns, customer=customer, started_at=started)
