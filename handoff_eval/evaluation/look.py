"""One look for every picture: colours, sizes, kinds of mark, and how a picture is shown."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from handoff_eval.errors import MissingExtraError
from handoff_eval.evaluation.intervals import Estimate

if TYPE_CHECKING:
    import altair as alt

    from handoff_eval.evaluation.comparison import ArmResult, Comparison

Row = dict[str, Any]

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
"""Okabe and Ito's palette (Color Universal Design, 2008), less the two that white or black hide."""

SHAPES = ("circle", "square", "triangle-up", "diamond", "triangle-down", "cross", "triangle-right")
INK, MUTED, RULE, PAPER, TARGET = "#1d2127", "#59616b", "#d5d9de", "#fdfdfe", "#f0e442"
"""Each serves one purpose, so that a page can give it another value in the dark."""

HALO: tuple[Row, ...] = (
    {"color": PAPER, "stroke": PAPER, "strokeWidth": 4, "opacity": 0.85},
    {"color": INK},
)
"""How words are painted twice, so that no line or bar behind hides them."""

LINES = r"split(datum.value, '\n')"
"""Label of an axis that may have several lines."""

FONT = "Helvetica Neue, Arial, Liberation Sans, sans-serif"
WIDE, NARROW = 720, 356
HOVERED = 60
"""Points of all curves of a picture that show their values under a pointer."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A chart that shows as a PNG wherever a notebook is opened.

    Attributes
    ----------
    chart : altair.LayerChart
        To change or combine further.
    width : int
        In pixels.
    description : str
        What is seen, for those who can't.
    """

    chart: alt.LayerChart
    width: int
    description: str

    def svg(self) -> str:
        """Return the picture as one SVG element."""
        import vl_convert

        svg: str = vl_convert.vegalite_to_svg(
            self.chart.to_json(validate=False), allowed_base_urls=[]
        )
        return svg

    def png(self, *, scale: float = 2.0) -> bytes:
        """Return the picture as a PNG file, `scale` dots to a pixel of its width."""
        import vl_convert

        png: bytes = vl_convert.vegalite_to_png(
            self.chart.to_json(validate=False), scale=scale, allowed_base_urls=[]
        )
        return png

    def _repr_mimebundle_(self, **_: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        return (
            {"image/png": self.png(scale=1.5), "text/plain": self.description},
            {"image/png": {"width": self.width}},
        )


class Look:
    """What both pictures share: scales, colours of the arms, and each kind of mark."""

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


def compose(
    layers: Sequence[Any], title: str, subtitle: str, *, width: int, height: int | None = None
) -> Picture:
    """Return layers as one picture with its words above it.

    `width` is of the whole picture, however long the labels are, and `height` of the plot, both in
    pixels.
    """
    alt = require_altair()
    usual = round(min(0.62 * width, 380)) if width > 500 else 290
    drawn = alt.layer(*layers).properties(
        width=width,
        height=usual if height is None else height,
        autosize=alt.AutoSizeParams(type="fit-x", contains="padding"),
    )
    return in_our_look(drawn, title, subtitle, width=width)


def in_our_look(drawn: Any, title: str, subtitle: str, *, width: int = WIDE) -> Picture:
    """Return any chart as a picture with its words above it."""
    alt = require_altair()
    letters = round(width / 9.3)
    words = alt.TitleParams(
        text=textwrap.wrap(title, letters), subtitle=textwrap.wrap(subtitle, round(1.45 * letters))
    )
    dressed = drawn.properties(title=words).configure(**_config(width))
    return Picture(dressed, width, f"{title}. {subtitle}")


def arm_colour(index: int) -> str:
    """Return the colour of the arm at this place of a comparison."""
    return COLOURS[index % len(COLOURS)]


def arm_words(comparison: Comparison, arm: ArmResult) -> str:
    """Return an arm's name with what a reader must know of it: chosen, or asked on a sample."""
    if arm.sampled:
        whole = comparison.counts["test"]["conversations"]
        return f"{arm.name} (sample: {len(arm.test.peak)} of {whole})"
    return f"{arm.name} (chosen)" if arm.name == comparison.chosen else arm.name


def require_altair() -> Any:
    """Return altair, once it is known that it can also render.

    Raises
    ------
    MissingExtraError
        When altair or vl-convert is not installed.
    """
    try:
        import altair
        import vl_convert  # noqa: F401
    except ImportError as error:
        raise MissingExtraError(
            f"Expected altair and vl-convert to draw; {error.name} is not installed. "
            "Run pip install 'handoff-eval[bench]'."
        ) from None
    return altair


def chart(rows: list[Row]) -> Any:
    """Return a chart of these rows, to which a mark and its places are added."""
    alt = require_altair()
    return alt.Chart({"values": rows})


def _config(width: int) -> dict[str, Any]:
    small = width < 500
    text = {"labelColor": MUTED, "titleColor": INK, "labelFontSize": 12, "titleFontSize": 12}
    return {
        "font": FONT,
        "background": PAPER,
        "view": {"stroke": None},
        "padding": {"left": 4, "right": 12, "top": 4, "bottom": 4},
        "axis": {
            **text,
            "titleFontWeight": "normal",
            "grid": True,
            "gridColor": RULE,
            "gridOpacity": 0.6,
            "domainColor": MUTED,
            "tickColor": MUTED,
            "tickCount": 4 if small else 6,
            "titlePadding": 8,
        },
        "legend": {
            **text,
            "labelColor": INK,
            "orient": "top",
            "direction": "vertical" if small else "horizontal",
            "columns": 1 if small else 4,
            "symbolSize": 110,
            "symbolOpacity": 1,
            "labelLimit": 320,
            "offset": 6,
        },
        "title": {
            "anchor": "start",
            "frame": "bounds",
            "color": INK,
            "fontSize": 15 if small else 17,
            "subtitleColor": MUTED,
            "subtitleFontSize": 12,
            "subtitlePadding": 6,
            "offset": 10,
        },
    }
