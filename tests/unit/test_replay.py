"""Replay: one encoding a turn, prefixes only, and every threshold from one table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from handoff_eval.conversation import Turn
from handoff_eval.evaluation.replay import replay
from handoff_eval.trigger import Explanation
from tests.builders import talk


class CountingTrigger:
    """Scores a tenth for each turn seen, and counts how often a turn is encoded."""

    name = "counting"
    description = "test"

    def __init__(self, step: float = 0.1) -> None:
        self.step = step
        self.encoded = 0

    def encode(self, turns: Sequence[Turn]) -> list[int]:
        self.encoded += len(turns)
        return [1] * len(turns)

    def start(self) -> int:
        return 0

    def update(self, state: int, observation: int) -> int:
        return state + observation

    def score(self, states: Sequence[Any], closed: Sequence[bool]) -> list[float]:
        return [self.step * state + 0.05 * end for state, end in zip(states, closed, strict=True)]

    def explain(self, turns: Sequence[Turn], *, closed: bool) -> Explanation:
        return Explanation(None, len(turns) - 1 if closed else 0)


FIRST = talk("C: hi", "A: hello", "C: refund?", "A: no", id="a")
SECOND = talk("A: welcome", "C: where is it", id="b")


def test_points_are_after_each_customer_turn_and_at_the_close() -> None:
    """Scores stand at customer turns and once at the close, in order."""
    played = replay(CountingTrigger(), [FIRST, SECOND])

    assert played.turns.tolist() == [1, 3, 4, 2, 2]
    assert played.offsets.tolist() == [0, 3, 5]
    # a: .1, .3, .4 + .05; b: .2, .2 + .05
    assert played.scores == pytest.approx([0.1, 0.3, 0.45, 0.2, 0.25])


def test_each_turn_is_encoded_once() -> None:
    """The number of encodings is the number of turns, however many prefixes hold a turn."""
    trigger = CountingTrigger()

    replay(trigger, [FIRST, SECOND])

    assert trigger.encoded == 6


def test_batches_do_not_change_scores() -> None:
    """One conversation a batch gives what one large batch gives."""
    together = replay(CountingTrigger(), [FIRST, SECOND])
    apart = replay(CountingTrigger(), [FIRST, SECOND], batch_turns=1)

    assert np.array_equal(together.scores, apart.scores)


def test_peak_and_first_fire_follow_from_the_table() -> None:
    """Peak is the highest score, first_fire the first at or above the threshold, -1 for none."""
    played = replay(CountingTrigger(), [FIRST, SECOND])

    assert played.peak == pytest.approx([0.45, 0.25])
    assert played.first_fire(0.3).tolist() == [1, -1]
    assert played.first_fire(0.0).tolist() == [0, 0]
    assert played.peak_until([0, 1]) == pytest.approx([0.1, 0.25])


def test_progress_counts_conversations() -> None:
    """The progress callback hears of every conversation once."""
    heard: list[int] = []

    replay(CountingTrigger(), [FIRST, SECOND], batch_turns=1, on_progress=heard.append)

    assert heard == [1, 1]


def test_score_outside_the_unit_interval_is_refused() -> None:
    """A trigger that breaks its contract is named with the range it gave."""
    with pytest.raises(ValueError, match=r"counting to return one score in \[0, 1\]"):
        replay(CountingTrigger(step=2.0), [FIRST])


def test_nan_score_is_refused() -> None:
    """A score that is not a number never reaches the table."""
    with pytest.raises(ValueError, match="got 3 with range nan"):
        replay(CountingTrigger(step=float("nan")), [FIRST])


def test_no_conversations_give_an_empty_table() -> None:
    """An empty batch is a table without rows."""
    played = replay(CountingTrigger(), [])

    assert len(played.scores) == 0
    assert played.first_fire(0.5).tolist() == []
