"""What the agent tells the customer when the email handoff fires."""

from __future__ import annotations

import re

from handoff_eval.conversation import Conversation
from handoff_eval.handoff import Handoff
from handoff_eval.summaries.contact import find_contact


def customer_message(
    handoff: Handoff, conversation: Conversation, *, turns: int | None = None
) -> str:
    """Return the agent's words: who will write, by when and where to.

    An address on file is not spelt out, since whoever is chatting may not be its owner. One that
    the customer typed is repeated, so that a slip is noticed. Without any, they are asked for one.

    Parameters
    ----------
    handoff : Handoff
        Whose `response_time` is promised.
    conversation : Conversation
    turns : int, optional
        Turns visible at the decision; None for all.
    """
    contact = find_contact(conversation, turns=turns, exclude=(*handoff.recipients, handoff.sender))
    when = promised_time(handoff)
    if contact.address is None:
        return (
            f"A person from our team can follow up by email within {when}. "
            "Which address should they write to?"
        )
    if contact.from_chat:
        return (
            f"A person from our team will follow up by email within {when}, at {contact.address}. "
            "If that address isn't right, please type the correct one here."
        )
    return (
        f"A person from our team will follow up by email within {when}, "
        "at the address we have on file for you."
    )


def promised_time(handoff: Handoff) -> str:
    """Return the response time as it follows "within": "one working day"."""
    words = " ".join(handoff.response_time.split()).rstrip(".")
    return re.sub(r"^(?:within|in) ", "", words, flags=re.IGNORECASE)
