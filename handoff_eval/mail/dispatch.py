"""From decisions to queued emails: one for each handoff and conversation that fired."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from handoff_eval.conversation import Conversation
from handoff_eval.decision import Decision
from handoff_eval.handoff import Handoff
from handoff_eval.mail.message import build_message
from handoff_eval.mail.outbox import Outbox
from handoff_eval.summaries.structured import StructuredSummarizer
from handoff_eval.summaries.summary import Summarizer


def queue_emails(
    outbox: Outbox,
    handoff: Handoff,
    conversations: Mapping[str, Conversation],
    decisions: Sequence[Decision],
    *,
    sent_at: datetime,
    summarizer: Summarizer | None = None,
) -> int:
    """Queue the email of every decision that fired; return how many were new.

    A conversation that has its email for this handoff already is left as it is.

    Parameters
    ----------
    outbox : SqliteOutbox
    handoff : Handoff
        Whose decisions these are.
    conversations : mapping of str to Conversation
        By id; the email holds the turns that were visible at the fire.
    decisions : sequence of Decision
    sent_at : datetime
        The emails' date, with a time zone.
    summarizer : Summarizer, optional
        Writes what the email says; the structured one, which needs no model, when None.
    """
    summarizer = StructuredSummarizer() if summarizer is None else summarizer
    queued = 0
    for decision in decisions:
        if not decision.fired:
            continue
        conversation = conversations[decision.conversation_id]
        summary = summarizer.summarize(conversation.turns[: decision.turns], decision=decision)
        message = build_message(handoff, conversation, decision, summary, sent_at=sent_at)
        queued += outbox.enqueue(message, handoff=handoff.name, conversation_id=conversation.id)
    return queued
