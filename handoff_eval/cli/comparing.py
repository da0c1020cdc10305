"""The comparison that `compare` and `demo` share: read, check, train, compare."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from handoff_eval.cli.options import ArmOptions
from handoff_eval.cli.progress import ProgressBars, say
from handoff_eval.errors import DataError
from handoff_eval.handoff import Handoff

if TYPE_CHECKING:
    from handoff_eval.evaluation.comparison.arm_scores import Arm
    from handoff_eval.evaluation.comparison.result import Comparison
    from handoff_eval.llm.asker import ModelAsker
    from handoff_eval.transcripts.read import Dataset


@dataclass(frozen=True, slots=True)
class Compared:
    """A comparison with what it was made from; `asker` is None where no model was needed."""

    dataset: Dataset
    arms: tuple[Arm, ...]
    comparison: Comparison
    asker: ModelAsker | None


def read_usable(path: Path) -> Dataset:
    """Read a dataset, saying on stderr how many lines were refused.

    Raises
    ------
    DataError
        When a check finds an error, such as a customer on two splits.
    """
    from handoff_eval.evaluation.checks.check import blocking_findings
    from handoff_eval.transcripts.read import read_dataset

    dataset = read_dataset(path)
    for refusal in dataset.refusals[:5]:
        say(str(refusal))
    if dataset.refusals:
        say(f"{len(dataset.refusals)} lines refused; 'handoff-eval check {path}' lists them all.")
    errors = blocking_findings(dataset)
    if errors:
        raise DataError(" ".join(f"{finding.code}: {finding.sentence}" for finding in errors))
    return dataset


def run_comparison(dataset: Dataset, handoff: Handoff, options: ArmOptions) -> Compared:
    """Train the arms and compare them, with progress on stderr."""
    from handoff_eval.evaluation.comparison.compare import compare
    from handoff_eval.evaluation.comparison.line_up import line_up, recorded_replies
    from handoff_eval.evaluation.traffic import read_traffic
    from handoff_eval.llm.asker import default_asker

    traffic = None if options.traffic is None else read_traffic(options.traffic)
    if traffic is not None and traffic.refused:
        say(f"{traffic.refused} lines of {traffic.name} refused")
    askers: list[ModelAsker] = []
    limits = options.llm.merged_limits()

    def asker() -> ModelAsker:
        recorded = recorded_replies(dataset)
        askers.append(default_asker(recorded=recorded, live=options.live, limits=limits))
        return askers[-1]

    plan = options.llm.plan()
    say("preparing the arms")
    arms = line_up(
        options.names,
        dataset,
        instruction=handoff.instruction,
        asker=asker,
        rules=options.rules,
        llm=plan,
        seed=options.seed,
    )
    assert handoff.budget is not None  # noqa: S101 - options.handoff_of sees to it
    try:
        with ProgressBars() as bars:
            comparison = compare(
                dataset,
                arms,
                handoff.budget,
                traffic=traffic,
                smallest_difference=options.smallest_difference,
                seed=options.seed,
                on_progress=bars,
            )
    finally:
        for opened in askers:
            opened.close()
    return Compared(dataset, tuple(arms), comparison, askers[0] if askers else None)


def table_text(comparison: Comparison) -> str:
    """Return the comparison as the text that the terminal shows."""
    from handoff_eval.evaluation.promise.cost import cost_words

    table = comparison.frame()
    counts = comparison.counts
    lines = [
        f"{comparison.dataset}: "
        + ", ".join(
            f"{split} {c['conversations']} conversations ({c['positives']} positive, "
            f"{c['customers']} customers)"
            for split, c in counts.items()
        ),
        f"Budget: {comparison.budget.max_emails_per_day:g} emails a day at "
        f"{comparison.budget.conversations_per_day:g} conversations a day, recall at least "
        f"{comparison.budget.min_recall:.0%}. Prevalence {comparison.prevalence_note}.",
        "",
        "On test, with 95 % intervals by customer:",
        table.T.to_string(),
        "",
        *(f"{arm.name}: {arm.description}" for arm in comparison.arms),
        *(f"{arm.name}: {arm.llm.sentence()}" for arm in comparison.arms if arm.llm),
        "",
        *(f"{arm.name}: {arm.point.note}" for arm in comparison.arms),
        "",
        *(
            f"{arm.name}: {words}"
            for arm in comparison.arms
            if (words := cost_words(arm.implied_cost_ratio, arm.expected_cost))
        ),
    ]
    if comparison.pairs:
        lines += [
            "",
            "Recall at the budget's volume, paired:",
            comparison.pairs_frame().to_string(),
        ]
    lines += ["", f"Chosen: {comparison.chosen or 'none (no arm scored every conversation)'}"]
    return "\n".join(lines)
