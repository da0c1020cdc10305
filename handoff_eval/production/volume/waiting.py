"""The emails that nobody is known to have answered, the oldest first."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from handoff_eval.conversation import Conversation, Reason, Role
from handoff_eval.decision import Decision
from handoff_eval.handoff import Handoff
from handoff_eval.mail.entries import Kind, OutboxEntry, Status
from handoff_eval.production.drift.log import LogRow
from handoff_eval.production.feedback.logged import Logged
from handoff_eval.summaries.structured import StructuredSummarizer
from handoff_eval.transcripts.mask import masked
from handoff_eval.trigger import Explanation

NAMED = 20
"""The oldest ones, which get their subject."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """An email that nobody is known to have answered.

    Attributes
    ----------
    conversation_id : str
    since : datetime
    overdue : bool
        Past what the customer was told, where hours say so.
    delivery : str
        What the outbox knows, in words; empty where none was given.
    asks : str
        The email's subject, contacts masked; of the oldest ones, where the texts are kept.
    """

    conversation_id: str
    since: datetime
    overdue: bool
    delivery: str
    asks: str


_DELIVERY = {
    Status.QUEUED: "waiting to be sent",
    Status.SENDING: "being sent",
    Status.HELD: "waits for the digest",
    Status.SENT: "in your inbox",
    Status.DEAD: "could not be delivered",
}


def find_waiting(
    logged: Logged,
    handoff: Handoff,
    *,
    now: datetime,
    answered: Collection[str],
    entries: Sequence[OutboxEntry] | None,
) -> tuple[Waiting, ...]:
    """Return the emails without a known answer, oldest first.

    An answer is known where `answered` says so, or where a person speaks in the conversation
    after the email. What the live side took is in its own queue and left out.

    Parameters
    ----------
    logged : Logged
    handoff : Handoff
        For the hours in which answers fall due.
    now : datetime
    answered : collection of str
        Ids of conversations.
    entries : sequence of OutboxEntry, optional
        What became of the emails.
    """
    status = {e.conversation_id: e.status for e in entries or () if e.kind is Kind.EMAIL}
    found = []
    for row in logged.rows:
        if row.fired_at is None or row.fired_at > now or row.route == "live":
            continue
        conversation = logged.conversations.get(row.conversation_id)
        if row.conversation_id in answered or _by_person(row, conversation):
            continue
        due = None if handoff.hours is None else handoff.hours.due(row.fired_at)
        delivery = "" if entries is None else "not in the outbox"
        if row.conversation_id in status:
            delivery = _DELIVERY[status[row.conversation_id]]
        overdue = due is not None and due < now
        found.append(Waiting(row.conversation_id, row.fired_at, overdue, delivery, ""))
    found.sort(key=lambda one: (one.since, one.conversation_id))
    rows = {row.conversation_id: row for row in logged.rows}
    for place, one in enumerate(found[:NAMED]):
        if (conversation := logged.conversations.get(one.conversation_id)) is not None:
            found[place] = replace(one, asks=_subject(rows[one.conversation_id], conversation))
    return tuple(found)


def _by_person(row: LogRow, conversation: Conversation | None) -> bool:
    turns = () if conversation is None else conversation.turns
    return any(turn.role is Role.HUMAN for turn in turns[row.turns or len(turns) :])


def _subject(row: LogRow, conversation: Conversation) -> str:
    turns = min(row.turns or len(conversation.turns), len(conversation.turns))
    reason = Reason(row.reason) if row.reason in set(Reason) else None
    decision = Decision(
        conversation_id=row.conversation_id,
        handoff=row.handoff,
        fired=True,
        turns=turns,
        closed=False,
        score=row.peak,
        threshold=row.peak,
        explanation=Explanation(reason),
    )
    summary = StructuredSummarizer().summarize(conversation.turns, decision=decision)
    return masked(summary.subject)
