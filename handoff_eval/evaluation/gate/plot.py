"""The picture of a gate: the change seen, the worst that is possible, and the margin."""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING

from handoff_eval.evaluation.look import (
    COLOURS,
    HALO,
    INK,
    LINES,
    WIDE,
    Picture,
    Row,
    chart,
    compose,
    require_altair,
)

if TYPE_CHECKING:
    from handoff_eval.evaluation.gate.verdict import GateReport

KINDS = {"pass": COLOURS[2], "too few": COLOURS[4], "fail": COLOURS[1]}
"""Colours of the verdicts."""


def gate_plot(report: GateReport, *, width: int = WIDE) -> Picture:
    """Draw the loss of recall and the growth of emails as parts of their margins.

    A dot is what was seen, the end of its bar what can't be ruled out. The gate passes when both
    bars end before the margin.

    Parameters
    ----------
    report : GateReport
    width : int
        Of the whole picture in pixels.
    """
    alt = require_altair()
    before, after = report.volume
    growth = after / before - 1 if before else (0.0 if not after else float("inf"))
    changes = [
        ("recall lost", report.recall[0] - report.recall[1], report.largest_drop,
         report.recall_margin),
        ("emails grown", growth, report.largest_growth, report.volume_margin),
    ]  # fmt: skip
    most = 3.0
    for _, seen, worst, margin in changes:
        most = max(most, *(min(value / margin, 8.0) for value in (seen, worst) if isfinite(value)))
    rows: list[Row] = [
        {
            "promise": f"{name}\n(margin {margin:.0%})",
            "seen": max(-1.0, min(seen / margin, most)),
            "worst": max(-1.0, min(worst / margin, most)),
        }
        for name, seen, worst, margin in changes
    ]
    colour = KINDS[report.verdict]
    scale = alt.Scale(domain=[-1, most])
    y = alt.Y("promise:N", sort=None, title=None)
    y = y.axis(grid=False, ticks=False, labelExpr=LINES)
    x = alt.X("seen:Q", title="change, in parts of the margin", scale=scale)
    line: list[Row] = [{"at": 1.0, "text": "margin"}]
    at = alt.X("at:Q", scale=scale)
    layers = [
        chart([{"at": 0.0}]).mark_rule(color=INK, strokeDash=[2, 3]).encode(at),
        chart(rows).mark_rule(strokeWidth=4, opacity=0.6, color=colour).encode(x, y, x2="worst:Q"),
        chart(rows).mark_tick(thickness=4, height=18, color=colour).encode(
            alt.X("worst:Q", scale=scale), y
        ),
        chart(rows).mark_point(size=110, filled=True, opacity=1, color=colour).encode(x, y),
        chart(line).mark_rule(color=INK, strokeWidth=1.25).encode(at),
        *(
            chart(line).mark_text(align="left", dx=4, dy=8, fontSize=12, **paint).encode(
                at, text="text:N", y=alt.value(0)
            )
            for paint in HALO
        ),
    ]  # fmt: skip
    title = f"Gate: {report.verdict} with {report.positives} positives"
    subtitle = (
        f"Dots: the change seen. Bars: up to what can't be ruled out at a risk of 5 %. Recall "
        f"{report.recall[0]:.1%} to {report.recall[1]:.1%}, volume {before:.1%} to {after:.1%} of "
        "conversations."
    )
    return compose(layers, title, subtitle, width=width, height=120)
