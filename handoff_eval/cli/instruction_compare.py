"""Compare two versions of an instruction: words, figures, and the conversations that flipped.

A version is a text file, or one of the registry: prompts:/support/3, prompts:/support@candidate.
Thresholds come from tune by the same rule; figures and flips from train, or from test with
--split test, which is for the report: an instruction rewritten after reading conversations of
test can't be reported on them.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from handoff_eval.cli.instruction_reading import add_reading_options, reading, split_of
from handoff_eval.cli.result_options import add_report_option, write_report

if TYPE_CHECKING:
    from handoff_eval.evaluation.threshold_difference import Flip
    from handoff_eval.evaluation.wordings.versions import VersionComparison


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the action's arguments."""
    parser.add_argument("before", metavar="BEFORE", help="a text file or prompts:/NAME/VERSION")
    parser.add_argument("after", metavar="AFTER", help="the same")
    add_reading_options(parser)
    parser.add_argument(
        "--read",
        type=int,
        default=3,
        metavar="N",
        help="flipped conversations to show in each direction (default: %(default)s)",
    )
    add_report_option(parser)
    parser.add_argument(
        "--alias", metavar="NAME", help="keep both in MLflow and give AFTER this alias"
    )


def run(arguments: argparse.Namespace) -> int:
    """Compare and show."""
    from handoff_eval.evaluation.wordings.versions import compare_versions

    before, after = _text(arguments.before), _text(arguments.after)
    with reading(arguments) as given:
        compared = compare_versions(
            before,
            after,
            given.wordings,
            given.objective.budget,
            prevalence=given.objective.prevalence,
            split=split_of(arguments),
            seed=given.seed,
        )
    write_report(
        arguments.report,
        compared,
        about=f"versions on {given.wordings.dataset.name}",
        params={"Dataset": given.wordings.dataset.digest, "Instruction": after},
    )
    if arguments.alias is not None:
        from handoff_eval.cli.progress import say
        from handoff_eval.tracking.instructions import log_instruction
        from handoff_eval.tracking.versions import keep_instruction

        keep_instruction(before, handoff=given.handoff.name, say=say)
        kept = keep_instruction(after, handoff=given.handoff.name, alias=arguments.alias, say=say)
        run_id = log_instruction(compared, dataset=given.wordings.dataset, version=kept, say=say)
        say(f"kept: {kept.uri}, alias {arguments.alias}; MLflow run {run_id}")
    if arguments.json:
        print(json.dumps(compared.to_dict(), indent=2, ensure_ascii=False, allow_nan=False))
    else:
        print(_page(compared, arguments.read))
    return 0


def _text(where: str) -> str:
    """Return the instruction of a file or of the registry."""
    if where.startswith("prompts:/"):
        from handoff_eval.tracking.versions import read_instruction

        return read_instruction(where)
    from handoff_eval.cli.options import read_text

    return read_text(Path(where))


def _page(compared: VersionComparison, number: int) -> str:
    emails = compared.at_thresholds.email_rate.scaled(compared.budget.conversations_per_day)
    lines = [
        compared.diff_text(),
        "",
        f"{compared.trigger} on {compared.split.value}: {compared.conversations} conversations, "
        f"{compared.positives} positive. After minus before, 95 % intervals by customer:",
        f"  recall at {compared.budget.max_emails_per_day:g} emails a day  "
        f"{compared.at_volume.difference.short}, p {compared.at_volume.p_value:.3f}",
        f"  each at its threshold of tune: recall {compared.at_thresholds.recall.short}, "
        f"emails a day {emails.short}",
        f"  {compared.verdict}",
    ]
    for started, title in ((True, "emailed only after"), (False, "emailed only before")):
        some = [flip for flip in compared.flips if flip.started is started]
        better = sum(flip.better for flip in some)
        lines += ["", f"{title}: {len(some)}, of which rightly changed {better}"]
        for flip in some[:number]:
            lines += _transcript(flip)
    return "\n".join(lines)


def _transcript(flip: Flip) -> list[str]:
    from handoff_eval.transcripts.refusals import printable

    conversation = flip.item.conversation
    needed = "needed" if flip.item.label.handoff else "not needed"
    return [
        f"  {printable(conversation.id)}: handoff {needed}, score {flip.before:.3f} before, "
        f"{flip.after:.3f} after",
        *(f"    {turn.role.value}: {printable(turn.text)}" for turn in conversation.turns),
    ]
