"""Pictures inside a page: each in two sizes, with ids of its own, its values shown on hover.

The hover is SVG's own `title`, so a page needs no script for it and may go on forbidding all.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from handoff_eval.evaluation import look

if TYPE_CHECKING:
    from markupsafe import Markup


@dataclass(frozen=True, slots=True)
class SizedPicture:
    """A drawing for one width of the page; `kind` is `wide` or `narrow`."""

    kind: str
    description: str
    svg: Markup


def sized_pictures(name: str, draw: Callable[[int], look.Picture]) -> tuple[SizedPicture, ...]:
    """Return a picture in the page's two sizes.

    Parameters
    ----------
    name : str
        Makes the ids of its drawings, so no other picture of the page may have it.
    draw : callable
        Takes the width in pixels.
    """
    from markupsafe import Markup

    sizes = []
    for kind, width in (("wide", look.WIDE), ("narrow", look.NARROW)):
        picture = draw(width)
        svg = _with_hover(_with_own_ids(picture.svg(), prefix=f"{name}-{kind}-"))
        sizes.append(SizedPicture(kind, picture.description, Markup(svg)))  # noqa: S704 - drawn here
    return tuple(sizes)


def _with_own_ids(svg: str, *, prefix: str) -> str:
    """Return the drawing with ids that no other drawing of the page has, the same every time."""
    names: dict[str, str] = {}

    def renamed(match: re.Match[str]) -> str:
        return match[1] + names.setdefault(match[2], f"{prefix}{len(names)}")

    return re.sub(r'(\bid="|url\(#|href="#)([^")]+)', renamed, svg)


_SYMBOL = re.compile(
    r'<(path|rect|circle)( aria-label="([^"]*)" role="graphics-symbol"'
    r' aria-roledescription="(?!line mark|area mark)[^"]*"[^>]*)/>'
)


def _with_hover(svg: str) -> str:
    """Return the drawing with each mark's values, which it states for readers, as its title."""
    return _SYMBOL.sub(r"<\1\2><title>\3</title></\1>", svg)
