"""HE021: times that run backwards."""

from __future__ import annotations

from datetime import timedelta

from handoff_eval.conversation import Role, Turn
from tests.checks.build import START, dataset, found, talks


def test_times_that_run_backwards_are_told() -> None:
    """A turn before the one it follows, or before the start, is in the wrong place."""
    minute = timedelta(minutes=1)
    forwards = (
        Turn(Role.CUSTOMER, "a", START),
        Turn(Role.AGENT, "b"),
        Turn(Role.AGENT, "c", START + minute),
    )
    backwards = (Turn(Role.CUSTOMER, "a", START + minute), Turn(Role.AGENT, "b", START))
    conversations = [
        *talks(1, prefix="good", turns=forwards),
        *talks(1, prefix="bad", turns=backwards),
        *talks(1, prefix="early", turns=forwards, started_at=START + minute),
        *talks(1, prefix="unknown", turns=forwards, started_at=None),
    ]

    (finding,) = found("HE021", dataset(conversations))

    assert (finding.severity, finding.examples) == ("warning", ("bad-0", "early-0"))


def test_times_in_order_pass() -> None:
    """Conversations without times of turns have nothing out of order."""
    assert found("HE021", dataset(talks(2))) == []
