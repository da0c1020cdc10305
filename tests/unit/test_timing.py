"""When a trigger fires against when it was due, in values worked out by hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from math import exp, isnan

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handoff_eval.conversation import LabeledConversation, Split
from handoff_eval.errors import LeakageError
from handoff_eval.evaluation.findings.golden_transfer import golden_transfer
from handoff_eval.evaluation.findings.timing import Timing, measure_timing
from handoff_eval.evaluation.operating_point import OperatingPoint
from handoff_eval.evaluation.replay import Replay
from handoff_eval.evaluation.scored import ScoredSplit
from tests.builders import labeled, talk

POINT = OperatingPoint("hand", 0.5, Split.TUNE, None, "test")
START = datetime(2026, 3, 2, 9, tzinfo=UTC)


def _item(name: str, *, at: int | None, handoff: bool = True) -> LabeledConversation:
    """Return three customer turns with answers, a minute apart: points at turns 1, 3, 5, close."""
    made = talk("C: a", "A: b", "C: c", "A: d", "C: e", "A: f", id=name, customer=name)
    turns = tuple(
        replace(turn, at=START + timedelta(minutes=i)) for i, turn in enumerate(made.turns)
    )
    return labeled(replace(made, turns=turns), handoff=handoff, at=at)


def _scored(items: Sequence[LabeledConversation], scores: Sequence[Sequence[float]]) -> ScoredSplit:
    played = Replay(
        "hand",
        tuple(item.conversation.id for item in items),
        np.arange(len(items) + 1) * 4,
        np.tile([1, 3, 5, 6], len(items)),
        np.array(scores, dtype=float).ravel(),
    )
    return ScoredSplit.join(played, items, Split.TEST)


ITEMS = [
    _item("early", at=4),
    _item("due", at=2),
    _item("late", at=0),
    _item("never", at=0),
    _item("close", at=None),
    _item("quiet", at=None, handoff=False),
    _item("false", at=None, handoff=False),
]
SCORES = [
    [0.9, 0, 0, 0],
    [0, 0.9, 0, 0],
    [0, 0, 0.9, 0.9],
    [0, 0, 0, 0],
    [0, 0, 0, 0.9],
    [0, 0, 0, 0],
    [0, 0.9, 0, 0],
]


def _timing(tolerance: int = 0) -> Timing:
    return measure_timing(_scored(ITEMS, SCORES), ITEMS, POINT, prevalence=0.1, tolerance=tolerance)


def test_outcomes_by_hand() -> None:
    """Of five needed handoffs one fires early, two when due, one late and one never."""
    timing = _timing()

    assert timing.early.value == pytest.approx(1 / 5)
    assert timing.on_time.value == pytest.approx(2 / 5)
    assert timing.late.value == pytest.approx(1 / 5)
    assert timing.never.value == pytest.approx(1 / 5)
    assert timing.early.n == 5
    # early, due and close: the early fire is on time, too
    assert timing.recall_on_time.value == pytest.approx(3 / 5)
    assert timing.delays == (-2, 0, 0, 2)


def test_tolerance_widens_what_is_on_time() -> None:
    """Two points off are on time with a tolerance of two."""
    timing = _timing(tolerance=2)

    assert timing.on_time.value == pytest.approx(4 / 5)
    assert timing.early.value == timing.late.value == 0
    assert timing.recall_on_time.value == pytest.approx(4 / 5)


def test_medians_by_hand() -> None:
    """Delays -2, 0, 0, 2 have the median 0; the turns are a minute apart."""
    timing = _timing()

    assert timing.points_off.value == 0
    assert timing.points_off.n == 4
    # fires minus due in minutes: 0 - 4, 2 - 2, 4 - 0, and the close at its last turn: 5 - 5
    assert timing.minutes_off.value == 0
    assert timing.minutes_off.n == 4


def test_minutes_need_times_on_both_turns() -> None:
    """A conversation without times has no part in the median, and without any there is none."""
    bare = [
        replace(
            item,
            conversation=replace(
                item.conversation,
                turns=tuple(replace(turn, at=None) for turn in item.conversation.turns),
            ),
        )
        for item in ITEMS
    ]

    timing = measure_timing(_scored(bare, SCORES), bare, POINT, prevalence=0.1)

    assert isnan(timing.minutes_off.value)
    assert timing.minutes_off.n == 0
    assert timing.points_off.n == 4


def test_strict_precision_by_hand() -> None:
    """An early fire counts as a needless email."""
    timing = _timing()

    # S = 3/5, E = 1/5, F = 1/2: .1 * .6 / (.1 * .6 + .1 * .2 + .9 * .5) = .06 / .53
    assert timing.strict_precision.value == pytest.approx(0.06 / 0.53)
    # with tolerance S = 4/5, E = 0: .08 / (.08 + .45)
    assert _timing(tolerance=2).strict_precision.value == pytest.approx(0.08 / 0.53)
    assert timing.strict_precision.low < timing.strict_precision.value


def test_golden_transfer_of_a_split_by_hand() -> None:
    """Positions are utterances, and the close is the number of turns."""
    timing = _timing()

    # T = 1. early: due 4, fire 0: exp(-16/2). late: due 0, fires 4 and 6: (exp(-8) + exp(-18)) / 2
    # due 1, never 0, close 1 (6 against 6), quiet 1, false 0
    early, late = exp(-8), (exp(-8) + exp(-18)) / 2
    assert timing.golden_transfer["I"].value == pytest.approx((3 + early + late) / 7, abs=1e-6)
    positives = timing.golden_transfer_of_positives["I"]
    assert positives.value == pytest.approx((2 + early + late) / 5, abs=1e-6)
    assert positives.n == 5
    # the first fire alone: late has exp(-8)
    first = timing.first_fire_golden_transfer["I"]
    assert first.value == pytest.approx((3 + early + exp(-8)) / 7, abs=1e-6)


def test_golden_transfer_by_hand() -> None:
    """Each fire is held against the golden turn nearest to it."""
    # p = 2 and 7 against q = 3 and 10, T = 2: (exp(-1/8) + exp(-9/8)) / 2
    expected = (exp(-1 / 8) + exp(-9 / 8)) / 2
    assert golden_transfer([2, 7], [3, 10], tolerance=2) == pytest.approx(expected, abs=1e-6)
    # lambda .5, T = 1: late by 1: exp(-1 / (.5 * 2)); early by 1: exp(-1 / (1.5 * 2))
    late = golden_transfer([4], [3], tolerance=1, balance=0.5)
    assert late == pytest.approx(exp(-1), abs=1e-6)
    early = golden_transfer([2], [3], tolerance=1, balance=0.5)
    assert early == pytest.approx(exp(-1 / 3), abs=1e-6)
    assert golden_transfer([4], [3], tolerance=1, balance=1.0) == pytest.approx(0, abs=1e-6)


def test_golden_transfer_of_nothing() -> None:
    """Silence where nothing was due is perfect; any other emptiness is worth nothing."""
    assert golden_transfer([], [], tolerance=1) == 1
    assert golden_transfer([1], [], tolerance=1) == 0
    assert golden_transfer([], [1], tolerance=1) == 0


POSITIONS = st.lists(st.integers(0, 30), max_size=6, unique=True)


@given(POSITIONS, POSITIONS, st.sampled_from([-0.5, 0.0, 0.5]))
def test_golden_transfer_is_a_share_that_rises_with_tolerance(
    fired: list[int], golden: list[int], balance: float
) -> None:
    """The value lies in 0 to 1, is 1 for the golden turns themselves, and grows with T."""
    levels = [golden_transfer(fired, golden, tolerance=t, balance=balance) for t in (1, 2, 3)]

    assert all(0 <= level <= 1 for level in levels)
    assert levels == sorted(levels)
    assert golden_transfer(golden, golden, tolerance=1, balance=balance) == 1


@settings(max_examples=20, deadline=None)
@given(
    st.lists(st.lists(st.sampled_from([0.1, 0.6, 0.9]), min_size=4, max_size=4), min_size=7,
             max_size=7),
    st.integers(0, 3),
)  # fmt: skip
def test_outcomes_add_up_and_recall_on_time_falls_with_the_threshold(
    scores: list[list[float]], tolerance: int
) -> None:
    """Every needed handoff has one outcome, and a higher threshold never catches more in time."""
    split = _scored(ITEMS, scores)
    timings = [
        measure_timing(
            split,
            ITEMS,
            replace(POINT, threshold=threshold),
            prevalence=0.1,
            tolerance=tolerance,
        )
        for threshold in (0.5, 0.7)
    ]

    for timing in timings:
        outcomes = (timing.early, timing.on_time, timing.late, timing.never)
        assert sum(e.value for e in outcomes) == pytest.approx(1)
        on_time = timing.early.value + timing.on_time.value
        assert timing.recall_on_time.value == pytest.approx(on_time)
    assert timings[1].recall_on_time.value <= timings[0].recall_on_time.value


def test_timing_is_refused_on_what_chose_the_point() -> None:
    """Timing on tune would be judged on the data that set the threshold."""
    split = replace(_scored(ITEMS, SCORES), split=Split.TUNE)
    with pytest.raises(LeakageError, match="reported on the test split"):
        measure_timing(split, ITEMS, POINT, prevalence=0.1)


def test_timing_shows_itself() -> None:
    """The words, the table, the JSON and the picture all come from the same values."""
    timing = _timing()

    assert "never for 20%" in timing.sentences()[0]
    assert timing.frame().loc["never", "n"] == 5
    assert timing.to_dict()["measures"]["early"]["value"] == pytest.approx(0.2)
    assert timing.plot().svg().startswith("<svg")
