"""The vectors of recent texts, kept in memory: a fire is explained by turns just encoded."""

from __future__ import annotations

from collections.abc import Sequence
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from handoff_eval.encoders.base import Encoder

RECENT_TEXTS = 16_384
"""Vectors that are kept: 25 MB of 384 columns."""

RECENT_CHARACTERS = 2_000
"""Longer texts aren't kept, so that hostile ones can't fill the memory."""


class RecentEncoder:
    """Encodes with another encoder, and a recent text not again.

    Parameters
    ----------
    encoder : Encoder
        Its vectors are handed on as they are.
    """

    def __init__(self, encoder: Encoder) -> None:
        self.encoder = encoder
        self.revision = encoder.revision
        self.dimension = encoder.dimension
        self._recent: dict[str, NDArray[np.float32]] = {}
        self._lock = Lock()

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return one unit vector a text, shape (len(texts), dimension), in the order given."""
        known = {text: self._recent.get(text) for text in texts}
        new = [text for text, vector in known.items() if vector is None]
        made = dict(zip(new, map(np.copy, self.encoder.encode(new)), strict=True))
        with self._lock:
            self._recent.update((t, v) for t, v in made.items() if len(t) <= RECENT_CHARACTERS)
            while len(self._recent) > RECENT_TEXTS:
                del self._recent[next(iter(self._recent))]
        known.update(made)
        return np.array([known[text] for text in texts], dtype=np.float32).reshape(
            len(texts), self.dimension
        )
