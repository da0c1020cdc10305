"""Emails a day as a distribution: the pattern by hand, coverage by simulation."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from math import isnan

import numpy as np
import pytest

from handoff_eval.conversation import Conversation, LabeledConversation, Reason, Split
from handoff_eval.errors import DataError, LeakageError
from handoff_eval.evaluation.daily_counts import (
    DailyCounts,
    Pattern,
    backtest,
    draw_counts,
)
from handoff_eval.evaluation.forecast import Forecast, forecast_volume, rate_draws
from handoff_eval.evaluation.operating_point import OperatingPoint
from handoff_eval.handoff import Budget
from tests.builders import labeled, scored, talk

MONDAY = date(2026, 3, 2)
POINT = OperatingPoint("arm", 0.5, Split.TUNE, None, "test")
BUDGET = Budget(20, 0.8, 200, prevalence=0.1)


def _traffic(per_day: list[int]) -> list[Conversation]:
    start = datetime(2026, 3, 2, 9, tzinfo=UTC)
    return [
        replace(
            talk("C: hello", id=f"t{day}-{i}"),
            started_at=start + timedelta(days=day, hours=i % 3),
            channel="web",
        )
        for day, count in enumerate(per_day)
        for i in range(count)
    ]


def test_days_without_traffic_count_nought() -> None:
    """Days between the first and the last are all there, in order."""
    counts = DailyCounts.of(_traffic([1, 0, 2, *[0] * 10, 3]))

    assert counts.first == MONDAY
    assert counts.counts.tolist() == [1, 0, 2, *[0] * 10, 3]
    assert counts.weekdays[:8].tolist() == [0, 1, 2, 3, 4, 5, 6, 0]


def test_too_short_traffic_is_refused() -> None:
    """Without two weeks there is no weekly pattern to speak of."""
    with pytest.raises(DataError, match="at least 2 weeks for a forecast of days; got 13 days"):
        DailyCounts.of(_traffic([1] * 13))
    with pytest.raises(DataError, match="got 0 days"):
        DailyCounts.of([talk("C: hello")])


def test_pattern_by_hand() -> None:
    """Weekday means and the dispersion by moments."""
    counts = DailyCounts(MONDAY, np.array([10, 4, 4, 4, 4, 4, 4, 30, 4, 4, 4, 4, 4, 4]))

    pattern = Pattern.fit(counts)

    # Monday (10 + 30) / 2 = 20; squared misfits 100 + 100, times n / (n - 7) = 2: 400.
    # sum m = 2 (20 + 6 * 4) = 88, sum m^2 = 2 (400 + 6 * 16) = 992: a = (400 - 88) / 992
    assert pattern.means.tolist() == [20, 4, 4, 4, 4, 4, 4]
    assert pattern.dispersion == pytest.approx(312 / 992)


def test_steady_traffic_has_no_spread_beyond_chance() -> None:
    """Counts that vary less than chance are taken as Poisson, not as less than that."""
    assert Pattern.fit(DailyCounts(MONDAY, np.full(21, 9))).dispersion == 0


def test_drawn_counts_have_the_stated_moments() -> None:
    """Mean m and variance m + a m^2."""
    drawn = draw_counts(np.full(200_000, 10.0), 0.2, np.random.default_rng(0))

    # 10 + .2 * 100 = 30
    assert drawn.mean() == pytest.approx(10, abs=0.1)
    assert drawn.var() == pytest.approx(30, rel=0.03)


def test_thinned_counts_keep_the_dispersion() -> None:
    """Keeping each conversation at a rate gives the same dispersion around the lower mean."""
    rng = np.random.default_rng(1)
    thinned = rng.binomial(draw_counts(np.full(200_000, 50.0), 0.2, rng), 0.1)

    # 5 + .2 * 25 = 10
    assert thinned.var() == pytest.approx(10, rel=0.03)


def test_band_holds_its_share_of_held_out_days() -> None:
    """On traffic of the assumed kind the held-out coverage is near what is stated."""
    rng = np.random.default_rng(2)
    means = np.tile([30.0, 30, 30, 30, 30, 12, 12], 30)

    tested = backtest(DailyCounts(MONDAY, draw_counts(means, 0.05, rng)), seed=3)

    assert tested is not None
    assert tested.days.n == 28 * 7
    assert tested.weeks.n == 28
    assert 0.74 <= tested.days.value <= 0.92
    assert 0.85 <= tested.high_days.value <= 0.98


def test_nothing_is_held_out_of_two_weeks() -> None:
    """Two weeks make a pattern and leave none to test it on."""
    assert backtest(DailyCounts(MONDAY, np.full(14, 9))) is None


def _items() -> list[LabeledConversation]:
    """Return ten positives, of which nine fire, and ninety negatives, of which nine fire."""
    made = []
    for i in range(100):
        reason = Reason.COMPLAINT if i % 2 else Reason.UNRESOLVED
        conversation = replace(talk("C: hello", id=f"c{i}"), channel="web" if i % 2 else "app")
        made.append(labeled(conversation, handoff=i < 10, reasons=[reason]))
    return made


SCORED = scored([0.1, *[0.9] * 9], [*[0.9] * 9, *[0.1] * 81], split=Split.TEST)


def _forecast(per_day: list[int]) -> Forecast:
    return forecast_volume(
        SCORED, _items(), POINT, _traffic(per_day), budget=BUDGET, prevalence=0.1, seed=4
    )


def test_volume_is_stated_at_the_given_traffic_and_prevalence() -> None:
    """The pattern is scaled to the stated traffic, and the rate is p R + (1 - p) F."""
    forecast = _forecast([20, 20, 20, 20, 20, 5, 0] * 10)

    # .1 * .9 + .9 * .1 = .18 of 200 conversations: 36 emails on the mean day.
    mean = np.mean([day.median for day in forecast.weekdays])
    assert mean == pytest.approx(36, abs=3)
    # Mondays have 20 / 15 of the mean: 48
    assert forecast.weekdays[0].median == pytest.approx(48, abs=4)
    assert forecast.weekdays[6].median == 0
    assert forecast.week_over.value > 0.9
    # five days in seven lie far above a budget of 20, Saturdays (12) and Sundays do not
    assert forecast.day_over.value == pytest.approx(5 / 7, abs=0.05)
    assert forecast.median_day.low <= forecast.median_day.value <= forecast.median_day.high


def test_parts_add_up_to_the_mean() -> None:
    """Emails by reason and by channel each add up to emails a day; needless ones are named."""
    forecast = _forecast([10] * 28)

    reasons = {part.name: part.emails.value for part in forecast.parts["reason"]}
    # needed: 200 * .1 * .9 = 18, of which 5 of 9 are complaints; needless: 200 * .9 * .1 = 18
    assert reasons["not needed"] == pytest.approx(18)
    assert reasons["complaint"] == pytest.approx(10)
    assert reasons["unresolved"] == pytest.approx(8)
    assert sum(p.emails.value for p in forecast.parts["channel"]) == pytest.approx(36)
    hours = {part.name: part.emails for part in forecast.parts["hour"]}
    # hours 9, 10, 11 have 4, 3 and 3 of 10 conversations a day
    assert hours["09"].value / hours["10"].value == pytest.approx(4 / 3)
    assert hours["03"].value == 0
    assert hours["03"].high > 0


def test_a_rate_of_nought_still_leaves_room() -> None:
    """Where no negative fired in test, the forecast doesn't take that for never."""
    none = scored([0.9] * 10, [0.1] * 10, split=Split.TEST)

    rates = rate_draws(none, POINT, 0.1, np.random.default_rng(0))

    # F ~ Beta(.5, 10.5): mean .045; R ~ Beta(10.5, .5): mean .955
    assert rates.mean() == pytest.approx(0.1 * 0.955 + 0.9 * 0.045, abs=0.01)
    assert rates.std() > 0


def test_few_weeks_are_said() -> None:
    """The words say how many weeks there were and how the band did on those held out."""
    assert any("rests on 4 weeks" in s for s in _forecast([10] * 28).sentences())
    two = _forecast([10] * 14)
    assert any("too few to hold one out" in s for s in two.sentences())
    assert two.to_dict()["backtest"] is None


def test_forecast_is_refused_on_what_chose_the_point() -> None:
    """Volume on tune would be judged on the data that set the threshold."""
    with pytest.raises(LeakageError, match="reported on the test split"):
        forecast_volume(
            replace(SCORED, split=Split.TUNE), _items(), POINT, [], budget=BUDGET, prevalence=0.1
        )


def test_forecast_shows_itself() -> None:
    """Words, tables, JSON and picture come from the same values, the same every time."""
    forecast = _forecast([10] * 28)

    assert forecast == _forecast([10] * 28)
    assert forecast.frame().loc["Monday", "days seen"] == 4
    assert forecast.to_dict()["weekdays"][0]["name"] == "Monday"
    assert not isnan(forecast.parts["reason"][0].emails.low)
    assert forecast.plot().svg().startswith("<svg")
