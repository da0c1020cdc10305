"""Write conversations for labelling in a spreadsheet, read the answers back, collect reviews.

  handoff-eval labels export DATASET --csv sheet.csv
  handoff-eval labels import DATASET --csv sheet.csv --annotator ana
  handoff-eval labels collect DECISIONS --reviews reviews --audit plan.json --to DATASET

In the sheet write 'yes' and the reasons in the row of the turn after which a handoff is
warranted, or in the row 'close'; or 'no' in any row of the conversation. 'collect' makes a dataset
of reviewed emails and audited conversations, with the probability of each.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from handoff_eval.cli.logs import add_log_options


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `handoff-eval labels`."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    export = actions.add_parser("export", help="write a sheet to fill in")
    read = actions.add_parser("import", help="save the answers of a filled-in sheet")
    for action in (export, read):
        action.add_argument("dataset", type=Path, metavar="DATASET", help="dataset folder")
        action.add_argument("--csv", type=Path, required=True, metavar="FILE", help="the sheet")
    export.add_argument("--annotator", metavar="NAME", help="fill in what NAME has answered so far")
    export.add_argument(
        "--split", choices=("train", "tune", "test"), help="write one split (default: all)"
    )
    read.add_argument("--annotator", required=True, metavar="NAME", help="who filled it in")
    read.add_argument("--json", action="store_true", help="print JSON")
    collect = actions.add_parser("collect", help="make a dataset of what was reviewed")
    add_log_options(collect)
    collect.set_defaults(reviews=Path("reviews"))
    collect.add_argument(
        "--to", type=Path, required=True, metavar="DATASET", help="the dataset folder to make"
    )
    collect.add_argument(
        "--mask", action="store_true", help="replace emails, phones, cards and names by pseudonyms"
    )
    collect.add_argument("--seed", type=int, default=0, help="of the splits (default: %(default)s)")
    collect.add_argument("--json", action="store_true", help="print JSON")


def run(arguments: argparse.Namespace) -> int:
    """Do the action; return 0, or 1 when rows of a sheet were refused."""
    actions = {"export": _export, "import": _import, "collect": _collect}
    return actions[arguments.action](arguments)


def _export(arguments: argparse.Namespace) -> int:
    from handoff_eval.cli.progress import say
    from handoff_eval.conversation import Split
    from handoff_eval.transcripts.label_csv import write_sheet
    from handoff_eval.transcripts.label_store import labels_of
    from handoff_eval.transcripts.read import read_dataset

    dataset = read_dataset(arguments.dataset)
    for refusal in dataset.refusals:
        say(str(refusal))
    split = None if arguments.split is None else Split(arguments.split)
    labels = {} if arguments.annotator is None else labels_of(dataset, arguments.annotator)
    chosen = [c for c in dataset.conversations if split is None or c.split is split]
    count = write_sheet(arguments.csv, chosen, labels)
    print(f"{count} conversations written to {arguments.csv}")
    return 0


def _import(arguments: argparse.Namespace) -> int:
    import json
    from dataclasses import replace
    from datetime import UTC, datetime

    from handoff_eval.cli.progress import say
    from handoff_eval.transcripts.label_csv import read_sheet
    from handoff_eval.transcripts.label_store import check_annotator, labels_of, save_labels
    from handoff_eval.transcripts.read import read_dataset

    annotator = check_annotator(arguments.annotator)
    dataset = read_dataset(arguments.dataset)
    sheet = read_sheet(arguments.csv, dataset.conversations)
    for refusal in (*dataset.refusals, *sheet.refusals):
        say(str(refusal))
    now = datetime.now(UTC).replace(microsecond=0)
    earlier = labels_of(dataset, annotator)
    changed = []
    for label in sheet.labels:
        held = earlier.get(label.conversation_id)
        extra = {} if held is None else held.extra
        named = replace(label, annotator=annotator, labeled_at=now, extra=extra)
        if held is None or replace(named, labeled_at=held.labeled_at) != held:
            changed.append(named)
    saved = save_labels(dataset.path, changed)
    counts = {
        "new": saved.added,
        "changed": saved.replaced,
        "as_before": len(sheet.labels) - len(changed),
        "unanswered": sheet.unanswered,
        "refused": len(sheet.refusals),
    }
    if arguments.json:
        refusals = [refusal.to_dict() for refusal in sheet.refusals]
        print(json.dumps({**counts, "refusals": refusals}, indent=2))
    else:
        words = (f"{count} {name.replace('_', ' ')}" for name, count in counts.items())
        print(f"Labels of {annotator}: {', '.join(words)}.")
    return 1 if sheet.refusals else 0


def _collect(arguments: argparse.Namespace) -> int:
    import json

    from handoff_eval.cli.logs import read_arguments
    from handoff_eval.cli.progress import say
    from handoff_eval.production.feedback.collect import collect, write_collected
    from handoff_eval.transcripts.mask import Masker, key_of, save_key

    log = read_arguments(arguments)
    found = collect(log.logged, log.reviews, log.plan, seed=arguments.seed)
    key = key_of(arguments.to) if arguments.mask else None
    write_collected(
        found,
        arguments.to,
        source=f"the handoff {log.handoff.name!r}",
        masker=None if key is None else Masker(key),
    )
    if key is not None:
        save_key(arguments.to, key)
    unread = sum(stratum.drawn - stratum.read for stratum in found.strata)
    if unread:
        say(f"{unread} were not read; the read ones of their stratum stand for them")
    if log.plan is None:
        say("without --audit these are emails alone: they certify no recall")
    counts = {
        "conversations": len(found.conversations),
        "emailed": found.emailed,
        "labels": len(found.labels),
        "left_out": found.left_out,
    }
    if arguments.json:
        strata = [
            {"name": s.name, "drawn": s.drawn, "read": s.read, "probability": s.probability}
            for s in found.strata
        ]
        print(json.dumps({"dataset": str(arguments.to), **counts, "strata": strata}, indent=2))
    else:
        print(
            f"{arguments.to}: {counts['conversations']} conversations, {counts['emailed']} of them "
            f"emailed, {counts['labels']} labels; {counts['left_out']} reviewed ones left out"
        )
    return 0
