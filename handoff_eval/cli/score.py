"""Score a file of any length with a bundle, in bounded memory, going on where it was killed.

Each line of OUT belongs to one line of TRANSCRIPTS: the decision, as `decide` prints it, with the
score of every decision point, or why the line was refused. Give the same command again after a
kill: what is written stays, and the job goes on behind it.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `score`."""
    parser.add_argument("bundle", type=Path, metavar="BUNDLE", help="bundle folder")
    parser.add_argument("transcripts", type=Path, metavar="TRANSCRIPTS", help="file of JSON lines")
    parser.add_argument("--to", type=Path, required=True, metavar="OUT", help="file of JSON lines")
    parser.add_argument("--json", action="store_true", help="print the counts as JSON")


def run(arguments: argparse.Namespace) -> int:
    """Score the file and print what the output holds; refused lines make the exit code 2."""
    from dataclasses import asdict

    from handoff_eval.cli.progress import ProgressBars
    from handoff_eval.errors import DataError
    from handoff_eval.production.bundle import read_bundle
    from handoff_eval.production.score import score_file

    bundle = read_bundle(arguments.bundle)
    with ProgressBars() as bars:
        scored = score_file(
            bundle,
            arguments.transcripts,
            to=arguments.to,
            on_progress=lambda done, total: bars("score", done, total),
        )
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
