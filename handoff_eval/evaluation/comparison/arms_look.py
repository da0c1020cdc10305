"""What every picture of several arms shares: scales, a colour and a mark for each, its words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from handoff_eval.evaluation.intervals import Estimate
from handoff_eval.evaluation.look import (
    HALO,
    INK,
    PAPER,
    SHAPES,
    TARGET,
    Picture,
    Row,
    arm_colour,
    chart,
    compose,
    require_altair,
)

if TYPE_CHECKING:
    from handoff_eval.evaluation.comparison.result import ArmResult, Comparison

HOVERED = 60
"""Points of all curves of a picture that show their values under a pointer."""


class ArmsLook:
    """Scales, colours of the arms, and each kind of mark of one picture."""

    def __init__(
        self, comparison: Comparison, width: int, x: tuple[float, float], y: tuple[float, float]
    ) -> None:
        alt = require_altair()
        self.comparison = comparison
        self.width = width
        self.limits = {"x": x, "y": y}
        self.x_scale = alt.Scale(domain=list(x), nice=False)
        self.y_scale = alt.Scale(domain=list(y), nice=False)
        self.names = [arm_words(comparison, arm) for arm in comparison.arms]
        n = len(self.names)
        self.colours = [arm_colour(i) for i in range(n)]
        self.shapes = [SHAPES[i % len(SHAPES)] for i in range(n)]
        counts = comparison.counts["test"]
        self.test_words = (
            f"Test split of {comparison.dataset}: {counts['positives']} of "
            f"{counts['conversations']} conversations need a handoff. Dots are the operating "
            "points with their 95% intervals."
        )

    def rows(self, arm: ArmResult, **columns: NDArray[np.float64]) -> list[Row]:
        """Return the points of an arm's curve, one row each."""
        name = arm_words(self.comparison, arm)
        rounded = {key: np.round(column, 4).tolist() for key, column in columns.items()}
        return [
            {"arm": name, **dict(zip(rounded, values, strict=True))}
            for values in zip(*rounded.values(), strict=True)
        ]

    def point(self, arm: ArmResult, x: Estimate, y: Estimate) -> list[Row]:
        """Return the operating point as one row, or none where a coordinate is undefined."""
        if np.isnan([x.value, y.value]).any():
            return []
        row: Row = {"arm": arm_words(self.comparison, arm)}
        for axis, estimate in (("x", x), ("y", y)):
            bounds = self.limits[axis]
            limits = np.array([estimate.value, estimate.low, estimate.high])
            limits = np.where(np.isnan(limits), estimate.value, limits)
            value, low, high = np.round(np.clip(limits, *bounds), 4).tolist()
            row |= {axis: value, f"{axis}_low": low, f"{axis}_high": high}
        return [row]

    def _colour(self) -> Any:
        alt = require_altair()
        scale = alt.Scale(domain=self.names, range=self.colours)
        return alt.Color("arm:N", scale=scale, title=None)

    def region(self, rows: list[Row]) -> Any:
        """Return the part of the picture between y and y1 where both promises are kept."""
        alt = require_altair()
        area = chart(rows).mark_area(color=TARGET, opacity=0.22)
        return area.encode(alt.X("x:Q"), alt.Y("y:Q"), y2="y1:Q")

    def promise(self, start: tuple[float, float], stop: tuple[float, float]) -> Any:
        """Return the straight line on which a promise is just kept."""
        alt = require_altair()
        rows = [{"x": x, "y": y} for x, y in (start, stop)]
        line = chart(rows).mark_line(color=INK, strokeWidth=1.25)
        return line.encode(alt.X("x:Q"), alt.Y("y:Q"))

    def note(
        self, text: str, x: float, y: float, *, dx: int, dy: int, align: str = "left"
    ) -> list[Any]:
        """Return a word on a line of the picture, with a halo so that no curve hides it."""
        alt = require_altair()
        place = {"align": align, "dx": dx, "dy": dy, "fontSize": 12}
        return [
            chart([{"x": x, "y": y, "text": text}])
            .mark_text(**place, **paint)
            .encode(alt.X("x:Q"), alt.Y("y:Q"), text="text:N")
            for paint in HALO
        ]

    def lines(self, rows: list[Row], x: Any, y: Any) -> list[Any]:
        """Return the curves: solid, and dashed for the arms that were asked on a sample."""
        sampled = {arm_words(self.comparison, a) for a in self.comparison.arms if a.sampled}
        kinds: list[tuple[list[Row], dict[str, Any]]] = [
            ([row for row in rows if row["arm"] not in sampled], {}),
            ([row for row in rows if row["arm"] in sampled], {"strokeDash": [4, 3]}),
        ]
        drawn = [
            chart(some).mark_line(strokeWidth=2, clip=True, **dash).encode(x, y, self._colour())
            for some, dash in kinds
            if some
        ]
        # A line has no values to show under a pointer; unseen points along it do.
        points = chart(rows[:: max(1, len(rows) // HOVERED)])
        unseen = points.mark_point(size=90, filled=True, opacity=0, clip=True)
        return [*drawn, unseen.encode(x, y, self._colour())] if rows else drawn

    def band(self, rows: list[Row], x: Any) -> Any:
        """Return the area between the columns low and high of each arm."""
        alt = require_altair()
        area = chart(rows).mark_area(opacity=0.13, clip=True)
        return area.encode(x, alt.Y("low:Q"), self._colour(), y2="high:Q")

    def dots(self, rows: list[Row], x: Any, y: Any) -> list[Any]:
        """Return the operating points on their interval bars."""
        alt = require_altair()
        shape = alt.Shape(
            "arm:N", scale=alt.Scale(domain=self.names, range=self.shapes), title=None
        )
        bars = chart(rows).mark_rule(strokeWidth=1.5, opacity=0.75)
        return [
            bars.encode(alt.X("x_low:Q"), alt.Y("y:Q"), self._colour(), x2="x_high:Q"),
            bars.encode(alt.X("x:Q"), alt.Y("y_low:Q"), self._colour(), y2="y_high:Q"),
            chart(rows)
            .mark_point(size=130, filled=True, opacity=1, stroke=PAPER, strokeWidth=1.5)
            .encode(x, y, self._colour(), shape),
        ]

    def picture(self, layers: Sequence[Any], title: str, subtitle: str) -> Picture:
        """Return the layers as one picture with its words above it."""
        return compose(layers, title, subtitle, width=self.width)


def arm_words(comparison: Comparison, arm: ArmResult) -> str:
    """Return an arm's name with what a reader must know of it: chosen, or asked on a sample."""
    if arm.sampled:
        whole = comparison.counts["test"]["conversations"]
        return f"{arm.name} (sample: {len(arm.test.peak)} of {whole})"
    return f"{arm.name} (chosen)" if arm.name == comparison.chosen else arm.name
