"""The words as types: decision points, the due point, the unit of resampling."""

from __future__ import annotations

import pytest

from handoff_eval.conversation import DecisionPoint
from tests.builders import labeled, talk

TALK = talk("A: hello", "C: broken", "A: try again", "C: no", "A: sorry")


def test_decision_points() -> None:
    """A trigger is asked after each customer turn and once at the close."""
    assert TALK.decision_points() == (
        DecisionPoint(2),
        DecisionPoint(4),
        DecisionPoint(5, closed=True),
    )


@pytest.mark.parametrize(
    ("at", "due"),
    [(0, 0), (1, 0), (2, 1), (3, 1), (4, 2), (None, 2)],
    ids=["before any customer turn", "customer turn", "agent turn", "later", "last", "close"],
)
def test_due_is_the_first_point_at_or_after_the_labelled_turn(at: int | None, due: int) -> None:
    """An agent turn is due at the next customer turn; no turn means the close."""
    assert labeled(TALK, handoff=True, at=at).due == due


def test_negative_is_never_due() -> None:
    """A conversation without a need has no due point."""
    assert labeled(TALK, handoff=False).due is None


def test_group_is_the_customer_else_the_conversation() -> None:
    """Two conversations of a customer share a group; unknown customers stand alone."""
    assert talk("C: a", id="1", customer="u").group == talk("C: b", id="2", customer="u").group
    assert talk("C: a", id="1").group != talk("C: a", id="2").group
    assert talk("C: a", id="u").group != talk("C: a", id="2", customer="u").group
