"""What every arm is: something that scores the visible part of a conversation.

A trigger only scores. An operating point (`evaluation.operating_point`) decides, so that one
curve serves many thresholds. The protocol is a fold, which is what makes replaying a long
conversation cost one encoding a turn and lets a service keep a small state between turns:

    observations = trigger.encode(turns)            # any number of turns, one batch
    state = trigger.start()
    for observation in observations:
        state = trigger.update(state, observation)  # never sees a later turn
    score, = trigger.score([state], closed=[False])
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from handoff_eval.conversation import Reason, Turn


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a trigger fired, as far as it is known.

    Attributes
    ----------
    reason : Reason, optional
    evidence_turn : int, optional
        Index of the turn that shows it.
    clause : str, optional
        The condition of the instruction that it met.
    """

    reason: Reason | None = None
    evidence_turn: int | None = None
    clause: str | None = None


@runtime_checkable
class Trigger(Protocol):
    """Scores conversation prefixes.

    Attributes
    ----------
    name : str
        The arm's name in tables: `keyword`, `minilm`, `prompt`.
    description : str
        One line that tells two versions apart: model, size, hash.
    """

    name: str
    description: str

    def encode(self, turns: Sequence[Turn]) -> Sequence[Any]:
        """Return one observation a turn; each depends on its own turn alone."""
        ...

    def start(self) -> Any:
        """Return the state before the first turn."""
        ...

    def update(self, state: Any, observation: Any) -> Any:
        """Return the state after one more turn, leaving the given state as it was."""
        ...

    def score(self, states: Sequence[Any], closed: Sequence[bool]) -> list[float]:
        """Return one finite score in [0, 1] a state, in the order given.

        `closed` says for each state whether the conversation has ended.
        """
        ...

    def explain(self, turns: Sequence[Turn], *, closed: bool) -> Explanation:
        """Return why this prefix would be handed off; called only where a decision fired."""
        ...
