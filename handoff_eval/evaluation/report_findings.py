"""The findings of an analysis as sections of the page: timing, volume, slices and topics."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from handoff_eval.evaluation import analysis_plots as draw
from handoff_eval.evaluation import volume_plots
from handoff_eval.evaluation.analysis import Analysis
from handoff_eval.evaluation.forecast_result import Forecast
from handoff_eval.evaluation.reliability import Reliability
from handoff_eval.evaluation.report_pictures import SizedPicture, sized_pictures
from handoff_eval.evaluation.slices import Slices
from handoff_eval.evaluation.timing import Timing
from handoff_eval.evaluation.topics import Topic, Topics


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
    tables: tuple[Table, ...] = field(default=())


def finding_sections(analysis: Analysis, *, with_words: bool) -> tuple[Section, ...]:
    """Return the sections.

    Parameters
    ----------
    analysis : Analysis
    with_words : bool
        Whether topics may show what customers wrote; without, they are sizes and ids.
    """
    return (
        _timing(analysis.timings, analysis.timing_of(analysis.arm)),
        _volume(analysis.forecast)
        if analysis.forecast is not None
        else Section("Emails a day", (analysis.forecast_note,)),
        _reliability(analysis.reliability),
        _slices(analysis.slices),
        _topics(analysis.needless, "Needless emails by topic", with_words=with_words),
        _topics(analysis.missed, "Missed handoffs by topic", with_words=with_words),
    )


def _timing(timings: Sequence[Timing], shown: Timing) -> Section:
    measures = [name for name, _ in shown.items()]
    values = {timing.trigger: dict(timing.items()) for timing in timings}
    return Section(
        "When the email comes",
        (),
        (sized_pictures("timing", lambda width: draw.timing_plot(shown, width=width)),),
        (
            Table(
                "Early, on time, late and never are shares of the needed handoffs. GT is Golden "
                "Transfer within Tolerance (Liu et al., AAAI 2021), with a tolerance of 1, 2 and 3 "
                "turns: over all conversations, where silence scores well, over those in need, and "
                "with the first fire alone.",
                ("measure", *values),
                tuple(
                    (
                        name.replace("_", " "),
                        *(f"{v[name].short} n {v[name].n}" for v in values.values()),
                    )
                    for name in measures
                ),
                folded=True,
            ),
        ),
    )


def _volume(forecast: Forecast) -> Section:
    days = forecast.frame().reset_index()
    parts = forecast.parts_frame().reset_index()
    return Section(
        "Emails a day",
        forecast.sentences()[2:],
        (
            sized_pictures(
                "forecast", lambda width: volume_plots.forecast_plot(forecast, width=width)
            ),
        ),
        (
            _table("Emails on each weekday.", days, folded=True),
            _table("Mean emails a day by hour, main reason and channel.", parts, folded=True),
        ),
    )


def _reliability(reliability: Reliability) -> Section:
    return Section(
        "What a score means",
        reliability.sentences()[1:],
        (
            sized_pictures(
                "reliability", lambda width: draw.reliability_plot(reliability, width=width)
            ),
        ),
        (
            _table(
                "Share in need by score, at the prevalence of the sample.",
                reliability.frame().reset_index(),
                folded=True,
            ),
        ),
    )


def _slices(slices: Slices) -> Section:
    return Section(
        "Where it does better or worse",
        (),
        (sized_pictures("slices", lambda width: draw.slices_plot(slices, width=width)),),
        (
            _table(
                "Every slice beside the rest of test. Tested by Fisher's exact test on one "
                "conversation a customer, corrected for their number (Holm).",
                slices.frame().reset_index(),
                folded=True,
            ),
        ),
    )


def _topics(topics: Topics, title: str, *, with_words: bool) -> Section:
    if not topics.topics:
        return Section(title, topics.sentences())
    headers: tuple[str, ...] = ("topic", topics.kind, "conversations")
    numbered = list(enumerate(topics.topics, 1))
    rows = [(str(number), str(len(topic.mistakes)), _ids(topic)) for number, topic in numbered]
    if not with_words:
        said = (f"{topics.n} {topics.kind} in {len(rows)} topics.",)
        return Section(title, said, (), (Table("", headers, tuple(rows)),))
    return Section(
        title,
        topics.sentences(),
        (),
        (
            Table(
                "",
                (*headers, "what customers say"),
                tuple(
                    (topic.name, size, ids, " · ".join(topic.examples))
                    for topic, (_, size, ids) in zip(topics.topics, rows, strict=True)
                ),
            ),
        ),
    )


def _ids(topic: Topic) -> str:
    return ", ".join(mistake.item.conversation.id for mistake in topic.mistakes)


def _table(caption: str, frame: Any, *, folded: bool) -> Table:
    return Table(
        caption,
        tuple(str(name) for name in frame.columns),
        tuple(tuple(str(value) for value in row) for row in frame.itertuples(index=False)),
        folded,
    )
