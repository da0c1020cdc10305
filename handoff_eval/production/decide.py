"""Decide conversations with an operating point; the same replay as in the evaluation."""

from __future__ import annotations

from collections.abc import Sequence

from handoff_eval.conversation import Conversation
from handoff_eval.decision import Decision
from handoff_eval.evaluation.operating_point import OperatingPoint
from handoff_eval.evaluation.replay import Replay, replay
from handoff_eval.trigger import Explanation, Trigger


def decide(
    trigger: Trigger,
    point: OperatingPoint,
    conversations: Sequence[Conversation],
    *,
    handoff: str,
    played: Replay | None = None,
) -> list[Decision]:
    """Return one decision a conversation, in the order given.

    Parameters
    ----------
    trigger : Trigger
        What scores.
    point : OperatingPoint
        The threshold; a score at or above it fires.
    conversations : sequence of Conversation
        Complete ones; each may fire at most once.
    handoff : str
        Name of the handoff that is asked.
    played : Replay, optional
        The trigger's replay of these conversations, where it has been made already.
    """
    if not conversations:
        return []
    if played is None:
        played = replay(trigger, conversations)
    fires = played.first_fire(point.threshold)
    decisions = []
    for index, conversation in enumerate(conversations):
        first, last = int(played.offsets[index]), int(played.offsets[index + 1]) - 1
        fired = bool(fires[index] >= 0)
        at = first + int(fires[index]) if fired else last
        turns, closed = int(played.turns[at]), at == last
        decisions.append(
            Decision(
                conversation_id=conversation.id,
                handoff=handoff,
                fired=fired,
                turns=turns,
                closed=closed,
                score=float(played.scores[at] if fired else played.scores[first : last + 1].max()),
                threshold=point.threshold,
                explanation=trigger.explain(conversation.turns[:turns], closed=closed)
                if fired
                else Explanation(),
            )
        )
    return decisions
