"""The pictures of the findings beside a comparison, in its look."""

from __future__ import annotations

import textwrap
from collections import Counter
from math import isnan
from typing import TYPE_CHECKING, Any

from handoff_eval.evaluation.look import (
    COLOURS,
    INK,
    LINES,
    MUTED,
    WIDE,
    Picture,
    Row,
    chart,
    compose,
    require_altair,
)

if TYPE_CHECKING:
    from handoff_eval.evaluation.findings.reliability import Reliability
    from handoff_eval.evaluation.findings.slices import Slices
    from handoff_eval.evaluation.findings.timing import Timing
    from handoff_eval.evaluation.findings.topics import Topics

FURTHEST, FURTHEST_NARROW = 6, 3
"""Delays beyond this many decision points share a bar."""


def timing_plot(timing: Timing, *, width: int = WIDE) -> Picture:
    """Draw how many needed handoffs fired how far from the due point, and how many never.

    Parameters
    ----------
    timing : Timing
    width : int
        Of the whole picture in pixels.
    """
    alt = require_altair()
    most = FURTHEST if width > 500 else FURTHEST_NARROW
    counts = Counter(max(-most, min(most, delay)) for delay in timing.delays)
    names = {at: f"{at:+d}" for at in range(-most, most + 1)}
    names |= {-most: f"≤ -{most}", 0: "due", most: f"≥ +{most}"}
    rows: list[Row] = [
        {"at": name, "n": counts[at], "kind": _kind(at, timing.tolerance)}
        for at, name in names.items()
    ]
    never = timing.never.n - len(timing.delays)
    rows.append({"at": "never", "n": never, "kind": "never"})
    kinds = ["early", "on time", "late", "never"]
    x = alt.X("at:N", sort=[row["at"] for row in rows], title="decision points from due")
    x = x.axis(labelAngle=0, grid=False)
    bars = chart(rows).mark_bar(cornerRadius=2).encode(
        x,
        alt.Y("n:Q", title="needed handoffs").axis(tickMinStep=1),
        alt.Color(
            "kind:N",
            scale=alt.Scale(domain=kinds, range=[COLOURS[5], COLOURS[2], COLOURS[1], MUTED]),
            title=None,
        ),
    )  # fmt: skip
    words: Any = chart([row for row in rows if row["n"]]).mark_text(dy=-7, fontSize=12, color=INK)
    first, *rest = timing.sentences()
    return compose(
        [bars, words.encode(x, alt.Y("n:Q"), text="n:Q")], first, " ".join(rest), width=width
    )


def slices_plot(slices: Slices, *, width: int = WIDE) -> Picture:
    """Draw the recall of each slice with its interval; those shown to differ stand out.

    Parameters
    ----------
    slices : Slices
    width : int
        Of the whole picture in pixels.
    """
    alt = require_altair()
    rows: list[Row] = [
        {
            "slice": f"{s.variable}|{s.value.replace('_', ' ')} (n {s.inside.n})",
            "value": s.inside.value,
            "low": s.inside.low,
            "high": s.inside.high,
            "kind": "differs from the rest" if s.differs else "not shown to differ",
        }
        for s in slices.slices
        if s.metric == "recall"
    ]
    order: list[str] = []
    for row in rows:
        heading = f"|{row['slice'].partition('|')[0]}"
        order += [] if heading in order else [heading]
        order.append(row["slice"])
    y = alt.Y("slice:N", title=None, scale=alt.Scale(domain=order))
    room = round((0.36 if width > 500 else 0.46) * width)
    is_heading = "datum.value[0] === '|'"
    y = y.axis(
        labelLimit=room,
        labelExpr="split(datum.value, '|')[1]",
        labelFontWeight=alt.condition(is_heading, alt.value("bold"), alt.value("normal")),
        labelPadding=8,
        labelColor=alt.condition(is_heading, alt.value(INK), alt.value(MUTED)),
        grid=False,
        ticks=False,
        domain=False,
    )
    x_scale = alt.Scale(domain=[0, 1])
    kinds = ["not shown to differ", "differs from the rest"]
    kinds = kinds if any(s.differs for s in slices.slices) else kinds[:1]
    colour = alt.Color(
        "kind:N", scale=alt.Scale(domain=kinds, range=[COLOURS[0], COLOURS[1]]), title=None
    )
    shape = alt.Shape(
        "kind:N", scale=alt.Scale(domain=kinds, range=["circle", "diamond"]), title=None
    )
    x = alt.X("value:Q", title="recall", scale=x_scale).axis(format=".0%")
    bars = [row for row in rows if not isnan(row["low"])]
    layers = [
        chart(bars).mark_rule(strokeWidth=2, opacity=0.75).encode(
            alt.X("low:Q", scale=x_scale), y, colour, x2="high:Q"
        ),
        chart(rows).mark_point(size=80, filled=True, opacity=1).encode(x, y, colour, shape),
    ]  # fmt: skip
    first, *rest = slices.sentences()
    subtitle = " ".join([*rest, "Bars: 95% intervals by customer."])
    return compose(layers, first, subtitle, width=width, height=18 * len(order) + 10)


