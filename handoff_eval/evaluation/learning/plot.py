"""The picture of a learning curve, in the look of a comparison."""

from __future__ import annotations

from typing import TYPE_CHECKING

from handoff_eval.evaluation.look import (
    INK,
    MUTED,
    SHAPES,
    WIDE,
    Picture,
    Row,
    arm_colour,
    chart,
    compose,
    require_altair,
)

if TYPE_CHECKING:
    from handoff_eval.evaluation.learning.result import LearningCurve


def learning_plot(curve: LearningCurve, *, width: int = WIDE) -> Picture:
    """Draw average precision against labelled conversations, the prompt as a flat line.

    Parameters
    ----------
    curve : LearningCurve
    width : int
        Of the whole picture in pixels.
    """
    alt = require_altair()
    arms = curve.arms()
    rows: list[Row] = [
        {
            "arm": point.arm,
            "labels": point.conversations,
            "value": point.average_precision.value,
            "low": point.average_precision.low,
            "high": point.average_precision.high,
        }
        for point in curve.points
    ]
    furthest = max(row["labels"] for row in rows)
    colour = alt.Color(
        "arm:N",
        scale=alt.Scale(domain=list(arms), range=[arm_colour(i) for i in range(len(arms))]),
        title=None,
    )
    shape = alt.Shape(
        "arm:N", scale=alt.Scale(domain=list(arms), range=list(SHAPES[: len(arms)])), title=None
    )
    scale = alt.Scale(domain=[0, 1])
    x = alt.X("labels:Q", title="labelled conversations", scale=alt.Scale(domain=[0, furthest]))
    y = alt.Y("value:Q", title="average precision on tune", scale=scale)
    band = alt.Y("low:Q", scale=scale)
    layers = [
        chart(rows).mark_area(opacity=0.13).encode(x, band, colour, y2="high:Q"),
        chart(rows).mark_line(strokeWidth=2).encode(x, y, colour),
        chart(rows).mark_point(size=70, filled=True, opacity=1).encode(x, y, colour, shape),
    ]
    if curve.prompt is not None:
        flat: list[Row] = [
            {
                "value": curve.prompt.value,
                "low": curve.prompt.low,
                "high": curve.prompt.high,
                "text": f"prompt (n {curve.prompt.n})",
            }
        ]
        layers = [
            chart(flat).mark_rect(color=MUTED, opacity=0.12).encode(band, y2="high:Q"),
            *layers,
            chart(flat).mark_rule(color=INK, strokeDash=[4, 3], strokeWidth=1.5).encode(y),
            chart(flat)
            .mark_text(align="left", dx=5, dy=-7, fontSize=12, color=INK)
            .encode(y, text="text:N", x=alt.value(0)),
        ]
    first, *rest = curve.sentences()
    words = f"{rest[0]} Bands: 95% over customers of tune and {curve.seeds} draws of train."
    return compose(layers, first, words, width=width)
