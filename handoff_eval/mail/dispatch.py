"""From a decision to a stored intent: which way it goes, and what is stored.

The intent is durable when `hand_over` returns, before any server is asked. One conversation and
handoff is stored once, whatever is called how often.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from handoff_eval.conversation import Conversation, Reason
from handoff_eval.decision import Decision
from handoff_eval.handoff import Handoff
from handoff_eval.hours import day_of
from handoff_eval.mail.brief import Brief
from handoff_eval.mail.customer import goes_live
from handoff_eval.mail.entries import Limit
from handoff_eval.mail.headers import email_key
from handoff_eval.mail.message import build_message, view_of
from handoff_eval.mail.outbox import Outbox
from handoff_eval.mail.volume import warn_of_volume
from handoff_eval.summaries.structured import StructuredSummarizer
from handoff_eval.summaries.summary import Summarizer

LIVE_FOR = timedelta(minutes=10)
"""How old a live handoff may grow in the outbox; after that the customer gets the email."""


@dataclass(frozen=True, slots=True)
class Route:
    """Which way a handoff goes.

    Attributes
    ----------
    live_until : datetime or None
        The live side is tried first, until then; None for an email at once.
    limit : Limit or None
        The cap that an email keeps; None where there is none or the reason passes it.
    """

    live_until: datetime | None
    limit: Limit | None


def route(handoff: Handoff, *, reason: Reason | None, at: datetime) -> Route:
    """Return which way a handoff goes that fires at a moment."""
    live_until = None
    if goes_live(handoff, at):
        closes = None if handoff.hours is None else handoff.hours.closes(at)
        live_until = at + LIVE_FOR if closes is None else min(closes, at + LIVE_FOR)
    cap = handoff.cap
    if cap is None or reason in cap.urgent:
        return Route(live_until, None)
    zone = zone_of(handoff)
    start, tomorrow = day_of(at, zone)
    due = [datetime.combine(day.date(), cap.digest_at, zone) for day in (start, tomorrow)]
    return Route(live_until, Limit(cap.per_day, start, next(d for d in due if d > at)))


def zone_of(handoff: Handoff) -> ZoneInfo:
    """Return the zone in which a handoff's days begin."""
    return ZoneInfo("UTC") if handoff.hours is None else handoff.hours.timezone


def hand_over(
    outbox: Outbox,
    handoff: Handoff,
    conversation: Conversation,
    decision: Decision,
    *,
    at: datetime,
    summarizer: Summarizer | None = None,
) -> bool:
    """Store the handoff of a decision that fired; False when it was stored before.

    The team is warned, at most once a period, when the day's volume shows that the rate has left
    what was certified.

    Parameters
    ----------
    outbox : Outbox
    handoff : Handoff
    conversation : Conversation
        The email holds the turns that were visible at the fire.
    decision : Decision
    at : datetime
        The moment of the fire, with a time zone; it is the email's date.
    summarizer : Summarizer, optional
        Writes what the team reads; the structured one, which needs no model, when None.
    """
    stored = _store(outbox, handoff, conversation, decision, at, summarizer)
    if stored:
        warn_of_volume(outbox, handoff, at=at, zone=zone_of(handoff))
    return stored


def queue_emails(
    outbox: Outbox,
    handoff: Handoff,
    conversations: Mapping[str, Conversation],
    decisions: Sequence[Decision],
    *,
    sent_at: datetime,
    summarizer: Summarizer | None = None,
) -> int:
    """Store every decision that fired as if at one moment; return how many were new.

    So many at once are no day's traffic, and warn of nothing.

    Parameters
    ----------
    outbox : Outbox
    handoff : Handoff
        Whose decisions these are.
    conversations : mapping of str to Conversation
        By id.
    decisions : sequence of Decision
    sent_at : datetime
        With a time zone.
    summarizer : Summarizer, optional
        The structured one when None.
    """
    return sum(
        _store(
            outbox,
            handoff,
            conversations[decision.conversation_id],
            decision,
            sent_at,
            summarizer,
        )
        for decision in decisions
        if decision.fired
    )


def _store(
    outbox: Outbox,
    handoff: Handoff,
    conversation: Conversation,
    decision: Decision,
    at: datetime,
    summarizer: Summarizer | None,
) -> bool:
    summarizer = StructuredSummarizer() if summarizer is None else summarizer
    summary = summarizer.summarize(conversation.turns[: decision.turns], decision=decision)
    view = view_of(handoff, conversation, decision, summary, sent_at=at)
    way = route(handoff, reason=decision.explanation.reason, at=at)
    brief = None
    if way.live_until is not None or way.limit is not None:
        key = email_key(handoff.name, conversation.id)
        brief = Brief.of(view, key=key, with_transcript=way.live_until is not None).to_json()
    return outbox.enqueue(
        build_message(view),
        handoff=handoff.name,
        conversation_id=conversation.id,
        brief=brief,
        live_until=way.live_until,
        limit=way.limit,
    )
