"""One self-contained HTML page of a comparison: read by a team lead, mailed as a file.

The page loads nothing: styles and pictures are inside it, it holds no script, and its content
security policy refuses both. Text of customers reaches it escaped, or not at all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isnan

from handoff_eval.conversation import LabeledConversation
from handoff_eval.evaluation import look
from handoff_eval.evaluation.comparison import plots
from handoff_eval.evaluation.comparison.arms_look import arm_words
from handoff_eval.evaluation.comparison.paired import PairedDifference
from handoff_eval.evaluation.comparison.result import ArmResult, Comparison
from handoff_eval.evaluation.findings.analysis import Analysis
from handoff_eval.evaluation.intervals import REPLICATES, Estimate
from handoff_eval.evaluation.pages.errors import Errors
from handoff_eval.evaluation.pages.findings import finding_sections
from handoff_eval.evaluation.pages.pictures import sized_pictures
from handoff_eval.evaluation.pages.template import template
from handoff_eval.evaluation.promise.cost import cost_words

SMALL_MODEL = "135M"
"""How the local model's description states its size."""


def render_report(
    comparison: Comparison,
    *,
    test: Sequence[LabeledConversation],
    instruction: str,
    seed: int,
    with_transcripts: bool = True,
    context: Mapping[str, str] | None = None,
    analysis: Analysis | None = None,
) -> str:
    """Return the page.

    Parameters
    ----------
    comparison : Comparison
    test : sequence of LabeledConversation
        The labelled test conversations, whose errors are shown for reading.
    instruction : str
        The condition in plain language.
    seed : int
        Of resampling and of every draw.
    with_transcripts : bool
        False leaves out everything that customers or annotators wrote: for places that others
        can open.
    context : mapping of str to str, optional
        Further lines for "How this was measured", such as when and from which revision.
    analysis : Analysis, optional
        The findings that get sections of their own: timing, volume, slices and topics.

    Raises
    ------
    MissingExtraError
        When jinja2, altair or vl-convert is not installed.
    ValueError
        When a conversation that was measured isn't among `test`.
    """
    shown = plots.shown_arm(comparison)
    pictures = [
        sized_pictures(
            "volume-recall", lambda width: plots.volume_recall_plot(comparison, width=width)
        ),
        sized_pictures(
            "precision-recall", lambda width: plots.precision_recall_plot(comparison, width=width)
        ),
    ]
    return template("evaluation/pages/report.html").render(
        comparison=comparison,
        shown=shown,
        title=plots.catch_words(shown),
        sentences=headline(comparison),
        tiles=_tiles(comparison, shown),
        arms=[_arm_row(comparison, i) for i in range(len(comparison.arms))],
        notes=[note for arm in comparison.arms if (note := sample_note(comparison, arm))],
        costs=[
            (arm, cost_words(arm.implied_cost_ratio, arm.expected_cost)) for arm in comparison.arms
        ],
        pairs=[_pair_row(pair) for pair in comparison.pairs],
        pictures=pictures,
        sections=()
        if analysis is None
        else finding_sections(analysis, with_words=with_transcripts),
        errors=Errors.of(shown, test).render(with_transcripts=with_transcripts),
        instruction=instruction,
        seed=seed,
        replicates=REPLICATES,
        context=dict(context or {}),
    )


def headline(comparison: Comparison) -> tuple[str, ...]:
    """Return what was found, in sentences: chosen, caught, cost, certified or why not."""
    arm = plots.shown_arm(comparison)
    measures = arm.measures
    full = sum(not other.sampled for other in comparison.arms)
    if comparison.chosen is None:
        first = f"No arm scored every conversation, so none is chosen; what follows is {arm.name}."
    elif full == 1:
        first = f"{arm.name} is the only arm that scored every conversation."
    elif arm.point.certificate is None:
        first = f"{arm.name} was chosen on tune among {full} arms: it has the highest recall there."
    else:
        first = (
            f"{arm.name} was chosen on tune among {full} arms: it has the highest recall there "
            "of those that could be certified."
        )
    precision = _share(measures.precision)
    return (
        first,
        f"On test it catches {_share(measures.recall).words} of the needed handoffs, "
        f"{_share(measures.recall_on_time).words} on time, and sends "
        f"{_number(measures.emails_per_day, 1).words} emails a day, of which "
        f"{precision.words} are needed, at {comparison.budget.conversations_per_day:g} "
        f"conversations a day and a prevalence of {comparison.prevalence:.1%}.",
        arm.point.note,
    )


