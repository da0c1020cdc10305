"""What an encoder is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from handoff_eval.conversation import Role, Turn


class Encoder(Protocol):
    """Turns texts into unit vectors.

    Attributes
    ----------
    revision : str
        Changes whenever the vectors would: model, weights' hash, normalisation.
    dimension : int
        Length of a vector.
    """

    revision: str
    dimension: int

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return one unit vector a text, shape (len(texts), dimension), in the order given."""
        ...


def encode_spoken(encoder: Encoder, turns: Sequence[Turn]) -> NDArray[np.float32]:
    """Return one vector a turn, shape (len(turns), encoder.dimension); zero for system turns.

    Tool calls and results are long, and no trigger reads them: they take no time.
    """
    vectors = np.zeros((len(turns), encoder.dimension), dtype=np.float32)
    spoken = [place for place, turn in enumerate(turns) if turn.role is not Role.SYSTEM]
    vectors[spoken] = encoder.encode([turns[place].text for place in spoken])
    return vectors
