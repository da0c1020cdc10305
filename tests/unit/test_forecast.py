"""Emails a day as a distribution: the pattern by hand, coverage by simulation."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from math import isnan

import numpy as np
import pytest

from handoff_eval.conversation import Conversation, LabeledConversation, Reason, Split
from handoff_eval.errors import DataError, LeakageError
from handoff_eval.evaluation.operating_point import OperatingPoint
from handoff_eval.evaluation.traffic import ScoredTraffic
from handoff_eval.evaluation.volume.backtest import backtest
from handoff_eval.evaluation.volume.daily_counts import DailyCounts, Pattern, draw_counts
from handoff_eval.evaluation.volume.forecast import forecast_volume, rate_draws
from handoff_eval.evaluation.volume.forecast_result import Forecast
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
    days = [c.started_at and c.started_at.date() for c in _traffic([1, 0, 2, *[0] * 10, 3])]

    counts = DailyCounts.of([*days, None])

    assert counts.alongside(days[1:]).tolist() == [0, 0, 2, *[0] * 10, 3]
    assert counts.first == MONDAY
    assert counts.counts.tolist() == [1, 0, 2, *[0] * 10, 3]
    assert counts.weekdays[:8].tolist() == [0, 1, 2, 3, 4, 5, 6, 0]


def test_other_weeks_have_the_mean_and_spread_of_the_fit() -> None:
    """The mean of 2 days of mean 4 and dispersion 1/4 varies by (4 + 16 / 4) / 2 = 4."""
    pattern = Pattern(np.array([4.0] * 6 + [0.0]), np.full(7, 2), 0.25)

    drawn = pattern.draw_means(40_000, np.random.default_rng(0))

    assert drawn.shape == (40_000, 7)
    # Four standard errors of a mean (2 / 200) and, about, of a variance (4 sqrt(3 / 40,000)).
    assert drawn[:, :6].mean(axis=0) == pytest.approx(4.0, abs=0.04)
    assert drawn[:, :6].var(axis=0) == pytest.approx(4.0, abs=0.14)
    assert np.ptp(drawn[:, 6]) == 0


def test_too_short_traffic_is_refused() -> None:
    """Without two weeks there is no weekly pattern to speak of."""
    with pytest.raises(DataError, match="at least 2 weeks for a forecast of days; got 13 days"):
        DailyCounts.of([MONDAY, MONDAY + timedelta(days=12)])
    with pytest.raises(DataError, match="got 0 days"):
        DailyCounts.of([None])


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
    """On emails of the assumed kind the held-out coverage is at least near what is stated."""
    rng = np.random.default_rng(2)
    came = draw_counts(np.tile([120.0, 120, 120, 120, 120, 50, 50], 30), 0.05, rng)
    emails = rng.binomial(came, 0.2)

    tested = backtest(DailyCounts(MONDAY, came), emails, allowed=0.22, seed=3)

    assert tested is not None
    assert tested.days.n == len(tested.held_out) == 28 * 7
    assert tested.weeks.n == tested.weeks_over.n == 28
    assert 0.74 <= tested.days.value <= 0.92
    assert 0.85 <= tested.high_days.value <= 0.98
    # 20 weeks in 100 were meant to break the budget when as many do; 3 errors of 28 weeks are .23
    assert tested.weeks_over.value == pytest.approx(tested.weeks_over_forecast, abs=0.23)
    assert tested.limit == pytest.approx(0.22 * came.mean())


def test_a_rate_that_changes_fails_the_backtest() -> None:
    """Emails that double while the conversations stay are seen as too many for the forecast."""
    emails = np.repeat([20, 20, 20, 40, 40, 40], 7)

    tested = backtest(DailyCounts(MONDAY, np.full(42, 100)), emails, allowed=0.25)

    assert tested is not None
    # Weeks 3 to 6 are forecast: the third is alike, the fourth comes as twice what was seen.
    assert not any(d.low <= d.actual <= d.high for d in tested.held_out[7:14])
    assert all(d.low <= d.actual <= d.high for d in tested.held_out[:7])
    assert tested.weeks_over.value == pytest.approx(3 / 4)


def test_nothing_is_held_out_of_two_weeks() -> None:
    """Two weeks make a pattern and leave none to test it on."""
    counts = DailyCounts(MONDAY, np.full(14, 9))

    assert backtest(counts, np.full(14, 1), allowed=0.1) is None


def _items() -> list[LabeledConversation]:
    """Return ten needed handoffs and ninety others, four a day from nine o'clock on."""
    made = []
    for i in range(100):
        reason = Reason.COMPLAINT if i % 2 else Reason.UNRESOLVED
        at = datetime(2026, 3, 2, 9 + i % 4, tzinfo=UTC) + timedelta(days=i // 4)
        conversation = replace(
            talk("C: hello", id=f"c{i}"), channel="web" if i % 2 else "app", started_at=at
        )
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
    hours = {part.name: part.emails.value for part in forecast.parts["hour"]}
    # positives 1 to 9 and negatives 10 to 18 fire, each standing for 2 emails a day; of 1 to 18
    # four start at 9 (i % 4 == 0) and 12, five at 10 and 11
    assert hours == pytest.approx({"09": 8, "10": 10, "11": 10, "12": 8})


def test_an_email_comes_in_the_hour_of_its_turn() -> None:
    """The turn that the email follows tells the hour, not the start of the conversation."""
    items = _items()
    late = datetime(2026, 3, 2, 21, 30, tzinfo=UTC)
    first = items[1].conversation
    moved = replace(first, turns=(replace(first.turns[0], at=late),))
    items[1] = replace(items[1], conversation=moved)

    forecast = forecast_volume(
        SCORED, items, POINT, _traffic([10] * 28), budget=BUDGET, prevalence=0.1
    )

    hours = {part.name: part.emails.value for part in forecast.parts["hour"]}
    assert hours["21"] == pytest.approx(2)
    assert hours["10"] == pytest.approx(8)


def test_traffic_tells_the_rate_without_labels() -> None:
    """With scored traffic emails a conversation are the share of it that fires, on its own days."""
    days = tuple(MONDAY + timedelta(days=i // 20) for i in range(20 * 35))
    # Every fourth fires; one was emailed when it was recorded, which counts as a fire.
    peaks = np.where(np.arange(700) % 4 == 0, 0.8, 0.2)
    peaks[0] = np.inf
    sent = ScoredTraffic("t", peaks, tuple(f"u{i}" for i in range(700)), days)

    forecast = forecast_volume(
        SCORED, _items(), POINT, [], budget=BUDGET, prevalence=0.1, traffic=sent, seed=4
    )

    # a quarter of 200 conversations a day
    assert forecast.source == "traffic"
    assert forecast.median_day.value == pytest.approx(50, abs=3)
    assert sum(p.emails.value for p in forecast.parts["reason"]) == pytest.approx(50, rel=0.1)
    assert forecast.tested is not None
    assert forecast.tested.what == "emails"
    # 5 of 20 fired on each of 21 held-out days, in a band about them
    assert {d.actual for d in forecast.tested.held_out} == {5}
    assert forecast.tested.days.value == 1
    assert forecast.tested.weeks.n == 3


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
    none = _forecast([10] * 14)
    assert any("to hold one out and test" in s for s in none.sentences())
    assert none.to_dict()["backtest"] is None
    assert list(none.pictures()) == [""]


def test_without_traffic_conversations_are_tested() -> None:
    """Before the trigger: as many as the budget allows at the mean email rate."""
    forecast = _forecast([10] * 28)
    tested = forecast.tested

    assert tested is not None
    # 20 emails of 200 conversations at .18 emails a conversation: .1 / .18 of 10 a day
    assert tested.what == "conversations"
    assert {d.actual for d in tested.held_out} == {10}
    assert tested.limit == pytest.approx(10 * 0.1 / 0.18, rel=0.05)
    assert any("before the trigger" in sentence for sentence in forecast.sentences())


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
    assert all(by in forecast.text() for by in ("hour", "reason", "channel", "Monday"))
    assert forecast.pictures()["held_out"](720).svg().startswith("<svg")
