"""Changing one handoff of a TOML file: the others, the comments and the order stay.

The file is written anew beside the old one, read as production would read it, and only then put
in its place.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from handoff_eval.errors import MissingExtraError, SettingsError
from handoff_eval.handoff import Handoff, parse_handoffs, read_handoffs
from handoff_eval.transcripts.label_store import locked

LINE = 80
"""A longer text is written as one of several lines."""


def read_table(path: Path, name: str) -> dict[str, Any]:
    """Return a handoff's fields as they stand in the file.

    Raises
    ------
    SettingsError
        When the file can't be used or has no such handoff.
    """
    read_handoffs(path)
    table = _find(_document(path), name)
    if table is None:
        raise SettingsError(f"{path}: expected a handoff {name!r}; there is none.")
    plain: dict[str, Any] = table.unwrap()
    return plain


def save_handoff(
    path: Path,
    values: Mapping[str, Any],
    *,
    name: str | None,
    opened: Mapping[str, Any] | None = None,
) -> Handoff:
    """Write some fields of one handoff and return it as the file now says it.

    Parameters
    ----------
    path : Path
        Made where it is missing.
    values : mapping of str to value
        By field, with its table: `budget.min_recall`. None takes a field out.
    name : str or None
        The handoff that is changed; None adds one.
    opened : mapping, optional
        Its fields when they were read; if they have changed since, nothing is saved.

    Raises
    ------
    SettingsError
        When the file would not be usable, was changed meanwhile or can't be written; it is then
        as it was.
    MissingExtraError
        When tomlkit is not installed.
    """
    path = Path(path).resolve()
    try:
        with locked(path.parent):
            document = _document(path)
            table = _find(document, name)
            if name is not None and table is None:
                raise SettingsError(f"{path}: expected the handoff {name!r}; it is gone.")
            if table is None:
                table = _add(document)
            elif opened is not None and table.unwrap() != opened:
                raise SettingsError(
                    f"{path}: the handoff {name!r} was changed by somebody else since it was "
                    "opened. Open it again, then make your change."
                )
            _change(table, values)
            text = document.as_string()
            handoffs = parse_handoffs(text, source=str(path))
            _put_in_place(path, text)
    except OSError as error:
        raise SettingsError(
            f"{path}: can't be written ({error.strerror}). Make room or change its permissions."
        ) from None
    saved = values.get("name", name)
    return next(handoff for handoff in handoffs if handoff.name == saved)


def _document(path: Path) -> Any:
    try:
        import tomlkit
        from tomlkit.exceptions import TOMLKitError
    except ImportError:
        raise MissingExtraError(
            "Expected the package tomlkit to change a handoff file; it is not installed. "
            "Run: pip install 'handoff-eval[bench]'."
        ) from None
    try:
        return tomlkit.parse(path.read_bytes() if path.exists() else b"")
    except (TOMLKitError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: expected a TOML file in UTF-8; {error}.") from None


def _find(document: Any, name: str | None) -> Any:
    tables = document.get("handoff", [])
    return next((table for table in tables if table.get("name") == name), None)


def _add(document: Any) -> Any:
    import tomlkit

    if "handoff" not in document:
        document["handoff"] = tomlkit.aot()
    document["handoff"].append(tomlkit.table())
    return document["handoff"][-1]


def _change(table: Any, values: Mapping[str, Any]) -> None:
    import tomlkit
    from tomlkit.items import InlineTable

    made = tomlkit.inline_table if isinstance(table, InlineTable) else tomlkit.table
    for name, value in values.items():
        inner, _, key = name.rpartition(".")
        if inner and inner not in table:
            if value is None:
                continue
            table[inner] = made()
        place = table[inner] if inner else table
        if value is None:
            place.pop(key, None)
        elif isinstance(value, list) and isinstance(place.get(key), list):
            _change_list(place[key], value)
        elif key not in place or place[key] != value:
            place[key] = _item(value)
    for inner in {name.rpartition(".")[0] for name in values} - {""}:
        if inner in table and not table[inner]:
            table.pop(inner)


def _change_list(array: Any, wanted: list[str]) -> None:
    """Take out and add single values, so that a comment beside another one stays."""
    for value in [value for value in array if value not in wanted]:
        array.remove(value)
    for value in wanted:
        if value not in array:
            array.append(value)


def _item(value: Any) -> Any:
    import tomlkit

    # In a multi-line string TOML may read "\r\n" as "\n", so those are escaped on one line.
    if isinstance(value, str) and "\r\n" not in value and (len(value) > LINE or "\n" in value):
        return tomlkit.string(value, multiline=True)
    return value


def _put_in_place(path: Path, text: str) -> None:
    unfinished = path.with_name(f".{path.name}.unfinished")
    try:
        with unfinished.open("wb") as stream:
            stream.write(text.encode("utf-8"))
            stream.flush()
            os.fsync(stream.fileno())
        if path.exists():
            shutil.copymode(path, unfinished)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
