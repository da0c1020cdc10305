"""Whether an ONNX graph keeps its weights inside its own file, and comes to an end.

A graph may name other files as the place of its weights ("external data"), and a runtime then
opens whatever path stands there; and it may hold a loop that never ends. A bundle's graphs need
neither, so one that does is refused before any runtime sees it. Only the few protobuf fields that
can hold a tensor or an operator are followed (onnx.proto3 of the ONNX project), so that deciding
needs no package for it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from handoff_eval.errors import BundleError

_VARINT, _EIGHT_BYTES, _BYTES, _FOUR_BYTES = 0, 1, 2, 5

_FOLLOWED: dict[str, dict[int, str]] = {
    "model": {7: "graph", 20: "training", 25: "function"},
    "training": {1: "graph", 2: "graph"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "function": {7: "node", 11: "attribute"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
    "tensor": {},
}
_TENSOR_EXTERNAL_DATA, _TENSOR_DATA_LOCATION = 13, 14
_NODE_OPERATOR, _LOOP = 4, b"Loop"
_MAX_DEPTH = 32


def refuse_unsafe_graph(path: Path) -> None:
    """Raise `BundleError` where a graph names other files or loops, or is no ONNX graph at all."""
    try:
        fault = _fault(memoryview(path.read_bytes()), "model", 0)
    except (IndexError, ValueError) as error:
        raise BundleError(f"{path}: expected an ONNX graph; {error}. Export again.") from None
    if fault:
        raise BundleError(
            f"{path}: expected a graph with its weights inside and without loops; {fault}. "
            "Don't use this bundle: an export never makes one."
        )


def _fault(message: memoryview, kind: str, depth: int) -> str:
    """Return what is wrong with a message; empty where nothing is."""
    if depth > _MAX_DEPTH:
        raise ValueError(f"it is nested more than {_MAX_DEPTH} levels deep")
    followed = _FOLLOWED[kind]
    for number, value in _fields(message):
        if kind == "tensor" and (
            number == _TENSOR_EXTERNAL_DATA or (number == _TENSOR_DATA_LOCATION and value != 0)
        ):
            return "it names other files"
        if not isinstance(value, memoryview):
            continue
        if kind == "node" and number == _NODE_OPERATOR and value == _LOOP:
            return "it has a loop"
        if number in followed and (fault := _fault(value, followed[number], depth + 1)):
            return fault
    return ""


def _fields(message: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """Yield number and value of each field; fixed-width values as bytes."""
    place = 0
    while place < len(message):
        key, place = _varint(message, place)
        number, wire = key >> 3, key & 7
        if wire == _VARINT:
            value, place = _varint(message, place)
            yield number, value
            continue
        if wire == _BYTES:
            size, place = _varint(message, place)
        elif wire == _EIGHT_BYTES:
            size = 8
        elif wire == _FOUR_BYTES:
            size = 4
        else:
            raise ValueError(f"it has a field of the unknown wire type {wire}")
        if place + size > len(message):
            raise ValueError("it ends in the middle of a field")
        yield number, message[place : place + size]
        place += size


def _varint(message: memoryview, place: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        if place >= len(message):
            raise ValueError("it ends in the middle of a number")
        byte = message[place]
        place += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, place
        shift += 7
        if shift > 63:
            raise ValueError("it has a number of more than 64 bits")
