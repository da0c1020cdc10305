"""Findings as sections of a page: whatever is a `Result` becomes words, pictures and tables."""

from __future__ import annotations

from dataclasses import dataclass

from handoff_eval.evaluation.findings.analysis import Analysis
from handoff_eval.evaluation.pages.pictures import SizedPicture, sized_pictures
from handoff_eval.evaluation.result import Result, ResultTable


@dataclass(frozen=True, slots=True)
class Table:
    """A table of texts; `folded` ones open on demand."""

    caption: str
    headers: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    folded: bool = False


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the page: its words, unless a picture says them, its pictures and its tables."""

    title: str
    sentences: tuple[str, ...]
    pictures: tuple[tuple[SizedPicture, ...], ...] = ()
    tables: tuple[Table, ...] = ()


def finding_sections(analysis: Analysis, *, with_words: bool) -> tuple[Section, ...]:
    """Return the sections.

    Parameters
    ----------
    analysis : Analysis
    with_words : bool
        Whether topics may show what customers wrote; without, they are sizes and ids.
    """
    return tuple(
        Section(finding.title, (finding.result,))
        if isinstance(finding.result, str)
        else result_section(
            finding.key.replace("/", "-"),
            finding.title,
            finding.result if with_words else finding.result.without_words(),
        )
        for finding in analysis.findings()
    )


def result_section(key: str, title: str, result: Result) -> Section:
    """Return one result as a section.

    Parameters
    ----------
    key : str
        Makes the ids of its drawings, so no other section of the page may have it.
    title : str
    result : Result
    """
    pictures = tuple(
        sized_pictures(f"{key}-{name}".strip("-"), draw) for name, draw in result.pictures().items()
    )
    drawn = " ".join(sizes[0].description for sizes in pictures)
    return Section(
        title,
        tuple(s for s in result.sentences() if s.rstrip(".") not in drawn),
        pictures,
        tuple(_texts(table) for table in result.tables().values()),
    )


def _texts(table: ResultTable) -> Table:
    frame = table.frame
    if any(name is not None for name in frame.index.names):
        frame = frame.reset_index()
    return Table(
        table.caption,
        tuple(str(name).replace("_", " ") for name in frame.columns),
        tuple(
            tuple(_cell(value) for value in row) for row in frame.itertuples(index=False, name=None)
        ),
        table.folded,
    )


def _cell(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
