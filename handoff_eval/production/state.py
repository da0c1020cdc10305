"""A trigger's state as JSON and back, so that a service can restart in the middle of a talk.

The schema is the type that the trigger's `start` is annotated with. Nothing in the stored text
names a class, so reading it can build nothing but that type.
"""

from __future__ import annotations

import base64
import types
import typing
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import datetime
from enum import Enum
from typing import Any

import numpy as np

from handoff_eval.errors import DataError

_DTYPES = {"float32", "float64", "int64", "int32"}


def state_type(owner: Any) -> Any:
    """Return the type of the states of a trigger or feature map.

    It is what `start` is annotated with; one that is made of parts names them in `state_parts`.
    """
    parts = getattr(owner, "state_parts", None)
    if parts is None:
        return typing.get_type_hints(type(owner).start)["return"]
    if isinstance(parts, tuple):
        return types.GenericAlias(tuple, tuple(state_type(part) for part in parts))
    return state_type(parts)


def state_to_json(state: Any) -> Any:
    """Return a state as JSON values.

    Raises
    ------
    TypeError
        When it holds something that a state may not be made of; that is a bug of its trigger.
    """
    if state is None or isinstance(state, bool | str | float):
        return state
    if isinstance(state, int):
        return str(state)
    if isinstance(state, Enum):
        return state.value
    if isinstance(state, datetime):
        return state.isoformat()
    if isinstance(state, np.ndarray):
        data = np.ascontiguousarray(state, dtype=state.dtype.newbyteorder("<"))
        return {
            "dtype": state.dtype.name,
            "shape": list(state.shape),
            "data": base64.b64encode(data.tobytes()).decode(),
        }
    if is_dataclass(state):
        return {f.name: state_to_json(getattr(state, f.name)) for f in fields(state)}
    if isinstance(state, tuple | list):
        return [state_to_json(item) for item in state]
    if isinstance(state, Mapping):
        return {str(key): state_to_json(value) for key, value in state.items()}
    raise TypeError(f"Expected a state of plain values and arrays; got {type(state).__name__}.")


def state_from_json(kind: Any, value: Any) -> Any:
    """Return the state of a type from what `state_to_json` gave.

    Raises
    ------
    DataError
        When the value is not one of that type.
    """
    try:
        return _read(kind, value)
    except DataError:
        raise
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DataError(
            f"Expected a saved state of {kind!r}; {type(error).__name__}: {error}. "
            "Replay the conversation's turns instead."
        ) from None


def _read(kind: Any, value: Any) -> Any:
    origin = typing.get_origin(kind)
    if kind is Any:
        return value
    if origin in {typing.Union, types.UnionType}:
        (inner,) = (part for part in typing.get_args(kind) if part is not type(None))
        return None if value is None else _read(inner, value)
    if origin is np.ndarray or kind is np.ndarray:
        return _array(value)
    if is_dataclass(kind):
        hints = typing.get_type_hints(kind)
        if set(value) != set(hints):
            raise ValueError(f"fields {sorted(value)} instead of {sorted(hints)}")
        return typing.cast(Any, kind)(**{name: _read(hints[name], value[name]) for name in hints})
    if origin is tuple:
        inner = typing.get_args(kind)
        kinds = [inner[0]] * len(value) if inner[-1] is Ellipsis else inner
        return tuple(_read(one, item) for one, item in zip(kinds, value, strict=True))
    if origin is not None and issubclass(origin, Mapping):
        of_keys, inner = typing.get_args(kind)
        return {of_keys(key): _read(inner, item) for key, item in value.items()}
    if kind is datetime:
        return datetime.fromisoformat(value)
    if kind is int or issubclass(kind, Enum):
        return kind(value)
    if kind is float and isinstance(value, int):
        return float(value)
    if not isinstance(value, kind):
        raise TypeError(f"{value!r} instead of {kind.__name__}")
    return value


def _array(value: Any) -> np.ndarray[Any, Any]:
    if value["dtype"] not in _DTYPES:
        raise ValueError(f"an array of {value['dtype']!r}")
    data = base64.b64decode(value["data"], validate=True)
    kind = np.dtype(value["dtype"]).newbyteorder("<")
    array = np.frombuffer(data, dtype=kind).reshape(value["shape"])
    return array.astype(kind.newbyteorder("="))
