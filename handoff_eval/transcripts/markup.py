"""The words of an HTML body, with the line breaks a reader would see."""

from __future__ import annotations

import re
from html import unescape
from html.parser import HTMLParser

_BLOCK = re.compile(
    r"address|article|aside|body|center|d[dlt]|div|fieldset|figure|footer|form|h[r1-6]|header|li"
    r"|main|nav|section|tbody|tfoot|thead|tr"
)
_PARAGRAPH = re.compile(r"blockquote|h[1-6]|[ou]l|p|pre|table")
_SILENT = re.compile(r"head|script|style|template|title")
_TAG = re.compile(r"<[a-zA-Z/!]")
# The parser's time is quadratic in the number of tags that never close.
_UNCLOSED = re.compile(r"<(?=[^<>]*(?:<|$))")
_DEEPEST_QUOTE = 9
_SPACES = re.compile(r"[ \t\r\n\f\xa0]+")


def html_to_text(html: str) -> str:
    """Return the text of an HTML fragment.

    Paragraphs and breaks become lines, list items start with "- ", quoted mail with "> ",
    pictures become their description, and what a browser doesn't show is left out. Broken HTML
    gives what a browser would make of it, never an error; plain text keeps its lines.
    """
    if not _TAG.search(html):
        return unescape(html).strip()
    parser = _TextParser()
    parser.feed(_UNCLOSED.sub("&lt;", _without_comments(html)))
    parser.close()
    return parser.text()


def _without_comments(html: str) -> str:
    kept = []
    position = 0
    while (start := html.find("<!--", position)) >= 0:
        kept.append(html[position:start])
        end = html.find("-->", start + 4)
        position = len(html) if end < 0 else end + 3
    return "".join([*kept, html[position:]])


class _TextParser(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._lines: list[str] = [""]
        self._silent: list[str] = []
        self._quotes = 0

    def text(self) -> str:
        """Return what was read so far, without blank lines at either end or two in a row."""
        lines = "\n".join(line.rstrip() for line in self._lines)
        ended = re.sub(r"\n[> ]+\n(?!>)", "\n\n", lines)
        return re.sub(r"\n{3,}", "\n\n", ended).strip()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if _SILENT.fullmatch(tag):
            self._silent.append(tag)
        if self._silent:
            return
        if tag == "blockquote":
            self._paragraph()
            self._quotes += 1
            self._start_line()
        elif _PARAGRAPH.fullmatch(tag):
            self._paragraph()
        elif _BLOCK.fullmatch(tag):
            self._start_line()
        if tag == "br":
            self._lines.append(self._margin())
        elif tag == "li":
            self._lines[-1] += "- "
        elif tag in ("td", "th") and self._lines[-1].strip():
            self._lines[-1] += " "
        elif tag == "img":
            described = dict(attrs).get("alt")
            self._lines[-1] += f"[{described.strip()}]" if described else "[image]"

    def handle_endtag(self, tag: str) -> None:
        if tag in self._silent:
            del self._silent[self._silent.index(tag) :]
            return
        if self._silent:
            return
        if tag == "blockquote" and self._quotes:
            self._quotes -= 1
            self._paragraph()
        elif _PARAGRAPH.fullmatch(tag):
            self._paragraph()
        elif _BLOCK.fullmatch(tag):
            self._start_line()

    def handle_data(self, data: str) -> None:
        if self._silent:
            return
        words = _SPACES.sub(" ", data)
        line = self._lines[-1]
        if not line.strip("> -") or line.endswith(" "):
            words = words.lstrip(" ")
        self._lines[-1] += words

    def _margin(self) -> str:
        return "> " * min(self._quotes, _DEEPEST_QUOTE)

    def _start_line(self) -> None:
        if self._lines[-1].strip("> "):
            self._lines.append(self._margin())
        else:
            self._lines[-1] = self._margin()

    def _paragraph(self) -> None:
        self._start_line()
        if len(self._lines) > 1 and self._lines[-2].strip("> "):
            self._lines.insert(len(self._lines) - 1, self._margin().rstrip())
