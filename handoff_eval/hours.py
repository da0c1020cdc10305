"""Business hours with holidays and time zones, and when an answer falls due in them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from handoff_eval.errors import SettingsError

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_HORIZON_DAYS = 400

Span = tuple[time, time]


@dataclass(frozen=True, slots=True)
class BusinessHours:
    """When a team answers.

    A span of a day is read on the wall clock of its zone: one that begins in an hour which the
    switch to summer time skips begins when that hour would have; one that ends in an hour that
    comes twice ends with the second. A span that ends at or before its start ends on the next day.

    Parameters
    ----------
    timezone : ZoneInfo
    week : tuple of tuple of (time, time), length 7
        The spans of each weekday, Monday first.
    holidays : frozenset of date
        Days on which no span begins.
    answer_within_hours : float, optional
        Open hours within which an answer is due; None where none is promised by the clock.
    """

    timezone: ZoneInfo
    week: tuple[tuple[Span, ...], ...]
    holidays: frozenset[date] = frozenset()
    answer_within_hours: float | None = None

    def __post_init__(self) -> None:
        if len(self.week) != 7 or not any(self.week):
            raise SettingsError("Expected hours to be open on at least one weekday; got none.")
        within = self.answer_within_hours
        number = isinstance(within, int | float) and not isinstance(within, bool)
        if within is not None and not (number and 0 < within <= 1000):
            raise SettingsError(
                f"Expected answer_within_hours to lie above 0 and at most at 1000; got {within!r}."
            )

    @classmethod
    def from_table(cls, table: Mapping[str, Any]) -> BusinessHours:
        """Read a `hours` table of a handoff file.

        Its fields are `timezone`, `weekdays` (Monday to Friday) or single days as `"09:00-17:00"`
        or a list of such spans, `holidays` as a list of dates, and `answer_within_hours`.

        Raises
        ------
        SettingsError
            When a field is unknown or not of that form.
        """
        known = {"timezone", "weekdays", "holidays", "answer_within_hours", *WEEKDAYS}
        for name in table:
            if name not in known:
                raise SettingsError(
                    f"Expected one of {', '.join(sorted(known))} in hours; got {name!r}."
                )
        common = _spans(table.get("weekdays", []), "weekdays")
        week = tuple(
            _spans(table[day], day) if day in table else common if index < 5 else ()
            for index, day in enumerate(WEEKDAYS)
        )
        listed = table.get("holidays", [])
        if not isinstance(listed, list):
            raise SettingsError(f"Expected holidays to be a list of dates; got {listed!r}.")
        return cls(
            timezone=_zone(table.get("timezone")),
            week=week,
            holidays=frozenset(_day(holiday) for holiday in listed),
            answer_within_hours=table.get("answer_within_hours"),
        )

    def is_open(self, moment: datetime) -> bool:
        """Whether the team answers at a moment that has a time zone."""
        return self.closes(moment) is not None

    def closes(self, moment: datetime) -> datetime | None:
        """Return when the span that `moment` lies in ends; None where the team is closed."""
        ends = [end for start, end in self._open(moment) if start <= moment.astimezone(UTC)]
        return max(ends).astimezone(self.timezone) if ends else None

    def opens(self, moment: datetime) -> datetime:
        """Return `moment` itself when the team is open, else when it opens next.

        Raises
        ------
        SettingsError
            When it stays closed for more than a year.
        """
        start, _ = self._first(moment)
        return max(start, moment.astimezone(UTC)).astimezone(self.timezone)

    def due(self, moment: datetime) -> datetime | None:
        """Return when `answer_within_hours` open hours after `moment` have passed."""
        if self.answer_within_hours is None:
            return None
        left = timedelta(hours=self.answer_within_hours)
        at = moment.astimezone(UTC)
        while True:
            start, end = self._first(at)
            at = max(at, start)
            if left <= end - at:
                return (at + left).astimezone(self.timezone)
            left -= end - at
            at = end

    def _first(self, moment: datetime) -> tuple[datetime, datetime]:
        try:
            return min(self._open(moment))
        except ValueError:
            raise SettingsError(
                f"Expected the team to open within {_HORIZON_DAYS} days of "
                f"{moment.date().isoformat()}; the hours have none. See the holidays."
            ) from None

    def _open(self, moment: datetime) -> Iterator[tuple[datetime, datetime]]:
        """Yield the spans, in UTC, that end after `moment`: yesterday's to the first day's."""
        now = moment.astimezone(UTC)
        day = now.astimezone(self.timezone).date() - timedelta(days=1)
        for ahead in range(_HORIZON_DAYS):
            found = [
                (start, end) for start, end in self._of(day + timedelta(days=ahead)) if end > now
            ]
            yield from found
            if found and ahead:
                return

    def _of(self, day: date) -> Iterator[tuple[datetime, datetime]]:
        if day in self.holidays:
            return
        for opening, closing in self.week[day.weekday()]:
            last = day + timedelta(days=1) if closing <= opening else day
            start = datetime.combine(day, opening, self.timezone).astimezone(UTC)
            end = datetime.combine(last, closing, self.timezone)
            yield start, max(end.astimezone(UTC), end.replace(fold=1).astimezone(UTC))


def day_of(moment: datetime, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """Return the start of a moment's day in a zone and that of the next, 23 to 25 hours later."""
    day = moment.astimezone(zone).date()
    start = datetime.combine(day, time(), zone)
    return start, datetime.combine(day + timedelta(days=1), time(), zone)


def clock_time(value: object, name: str) -> time:
    """Read a time of day such as "17:30".

    Raises
    ------
    SettingsError
        When it is none.
    """
    if isinstance(value, time):
        return value
    try:
        return time.fromisoformat(value if isinstance(value, str) else "")
    except ValueError:
        raise SettingsError(
            f'Expected {name} to be a time of day such as "17:30"; got {value!r}.'
        ) from None


def _spans(value: object, name: str) -> tuple[Span, ...]:
    listed = [value] if isinstance(value, str) else value
    if not isinstance(listed, list) or not all(isinstance(span, str) for span in listed):
        raise SettingsError(
            f'Expected {name} to be "09:00-17:00" or a list of such spans; got {value!r}.'
        )
    spans = []
    for span in listed:
        opening, dash, closing = span.partition("-")
        if not dash:
            raise SettingsError(f'Expected {name} to be "09:00-17:00"; got {span!r}.')
        midnight = closing.strip() == "24:00"
        spans.append(
            (
                clock_time(opening.strip(), name),
                time() if midnight else clock_time(closing.strip(), name),
            )
        )
    return tuple(spans)


def _zone(name: object) -> ZoneInfo:
    try:
        return ZoneInfo(name if isinstance(name, str) else "")
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise SettingsError(
            f'Expected timezone to be a name such as "Europe/Berlin"; got {name!r}.'
        ) from None


def _day(value: object) -> date:
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    try:
        return date.fromisoformat(value if isinstance(value, str) else "")
    except ValueError:
        raise SettingsError(
            f"Expected holidays to be dates such as 2026-12-25; got {value!r}."
        ) from None
