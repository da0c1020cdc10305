"""JSON exports: a document, a list of them, an envelope around a list, or one a line."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from handoff_eval.errors import DataError
from handoff_eval.transcripts.formats.base import Advance, Draft, Format, ImportOptions, Meter
from handoff_eval.transcripts.jsonl import parse_json, read_objects
from handoff_eval.transcripts.refusals import FieldError, Refusal, shown

MAX_DOCUMENT_BYTES = 2**30
_LINE_SUFFIXES = (".jsonl", ".ndjson")
_REPORT_EVERY = 2**20


@dataclass(frozen=True, slots=True)
class Source:
    """One document of an export with what stands around it.

    Attributes
    ----------
    document : mapping
    envelope : mapping
        The object whose list the document was found in; the document itself where there is none.
    fallback_id : str
        An id made of file and place, for formats whose documents may have none.
    """

    document: Mapping[str, Any]
    envelope: Mapping[str, Any]
    fallback_id: str


@dataclass(frozen=True, slots=True)
class Converted:
    """A conversation in the dataset format and the names the source gives of its people."""

    document: dict[str, Any]
    names: tuple[str, ...] = ()


Convert = Callable[[Source, ImportOptions], Converted]


def json_format(name: str, summary: str, *, lists: tuple[str, ...], convert: Convert) -> Format:
    """Return a format of JSON documents.

    Parameters
    ----------
    name, summary : str
    lists : tuple of str
        Fields of an envelope that hold the list of documents.
    convert : callable
        Makes one conversation; raises FieldError for a document that isn't one.
    """

    def read(path: Path, options: ImportOptions, advance: Advance) -> Iterator[Draft | Refusal]:
        if path.suffix in _LINE_SUFFIXES:
            found = _from_lines(path, lists, advance)
        else:
            found = _from_document(path, lists, advance)
        for file, line, source in found:
            try:
                if isinstance(source, FieldError):
                    raise source
                converted = convert(source, options)
            except FieldError as error:
                yield error.at(file, line)
                continue
            yield Draft(file, line, converted.document, converted.names)

    return Format(name, summary, (".json", *_LINE_SUFFIXES), read)


_Found = tuple[str, int | None, Source | FieldError]


def _from_lines(path: Path, lists: tuple[str, ...], advance: Advance) -> Iterator[_Found]:
    """Yield what each line holds, one line in memory at a time."""
    meter = Meter(advance)
    with path.open("rb") as stream:
        for line, document in read_objects(stream):
            meter.to(stream.tell() // _REPORT_EVERY * _REPORT_EVERY)
            if isinstance(document, FieldError):
                yield path.name, line, document
                continue
            for _, source in _inside(document, lists, f"{path.stem}-{line}"):
                yield path.name, line, source
        meter.to(stream.tell())


def _from_document(path: Path, lists: tuple[str, ...], advance: Advance) -> Iterator[_Found]:
    """Yield what a whole document holds, or its lines where it turns out to be several."""
    size = path.stat().st_size
    if size > MAX_DOCUMENT_BYTES:
        raise DataError(
            f"Expected {path.name} to be at most 1 GiB, since a JSON document is read whole; got "
            f"{size / 2**30:.1f} GiB. Write one conversation a line into a .jsonl file."
        )
    try:
        value = parse_json(path.read_bytes().removeprefix(b"\xef\xbb\xbf"))
    except FieldError as error:
        if "Extra data" not in error.got:
            raise DataError(f"{path.name}: expected {error.expected}; got {error.got}.") from None
        yield from _from_lines(path, lists, advance)
        return
    advance(size)
    for number, source in _inside(value, lists, path.stem):
        file = path.name if number is None else f"{path.name}, conversation {number}"
        yield file, None, source


def _inside(
    value: Any, lists: tuple[str, ...], stem: str
) -> Iterator[tuple[int | None, Source | FieldError]]:
    """Yield the documents of a value, counted from 1 where it is a list or an envelope."""
    envelope: Mapping[str, Any] = value if isinstance(value, dict) else {}
    held = next((envelope[name] for name in lists if isinstance(envelope.get(name), list)), None)
    if isinstance(value, list):
        held = value
    if held is None:
        yield None, _source(value, envelope, stem)
        return
    for number, document in enumerate(held, 1):
        yield number, _source(document, envelope, f"{stem}-{number}")


def _source(document: Any, envelope: Mapping[str, Any], fallback_id: str) -> Source | FieldError:
    if not isinstance(document, dict):
        return FieldError(None, "a JSON object", shown(document))
    return Source(document, envelope, fallback_id)
