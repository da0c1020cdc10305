"""What a trained head stands on: turns folded into a fixed state, states into rows of numbers.

numpy only, since a bundle folds with the same code.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from handoff_eval.conversation import Turn
from handoff_eval.encoders.base import Encoder, encode_spoken
from handoff_eval.triggers import features


class Block(NamedTuple):
    """A run of columns of one nature: `vectors`, `words` or `signals`."""

    nature: str
    width: int


class FeatureMap(Protocol):
    """A fold over turns whose state gives one row.

    Attributes
    ----------
    description : str
        One line that changes whenever the rows would.
    blocks : tuple of Block
        The columns in order.
    """

    description: str
    blocks: tuple[Block, ...]

    def encode(self, turns: Sequence[Turn]) -> Sequence[Any]:
        """Return one observation a turn; each depends on its own turn alone."""
        ...

    def start(self) -> Any:
        """Return the state before the first turn."""
        ...

    def update(self, state: Any, observation: Any) -> Any:
        """Return the state after one more turn, leaving the given state as it was."""
        ...

    def rows(self, states: Sequence[Any], closed: Sequence[bool]) -> NDArray[np.float32]:
        """Return one row a state, shape (len(states), width of all blocks)."""
        ...


def width(feature_map: FeatureMap) -> int:
    """Return the number of columns of a feature map."""
    return sum(block.width for block in feature_map.blocks)


class TurnFeatures:
    """Turn vectors and conversation signals; see `features`.

    Parameters
    ----------
    encoder : Encoder
        Gives the turn vectors.
    """

    def __init__(self, encoder: Encoder) -> None:
        self.encoder = encoder
        self.description = encoder.revision
        vectors = len(features.feature_names(encoder.dimension)) - len(features.SIGNALS)
        self.blocks: tuple[Block, ...] = (
            Block("vectors", vectors),
            Block("signals", len(features.SIGNALS)),
        )

    def encode(self, turns: Sequence[Turn]) -> list[features.Observation]:
        """Return one observation a turn; each distinct text is encoded once a call."""
        return features.observe(turns, encode_spoken(self.encoder, turns))

    def start(self) -> features.State:
        """Return the state before the first turn."""
        return features.start(self.encoder.dimension)

    def update(self, state: features.State, observation: features.Observation) -> features.State:
        """Return the state after one more turn."""
        return features.update(state, observation)

    def rows(self, states: Sequence[features.State], closed: Sequence[bool]) -> NDArray[np.float32]:
        """Return one row a state."""
        return features.features(states, closed)


class StackedFeatures:
    """Several feature maps side by side, under one head.

    Parameters
    ----------
    parts : sequence of FeatureMap
        In the order of the columns.
    """

    def __init__(self, parts: Sequence[FeatureMap]) -> None:
        self.parts = tuple(parts)
        self.description = " with ".join(part.description for part in self.parts)
        self.blocks: tuple[Block, ...] = tuple(
            block for part in self.parts for block in part.blocks
        )

    @property
    def state_parts(self) -> tuple[FeatureMap, ...]:
        """What the states are of, one after the other."""
        return self.parts

    def encode(self, turns: Sequence[Turn]) -> list[tuple[Any, ...]]:
        """Return one observation a turn, with one of each part."""
        return list(zip(*(part.encode(turns) for part in self.parts), strict=True))

    def start(self) -> tuple[Any, ...]:
        """Return the state before the first turn."""
        return tuple(part.start() for part in self.parts)

    def update(self, state: tuple[Any, ...], observation: tuple[Any, ...]) -> tuple[Any, ...]:
        """Return the state after one more turn."""
        return tuple(
            part.update(inner, seen)
            for part, inner, seen in zip(self.parts, state, observation, strict=True)
        )

    def rows(
        self, states: Sequence[tuple[Any, ...]], closed: Sequence[bool]
    ) -> NDArray[np.float32]:
        """Return one row a state."""
        return np.hstack(
            [part.rows([state[i] for state in states], closed) for i, part in enumerate(self.parts)]
        )
