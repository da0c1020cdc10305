"""Lines of JSON objects from bytes that may be anything, in memory bounded by one line."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import Any, BinaryIO

from handoff_eval.transcripts.refusals import FieldError, escaped, shown

MAX_LINE_BYTES = 16 * 2**20
_BOM = b"\xef\xbb\xbf"
_CHUNK = 2**20


def read_objects(stream: BinaryIO) -> Iterator[tuple[int, dict[str, Any] | FieldError]]:
    """Yield line number and JSON object, or what is wrong with the line; blank lines are skipped.

    Lines end with LF or CRLF and are UTF-8; a byte order mark before the first one is dropped.
    A line above `MAX_LINE_BYTES` is read past without being kept.
    """
    number = 0
    while line := stream.readline(MAX_LINE_BYTES + 1):
        number += 1
        if len(line) > MAX_LINE_BYTES and not line.endswith(b"\n"):
            size = len(line) + _skip_line(stream)
            yield number, too_long(size)
            continue
        if number == 1:
            line = line.removeprefix(_BOM)
        if not line.strip():
            continue
        try:
            yield number, parse_object(line.rstrip(b"\r\n"))
        except FieldError as fault:
            yield number, fault


def too_long(size: int) -> FieldError:
    """Return what is wrong with a line, or a conversation, of so many bytes."""
    return FieldError(None, "at most 16 MiB long", f"{size / 2**20:.1f} MiB")


def parse_object(line: bytes) -> dict[str, Any]:
    """Return the JSON object of one line.

    Raises
    ------
    FieldError
        When the bytes aren't one strict JSON object (see `parse_json`).
    """
    value = parse_json(line)
    if not isinstance(value, dict):
        raise FieldError(None, "a JSON object", shown(value))
    return value


def parse_json(data: bytes) -> Any:
    """Return a JSON value whose keys are given once, whose numbers are finite, in UTF-8.

    Raises
    ------
    FieldError
        When the bytes aren't UTF-8, hold NUL, aren't strict JSON, or hold texts that can't be
        written again.
    """
    text = decode(data)
    if "\0" in text:
        got = f"one at position {text.index(chr(0)) + 1}"
        raise FieldError(None, "free of NUL characters", got)
    try:
        value = json.loads(
            text,
            object_pairs_hook=_object_with_single_keys,
            parse_constant=_refuse_constant,
            parse_float=_finite,
        )
    except json.JSONDecodeError as error:
        got = f"JSON that breaks at position {error.pos + 1} ({error.msg})"
        raise FieldError(None, "a JSON object", got) from None
    except RecursionError:
        raise FieldError(None, "a JSON object", "one nested too deeply to read") from None
    except ValueError:
        raise FieldError(
            None, "a JSON object", "a whole number of more digits than can be read"
        ) from None
    if "\\u" in text:
        refuse_unwritable(value)
    return value


def decode(data: bytes, field: str | None = None) -> str:
    """Return bytes as text.

    Raises
    ------
    FieldError
        When they aren't UTF-8.
    """
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        got = f"byte 0x{data[error.start]:02x} at position {error.start + 1}"
        raise FieldError(field, "text in UTF-8", got) from None


def refuse_unwritable(value: Any, where: str = "") -> None:
    """Refuse NUL and lone surrogates, which no JSON line in UTF-8 should carry.

    Raises
    ------
    FieldError
        With the place of the first text that holds one.
    """
    if isinstance(value, str):
        if "\0" in value:
            raise FieldError(where or None, "free of NUL characters", shown(value))
        if not value.isascii() and any("\ud800" <= c <= "\udfff" for c in value):
            raise FieldError(where or None, "free of lone surrogates", shown(value))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            refuse_unwritable(item, f"{where}[{index}]")
    elif isinstance(value, dict):
        for key, item in value.items():
            place = f"{where}.{escaped(key)}" if where else escaped(key)
            refuse_unwritable(key, place)
            refuse_unwritable(item, place)


def _skip_line(stream: BinaryIO) -> int:
    """Read to the end of the line and return how many bytes that took."""
    size = 0
    while chunk := stream.readline(_CHUNK):
        size += len(chunk)
        if chunk.endswith(b"\n"):
            break
    return size


def _object_with_single_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise FieldError(escaped(twice), "given once", f"it {keys.count(twice)} times")
    return result


def _refuse_constant(name: str) -> Any:
    raise FieldError(None, "JSON whose numbers are finite", name)


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise FieldError(None, "JSON whose numbers are finite", shown(text))
    return value
