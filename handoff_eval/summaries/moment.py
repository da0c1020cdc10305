"""The moment a summary is made at when no trigger has decided: the one that the label names."""

from __future__ import annotations

from handoff_eval.conversation import Conversation, Label, LabeledConversation
from handoff_eval.decision import Decision
from handoff_eval.trigger import Explanation


def labelled_decision(conversation: Conversation, label: Label | None) -> Decision:
    """Return a decision at the labelled decision point, with the label's reason and turn.

    A conversation without a label, or with one that needs no handoff, is decided at its close
    without a reason. A trigger may fire elsewhere and name another reason or none, so what is
    measured at these moments is the summary and not the trigger.
    """
    points = conversation.decision_points()
    due = None if label is None else LabeledConversation(conversation, label).due
    point = points[-1 if due is None else due]
    explanation = Explanation()
    if label is not None and due is not None:
        explanation = Explanation(label.reasons[0] if label.reasons else None, label.at_turn)
    return Decision(
        conversation_id=conversation.id,
        handoff="label",
        fired=due is not None,
        turns=point.turns,
        closed=point.closed,
        score=1.0,
        threshold=0.5,
        explanation=explanation,
    )
