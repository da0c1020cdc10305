"""Replies kept by what they depend on: recorded ones shipped with a dataset, and a cache.

A recorded line holds the key, the model, the log-probabilities of the answers, counts and time;
the reply's text only where it can't quote a customer. Prompts and transcripts are never in it.
"""

from __future__ import annotations

import json
import os
import re
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from handoff_eval.errors import DataError, SettingsError
from handoff_eval.llm.question import Exchange, Question, Reply, TokenLogprob

_MAX_VARIABLES = 500
_FIELDS = {"key", "model", "logprobs", "text", "prompt_tokens", "completion_tokens", "seconds"}


class ReplyStore:
    """Finds replies in the recorded file first, then in the cache; keeps new ones in the cache.

    Parameters
    ----------
    cache : Path
        SQLite file that several processes may share; touched only when the recorded replies
        don't suffice.
    recorded : Path, optional
        JSONL file that must exist.
    live : bool
        Find nothing, so that everything is asked again; new replies replace the cached ones.

    Raises
    ------
    DataError
        When the recorded file can't be read or a line of it is malformed.
    """

    def __init__(self, *, cache: Path, recorded: Path | None = None, live: bool = False) -> None:
        self._cache = cache
        self._live = live
        self._recorded = read_recorded(recorded) if recorded is not None and not live else {}

    def find(self, keys: Sequence[str]) -> dict[str, Reply]:
        """Return the replies that are kept, by key."""
        if self._live:
            return {}
        found = {key: self._recorded[key] for key in keys if key in self._recorded}
        others = [key for key in keys if key not in found]
        if others:
            with self._connection() as connection:
                for start in range(0, len(others), _MAX_VARIABLES):
                    some = others[start : start + _MAX_VARIABLES]
                    marks = ",".join("?" * len(some))
                    rows = connection.execute(
                        f"SELECT key, reply FROM replies WHERE key IN ({marks})",  # noqa: S608 - only marks
                        some,
                    )
                    found.update((key, _from_json(json.loads(text))) for key, text in rows)
        return found

    def keep(self, key: str, reply: Reply) -> None:
        """Store one reply at once, replacing what was kept under its key."""
        text = json.dumps(_to_json(reply))
        with self._connection() as connection:
            connection.execute("INSERT OR REPLACE INTO replies VALUES (?, ?)", (key, text))

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        try:
            self._cache.parent.mkdir(parents=True, exist_ok=True)
            connection = sqlite3.connect(self._cache, timeout=60, isolation_level=None)
            try:
                connection.execute(
                    "CREATE TABLE IF NOT EXISTS replies "
                    "(key TEXT PRIMARY KEY, reply TEXT) WITHOUT ROWID"
                )
                yield connection
            finally:
                connection.close()
        except (OSError, sqlite3.Error, ValueError, TypeError, LookupError) as error:
            raise SettingsError(
                f"{self._cache}: expected a cache of replies that can be read and written; got "
                f"{error}. Delete the file or set HANDOFF_EVAL_CACHE to another folder."
            ) from None


def forget_replies(path: Path) -> int:
    """Empty a cache of replies, its bytes too, and return how many there were.

    Raises
    ------
    SettingsError
        When the cache can't be written.
    """
    if not path.is_file():
        return 0
    try:
        with closing(sqlite3.connect(path, timeout=60, isolation_level=None)) as connection:
            connection.execute("PRAGMA secure_delete=ON")
            removed = connection.execute("DELETE FROM replies").rowcount
            connection.execute("VACUUM")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    except sqlite3.Error as error:
        raise SettingsError(f"{path}: expected a cache of replies; {error}.") from None
    return removed


def read_recorded(path: Path) -> dict[str, Reply]:
    """Return the recorded replies by key.

    Raises
    ------
    DataError
        When the file can't be read, a line is malformed, or a key comes twice.
    """
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(
            f"{path}: expected recorded replies in UTF-8; {error}. Record them again with a model."
        ) from None
    if lines[-1] == "":
        lines.pop()
    replies: dict[str, Reply] = {}
    for number, line in enumerate(lines, 1):
        try:
            fields = json.loads(line)
            key = fields["key"]
            if not isinstance(key, str) or key in replies or set(fields) != _FIELDS:
                raise ValueError(key)
            replies[key] = _from_json(fields)
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            raise DataError(
                f"{path}:{number}: expected a recorded reply with its own key and the fields "
                f"{', '.join(sorted(_FIELDS))}; got {line[:80]!r}. Record the replies again."
            ) from None
    return replies


def write_recorded(path: Path, used: Mapping[str, Exchange]) -> None:
    """Write the replies a run used, one JSON line each in the order of their keys.

    Parameters
    ----------
    path : Path
        Replaced as a whole once the new file is complete.
    used : mapping of str to Exchange
        By key. Of a question with answers only the log-probabilities of these are written; of
        the others the text, and only where the question says that it quotes nobody.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    with partial.open("w", encoding="utf-8", newline="\n") as file:
        for key, exchange in sorted(used.items(), key=lambda item: item[0]):
            harmless = _harmless(exchange.question, exchange.reply)
            if harmless is not None:
                line = {"key": key, **_to_json(harmless)}
                file.write(json.dumps(line, sort_keys=True) + "\n")
    partial.replace(path)


def _harmless(question: Question, reply: Reply) -> Reply | None:
    """Return what of a reply holds no words of a customer; None where all of it may."""
    if not question.answers:
        pattern = question.recordable
        return reply if pattern is not None and re.fullmatch(pattern, reply.text) else None
    candidates = reply.logprobs
    if candidates is not None:
        candidates = tuple(c for c in candidates if c.word in question.answers)
    return replace(reply, text="", logprobs=candidates)


def _to_json(reply: Reply) -> dict[str, Any]:
    candidates = reply.logprobs
    return {
        "model": reply.model,
        "text": reply.text,
        "logprobs": None if candidates is None else [[c.token, c.logprob] for c in candidates],
        "prompt_tokens": reply.prompt_tokens,
        "completion_tokens": reply.completion_tokens,
        "seconds": round(reply.seconds, 3),
    }


def _from_json(fields: dict[str, Any]) -> Reply:
    candidates = fields["logprobs"]
    for name, kinds in (("model", str), ("text", str), ("seconds", int | float)):
        if not isinstance(fields[name], kinds):
            raise TypeError(name)
    for name in ("prompt_tokens", "completion_tokens"):
        if not isinstance(fields[name], int | None):
            raise TypeError(name)
    return Reply(
        text=fields["text"],
        model=fields["model"],
        logprobs=None
        if candidates is None
        else tuple(TokenLogprob(str(token), float(logprob)) for token, logprob in candidates),
        prompt_tokens=fields["prompt_tokens"],
        completion_tokens=fields["completion_tokens"],
        seconds=float(fields["seconds"]),
    )
