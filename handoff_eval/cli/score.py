"""Score a file of any length with a bundle, in bounded memory, going on where it was killed.

Each line of OUT belongs to one line of TRANSCRIPTS: the decision, as `decide` prints it, with the
score of every decision point, or why the line was refused. Give the same command again after a
kill: what is written stays, and the job goes on behind it.

With `--engine spark` the same rows are made on Apache Spark, from Parquet or JSON lines to a
folder of Parquet (docs/scale.md).
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from handoff_eval.production.bundle import Bundle
    from handoff_eval.production.score import Scored


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `score`."""
    parser.add_argument("bundle", type=Path, metavar="BUNDLE", help="bundle folder")
    parser.add_argument(
        "transcripts",
        metavar="TRANSCRIPTS",
        help="file of JSON lines; on Spark also a dataset folder, or Parquet",
    )
    parser.add_argument(
        "--to", required=True, metavar="OUT", help="file of JSON lines; on Spark a folder"
    )
    parser.add_argument(
        "--engine", choices=["local", "spark"], default="local", help="default: %(default)s"
    )
    parser.add_argument(
        "--master",
        metavar="URL",
        help="Spark's master (default: what spark-submit says, else this machine's cores)",
    )
    parser.add_argument(
        "--conf",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a setting of Spark; may come several times",
    )
    parser.add_argument("--json", action="store_true", help="print the counts as JSON")


def run(arguments: argparse.Namespace) -> int:
    """Score the file and print what the output holds; refused lines make the exit code 2."""
    from dataclasses import asdict

    from handoff_eval.errors import DataError, SettingsError
    from handoff_eval.production.bundle import read_bundle

    bundle = read_bundle(arguments.bundle)
    if arguments.engine == "spark":
        scored = _on_spark(bundle, arguments)
    elif arguments.master or arguments.conf:
        raise SettingsError("Expected --engine spark beside --master and --conf; got none.")
    else:
        scored = _here(bundle, Path(arguments.transcripts), Path(arguments.to))
    if arguments.json:
        print(json.dumps(asdict(scored)))
    else:
        print(
            f"{arguments.to}: {scored.decided} conversations decided, {scored.fired} emails, "
            f"{scored.refused} lines refused, {scored.resumed} lines from an earlier run"
        )
    if scored.refused:
        raise DataError(
            f"{scored.refused} lines of {arguments.transcripts} were refused; "
            f"{arguments.to} says why beside each."
        )
    return 0


def _here(bundle: Bundle, transcripts: Path, to: Path) -> Scored:
    from handoff_eval.cli.progress import ProgressBars
    from handoff_eval.production.score import score_file

    with ProgressBars() as bars:
        return score_file(
            bundle,
            transcripts,
            to=to,
            on_progress=lambda done, total: bars("score", done, total),
        )


def _on_spark(bundle: Bundle, arguments: argparse.Namespace) -> Scored:
    from handoff_eval.errors import SettingsError
    from handoff_eval.production.spark.job import open_spark, score_on_spark

    settings = dict(pair.partition("=")[::2] for pair in arguments.conf)
    if not all("=" in pair for pair in arguments.conf):
        raise SettingsError(f"Expected --conf NAME=VALUE; got {arguments.conf!r}.")
    spark = open_spark(master=arguments.master, settings=settings)
    try:
        return score_on_spark(spark, bundle, arguments.transcripts, to=arguments.to)
    finally:
        spark.stop()
