"""Hashed words and character n-grams: an encoder with no weights, for tests and tiny bundles."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_WORD = re.compile(r"\w+", re.UNICODE)


class HashingEncoder:
    """Signed feature hashing of words and of three-letter pieces.

    Weinberger et al., Feature hashing for large scale multitask learning (ICML 2009). The hash
    is BLAKE2b, so vectors are the same in every process and on every machine.

    Parameters
    ----------
    dimension : int
        Length of a vector.
    """

    def __init__(self, dimension: int = 256) -> None:
        self.dimension = dimension
        self.revision = f"hashing-1-{dimension}"

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return one unit vector a text; a text without a letter or digit is the zero vector."""
        vectors = np.zeros((len(texts), self.dimension), dtype=np.float32)
        for row, text in enumerate(texts):
            for piece in _pieces(text.casefold()):
                digest = hashlib.blake2b(piece.encode(), digest_size=8).digest()
                value = int.from_bytes(digest, "little")
                vectors[row, (value >> 1) % self.dimension] += 1.0 if value & 1 else -1.0
        norms = np.linalg.norm(vectors, axis=1, keepdims=True)
        norms[norms == 0] = 1
        vectors /= norms
        return vectors


def _pieces(text: str) -> list[str]:
    words = _WORD.findall(text)
    trigrams = [
        padded[i : i + 3]
        for word in words
        for padded in [f" {word} "]
        for i in range(len(padded) - 2)
    ]
    return [*(f"w:{word}" for word in words), *trigrams]