def topics_plot(topics: Topics, *, width: int = WIDE) -> Picture:
    """Draw how many mistakes each topic holds.

    Parameters
    ----------
    topics : Topics
    width : int
        Of the whole picture in pixels.
    """
    alt = require_altair()
    rows: list[Row] = [
        {"topic": f"{number}. {topic.name}", "n": len(topic.mistakes)}
        for number, topic in enumerate(topics.topics, 1)
    ]
    room = round(0.46 * width)
    letters = round(room / 6.5)
    for row in rows:
        row["topic"] = "\n".join(textwrap.wrap(row["topic"], letters)[:2])
    y = alt.Y("topic:N", sort=[row["topic"] for row in rows], title=None)
    y = y.axis(labelLimit=room, labelExpr=LINES, grid=False, ticks=False)
    most = max(row["n"] for row in rows)
    scale = alt.Scale(domain=[0, 1.08 * most], nice=False)
    x = alt.X("n:Q", title=f"{topics.kind}, conversations", scale=scale).axis(tickMinStep=1)
    layers = [
        chart(rows).mark_bar(cornerRadius=2, height=16, color=COLOURS[0]).encode(x, y),
        chart(rows).mark_text(dx=10, fontSize=12, color=INK).encode(x, y, text="n:Q"),
    ]
    title = f"{topics.n} {topics.kind} by what the customer says"
    return compose(layers, title, topics.meaning, width=width, height=34 * len(rows) + 10)


def reliability_plot(reliability: Reliability, *, width: int = WIDE) -> Picture:
    """Draw the share in need of each bin against its mean score, beside the line of equality.

    Parameters
    ----------
    reliability : Reliability
    width : int
        Of the whole picture in pixels.
    """
    alt = require_altair()
    rows = [
        {"score": b.mean, "value": b.needed.value, "low": b.needed.low, "high": b.needed.high}
        for b in reliability.bins
    ]
    equal = [{"score": 0.0, "value": 0.0}, {"score": 1.0, "value": 1.0}]
    scale = alt.Scale(domain=[0, 1])
    x = alt.X("score:Q", title="mean score of the bin, 0 to 1", scale=scale)
    y = alt.Y("value:Q", title="share in need", scale=scale).axis(format=".0%")
    layers = [
        chart(equal).mark_line(color=INK, strokeDash=[4, 3], strokeWidth=1.25).encode(x, y),
        chart(rows)
        .mark_rule(strokeWidth=1.5, color=COLOURS[0])
        .encode(x, alt.Y("low:Q", scale=scale), y2="high:Q"),
        chart(rows).mark_point(size=90, filled=True, opacity=1, color=COLOURS[0]).encode(x, y),
    ]
    first, second = reliability.sentences()
    return compose(layers, first, f"{second} Bars: 95% intervals.", width=width)


def _kind(delay: int, tolerance: int) -> str:
    if abs(delay) <= tolerance:
        return "on time"
    return "early" if delay < 0 else "late"
