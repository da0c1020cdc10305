"""What an encoder is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray


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
