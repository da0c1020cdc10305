"""Emails a day as pictures: the forecast of a week, and how it did on weeks held out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from handoff_eval.evaluation.look import (
    COLOURS,
    HALO,
    INK,
    PAPER,
    WIDE,
    Picture,
    Row,
    chart,
    compose,
    require_altair,
)

if TYPE_CHECKING:
    from handoff_eval.evaluation.volume.backtest import Backtest
    from handoff_eval.evaluation.volume.forecast_result import Forecast


def forecast_plot(forecast: Forecast, *, width: int = WIDE) -> Picture:
    """Draw emails on each weekday, their 10th to 90th percentile, against the budget.

    Parameters
    ----------
    forecast : Forecast
    width : int
        Of the whole picture in pixels.
    """
    alt = require_altair()
    rows: list[Row] = [
        {"day": day.name[:3], "low": day.low, "median": day.median, "high": day.high}
        for day in forecast.weekdays
    ]
    cap: list[Row] = [{"cap": forecast.budget.max_emails_per_day}]
    top = 1.12 * max(forecast.budget.max_emails_per_day, *(day.high for day in forecast.weekdays))
    scale = alt.Scale(domain=[0, top], nice=False)
    x = alt.X("day:N", sort=[row["day"] for row in rows], title=None).axis(labelAngle=0, grid=False)
    y = alt.Y("low:Q", title="emails a day", scale=scale)
    wide = 34 if width > 500 else 24
    layers = [
        chart(rows).mark_bar(width=wide, color=COLOURS[0], opacity=0.3).encode(x, y, y2="high:Q"),
        chart(rows)
        .mark_tick(width=wide, thickness=3, color=COLOURS[0])
        .encode(x, alt.Y("median:Q", scale=scale)),
        chart(cap).mark_rule(color=INK, strokeWidth=1.25).encode(alt.Y("cap:Q", scale=scale)),
        *_cap_words({**cap[0], "text": "budget"}, scale),
    ]
    first, *rest = forecast.sentences()
    subtitle = " ".join([*rest[:1], "Bars: 10th to 90th percentile, with the median."])
    return compose(layers, first, subtitle, width=width)


def backtest_plot(tested: Backtest, *, width: int = WIDE) -> Picture:
    """Draw each held-out day in the band it was forecast with, and what the budget allows.

    Parameters
    ----------
    tested : Backtest
    width : int
        Of the whole picture in pixels.
    """
    alt = require_altair()
    days: list[Row] = [
        {
            "day": d.day.isoformat(),
            "low": d.low,
            "median": d.median,
            "high": d.high,
            "actual": d.actual,
            "where": "in the band" if d.low <= d.actual <= d.high else "outside",
        }
        for d in tested.held_out
    ]
    top = 1.12 * max(tested.limit, *(max(d.high, d.actual) for d in tested.held_out), 1.0)
    scale = alt.Scale(domain=[0, top], nice=False)
    # Without the zone's letters a date would be taken as the evening before in the west.
    x = alt.X("utcyearmonthdate(day):T", title=None, scale=alt.Scale(type="utc"))
    x = x.axis(format="%-d %b", grid=False, tickCount=8 if width > 500 else 4)
    y = alt.Y("low:Q", title=f"{tested.what} a day", scale=scale)
    kinds = alt.Scale(domain=["in the band", "outside"], range=[COLOURS[0], COLOURS[1]])
    shapes = alt.Scale(domain=["in the band", "outside"], range=["circle", "diamond"])
    cap: list[Row] = [{"cap": tested.limit, "text": f"budget: {tested.limit:.3g} at this traffic"}]
    layers = [
        chart(days)
        .mark_area(color=COLOURS[0], opacity=0.2, interpolate="step")
        .encode(x, y, y2="high:Q"),
        chart(days)
        .mark_line(color=COLOURS[0], opacity=0.5, strokeWidth=1.5, interpolate="step")
        .encode(x, alt.Y("median:Q", scale=scale)),
        chart(cap).mark_rule(color=INK, strokeWidth=1.25).encode(alt.Y("cap:Q", scale=scale)),
        chart(days)
        .mark_point(size=46, filled=True, opacity=1, stroke=PAPER, strokeWidth=0.75)
        .encode(
            x,
            alt.Y("actual:Q", scale=scale),
            alt.Color("where:N", scale=kinds, title=None),
            alt.Shape("where:N", scale=shapes, title=None),
        ),
        *_cap_words(cap[0], scale),
    ]
    share = f"{tested.days.value:.0%} of {tested.days.n}"
    title = f"{share} held-out days had as many {tested.what} as forecast"
    subtitle = (
        "Band: 10th to 90th percentile, with the median, forecast from the weeks before each "
        "week. Dots: what came."
    )
    return compose(layers, title, subtitle, width=width)


def _cap_words(cap: Row, scale: Any) -> list[Any]:
    """Return the words on the line of the budget, at its end, where weekends leave room."""
    alt = require_altair()
    return [
        chart([cap])
        .mark_text(align="right", dx=-4, dy=-8, fontSize=12, **paint)
        .encode(alt.Y("cap:Q", scale=scale), text="text:N", x=alt.value("width"))
        for paint in HALO
    ]
