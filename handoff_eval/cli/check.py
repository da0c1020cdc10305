"""Report what a dataset can and can't carry, as coded findings.

Exits with 0 when nothing found makes the numbers wrong, 1 when something does, 2 for a mistake
in the call.
"""

from __future__ import annotations

import argparse
import json
import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

from handoff_eval.errors import MissingExtraError

if TYPE_CHECKING:
    from handoff_eval.evaluation.checks.base import Finding
    from handoff_eval.evaluation.checks.check import CheckReport
    from handoff_eval.transcripts.read import Dataset

WIDTH = 100
INFO_EXAMPLES = 3


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("dataset", type=Path, metavar="DATASET", help="a dataset folder")
    parser.add_argument(
        "--prevalence",
        type=float,
        metavar="P",
        help="share of the deployed conversations that need a handoff",
    )
    parser.add_argument(
        "--min-recall",
        type=float,
        default=0.9,
        metavar="R",
        help="the recall to be promised (default: %(default)s)",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON document")


def run(args: argparse.Namespace) -> int:
    """Print the findings and return the exit code."""
    try:
        from tqdm import tqdm
    except ImportError:
        raise MissingExtraError(
            "Expected the workbench for 'handoff-eval check'; it is not installed. "
            "Run: pip install 'handoff-eval[bench]'"
        ) from None

    from handoff_eval.evaluation.checks.check import CHECKS, check_dataset
    from handoff_eval.transcripts.read import read_dataset

    dataset = read_dataset(args.dataset)
    with tqdm(total=len(CHECKS), unit="check", file=sys.stderr, disable=None, leave=False) as bar:

        def show(title: str) -> None:
            bar.set_description(title)
            bar.update()

        report = check_dataset(
            dataset, prevalence=args.prevalence, min_recall=args.min_recall, progress=show
        )
    if args.json:
        print(json.dumps(_document(dataset, report), ensure_ascii=False, indent=2))
    else:
        print(_table(dataset, report))
    return 1 if report.has_errors else 0


def _document(dataset: Dataset, report: CheckReport) -> dict[str, object]:
    from dataclasses import asdict

    from handoff_eval.conversation import Split

    return {
        "dataset": dataset.name,
        "digest": dataset.digest,
        "counts": {
            "all": asdict(dataset.counts()),
            **{split.value: asdict(dataset.counts(split)) for split in Split},
        },
        "refusals": [refusal.to_dict() for refusal in dataset.refusals],
        **report.to_dict(),
    }


def _table(dataset: Dataset, report: CheckReport) -> str:
    lines = [*_counts(dataset), ""]
    for finding in report.findings:
        lines += _finding(finding)
    for skipped in report.not_run:
        lines += _wrapped(f"{skipped.code}  not run  ", f"{skipped.title}: {skipped.why}")
    if report.passed:
        lines += _wrapped("passed  ", " ".join(report.passed))
    found = [finding.severity.value for finding in report.findings]
    totals = [
        f"{found.count(name)} {name}{'' if found.count(name) == 1 else 's'}"
        for name in ("error", "warning", "info")
    ]
    lines += [
        "",
        f"{', '.join(totals)}, {len(report.not_run)} not run, {len(report.passed)} passed",
    ]
    return "\n".join(lines)


def _finding(finding: Finding) -> list[str]:
    head = f"{finding.code}  {finding.severity.value:<8} "
    lines = _wrapped(head, finding.sentence)
    told = finding.examples[: INFO_EXAMPLES if finding.severity.value == "info" else None]
    lines += [f"{'':{len(head)}}- {example}" for example in told]
    if told and finding.count > len(told):
        lines.append(f"{'':{len(head)}}- and {finding.count - len(told):,} more")
    return lines


def _wrapped(head: str, text: str) -> list[str]:
    return textwrap.wrap(
        text,
        WIDTH,
        initial_indent=head,
        subsequent_indent=" " * len(head),
        break_on_hyphens=False,
    )


def _counts(dataset: Dataset) -> list[str]:
    from handoff_eval.conversation import Split

    lines = [
        f"{dataset.name}  (sha256 {dataset.digest[:12]}, {len(dataset.labels):,} labels, "
        f"{len(dataset.facts):,} with facts, {len(dataset.refusals):,} lines refused)",
        f"{'':<7}{'conversations':>14}{'customers':>11}{'labelled':>10}{'positive':>10}",
    ]
    for name, split in (("all", None), *((s.value, s) for s in Split)):
        counts = dataset.counts(split)
        if counts.conversations:
            lines.append(
                f"{name:<7}{counts.conversations:>14,}{counts.customers:>11,}"
                f"{counts.labeled:>10,}{counts.positives:>10,}"
            )
    return lines
