"""Measure what each clause of an instruction does to recall and to the number of emails.

Each clause is dropped in turn. The threshold comes from tune and the figures from train, or from
test with --split test, which is for the report.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from handoff_eval.cli.instruction_reading import add_reading_options, reading, split_of
from handoff_eval.cli.result_options import add_report_option, write_report


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the action's arguments."""
    add_reading_options(parser)
    parser.add_argument("--picture", type=Path, metavar="FILE", help="write a PNG of the clauses")
    add_report_option(parser)
    parser.add_argument("--no-tracking", action="store_true", help="don't log the run to MLflow")


def run(arguments: argparse.Namespace) -> int:
    """Ablate and show."""
    from handoff_eval.evaluation.wordings.ablation import ablate

    with reading(arguments) as given:
        ablation = ablate(
            given.handoff.instruction,
            given.wordings,
            given.objective.budget,
            prevalence=given.objective.prevalence,
            split=split_of(arguments),
            seed=given.seed,
        )
    if arguments.picture is not None:
        from handoff_eval.cli.compare import write_bytes

        write_bytes(arguments.picture, ablation.plot().png())
    write_report(
        arguments.report,
        ablation,
        about=f"ablation on {given.wordings.dataset.name}",
        params={"Dataset": given.wordings.dataset.digest, "Instruction": ablation.instruction},
    )
    if not arguments.no_tracking:
        from handoff_eval.cli.progress import say
        from handoff_eval.tracking.instructions import log_instruction
        from handoff_eval.tracking.versions import keep_instruction

        version = keep_instruction(ablation.instruction, handoff=given.handoff.name, say=say)
        run_id = log_instruction(ablation, dataset=given.wordings.dataset, version=version, say=say)
        say(f"MLflow run {run_id}; open it with 'handoff-eval ui'")
    if arguments.json:
        print(json.dumps(ablation.to_dict(), indent=2, ensure_ascii=False, allow_nan=False))
        return 0
    print(
        f"{ablation.trigger} on {ablation.split.value}: {ablation.conversations} conversations, "
        f"{ablation.positives} positive. With the clause minus without it, 95 % intervals by "
        f"customer.\n"
    )
    for _, row in ablation.frame().reset_index().iterrows():
        print(f"{row['kind']}: {row['clause']}")
        print(
            f"  recall at {ablation.budget.max_emails_per_day:g} emails a day  "
            f"{row['recall at equal volume']}, p {row['p (Holm)']}"
        )
        print(
            f"  at the threshold of tune: recall {row['recall at the threshold']}, emails a day "
            f"{row['emails a day']} ({row['emails started']} started, "
            f"{row['emails stopped']} stopped)"
        )
        print(f"  {row['verdict']}\n")
    for clause in ablation.kept:
        print(f"not dropped, since no other cue would be left: {clause.text}")
    return 0
