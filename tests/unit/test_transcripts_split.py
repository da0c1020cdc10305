"""Splits by customer."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from handoff_eval.conversation import Conversation, Customer, Role, Split, Turn
from handoff_eval.errors import SettingsError
from handoff_eval.transcripts.split import assign_splits

HALF = {Split.TRAIN: 0.5, Split.TUNE: 0.25, Split.TEST: 0.25}


def talk(number: int, *, day: int | None = None, customer: str | None = None) -> Conversation:
    """Return a conversation of a customer, started on a day or at an unknown time."""
    start = None if day is None else datetime(2026, 3, 1, tzinfo=UTC) + timedelta(days=day)
    return Conversation(
        f"c-{number}", (Turn(Role.CUSTOMER, "Hi"),), start, Customer(customer or f"u-{number}")
    )


def test_test_is_the_latest() -> None:
    """With all starts known the earliest half is train and the latest quarter test."""
    talks = [talk(i, day=7 - i) for i in range(8)]

    result = assign_splits(talks, HALF, seed=0)

    # Places (k + .5) / 8 by day: days 0-3 lie below .5, days 4-5 below .75, days 6-7 above.
    assert [c.split for c in result] == [Split.TEST] * 2 + [Split.TUNE] * 2 + [Split.TRAIN] * 4


def test_a_customer_who_returns_late_is_late_as_a_whole() -> None:
    """The last conversation of a customer places all of them."""
    talks = [
        talk(0, day=0, customer="u"),
        *(talk(i, day=i) for i in range(1, 7)),
        talk(7, day=9, customer="u"),
    ]

    result = assign_splits(talks, HALF, seed=0)

    assert {c.split for c in result if c.customer.id == "u"} == {Split.TEST}


def test_without_times_the_hash_meets_the_shares() -> None:
    """One unknown start is enough for the hash, whose shares are near those asked for."""
    talks = [talk(i, day=i) for i in range(1999)] + [talk(1999)]

    shares = Counter(c.split for c in assign_splits(talks, HALF, seed=3))

    # Standard deviation of a count of 2,000 at .5 is 22; 4 of them are 89.
    assert shares[Split.TRAIN] == pytest.approx(1000, abs=89)
    assert shares[Split.TUNE] == pytest.approx(500, abs=78)


def test_the_hash_keeps_customers_where_they_were() -> None:
    """Adding conversations moves nobody, and another seed is another draw."""
    talks = [talk(i) for i in range(50)]

    first = assign_splits(talks[:30], HALF, seed=1)

    assert assign_splits(talks, HALF, seed=1)[:30] == first
    assert assign_splits(talks[:30], HALF, seed=2) != first


@pytest.mark.parametrize(
    "shares", [{Split.TRAIN: 1.5, Split.TEST: -0.5}, {Split.TRAIN: 0.5}, {Split.TUNE: 1.01}]
)
def test_shares_that_are_no_shares_are_refused(shares: dict[Split, float]) -> None:
    """Shares below 0, or that don't sum to 1, are a mistake of the caller."""
    with pytest.raises(SettingsError, match="Expected shares from 0 on that sum to 1; got train"):
        assign_splits([talk(0)], shares, seed=0)
