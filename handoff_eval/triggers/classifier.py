"""Turn embeddings and conversation features under a trained linear head."""

from __future__ import annotations

from collections.abc import Sequence

from handoff_eval.conversation import Role, Turn
from handoff_eval.encoders.base import Encoder
from handoff_eval.trigger import Explanation
from handoff_eval.triggers import features
from handoff_eval.triggers.head import Head


class ClassifierTrigger:
    """A trained head over `features`; the workbench trains it, a bundle loads it.

    Parameters
    ----------
    encoder : Encoder
        The one the head was trained on.
    head : Head
        Takes the columns of `features.feature_names(encoder.dimension)`.
    name : str
        The arm's name in tables.
    """

    def __init__(self, encoder: Encoder, head: Head, *, name: str = "minilm") -> None:
        expected = len(features.feature_names(encoder.dimension))
        if head.width != expected:
            raise ValueError(
                f"Expected a head over {expected} features for {encoder.revision}; "
                f"got one over {head.width}."
            )
        self.name = name
        self.encoder = encoder
        self.head = head
        self.description = f"{encoder.revision}, trained head on {expected} features"

    def encode(self, turns: Sequence[Turn]) -> list[features.Observation]:
        """Return one observation a turn; each distinct text is encoded once a call."""
        return features.observe(turns, self.encoder.encode([turn.text for turn in turns]))

    def start(self) -> features.State:
        """Return the state before the first turn."""
        return features.start(self.encoder.dimension)

    def update(self, state: features.State, observation: features.Observation) -> features.State:
        """Return the state after one more turn."""
        return features.update(state, observation)

    def score(self, states: Sequence[features.State], closed: Sequence[bool]) -> list[float]:
        """Return one score in [0, 1] a state."""
        if not states:
            return []
        return [float(score) for score in self.head.score(features.features(states, closed))]

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
        row = features.features([states[-1]], [closed])[0]
        return Explanation(self.head.reason(row), max(rises)[2] if rises else None)
