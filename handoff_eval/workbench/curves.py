"""The picture under the threshold slider: one panel a measure, over the thresholds in order.

Drawn once, in the kernel; the browser only moves the cursor over it, so the picture without a
kernel is the same one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, isnan, log10

from handoff_eval.evaluation.intervals import Estimate
from handoff_eval.evaluation.look import COLOURS, INK, MUTED, RULE, TARGET
from handoff_eval.workbench.static import Element, element

WIDTH = 720
LEFT, RIGHT = 52, 12
TOP, HEIGHT, GAP = 22, 104, 34


@dataclass(frozen=True, slots=True)
class Panel:
    """One measure over k thresholds.

    Attributes
    ----------
    title : str
    estimates : tuple of Estimate, length k
    highest : float
        Upper end of the axis.
    limit : float or None
        The promise, drawn as a line.
    percent : bool
        Whether the axis is in percent.
    """

    title: str
    estimates: tuple[Estimate, ...]
    highest: float
    limit: float | None = None
    percent: bool = False


@dataclass(frozen=True, slots=True)
class Stretch:
    """Thresholds number `first` to `last` of the curve, where both promises are kept."""

    first: int
    last: int


def draw_curves(
    panels: Sequence[Panel], thresholds: Sequence[float], step: int, kept: Stretch | None
) -> Element:
    """Return the panels one below the other as an SVG element, the cursor at `step`."""
    count = len(thresholds)
    height = TOP + len(panels) * (HEIGHT + GAP)
    words = ", ".join(panel.title for panel in panels)
    picture = element(
        "svg",
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {WIDTH} {height}",
        role="img",
        aria_label=f"{words} over the thresholds, each with its 95 % interval",
        class_="hel-curves",
        font_family="sans-serif",
        font_size=12,
    )
    for number, panel in enumerate(panels):
        picture.append(_panel(panel, TOP + number * (HEIGHT + GAP), step, kept, count))
    picture.append(_ticks(thresholds, height - GAP + 16))
    return picture


def place(step: float, count: int) -> float:
    """Return where a threshold stands from the left, in units of the picture."""
    return LEFT + (WIDTH - LEFT - RIGHT) * step / max(count - 1, 1)


def round_up(value: float) -> float:
    """Return the next of 1, 2, 2.5, 5 times a power of ten: a readable end of an axis."""
    if value <= 0 or isnan(value):
        return 1.0
    power = 10.0 ** (ceil(log10(value)) - 1)
    return float(next(m * power for m in (1, 2, 2.5, 5, 10) if m * power >= value * 0.999))


def _panel(panel: Panel, top: int, step: int, kept: Stretch | None, count: int) -> Element:
    bottom = top + HEIGHT

    def y(value: float) -> float:
        share = min(max(value / panel.highest, 0.0), 1.0)
        return round(bottom - share * HEIGHT, 1)

    def x(k: float) -> float:
        return round(place(k, count), 1)

    group = element("g")
    if kept is not None:
        start, stop = x(max(kept.first - 0.5, 0)), x(min(kept.last + 0.5, count - 1))
        group.append(
            element("rect", x=start, y=top, width=round(stop - start, 1), height=HEIGHT,
                    fill=TARGET, fill_opacity=0.35, class_="hel-kept")
        )  # fmt: skip
    for value in (0.0, panel.highest / 2, panel.highest):
        text = f"{value:.0%}" if panel.percent else f"{value:g}"
        group.append(
            element("line", x1=LEFT, x2=WIDTH - RIGHT, y1=y(value), y2=y(value), stroke=RULE,
                    class_="hel-floor")
        )  # fmt: skip
        group.append(
            element("text", text, x=LEFT - 6, y=y(value) + 4, text_anchor="end", fill=MUTED,
                    class_="hel-tick")
        )  # fmt: skip
    shown = [(k, e) for k, e in enumerate(panel.estimates) if not isnan(e.value)]
    banded = [(k, e) for k, e in shown if not isnan(e.low)]
    outline = [f"{x(k)},{y(e.high)}" for k, e in banded]
    outline += [f"{x(k)},{y(e.low)}" for k, e in reversed(banded)]
    group.append(
        element("polygon", points=" ".join(outline), fill=COLOURS[0], fill_opacity=0.16,
                class_="hel-band")
    )  # fmt: skip
    group.append(
        element("polyline", points=" ".join(f"{x(k)},{y(e.value)}" for k, e in shown), fill="none",
                stroke=COLOURS[0], stroke_width=2, class_="hel-is")
    )  # fmt: skip
    if panel.limit is not None and panel.limit <= panel.highest:
        at = y(panel.limit)
        group.append(
            element("line", x1=LEFT, x2=WIDTH - RIGHT, y1=at, y2=at, stroke=INK,
                    stroke_dasharray="5 4", class_="hel-cut")
        )  # fmt: skip
    group.append(
        element("text", panel.title, x=LEFT, y=top - 7, fill=INK, font_weight=600,
                class_="hel-name")
    )  # fmt: skip
    group.append(
        element("line", x1=x(step), x2=x(step), y1=top, y2=bottom, stroke=COLOURS[1],
                stroke_width=2, class_="hel-cursor-line")
    )  # fmt: skip
    return group


def _ticks(thresholds: Sequence[float], y: int) -> Element:
    last = len(thresholds) - 1
    group = element("g")
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        k = round(share * last)
        anchor = {0.0: "start", 1.0: "end"}.get(share, "middle")
        group.append(
            element("text", f"{thresholds[k]:.3f}", x=round(place(k, last + 1), 1), y=y,
                    text_anchor=anchor, fill=MUTED, class_="hel-tick")
        )  # fmt: skip
    return group
