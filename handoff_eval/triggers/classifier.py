"""A trained head over a feature map."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from handoff_eval.conversation import Role, Turn
from handoff_eval.trigger import Explanation
from handoff_eval.triggers.feature_maps import FeatureMap, width
from handoff_eval.triggers.head import Head

_ROWS = 256
"""States scored together, since a row of words has thousands of columns."""


class ClassifierTrigger:
    """A head over a feature map; the workbench trains it, a bundle loads it.

    Parameters
    ----------
    features : FeatureMap
        What the head was trained on.
    head : Head
        Takes the columns of `features`.
    name : str
        The arm's name in tables.
    note : str
        What a reader must know of its training, said in the description.
    held_out : tuple of float arrays
        The scores of each conversation it learnt from at its decision points, by heads that saw
        none of the customer, on the scale of its own; NaN where no fold could. Empty when read
        from a bundle.
    """

    def __init__(
        self,
        features: FeatureMap,
        head: Head,
        *,
        name: str = "minilm",
        note: str = "",
        held_out: tuple[NDArray[np.float64], ...] = (),
    ) -> None:
        expected = width(features)
        if head.width != expected:
            raise ValueError(
                f"Expected a head over {expected} features for {features.description}; "
                f"got one over {head.width}."
            )
        self.name = name
        self.features = features
        self.head = head
        self.held_out = held_out
        self.description = f"{features.description}, trained head on {expected} features"
        if note:
            self.description += f"; {note}"

    @property
    def state_parts(self) -> FeatureMap:
        """What the states are of."""
        return self.features

    def encode(self, turns: Sequence[Turn]) -> Sequence[Any]:
        """Return one observation a turn."""
        return self.features.encode(turns)

    def start(self) -> Any:
        """Return the state before the first turn."""
        return self.features.start()

    def update(self, state: Any, observation: Any) -> Any:
        """Return the state after one more turn."""
        return self.features.update(state, observation)

    def score(self, states: Sequence[Any], closed: Sequence[bool]) -> list[float]:
        """Return one score in [0, 1] a state."""
        scores: list[float] = []
        for first in range(0, len(states), _ROWS):
            some = slice(first, first + _ROWS)
            rows = self.features.rows(states[some], closed[some])
            scores.extend(float(score) for score in self.head.score(rows))
        return scores

    def explain(self, turns: Sequence[Turn], *, closed: bool) -> Explanation:
        """Return the head's likeliest reason, and the customer turn that raised the score most."""
        states = [self.start()]
        for observation in self.encode(turns):
            states.append(self.update(states[-1], observation))
        scores = self.score(states, [False] * len(states))
        rises = [
            (scores[i + 1] - scores[i], -i, i)
            for i, turn in enumerate(turns)
            if turn.role is Role.CUSTOMER
        ]
        row = self.features.rows([states[-1]], [closed])[0]
        return Explanation(self.head.reason(row), max(rises)[2] if rises else None)
