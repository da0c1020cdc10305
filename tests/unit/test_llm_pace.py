"""The pace of tries and the waits between them, by a clock that only the test moves."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handoff_eval.llm.pace import Pace
from handoff_eval.llm.retry import retry_wait


class Clock:
    """Time that passes only in sleep."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds


def starts(tokens: list[int], **limits: float) -> list[float]:
    """Return when tries of so many tokens begin, from the first on."""
    clock = Clock()
    pace = Pace(**limits, clock=clock, sleep=clock.sleep)  # type: ignore[arg-type]
    times = []
    for count in tokens:
        pace.wait(count)
        times.append(clock.now - 1000)
    return times


def test_requests_and_tokens_are_spaced_by_the_tighter_limit() -> None:
    """60 a minute: a second each. 6000 tokens a minute: 300 tokens take three seconds."""
    assert starts([10] * 3) == [0, 0, 0]
    assert starts([10] * 3, requests_per_minute=60) == pytest.approx([0, 1, 2])
    assert starts([300, 50, 50], requests_per_minute=60, tokens_per_minute=6000) == pytest.approx(
        [0, 3, 4]
    )


@given(st.lists(st.integers(1, 500), min_size=1, max_size=60), st.integers(1, 100))
def test_no_minute_holds_more_than_allowed_and_one(tokens: list[int], requests: int) -> None:
    """Counted over every window of a minute; a try larger than the limit still goes, alone."""
    limit = 2000
    times = starts(tokens, requests_per_minute=requests, tokens_per_minute=limit)

    for begin in times:
        inside = [i for i, time in enumerate(times) if begin <= time < begin + 60 - 1e-6]
        assert len(inside) <= requests + 1
        assert sum(tokens[i] for i in inside[:-1]) <= limit


def test_an_estimate_is_put_right() -> None:
    """100 estimated and 400 counted: the next try waits the four seconds of 400."""
    clock = Clock()
    pace = Pace(tokens_per_minute=6000, clock=clock, sleep=clock.sleep)
    pace.wait(100)
    pace.settle(100, 400)
    pace.wait(100)

    assert clock.now - 1000 == pytest.approx(4)


def test_a_pause_holds_the_next_try_and_a_longer_one_stays() -> None:
    """A pause of five seconds isn't cut short by one of two."""
    clock = Clock()
    pace = Pace(clock=clock, sleep=clock.sleep)
    pace.pause(5)
    pace.pause(2)
    pace.wait(1)

    assert clock.now - 1000 == pytest.approx(5)


@pytest.mark.parametrize("status", [None, 408, 429, 500, 503, 599])
def test_a_passing_fault_waits_twice_as_long_each_time(status: int | None) -> None:
    """Half a second, one, two, up to thirty; each less by a quarter at most, and not all alike."""
    waits = [[retry_wait(n, status=status) or 0 for _ in range(20)] for n in (0, 1, 2, 10, 5000)]

    for drawn, longest in zip(waits, (0.5, 1, 2, 30, 30), strict=True):
        assert all(0.75 * longest <= wait <= longest for wait in drawn)
        assert len(set(drawn)) > 1


@pytest.mark.parametrize("status", [301, 400, 401, 403, 404, 409, 418, 422])
def test_a_fault_that_lasts_is_not_tried_again(status: int) -> None:
    """Whatever wait it names."""
    assert retry_wait(0, status=status, headers={"retry-after": "1"}) is None


@pytest.mark.parametrize(
    ("headers", "low", "high"),
    [
        ({"retry-after": "7"}, 7, 8.75),
        ({"retry-after": "0.5"}, 0.5, 0.625),
        ({"retry-after-ms": "1500", "retry-after": "9"}, 1.5, 1.875),
        ({"retry-after": "0"}, 0.375, 0.5),
        ({"retry-after": "soon"}, 0.375, 0.5),
        ({"retry-after": "nan"}, 0.375, 0.5),
        ({"retry-after": "-3"}, 0.375, 0.5),
        ({"retry-after": format_datetime(datetime(2001, 1, 1, tzinfo=UTC))}, 0.375, 0.5),
    ],
)
def test_a_wait_the_server_names_is_never_cut_short(
    headers: dict[str, str], low: float, high: float
) -> None:
    """Seconds, milliseconds or a date; what makes no sense is as good as none."""
    wait = retry_wait(0, status=429, headers=headers)

    assert wait is not None
    assert low <= wait <= high


def test_a_date_is_as_long_as_until_then() -> None:
    """A minute from now, written in whole seconds, is 59 to 60 of them, and a quarter at most."""
    wait = retry_wait(
        0,
        status=503,
        headers={"retry-after": format_datetime(datetime.now(UTC) + timedelta(seconds=60))},
    )

    assert wait is not None
    assert 55 <= wait <= 75


def test_a_server_that_asks_for_minutes_is_given_up() -> None:
    """Beyond two minutes the run ends and can be resumed."""
    assert retry_wait(0, status=429, headers={"retry-after": "121"}) is None
