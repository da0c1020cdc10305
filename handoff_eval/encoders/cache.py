"""Vectors kept by what they depend on: the encoder's revision and the text."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from handoff_eval.encoders.base import Encoder

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
        self._encoder = encoder
        self._path = path
        self.revision = encoder.revision
        self.dimension = encoder.dimension

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return one unit vector a text, shape (len(texts), dimension), in the order given."""
        keys = [self._key(text) for text in texts]
        text_of = dict(zip(keys, texts, strict=True))
        self._path.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(self._path, timeout=60)
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute(
                "CREATE TABLE IF NOT EXISTS vectors "
                "(key BLOB PRIMARY KEY, vector BLOB) WITHOUT ROWID"
            )
            vectors = self._kept(connection, list(text_of))
            missing = [key for key in text_of if key not in vectors]
            if missing:
                computed = self._encoder.encode([text_of[key] for key in missing])
                vectors.update(zip(missing, computed, strict=True))
                with connection:
                    connection.executemany(
                        "INSERT OR IGNORE INTO vectors VALUES (?, ?)",
                        [(key, vectors[key].astype("<f4").tobytes()) for key in missing],
                    )
        finally:
            connection.close()
        if not keys:
            return np.zeros((0, self.dimension), dtype=np.float32)
        return np.stack([vectors[key] for key in keys])

    def _key(self, text: str) -> bytes:
        material = f"{self.revision}\0".encode() + text.encode("utf-8", "surrogatepass")
        return hashlib.sha256(material).digest()

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
