"""Business hours: wall clocks, holidays, both switches of the clock, and when an answer is due."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from handoff_eval.errors import SettingsError
from handoff_eval.hours import BusinessHours, day_of

BERLIN = ZoneInfo("Europe/Berlin")


def hours(**table: Any) -> BusinessHours:
    """Return hours in Berlin, nine to five on weekdays unless the table says otherwise."""
    return BusinessHours.from_table(
        {"timezone": "Europe/Berlin", "weekdays": "09:00-17:00"} | table
    )


def berlin(text: str) -> datetime:
    """Return a moment by the clock in Berlin."""
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN)


@pytest.mark.parametrize(
    ("moment", "is_open", "opens"),
    [
        ("2026-03-02 09:00", True, "2026-03-02 09:00"),  # a Monday
        ("2026-03-02 08:59", False, "2026-03-02 09:00"),
        ("2026-03-02 17:00", False, "2026-03-03 09:00"),
        ("2026-03-06 18:00", False, "2026-03-09 09:00"),  # Friday evening
        ("2026-04-03 10:00", False, "2026-04-07 09:00"),  # Good Friday, then Easter Monday
    ],
)
def test_the_wall_clock_of_the_team_decides(moment: str, is_open: bool, opens: str) -> None:
    """The team is open within its spans, but not on weekends and holidays."""
    team = hours(holidays=[date(2026, 4, 3), "2026-04-06"])

    assert team.is_open(berlin(moment)) is is_open
    assert team.opens(berlin(moment)) == berlin(opens)


def test_a_moment_counts_in_any_zone() -> None:
    """08:30 UTC is 09:30 in Berlin in winter and 10:30 in summer."""
    team = hours(weekdays="09:00-10:00")

    assert team.is_open(datetime(2026, 3, 2, 8, 30, tzinfo=UTC))
    assert not team.is_open(datetime(2026, 7, 6, 8, 30, tzinfo=UTC))


def test_nine_stays_nine_over_both_switches() -> None:
    """The clock goes forward on 29 March and back on 25 October 2026; opening stays at nine."""
    team = hours(sunday="09:00-17:00")

    assert team.opens(berlin("2026-03-28 20:00")).astimezone(UTC) == datetime(
        2026, 3, 29, 7, tzinfo=UTC
    )
    assert team.opens(berlin("2026-10-24 20:00")).astimezone(UTC) == datetime(
        2026, 10, 25, 8, tzinfo=UTC
    )


def test_open_hours_are_counted_as_they_pass() -> None:
    """A night shift from 22:00 to 06:00 has 7 hours on the night of spring and 9 in autumn."""
    team = hours(weekdays=[], saturday="22:00-06:00", answer_within_hours=7)
    spring = team.due(berlin("2026-03-28 22:00"))
    autumn = team.due(berlin("2026-10-24 22:00"))

    # Spring: 22 to 02 are 4 hours, 03 to 06 are 3. Autumn: 22 to 03 are 6, so one more ends at 04.
    assert spring == berlin("2026-03-29 06:00")
    assert autumn == berlin("2026-10-25 04:00")


def test_a_span_in_the_hour_that_is_skipped_or_comes_twice() -> None:
    """02:30 does not exist on 29 March: the span begins an hour later; in October it ends late."""
    skipped = hours(weekdays=[], sunday="02:30-05:00")
    twice = hours(weekdays=[], sunday="01:00-02:30")

    assert skipped.opens(berlin("2026-03-29 00:00")) == berlin("2026-03-29 03:30")
    # 02:30 comes at 00:30 and at 01:30 UTC; the second ends the span.
    closes = twice.closes(berlin("2026-10-25 01:30"))
    assert closes is not None
    assert closes.astimezone(UTC) == datetime(2026, 10, 25, 1, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("moment", "due"),
    [
        ("2026-03-02 10:00", "2026-03-02 14:00"),
        ("2026-03-02 16:00", "2026-03-03 12:00"),
        ("2026-03-06 16:00", "2026-03-09 12:00"),
        ("2026-03-07 12:00", "2026-03-09 13:00"),
        ("2026-03-02 13:00", "2026-03-02 17:00"),
    ],
)
def test_an_answer_is_due_after_open_hours(moment: str, due: str) -> None:
    """Four open hours run over closing time into the next day that is open."""
    assert hours(answer_within_hours=4).due(berlin(moment)) == berlin(due)


def test_several_spans_and_midnight() -> None:
    """A lunch break closes the team, and 24:00 is the end of the day."""
    team = hours(monday=["09:00-12:00", "13:00-24:00"])

    assert [team.is_open(berlin(f"2026-03-02 {at}")) for at in ("11:59", "12:30", "23:59")] == [
        True,
        False,
        True,
    ]
    assert team.closes(berlin("2026-03-02 14:00")) == berlin("2026-03-03 00:00")


def test_a_day_has_23_hours_in_spring_and_25_in_autumn() -> None:
    """Days run from midnight to midnight on the clock of the zone."""
    lengths = [
        end.astimezone(UTC) - start.astimezone(UTC)
        for start, end in (
            day_of(berlin("2026-03-29 12:00"), BERLIN),
            day_of(berlin("2026-10-25 12:00"), BERLIN),
        )
    ]

    assert [length.total_seconds() / 3600 for length in lengths] == [23, 25]


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"timezone": "Mars/Olympus"}, "timezone to be a name such as .*got 'Mars/Olympus'"),
        ({"timezone": "../../etc/passwd"}, "timezone to be a name"),
        ({"weekdays": []}, "open on at least one weekday"),
        ({"weekdays": "nine to five"}, 'weekdays to be "09:00-17:00"'),
        ({"weekdays": "09:00-25:00"}, "time of day such as .*got '25:00'"),
        ({"weekdays": 9}, "or a list of such spans; got 9"),
        ({"holidays": ["Easter"]}, "dates such as 2026-12-25; got 'Easter'"),
        ({"holidays": "2026-12-25"}, "a list of dates"),
        ({"answer_within_hours": 0}, "answer_within_hours to lie above 0"),
        ({"lunch": "12:00-13:00"}, "Expected one of .*got 'lunch'"),
    ],
)
def test_mistakes_are_told(table: dict[str, Any], message: str) -> None:
    """Each says what was expected and what came."""
    with pytest.raises(SettingsError, match=message):
        hours(**table)


def test_a_team_that_never_opens_is_told() -> None:
    """A year of holidays ends in a sentence, not in an endless search."""
    every = frozenset(date.fromordinal(date(2026, 1, 1).toordinal() + i) for i in range(800))
    team = BusinessHours(BERLIN, hours().week, every)

    with pytest.raises(SettingsError, match="Expected the team to open within 400 days"):
        team.opens(berlin("2026-03-02 10:00"))
