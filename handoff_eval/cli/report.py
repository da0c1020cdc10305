"""Write the report of a comparison that was logged: one HTML file that loads nothing.

  handoff-eval report RUN --to report.html

RUN is the id or the name of an MLflow run. It is the page of 'compare --report'; the run holds no
transcripts, so the errors are read from the dataset, where that is still as it was.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from handoff_eval.tracking.report import LoggedReport


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `report`."""
    parser.add_argument("run_name", metavar="RUN", help="id or name of the run")
    parser.add_argument(
        "--to",
        type=Path,
        default=Path("report.html"),
        metavar="FILE",
        help="the page (default: %(default)s)",
    )
    parser.add_argument(
        "--dataset",
        type=Path,
        metavar="DATASET",
        help="where its dataset is by now (default: where it was)",
    )
    parser.add_argument(
        "--no-transcripts", action="store_true", help="name the errors by their ids alone"
    )


def run(arguments: argparse.Namespace) -> int:
    """Write the page."""
    from handoff_eval.cli.compare import write_text
    from handoff_eval.tracking.report import fetch_report

    logged = fetch_report(arguments.run_name)
    page = logged.page
    if not arguments.no_transcripts:
        page = _with_transcripts(logged, arguments.dataset)
    write_text(arguments.to, page)
    print(f"{arguments.to}: {logged.name} ({logged.run_id})")
    return 0


def _with_transcripts(logged: LoggedReport, path: Path | None) -> str:
    """Return the page with the errors to read, or as it is where the dataset has changed."""
    from handoff_eval.cli.progress import say
    from handoff_eval.errors import DataError
    from handoff_eval.evaluation.pages.errors import Errors
    from handoff_eval.transcripts.read import read_dataset

    where = path or logged.dataset
    try:
        if where is None:
            raise DataError("the run doesn't say where its dataset is; give --dataset.")
        dataset = read_dataset(where)
        if dataset.digest != logged.digest:
            raise DataError(f"{where} has changed since; give --dataset with it as it was.")
        items = {item.conversation.id: item for item in dataset.labeled()}
        return Errors.from_dict(logged.errors, items).put_into(logged.page)
    except DataError as error:
        if path is not None:
            raise
        say(f"the errors are named by their ids alone: {error}")
        return logged.page
