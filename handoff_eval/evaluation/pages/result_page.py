"""One result as a self-contained HTML page: an audit, a verdict of the gate, an ablation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from handoff_eval.evaluation.pages.findings import result_section
from handoff_eval.evaluation.pages.template import template
from handoff_eval.evaluation.result import Result


def render_result(result: Result, *, title: str, about: str, context: Mapping[str, str]) -> str:
    """Return the page: the words, the pictures and every table.

    It loads nothing and holds no script, and its content security policy refuses both.

    Parameters
    ----------
    result : Result
    title, about : str
        What it says, and of what.
    context : mapping of str to str
        Lines for "How this was measured", such as the dataset and its fingerprint.

    Raises
    ------
    MissingExtraError
        When jinja2, altair or vl-convert is not installed.
    """
    section = result_section("result", "In detail", result)
    section = replace(section, sentences=tuple(s for s in section.sentences if s != title))
    return template("evaluation/pages/result_page.html").render(
        title=title[:1].upper() + title[1:].rstrip("."),
        about=about,
        sections=[section],
        context=dict(context),
    )
