"""What the customer is told: who writes, by when, where to."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from handoff_eval.conversation import Conversation, Customer, Role, Turn
from handoff_eval.handoff import Handoff
from handoff_eval.mail.customer import customer_message, promise

TEAM = Handoff("Refunds", ("team@example.com",), response_time="one working day")
NOW = datetime(2026, 3, 2, 10, tzinfo=UTC)


def talk(text: str, *, email: str | None = None) -> Conversation:
    """Return a conversation of one customer turn."""
    return Conversation("c-1", (Turn(Role.CUSTOMER, text),), customer=Customer("u-1", email))


def test_an_address_on_file_is_used_but_not_spelt_out() -> None:
    """Whoever sits at the chat learns when, not which address the account has."""
    message = customer_message(TEAM, talk("help", email="ana@example.org"), at=NOW)

    assert "follow up by email within one working day" in message
    assert "on file" in message
    assert "ana@example.org" not in message


def test_an_address_from_the_chat_is_repeated() -> None:
    """A slip in a typed address can be noticed."""
    message = customer_message(TEAM, talk("write to ana@example.org"), at=NOW)

    assert "follow up by email within one working day, at ana@example.org." in message


def test_without_an_address_one_is_asked_for() -> None:
    """Nothing is promised that couldn't be kept."""
    message = customer_message(TEAM, talk("help"), at=NOW)

    assert message.endswith("Which address should they write to?")
    assert "will follow up" not in message


def test_the_teams_own_address_is_not_taken_for_the_customers() -> None:
    """A customer who quotes the team's address is still asked for theirs."""
    message = customer_message(TEAM, talk("is it team@example.com"), at=NOW)

    assert message.endswith("?")


def test_an_address_typed_after_the_decision_is_not_known() -> None:
    """The message says what was known at the decision."""
    conversation = talk("ana@example.org")

    assert "ana@example.org" not in customer_message(TEAM, conversation, at=NOW, turns=0)


@pytest.mark.parametrize(
    ("configured", "promised"),
    [
        ("one working day", "within one working day"),
        ("within 24 hours.", "within 24 hours"),
        ("In  two days", "in two days"),
    ],
)
def test_the_response_time_follows_within(configured: str, promised: str) -> None:
    """The handoff's own words are kept, without a doubled "within"."""
    handoff = Handoff("Refunds", ("team@example.com",), response_time=configured)

    assert promise(handoff, NOW) == promised
