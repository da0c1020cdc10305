"""Zero-shot similarity between the instruction's clauses and what is said: nothing is trained."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from handoff_eval.conversation import Reason, Role, Turn
from handoff_eval.encoders.base import Encoder, encode_spoken
from handoff_eval.errors import SettingsError
from handoff_eval.instructions.clauses import parse_instruction
from handoff_eval.instructions.edits import library
from handoff_eval.instructions.sentence import PieceKind
from handoff_eval.trigger import Explanation

Row = NDArray[np.float32]

RECENT = 3
"""Turns of each side that cues and exclusions see; a precondition, once met, holds."""

UNSAID = -1.0
"""The cosine of a clause with a side that hasn't spoken: as unlike as can be."""

_OF_AGENT = re.compile(r"(?:the\s+|our\s+)?(?:ai\s+|support\s+)?(?:agent|bot|assistant|ai)\b", re.I)


@dataclass(frozen=True, slots=True)
class Observation:
    """One turn: whose it is, and its cosine with each clause, shape (clauses,)."""

    role: Role
    cosines: Row


@dataclass(frozen=True, slots=True)
class State:
    """The conversation so far, whatever its length.

    Attributes
    ----------
    customer, agent : float32 arrays, shape (RECENT, clauses)
        Cosines of the latest turns of either side, oldest first.
    ever : float32 array, shape (clauses,)
        Highest cosine of any turn of the side a clause is about.
    """

    customer: Row
    agent: Row
    ever: Row


class SimilarityTrigger:
    """Scores (1 + c g - e) / 2, clipped to [0, 1], from cosines of clauses and turns.

    c is the highest cosine of a cue with a recent turn, g the lowest of a precondition with any
    turn so far (1 without one, at least 0), e the highest of an exclusion with a recent turn (at
    least 0). A clause about the agent ("the agent says …") is compared with the agent's turns, any
    other with the customer's. A cosine is no probability: only its order and the chosen threshold
    mean something.

    Parameters
    ----------
    instruction : str
        The plain-language condition.
    encoder : Encoder
        Gives the vectors of clauses and turns.
    name : str
        The arm's name in tables.

    Raises
    ------
    SettingsError
        When no cue is found in the instruction.
    """

    def __init__(self, instruction: str, encoder: Encoder, *, name: str = "similarity") -> None:
        self.clauses = parse_instruction(instruction).clauses
        kinds = np.array([clause.kind.value for clause in self.clauses])
        self._cues = kinds == PieceKind.CUE.value
        self._preconditions = kinds == PieceKind.PRECONDITION.value
        self._exclusions = kinds == PieceKind.EXCLUSION.value
        if not self._cues.any():
            raise SettingsError(
                f"Expected an instruction that says when to hand off; no cue is found in "
                f"{instruction[:60]!r}. See 'handoff-eval instruction lint'."
            )
        self.name = name
        self.instruction = instruction
        self.encoder = encoder
        digest = hashlib.sha256(instruction.encode("utf-8", "surrogatepass")).hexdigest()[:12]
        self.description = f"{encoder.revision}, {len(self.clauses)} clauses, {digest}"
        self._of_agent = np.array([bool(_OF_AGENT.match(c.text)) for c in self.clauses])
        self._vectors = encoder.encode([clause.text for clause in self.clauses])
        self._reasons = self._nearest_reasons()

    def encode(self, turns: Sequence[Turn]) -> list[Observation]:
        """Return one observation a turn."""
        cosines = encode_spoken(self.encoder, turns) @ self._vectors.T
        return [Observation(turn.role, row) for turn, row in zip(turns, cosines, strict=True)]

    def start(self) -> State:
        """Return the state before the first turn."""
        unsaid = np.full((RECENT, len(self.clauses)), UNSAID, dtype=np.float32)
        return State(unsaid, unsaid, unsaid[0])

    def update(self, state: State, observation: Observation) -> State:
        """Return the state after one more turn; system turns change nothing."""
        if observation.role is Role.SYSTEM:
            return state
        of_customer = observation.role is Role.CUSTOMER
        seen = np.where(self._of_agent == of_customer, np.float32(UNSAID), observation.cosines)
        ever = np.maximum(state.ever, seen)
        if of_customer:
            return State(np.concatenate([state.customer[1:], seen[None]]), state.agent, ever)
        return State(state.customer, np.concatenate([state.agent[1:], seen[None]]), ever)

    def score(self, states: Sequence[State], closed: Sequence[bool]) -> list[float]:  # noqa: ARG002 - protocol
        """Return one score in [0, 1] a state; the close adds nothing to what was said."""
        scores = []
        for state in states:
            recent = self._recent(state)
            gate, against = 1.0, 0.0
            if self._preconditions.any():
                gate = max(0.0, float(state.ever[self._preconditions].min()))
            if self._exclusions.any():
                against = max(0.0, float(recent[self._exclusions].max()))
            speaks = float(recent[self._cues].max()) * gate - against
            scores.append(min(1.0, max(0.0, (1 + speaks) / 2)))
        return scores

    def explain(self, turns: Sequence[Turn], *, closed: bool) -> Explanation:  # noqa: ARG002 - protocol
        """Return the strongest cue, the recent turn nearest to it, and the reason it stands for."""
        seen = self.encode(turns)
        state = self.start()
        for observation in seen:
            state = self.update(state, observation)
        strength = np.where(self._cues, self._recent(state), -np.inf)
        cue = int(np.argmax(strength))
        side = [
            i
            for i, turn in enumerate(turns)
            if turn.role is not Role.SYSTEM
            and (turn.role is Role.CUSTOMER) != bool(self._of_agent[cue])
        ][-RECENT:]
        if not side:
            return Explanation()
        turn = max(side, key=lambda i: float(seen[i].cosines[cue]))
        return Explanation(self._reasons[cue], turn, self.clauses[cue].text)

    def _recent(self, state: State) -> Row:
        recent: Row = np.maximum(state.customer.max(axis=0), state.agent.max(axis=0))
        return recent

    def _nearest_reasons(self) -> list[Reason | None]:
        """Give each clause the reason of the library's cue that it is most like."""
        known = [entry for entry in library() if entry.reason is not None]
        nearest = self._vectors @ self.encoder.encode([entry.text for entry in known]).T
        return [known[int(np.argmax(row))].reason for row in nearest]
