"""Find out what was missed: draw unsent conversations to review, and estimate recall from them.

  handoff-eval audit plan DECISIONS DATASET --reviews 300 --plan plan.json --csv sheet.csv
  handoff-eval audit estimate plan.json DATASET --csv sheet.csv

DECISIONS are the lines of 'handoff-eval decide', DATASET the folder with their transcripts. The
sheet shows neither score nor stratum, and is filled in like one of 'handoff-eval labels'. Keep the
plan: it holds the probability of every row.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from handoff_eval.cli.result_options import add_result_options, keep_result

if TYPE_CHECKING:
    from handoff_eval.evaluation.decision_log import DecisionLog


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `handoff-eval audit`."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    plan = actions.add_parser("plan", help="draw conversations and write the reviewers' sheet")
    plan.add_argument("decisions", type=Path, metavar="DECISIONS", help="log of decisions, JSONL")
    plan.add_argument("dataset", type=Path, metavar="DATASET", help="folder with the transcripts")
    plan.add_argument("--handoff", metavar="NAME", help="which one, where the log has several")
    size = plan.add_mutually_exclusive_group(required=True)
    size.add_argument("--reviews", type=int, metavar="N", help="unsent conversations to review")
    size.add_argument("--width", type=float, metavar="W", help="wanted width of recall's interval")
    plan.add_argument(
        "--expected-recall",
        type=float,
        default=0.8,
        metavar="R",
        help="guess, for --width (default: %(default)s)",
    )
    plan.add_argument(
        "--expected-precision",
        type=float,
        default=0.5,
        metavar="P",
        help="guess of the share of sent emails needed, for --width (default: %(default)s)",
    )
    plan.add_argument(
        "--sent-reviews", type=int, metavar="N", help="sent ones to review (default: all)"
    )
    plan.add_argument(
        "--design",
        choices=("stratified", "poisson"),
        default="stratified",
        help="fixed numbers a stratum, or each row on its own (default: %(default)s)",
    )
    plan.add_argument(
        "--floor-share",
        type=float,
        default=0.8,
        metavar="S",
        help="part of the reviews spread evenly over all unsent (default: %(default)s)",
    )
    plan.add_argument("--seed", type=int, default=0, help="of the draw (default: %(default)s)")
    plan.add_argument("--plan", type=Path, required=True, metavar="FILE", help="where it is kept")
    plan.add_argument("--csv", type=Path, required=True, metavar="FILE", help="reviewers' sheet")
    estimate = actions.add_parser("estimate", help="estimate recall from what was reviewed")
    estimate.add_argument("plan", type=Path, metavar="PLAN", help="file of 'audit plan'")
    estimate.add_argument("dataset", type=Path, metavar="DATASET", help="folder with transcripts")
    estimate.add_argument(
        "--csv", type=Path, metavar="FILE", help="filled-in sheet (default: the dataset's labels)"
    )
    estimate.add_argument(
        "--labels",
        type=Path,
        metavar="FILE",
        help="write the answers as labels with their sampling probabilities",
    )
    estimate.add_argument("--json", action="store_true", help="print JSON")
    add_result_options(estimate)


def run(arguments: argparse.Namespace) -> int:
    """Plan or estimate; return 0, or 1 when lines of the dataset were refused."""
    return _plan(arguments) if arguments.action == "plan" else _estimate(arguments)


def _plan(arguments: argparse.Namespace) -> int:
    import json

    from handoff_eval.cli.progress import say
    from handoff_eval.errors import DataError
    from handoff_eval.evaluation.audit.plan import Design, make_plan
    from handoff_eval.evaluation.decision_log import read_decision_log
    from handoff_eval.transcripts.label_csv import write_sheet
    from handoff_eval.transcripts.read import read_dataset

    log = read_decision_log(arguments.decisions, handoff=arguments.handoff)
    for refusal in log.refusals:
        say(str(refusal))
    plan = make_plan(
        log.conversations,
        reviews=_reviews(arguments, log) if arguments.reviews is None else arguments.reviews,
        sent_reviews=arguments.sent_reviews,
        design=Design(arguments.design),
        floor_share=arguments.floor_share,
        handoff=log.handoff,
        seed=arguments.seed,
    )
    known = {c.id: c for c in read_dataset(arguments.dataset).conversations}
    if missing := [row.conversation_id for row in plan.rows if row.conversation_id not in known]:
        raise DataError(
            f"{arguments.dataset}: expected the transcript of every drawn conversation; "
            f"{len(missing)} are not there, such as {missing[0]!r}."
        )
    try:
        with arguments.plan.open("x", encoding="utf-8") as stream:
            stream.write(json.dumps(plan.to_dict(), indent=2) + "\n")
    except OSError as error:
        raise DataError(
            f"{arguments.plan}: can't be written ({error.strerror}). Choose a name that is free."
        ) from None
    write_sheet(arguments.csv, [known[row.conversation_id] for row in plan.rows], {})
    sent = sum(plan.stratum(row.stratum).sent for row in plan.rows)
    print(
        f"{len(plan.rows)} conversations to review, {len(plan.rows) - sent} of them not sent: "
        f"{arguments.csv}. The plan is {arguments.plan}; reviewers must not see it."
    )
    return 0


def _reviews(arguments: argparse.Namespace, log: DecisionLog) -> int:
    from handoff_eval.evaluation.audit.size import reviews_needed

    sent = sum(c.fired for c in log.conversations)
    needed = reviews_needed(
        sent=sent,
        unsent=len(log.conversations) - sent,
        width=arguments.width,
        expected_recall=arguments.expected_recall,
        expected_precision=arguments.expected_precision,
        floor_share=arguments.floor_share,
        seed=arguments.seed,
    )
    print(needed)
    return needed.reviews


def _estimate(arguments: argparse.Namespace) -> int:
    from handoff_eval.cli.progress import say
    from handoff_eval.errors import DataError
    from handoff_eval.evaluation.audit.estimate import estimate_recall
    from handoff_eval.evaluation.audit.plan import read_plan
    from handoff_eval.transcripts.label_csv import read_sheet
    from handoff_eval.transcripts.read import read_dataset
    from handoff_eval.transcripts.write import LABELS, write_labels

    plan, dataset = read_plan(arguments.plan), read_dataset(arguments.dataset)
    if arguments.csv is None:
        source, labels = arguments.dataset / LABELS, dataset.labels_of_record()
        refused = [one for one in dataset.refusals if one.file == LABELS]
    else:
        sheet = read_sheet(arguments.csv, dataset.conversations)
        source, labels = arguments.csv, {label.conversation_id: label for label in sheet.labels}
        refused = list(sheet.refusals)
    for refusal in dict.fromkeys((*dataset.refusals, *refused)):
        say(str(refusal))
    if refused:
        # Left out, a refused "yes" would count as never read, and its miss would be hidden.
        raise DataError(
            f"{source}: expected every answer to be readable; {len(refused)} of them "
            f"{'was' if len(refused) == 1 else 'were'} refused, so nothing is estimated. Correct "
            "them and give the command again."
        )
    found = estimate_recall(plan, {key: label.handoff for key, label in labels.items()})
    if arguments.labels is not None:
        drawn = [
            replace(labels[row.conversation_id], sampling_probability=row.probability)
            for row in plan.rows
            if row.conversation_id in labels
        ]
        say(f"{write_labels(drawn, arguments.labels)} labels: {arguments.labels}")
    reviews = sum(s.read for s in found.strata)
    params = {
        "design": found.design.value,
        "handoff": plan.handoff or "the only one",
        "reviews": str(reviews),
    }
    keep_result(arguments, found, kind="audit", dataset=dataset, params=params)
    print(found.to_json() if arguments.json else found.text())
    return 1 if dataset.refusals else 0
