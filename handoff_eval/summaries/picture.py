"""The picture of a judgement: each share as a dot on its interval, one panel a metric."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from handoff_eval.evaluation.look import COLOURS, WIDE, Picture, chart, in_our_look, require_altair

if TYPE_CHECKING:
    from handoff_eval.summaries.quality import QualityReport

_SHOWN = {
    "coverage": "needed facts kept",
    "copy_precision": "numbers and names copied right",
    "flawless": "summaries without a flaw",
    "unsupported": "sentences no turn supports",
    "role_swaps": "sentences with roles swapped",
    "compression": "words to a word of transcript",
}


def quality_plot(report: QualityReport, *, width: int = WIDE) -> Picture:
    """Draw coverage, precision and faults of every summariser with their 95 % intervals.

    Parameters
    ----------
    report : QualityReport
    width : int
        Of the whole picture in pixels.

    Raises
    ------
    MissingExtraError
        When altair or vl-convert is not installed.
    """
    alt = require_altair()
    names = [quality.summarizer for quality in report.qualities]
    rows: list[dict[str, Any]] = []
    for quality in report.qualities:
        for name, estimate in quality.estimates():
            if name in _SHOWN and np.isfinite(estimate.value):
                limits = np.array([estimate.value, estimate.low, estimate.high])
                value, low, high = (
                    np.where(np.isnan(limits), estimate.value, limits).round(4).tolist()
                )
                row = {"value": value, "low": low, "high": high}
                rows.append({"metric": _SHOWN[name], "summarizer": quality.summarizer, **row})
    y = alt.Y("summarizer:N", title=None, sort=names)
    scale = alt.Scale(domain=names, range=[COLOURS[i % len(COLOURS)] for i in range(len(names))])
    colour = alt.Color("summarizer:N", scale=scale, legend=None)
    top = max(1.0, *(row["high"] for row in rows))
    x = alt.Scale(domain=[0.0, top], nice=False)
    base = chart(rows)
    bars = base.mark_rule(strokeWidth=1.5).encode(
        alt.X("low:Q", scale=x, title=None), y, colour, x2="high:Q"
    )
    dots = base.mark_point(size=90, filled=True, opacity=1).encode(
        alt.X("value:Q", scale=x, title=None), y, colour
    )
    panels = alt.layer(bars, dots).properties(width=width // 2 - 110, height=26 * len(names))
    faceted = panels.facet(alt.Facet("metric:N", title=None, sort=list(_SHOWN.values())), columns=2)
    n = len(report.judged) // len(report.qualities)
    title = "What the summaries keep and invent"
    covered = [quality for quality in report.qualities if np.isfinite(quality.coverage.value)]
    if covered:
        best = max(covered, key=lambda quality: quality.coverage.value)
        title = (
            f"{best.summarizer} keeps {best.coverage.value:.0%} of the facts a reader needs "
            f"in {best.compression.value:.0%} of the transcript's words"
        )
    subtitle = (
        f"{n} conversations of {report.dataset}; facts {report.facts}. "
        "Dots with 95% intervals by customer."
    )
    return in_our_look(faceted, title, subtitle, width=width)