def sample_note(comparison: Comparison, arm: ArmResult) -> str | None:
    """Return what a reader must know of an arm asked on a sample; None for the others."""
    if not arm.sampled:
        return None
    whole = comparison.counts["test"]["conversations"]
    note = (
        f"{arm.name} ({arm.description}) was asked on a sample of whole conversations, "
        f"{len(arm.test.peak)} of {whole} in test; compare it by the pairs, which use that "
        "sample alone. It can't be chosen."
    )
    if SMALL_MODEL in arm.description:
        note += (
            " A model of 135M parameters shows that the path works and says nothing about LLM "
            "prompts at large."
        )
    return note


@dataclass(frozen=True, slots=True)
class _Cell:
    """An estimate in words; `interval` is empty where there is none."""

    value: str
    interval: str
    n: int

    @property
    def words(self) -> str:
        return f"{self.value} ({self.interval})" if self.interval else self.value


def _share(estimate: Estimate) -> _Cell:
    if isnan(estimate.value):
        return _Cell("none", "", estimate.n)
    interval = "" if isnan(estimate.low) else f"{estimate.low:.0%} to {estimate.high:.0%}"
    return _Cell(f"{estimate.value:.0%}", interval, estimate.n)


def _number(estimate: Estimate, digits: int) -> _Cell:
    if isnan(estimate.value):
        return _Cell("none", "", estimate.n)
    low, high = f"{estimate.low:.{digits}f}", f"{estimate.high:.{digits}f}"
    interval = "" if isnan(estimate.low) else f"{low} to {high}"
    return _Cell(f"{estimate.value:.{digits}f}", interval, estimate.n)


@dataclass(frozen=True, slots=True)
class _Tile:
    name: str
    cell: _Cell
    verdict: str
    kept: str


def _tiles(comparison: Comparison, arm: ArmResult) -> list[_Tile]:
    measures, budget = arm.measures, comparison.budget
    floor, limit = f"{budget.min_recall:.0%}", f"{budget.max_emails_per_day:g}"
    recall, volume = measures.recall, measures.emails_per_day
    recall_verdict = (
        ("yes", f"at or above the floor of {floor}")
        if recall.low >= budget.min_recall
        else ("no", f"below the floor of {floor}")
        if recall.high < budget.min_recall
        else ("open", f"the floor of {floor} lies within the interval")
    )
    volume_verdict = (
        ("yes", f"within the budget of {limit}")
        if volume.high <= budget.max_emails_per_day
        else ("no", f"above the budget of {limit}")
        if volume.low > budget.max_emails_per_day
        else ("open", f"the budget of {limit} lies within the interval")
    )
    return [
        _Tile("of needed handoffs caught", _share(recall), recall_verdict[1], recall_verdict[0]),
        _Tile("caught on time", _share(measures.recall_on_time), "by the turn it was due", ""),
        _Tile("emails a day", _number(volume, 1), volume_verdict[1], volume_verdict[0]),
        _Tile(
            "of emails needed",
            _share(measures.precision),
            f"at a prevalence of {comparison.prevalence:.1%}",
            "",
        ),
    ]


@dataclass(frozen=True, slots=True)
class _ArmRow:
    arm: ArmResult
    words: str
    colour: str
    cells: tuple[_Cell, ...]


def _arm_row(comparison: Comparison, index: int) -> _ArmRow:
    arm = comparison.arms[index]
    measures, ranking = arm.measures, arm.ranking
    return _ArmRow(
        arm=arm,
        words=arm_words(comparison, arm),
        colour=look.arm_colour(index),
        cells=(
            _share(measures.recall),
            _share(measures.recall_on_time),
            _number(measures.emails_per_day, 1),
            _share(measures.precision),
            _share(measures.precision_in_sample),
            _number(ranking.average_precision, 2),
            _number(ranking.average_precision_on_time, 2),
        ),
    )


@dataclass(frozen=True, slots=True)
class _PairRow:
    pair: PairedDifference
    value: str
    interval: str


def _pair_row(pair: PairedDifference) -> _PairRow:
    difference = pair.difference
    low, high = f"{100 * difference.low:+.0f}", f"{100 * difference.high:+.0f}"
    interval = "no interval" if isnan(difference.low) else f"{low} to {high}"
    return _PairRow(pair, f"{100 * difference.value:+.0f}", interval)
