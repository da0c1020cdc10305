"""What an operating point decided about one conversation, and why."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from handoff_eval.trigger import Explanation


@dataclass(frozen=True, slots=True)
class Decision:
    """The outcome for one conversation: the first score at or above the threshold, or none.

    Attributes
    ----------
    conversation_id : str
    handoff : str
        Name of the handoff that was asked.
    fired : bool
        Whether the email is sent.
    turns : int
        Turns visible when it was decided: at the fire, else all of them.
    closed : bool
        Whether that was at the close.
    score : float
        Score at the fire, else the highest one.
    threshold : float
        The operating point's.
    explanation : Explanation
        Reason and evidence; empty when nothing fired.
    """

    conversation_id: str
    handoff: str
    fired: bool
    turns: int
    closed: bool
    score: float
    threshold: float
    explanation: Explanation = field(default_factory=Explanation)

    def to_dict(self) -> dict[str, Any]:
        """Return the decision as JSON values, one line of `handoff-eval decide`."""
        reason = self.explanation.reason
        return {
            "conversation_id": self.conversation_id,
            "handoff": self.handoff,
            "fired": self.fired,
            "turns": self.turns,
            "closed": self.closed,
            "score": self.score,
            "threshold": self.threshold,
            "reason": None if reason is None else reason.value,
            "evidence_turn": self.explanation.evidence_turn,
            "clause": self.explanation.clause,
        }
