"""Where a command's one result goes beside the terminal: a page, and a run in MLflow."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from handoff_eval.evaluation.result import Result
    from handoff_eval.transcripts.read import Dataset


def add_report_option(parser: argparse.ArgumentParser) -> None:
    """Add `--report`."""
    parser.add_argument(
        "--report", type=Path, metavar="FILE", help="write one self-contained HTML page"
    )


def add_result_options(parser: argparse.ArgumentParser) -> None:
    """Add `--report` and `--track`."""
    add_report_option(parser)
    parser.add_argument("--track", action="store_true", help="log the result to MLflow")


def write_report(
    path: Path | None, result: Result, *, about: str, params: Mapping[str, str]
) -> None:
    """Write the page of a result, where one is asked for."""
    if path is None:
        return
    from handoff_eval.cli.compare import write_text
    from handoff_eval.cli.progress import say
    from handoff_eval.evaluation.pages.result_page import render_result

    title = result.sentences()[0]
    write_text(path, render_result(result, title=title, about=about, context=params))
    say(f"report: {path}")


def keep_result(
    arguments: argparse.Namespace,
    result: Result,
    *,
    kind: str,
    dataset: Dataset,
    params: Mapping[str, str],
) -> None:
    """Write the page and log the run that the options ask for."""
    data = {"Dataset": f"{dataset.name}, sha256 {dataset.digest}"}
    about = f"{kind} on {dataset.name}"
    write_report(arguments.report, result, about=about, params={**data, **params})
    if arguments.track:
        from handoff_eval.cli.progress import say
        from handoff_eval.tracking.results import log_result

        run_id = log_result(result, kind=kind, dataset=dataset, params=params, say=say)
        say(f"MLflow run {run_id}; open it with 'handoff-eval ui'")
