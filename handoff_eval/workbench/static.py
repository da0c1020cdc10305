"""The picture of a widget where no kernel is alive: HTML that reads well without any style.

GitHub and untrusted notebooks drop style sheets and scripts, so what is said is said by tables,
lists and headings. Elements are built, never pasted together, so no text can become markup.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from xml.etree import ElementTree

Element = ElementTree.Element
Child = Element | str

# XML has no way to write these, and nobody can read them.
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]")


def element(tag: str, *children: Child, **attributes: object) -> Element:
    """Return an element; `class_` stands for `class` and `stroke_width` for `stroke-width`."""
    made = ElementTree.Element(
        tag,
        {name.strip("_").replace("_", "-"): clean(str(v)) for name, v in attributes.items()},
    )
    last: Element | None = None
    for child in children:
        if isinstance(child, str):
            text = clean(child)
            if last is None:
                made.text = (made.text or "") + text
            else:
                last.tail = (last.tail or "") + text
        else:
            made.append(child)
            last = child
    return made


def table(head: Sequence[str], rows: Iterable[Sequence[Child]]) -> Element:
    """Return a table with a row of headings; texts aligned to the left."""
    align = "text-align:left;vertical-align:top"
    return element(
        "table",
        element("thead", element("tr", *(element("th", name, style=align) for name in head))),
        element(
            "tbody",
            *(
                element("tr", *(element("td", cell, style=align) for cell in cells))
                for cells in rows
            ),
        ),
    )


def to_html(*parts: Element) -> str:
    """Return elements as HTML, each text escaped."""
    whole = element("div", *parts)
    return ElementTree.tostring(whole, encoding="unicode", method="html")


def to_svg(picture: Element) -> str:
    """Return an SVG element as XML, which HTML takes too."""
    return ElementTree.tostring(picture, encoding="unicode", method="xml")


def clean(text: str) -> str:
    """Return a text without the characters that no document can hold."""
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", text)
