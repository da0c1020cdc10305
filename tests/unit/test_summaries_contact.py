"""Where a customer can be answered."""

from __future__ import annotations

import pytest

from handoff_eval.conversation import Conversation, Customer, Role, Turn
from handoff_eval.summaries.contact import Contact, find_contact


def talk(*texts: str, email: str | None = None) -> Conversation:
    """Return a conversation of lines such as "C: hello"."""
    turns = tuple(
        Turn(Role.CUSTOMER if text.startswith("C: ") else Role.AGENT, text[3:]) for text in texts
    )
    return Conversation("c-1", turns, customer=Customer("u-1", email))


def test_the_address_on_file_wins() -> None:
    """An address typed in the chat doesn't replace the one on file."""
    contact = find_contact(talk("C: write to me at new@example.org", email="old@example.com"))

    assert contact == Contact("old@example.com")


@pytest.mark.parametrize(
    "text",
    [
        "C: I'm at ana@example.org, evenings are best",
        "C: ana@example.org",
        "C: I wrote to help@example.com twice. Mail me at ana@example.org",
        "C: I'd like the figure sent to ana@example.org.",
        "C: first x@example.org, no wait, my address is ana@example.org",
    ],
)
def test_an_address_the_customer_presents_as_theirs_is_taken(text: str) -> None:
    """The customer's own address is found in their turn, with the turn's index."""
    contact = find_contact(talk("A: Hello?", text))

    assert contact == Contact("ana@example.org", 1)
    assert contact.from_chat


@pytest.mark.parametrize(
    "text",
    [
        "C: I wrote to claims@example.com and heard nothing",
        "C: I got this from billing@example.com",
        "C: please grant admin to boss@example.com",
        "C: there is support@example.com on the page",
        "A: we mailed ana@example.org",
        "C: team@example.net says no",
    ],
)
def test_an_address_of_somebody_else_is_not_taken(text: str) -> None:
    """Addresses written to, shared mailboxes, the agent's words and the team's own are left."""
    contact = find_contact(talk("C: hello there", text), exclude=("Team@example.net",))

    assert contact == Contact()


def test_a_later_turn_is_not_read() -> None:
    """An address typed after the decision isn't known at the decision."""
    conversation = talk("C: help", "A: How?", "C: ana@example.org")

    assert find_contact(conversation, turns=1).address is None
    assert find_contact(conversation).address == "ana@example.org"


@pytest.mark.parametrize(
    "known", ["not an address", "a@b", "x@example.com\nBcc: y@example.com", "a,b@example.com"]
)
def test_an_unusable_address_on_file_is_reported(known: str) -> None:
    """What a header couldn't carry is no address, and is kept to be shown."""
    contact = find_contact(talk("C: hi", email=known))

    assert contact == Contact(None, None, known)
