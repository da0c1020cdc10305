"""What the agent tells the customer when the handoff fires: who will write, by when, where to."""

from __future__ import annotations

import re
from datetime import datetime

from handoff_eval.conversation import Conversation
from handoff_eval.handoff import Handoff
from handoff_eval.summaries.contact import find_contact


def customer_message(
    handoff: Handoff, conversation: Conversation, *, at: datetime, turns: int | None = None
) -> str:
    """Return the agent's words.

    An address on file is not spelt out, since whoever is chatting may not be its owner. One that
    the customer typed is repeated, so that a slip is noticed. Without any, they are asked for one.
    What is said holds whatever happens next: where the team is tried live first, the email is
    promised for the case that nobody takes over.

    Parameters
    ----------
    handoff : Handoff
        Whose `response_time` is promised.
    conversation : Conversation
    at : datetime
        The moment of the handoff, with a time zone.
    turns : int, optional
        Turns visible at the decision; None for all.
    """
    contact = find_contact(conversation, turns=turns, exclude=(*handoff.recipients, handoff.sender))
    when = promise(handoff, at)
    who = "A person from our team"
    if goes_live(handoff, at):
        who = "I am passing this to our team now. If nobody can take over at once, a person"
    if contact.address is None:
        said = f"{who} can follow up by email {when}. Which address should they write to?"
    elif contact.from_chat:
        said = (
            f"{who} will follow up by email {when}, at {contact.address}. "
            "If that address isn't right, please type the correct one here."
        )
    else:
        said = f"{who} will follow up by email {when}, at the address we have on file for you."
    return said + _back(handoff, at)


def goes_live(handoff: Handoff, at: datetime) -> bool:
    """Whether the live side is tried first at a moment: there is one, and the team is open."""
    return handoff.live is not None and (handoff.hours is None or handoff.hours.is_open(at))


def promise(handoff: Handoff, at: datetime) -> str:
    """Return the response time as a sentence goes on: "within one working day", "by Monday 10:00".

    Parameters
    ----------
    handoff : Handoff
        `{due}` in its response time becomes the end of the promised open hours after `at`.
    at : datetime
        The moment of the handoff, with a time zone.
    """
    words = " ".join(handoff.response_time.split()).rstrip(".")
    due = handoff.hours.due(at) if handoff.hours is not None else None
    if due is not None:
        words = words.replace("{due}", _when(due, at))
    if re.match(r"(?:within|in|by|before|on|until|at|today|tomorrow)\b", words, re.IGNORECASE):
        return words[0].lower() + words[1:]
    return f"within {words}"


def _back(handoff: Handoff, at: datetime) -> str:
    """Return when the team is back, where it is closed and no moment has been named."""
    hours = handoff.hours
    if hours is None or hours.is_open(at) or "{due}" in handoff.response_time:
        return ""
    return f" Our team is back on {_when(hours.opens(at), at)}."


def _when(moment: datetime, now: datetime) -> str:
    """Return a moment on the team's clock, with the date where the weekday alone is not enough."""
    date = f", {moment.day} {moment:%B}," if (moment - now).days >= 6 else ""
    return f"{moment:%A}{date} {moment:%H:%M %Z}"
