"""The picture of an estimated prevalence: the share of traffic in need, by each way."""

from __future__ import annotations

from math import isnan
from typing import TYPE_CHECKING

from handoff_eval.evaluation.look import COLOURS, WIDE, Picture, Row, chart, compose, require_altair

if TYPE_CHECKING:
    from handoff_eval.evaluation.volume.prevalence import PrevalenceEstimate


def prevalence_plot(found: PrevalenceEstimate, *, width: int = WIDE) -> Picture:
    """Draw the share of traffic in need, each way, with its limits.

    Parameters
    ----------
    found : PrevalenceEstimate
    width : int
        Of the whole picture in pixels.
    """
    alt = require_altair()
    ways = {"Saerens EM": found.em, "Rogan-Gladen": found.rogan_gladen}
    rows: list[Row] = [
        {"way": way, "value": e.value, "low": e.low, "high": e.high}
        for way, e in ways.items()
        if e is not None
    ]
    y = alt.Y("way:N", sort=list(ways), title=None).axis(grid=False, ticks=False)
    scale = alt.Scale(domainMin=0)
    x = alt.X("value:Q", title="share of conversations in need", scale=scale).axis(format=".1~%")
    bars = chart([row for row in rows if not isnan(row["low"])])
    layers = [
        bars.mark_rule(strokeWidth=2, color=COLOURS[0]).encode(
            alt.X("low:Q", scale=scale), y, x2="high:Q"
        ),
        chart(rows).mark_point(size=110, filled=True, opacity=1, color=COLOURS[0]).encode(x, y),
    ]
    title = f"{found.em.value:.1%} of {found.em.n} traffic conversations need a handoff"
    subtitle = f"By {found.labels} labels. Bars: 95% over customers of labels and of traffic. "
    return compose(layers, title, (subtitle + found.warning).strip(), width=width, height=90)
