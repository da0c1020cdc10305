"""One look for every picture: colours, sizes, kinds of mark, and how a picture is shown."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from handoff_eval.errors import MissingExtraError

if TYPE_CHECKING:
    import altair as alt


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
    return Picture(dressed, width, f"{title.removesuffix('.')}. {subtitle}")


def arm_colour(index: int) -> str:
    """Return the colour of the arm at this place of a comparison."""
    return COLOURS[index % len(COLOURS)]


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
