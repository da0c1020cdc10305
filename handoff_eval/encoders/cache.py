"""Vectors kept by what they depend on: the encoder's revision and the text."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from handoff_eval.encoders.base import Encoder
from handoff_eval.errors import SettingsError

_MAX_VARIABLES = 500


class CachedEncoder:
    """An encoder that computes each distinct text once, ever.

    Parameters
    ----------
    encoder : Encoder
        What computes a vector that isn't kept yet.
    path : Path
        SQLite file; several processes may share it.
    """

    def __init__(self, encoder: Encoder, path: Path) -> None:
        self.encoder = encoder
        self._path = path
        self.revision = encoder.revision
        self.dimension = encoder.dimension

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return one unit vector a text, shape (len(texts), dimension), in the order given.

        Raises
        ------
        SettingsError
            When the cache can't be read or written.
        """
        if not texts:
            return np.zeros((0, self.dimension), dtype=np.float32)
        keys = [self._key(text) for text in texts]
        text_of = dict(zip(keys, texts, strict=True))
        with self._open() as connection:
            vectors = self._kept(connection, list(text_of))
        missing = [key for key in text_of if key not in vectors]
        for start in range(0, len(missing), _MAX_VARIABLES):
            some = missing[start : start + _MAX_VARIABLES]
            computed = self.encoder.encode([text_of[key] for key in some])
            vectors.update(zip(some, computed, strict=True))
            with self._open() as connection:
                connection.executemany(
                    "INSERT OR IGNORE INTO vectors VALUES (?, ?)",
                    [(key, vectors[key].astype("<f4").tobytes()) for key in some],
                )
        return np.stack([vectors[key] for key in keys])

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        """Give a connection whose changes are kept when the block ends well."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with closing(sqlite3.connect(self._path, timeout=60)) as connection, connection:
                connection.execute("PRAGMA journal_mode=WAL")
                connection.execute(
                    "CREATE TABLE IF NOT EXISTS vectors "
                    "(key BLOB PRIMARY KEY, vector BLOB) WITHOUT ROWID"
                )
                yield connection
        except (OSError, sqlite3.Error) as error:
            raise SettingsError(
                f"Expected to keep vectors in {self._path}; got: {error}. "
                "Set HANDOFF_EVAL_CACHE to a folder that can be written."
            ) from None

    def _key(self, text: str) -> bytes:
        return key_of(self.revision, text)

    def _kept(
        self, connection: sqlite3.Connection, keys: list[bytes]
    ) -> dict[bytes, NDArray[np.float32]]:
        found: dict[bytes, NDArray[np.float32]] = {}
        for start in range(0, len(keys), _MAX_VARIABLES):
            some = keys[start : start + _MAX_VARIABLES]
            marks = ",".join("?" * len(some))
            rows = connection.execute(
                f"SELECT key, vector FROM vectors WHERE key IN ({marks})",  # noqa: S608 - only marks
                some,
            )
            found.update((key, np.frombuffer(vector, dtype="<f4")) for key, vector in rows)
        return found


def key_of(revision: str, text: str) -> bytes:
    """Return the key of a text's vector."""
    material = f"{revision}\0".encode() + text.encode("utf-8", "surrogatepass")
    return hashlib.sha256(material).digest()


def forget_texts(path: Path, revisions: Iterable[str], texts: Collection[str]) -> int:
    """Remove the vectors of these texts and their bytes from a cache; return how many there were.

    Raises
    ------
    SettingsError
        When the cache can't be written, or another process reads it meanwhile.
    """
    keys = [(key_of(revision, text),) for revision in revisions for text in texts]
    if not keys or not path.is_file():
        return 0
    try:
        with closing(sqlite3.connect(path, timeout=60, isolation_level=None)) as connection:
            connection.execute("PRAGMA secure_delete=ON")
            before = connection.total_changes
            connection.executemany("DELETE FROM vectors WHERE key = ?", keys)
            removed = connection.total_changes - before
            connection.execute("VACUUM")
            (busy, *_) = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    except sqlite3.Error as error:
        raise SettingsError(f"{path}: expected a cache of vectors; {error}.") from None
    if busy:
        raise SettingsError(
            f"{path}: expected nobody to read it meanwhile; repeat when it is free."
        )
    return removed
