"""Saving labels one by one into a dataset's `labels.jsonl`, so that a crash loses none.

A first answer is appended: one line, one write, on the disk before `save_labels` returns. An
answer that replaces an earlier one of the same annotator rewrites the file without the earlier
line, into a file beside it that takes its place in one step, since the reader refuses a second
label of one annotator. Lines that can't be read are kept as they are, so a rewrite destroys
nothing the reader has refused, and the file stays in the order in which the labels were given.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from handoff_eval.conversation import Label
from handoff_eval.errors import DataError, SettingsError
from handoff_eval.transcripts.jsonl import parse_object
from handoff_eval.transcripts.read import Dataset
from handoff_eval.transcripts.refusals import FieldError
from handoff_eval.transcripts.write import LABELS, label_to_dict, to_line

if sys.platform != "win32":
    import fcntl

_BOM = b"\xef\xbb\xbf"
_Key = tuple[str, str | None]


@dataclass(frozen=True, slots=True)
class Saved:
    """How many labels were new, and how many took the place of an earlier one."""

    added: int
    replaced: int


def check_annotator(name: str) -> str:
    """Return an annotator's name without the blanks around it.

    Raises
    ------
    SettingsError
        When nothing is left of it, or it isn't one line.
    """
    stripped = name.strip()
    if not stripped or not stripped.isprintable():
        raise SettingsError(f"Expected the annotator's name on one line; got {name!r}.")
    return stripped


def labels_of(dataset: Dataset, annotator: str) -> dict[str, Label]:
    """Return one annotator's labels by conversation id, in the order they were given."""
    return {
        label.conversation_id: label for label in dataset.labels if label.annotator == annotator
    }


def save_labels(folder: Path, labels: Sequence[Label]) -> Saved:
    """Put labels into a dataset's `labels.jsonl`; they are on the disk when this returns.

    Parameters
    ----------
    folder : Path
        The dataset. Several programs on one machine may save into it at once, except on Windows.
    labels : sequence of Label
        At most one of each conversation and annotator.

    Raises
    ------
    DataError
        When the file can't be written; it is then as it was, but for at most one unfinished
        last line, which the reader refuses.
    """
    # Through a link, the file itself is replaced and not the link.
    path = (Path(folder) / LABELS).resolve()
    keys = {(label.conversation_id, label.annotator) for label in labels}
    if len(keys) < len(labels):
        raise ValueError("Expected at most one label of each conversation and annotator.")
    if not labels:
        return Saved(added=0, replaced=0)
    new = "".join(to_line(label_to_dict(label)) for label in labels).encode()
    try:
        with locked(path.parent):
            lines = _lines(path)
            whose = [_key(line) for line in lines]
            earlier = keys.intersection(key for key in whose if key is not None)
            if earlier:
                kept = [line for line, key in zip(lines, whose, strict=True) if key not in keys]
                _rewrite(path, kept, new)
            else:
                _append(path, new, finished=lines[-1] == b"")
    except OSError as error:
        raise DataError(
            f"{path}: the label could not be saved ({error.strerror}). Make room or change the "
            "file's permissions, then save it again."
        ) from None
    return Saved(added=len(labels) - len(earlier), replaced=len(earlier))


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the folder's lock, which the system takes back when its holder is killed."""
    if sys.platform == "win32":
        yield
        return
    with _opened(folder) as descriptor:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield


@contextmanager
def _opened(folder: Path) -> Iterator[int]:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _lines(path: Path) -> list[bytes]:
    """Return the lines as the reader counts them, the last one empty where it is finished."""
    try:
        return path.read_bytes().removeprefix(_BOM).split(b"\n")
    except FileNotFoundError:
        return [b""]


def _key(line: bytes) -> _Key | None:
    """Return whose label of what a line is; None where it isn't one that can be read."""
    try:
        document = parse_object(line)
    except FieldError:
        return None
    conversation_id, annotator = document.get("conversation_id"), document.get("annotator")
    if isinstance(conversation_id, str) and isinstance(annotator, str | None):
        return conversation_id, annotator
    return None


def _append(path: Path, new: bytes, *, finished: bool) -> None:
    created = not path.exists()
    with path.open("ab") as stream:
        # A line cut short by a crash must not swallow the label that comes after it.
        stream.write(new if finished else b"\n" + new)
        _onto_disk(stream)
    if created:
        _names_onto_disk(path.parent)


def _rewrite(path: Path, kept: Sequence[bytes], new: bytes) -> None:
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with unfinished.open("wb") as stream:
            stream.writelines(line + b"\n" for line in kept if line)
            stream.write(new)
            _onto_disk(stream)
        shutil.copymode(path, unfinished)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
    _names_onto_disk(path.parent)


def _onto_disk(stream: IO[bytes]) -> None:
    stream.flush()
    os.fsync(stream.fileno())


def _names_onto_disk(folder: Path) -> None:
    """Make a new name in a folder outlast a power cut; Windows has no way to and needs none."""
    if os.name != "nt":
        with _opened(folder) as descriptor:
            os.fsync(descriptor)
