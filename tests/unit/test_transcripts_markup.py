"""HTML bodies as text."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handoff_eval.transcripts.markup import html_to_text


@pytest.mark.parametrize(
    ("html", "text"),
    [
        (
            "<p>Hi,<br>it's <b>all</b> great &amp; good!</p><p>Bye</p>",
            "Hi,\nit's all great & good!\n\nBye",
        ),
        ("<div>One</div><div>Two</div>three", "One\nTwo\nthree"),
        ("<ul>\n  <li>a</li>\n  <li>b</li>\n</ul>", "- a\n- b"),
        ("<style>p {}</style>Text<script>alert(1)</script>", "Text"),
        ("<head><title>t</title></head><body>seen</body>", "seen"),
        ("<blockquote>On Monday:<p>old</p></blockquote>New", "> On Monday:\n>\n> old\n\nNew"),
        ("<table><tr><td>a</td><td>b</td></tr><tr><td>c</td></tr></table>", "a b\nc"),
        ("<p>unclosed <b>bold <i>x", "unclosed bold x"),
        ("<img src=x alt='a cat'><img src=y>", "[a cat][image]"),
        ("no markup:\n1 < 2 &amp; 3 > 2", "no markup:\n1 < 2 & 3 > 2"),
        ("<!-- a <p>note</p> --><p></p><p>&nbsp;</p>x", "x"),
        ("<!--[if mso]><p>old mail</p><![endif]-->x<!-- open", "x"),
        ("<p>1 < 2 and <3</p>", "1 < 2 and <3"),
        ("", ""),
    ],
)
def test_a_reader_sees_the_same_lines(html: str, text: str) -> None:
    """Paragraphs, lists, quotes and tables keep their lines; what isn't shown is left out."""
    assert html_to_text(html) == text


@pytest.mark.parametrize(
    "part",
    ["<a ", "<!--", "<p>", "<blockquote>", "</", "&", "<script>", "<li>", "<![", "<?", "<a href='"],
)
def test_hostile_html_takes_no_time(part: str) -> None:
    """A body made to keep the parser busy is read like any other."""
    start = time.perf_counter()
    html_to_text(part * 20_000)

    assert time.perf_counter() - start < 2


@given(st.text(alphabet="<>/ab p=\"'&;!-\n", max_size=60) | st.text(max_size=40))
def test_broken_html_is_never_an_error(html: str) -> None:
    """Any text gives a text."""
    assert isinstance(html_to_text(html), str)
