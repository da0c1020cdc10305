"""Compare triggers on the same conversations, at the email volume the team can read.

Thresholds are chosen on the tune split and every figure is of the test split. The table goes to
stdout, progress to stderr, and the run to MLflow (see 'handoff-eval ui').
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from handoff_eval.cli.options import add_comparison_options


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `compare`."""
    add_comparison_options(parser)
    out = parser.add_argument_group("results")
    out.add_argument(
        "--json", type=Path, metavar="FILE", help="write the results as JSON; - for stdout"
    )
    out.add_argument(
        "--report", type=Path, metavar="FILE", help="write one self-contained HTML page"
    )
    out.add_argument("--no-tracking", action="store_true", help="don't log the run to MLflow")
    out.add_argument(
        "--log-text",
        action="store_true",
        help="keep in MLflow what quotes conversations too: a prompt with examples (--shots)",
    )


def run(arguments: argparse.Namespace) -> int:
    """Compare and show."""
    from handoff_eval.cli.comparing import read_usable, run_comparison, table_text
    from handoff_eval.cli.options import arm_options_of, handoff_of
    from handoff_eval.cli.progress import say
    from handoff_eval.evaluation.findings.analysis import analyse

    handoff, options = handoff_of(arguments), arm_options_of(arguments)
    compared = run_comparison(read_usable(arguments.dataset), handoff, options)
    comparison = compared.comparison
    say("looking into timing, volume, slices and mistakes")
    analysis = analyse(comparison, compared.dataset, seed=options.seed)
    values = {**comparison.to_dict(), "analysis": analysis.to_dict()}
    document = json.dumps(values, indent=2, allow_nan=False)
    if arguments.json == Path("-"):
        print(document)
    else:
        print(f"{table_text(comparison)}\n\n{analysis.text()}")
        if arguments.json is not None:
            write_text(arguments.json, document + "\n")
    if arguments.report is not None:
        from handoff_eval.conversation import Split
        from handoff_eval.evaluation.pages.report import render_report

        page = render_report(
            comparison,
            test=compared.dataset.labeled(Split.TEST),
            instruction=handoff.instruction,
            seed=options.seed,
            analysis=analysis,
        )
        write_text(arguments.report, page)
        say(f"report: {arguments.report}")
    if not arguments.no_tracking:
        from handoff_eval.production.keep import keep_comparison

        run_id = keep_comparison(
            comparison,
            compared.arms,
            dataset=compared.dataset,
            handoff=handoff,
            seed=options.seed,
            analysis=analysis,
            log_text=arguments.log_text,
            say=say,
        )
        say(f"MLflow run {run_id}; open it with 'handoff-eval ui'")
        say(f"to deploy what was chosen: handoff-eval export {run_id[:8]} --to DIR")
    return 0


def write_text(path: Path, text: str) -> None:
    """Write a result file, making its folder; a path that can't be written is a user's mistake."""
    write_bytes(path, text.encode("utf-8"))


def write_bytes(path: Path, content: bytes) -> None:
    """Write a result file, making its folder; a path that can't be written is a user's mistake."""
    from handoff_eval.errors import SettingsError

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    except OSError as error:
        raise SettingsError(f"{path}: can't be written ({error.strerror}).") from None
