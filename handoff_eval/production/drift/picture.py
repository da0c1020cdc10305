"""The picture of a watch: emails a day against the bound, and the evidence of each test."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from handoff_eval.evaluation.look import COLOURS, WIDE, Picture, chart, in_our_look, require_altair
from handoff_eval.production.drift.trends import Trend
from handoff_eval.production.drift.watch import Watch

_LOWEST = 1e-3


def watch_plot(watch: Watch, *, width: int = WIDE) -> Picture:
    """Draw a watch.

    Parameters
    ----------
    watch : Watch
    width : int
        In pixels.

    Raises
    ------
    MissingExtraError
        When altair or vl-convert is not installed.
    """
    alt = require_altair()
    volume = [
        {"day": day.date.isoformat(), "share": day.emails / day.conversations} for day in watch.days
    ]
    bound = [{"bound": watch.promise.max_email_rate}]
    days = chart(volume)
    upper = alt.layer(
        days.mark_bar(color=COLOURS[0]).encode(
            alt.X("day:T", title=None),
            alt.Y("share:Q", title="share emailed", axis=alt.Axis(format="%")),
        ),
        chart(bound).mark_rule(color=COLOURS[1], strokeDash=[4, 3]).encode(alt.Y("bound:Q")),
    ).properties(width=width - 160, height=140)
    rows: list[dict[str, Any]] = []
    for test in watch.tests:
        if test.evidence is None:
            continue
        shares = np.maximum(test.evidence.values / test.evidence.limit, _LOWEST)
        rows += [
            {"day": unit.isoformat(), "evidence": round(float(share), 6), "test": test.name}
            for unit, share in zip(test.units, shares, strict=True)
        ]
    names = [test.name for test in watch.tests if test.evidence is not None]
    lower = alt.layer(
        chart(rows)
        .mark_line()
        .encode(
            alt.X("day:T", title=None),
            alt.Y("max(evidence):Q", title="evidence / limit", scale=alt.Scale(type="log")),
            alt.Color(
                "test:N",
                title=None,
                sort=names,
                scale=alt.Scale(domain=names, range=list(COLOURS[: len(names)])),
            ),
        ),
        chart([{"limit": 1.0}])
        .mark_rule(color=COLOURS[1], strokeDash=[4, 3])
        .encode(alt.Y("limit:Q")),
    ).properties(width=width - 160, height=140)
    return in_our_look(
        alt.vconcat(upper, lower),
        watch.sentence(),
        "Above: share of each day's conversations that was emailed, the bound dashed. Below: each "
        "test's evidence against the promise as a share of its alarm limit, which is dashed.",
        width=width,
    )


def trends_plot(trends: Sequence[Trend], *, width: int = WIDE) -> Picture:
    """Draw each share week by week with its limits, one above the other.

    Parameters
    ----------
    trends : sequence of Trend
        Those with at least one week are drawn; there must be one.
    width : int
        In pixels.
    """
    alt = require_altair()
    known = [trend for trend in trends if trend.weeks]
    drawn = []
    for number, trend in enumerate(known):
        rows = [
            {"week": week.isoformat(), "value": e.value, "low": e.low, "high": e.high, "n": e.n}
            for week, e in trend.weeks
        ]
        x = alt.X("yearmonthdate(week):T", title=None).axis(format="%-d %b", grid=False)
        y = alt.Y("value:Q", title=trend.name.split(), scale=alt.Scale(domain=[0, 1]))
        y = y.axis(format="%", tickCount=3)
        colour = COLOURS[number]
        marks = chart(rows)
        drawn.append(
            alt.layer(
                marks.mark_rule(color=colour, strokeWidth=2, opacity=0.6).encode(
                    x, alt.Y("low:Q"), y2="high:Q"
                ),
                marks.mark_line(color=colour, point=alt.OverlayMarkDef(color=colour)).encode(x, y),
            ).properties(width=width - 100, height=90)
        )
    return in_our_look(
        alt.vconcat(*drawn),
        "Week by week",
        "Bars are 95% limits; a week with few reviews has wide ones.",
        width=width,
    )
