"""Compare the answers of annotators with each other, or of a trigger with theirs.

Prints for each pair the confusion matrix, Cohen's kappa and how often the turns agree:

  handoff-eval agreement DATASET                                 every two annotators
  handoff-eval agreement DATASET --first ana --second ben        these two
  handoff-eval agreement DATASET --decisions fires.jsonl         a trigger and each annotator

The file of decisions is what `handoff-eval decide` prints. A trigger and its threshold were
chosen on the other splits, so it is compared on test, where the dataset has splits.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from handoff_eval.conversation import Conversation, DecisionPoint
    from handoff_eval.evaluation.agreement import Agreement, Answers

SHOWN_IDS = 12


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `handoff-eval agreement`."""
    parser.add_argument("dataset", type=Path, metavar="DATASET", help="dataset folder")
    parser.add_argument("--first", metavar="A", help="an annotator (default: each)")
    parser.add_argument("--second", metavar="B", help="another annotator (default: each)")
    parser.add_argument(
        "--decisions", type=Path, metavar="FILE", help="decisions of a trigger, JSON lines"
    )
    parser.add_argument("--handoff", metavar="NAME", help="which one, where FILE has several")
    parser.add_argument(
        "--split", choices=("train", "tune", "test"), help="look at one split (default: all)"
    )
    parser.add_argument(
        "--seed", type=int, default=0, help="of the bootstrap (default: %(default)s)"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(arguments: argparse.Namespace) -> int:
    """Print the agreement of each pair; return 0."""
    import json

    from handoff_eval.cli.progress import say
    from handoff_eval.conversation import Split
    from handoff_eval.evaluation.agreement import agreement, label_weights
    from handoff_eval.transcripts.read import read_dataset

    dataset = read_dataset(arguments.dataset)
    for refusal in dataset.refusals:
        say(str(refusal))
    split = None if arguments.split is None else Split(arguments.split)
    with_trigger = arguments.decisions is not None
    if with_trigger:
        split = _reportable(split, dataset.conversations)
    conversations = [c for c in dataset.conversations if split is None or c.split is split]
    weight = label_weights(dataset)
    results = [
        agreement(conversations, first=first, second=second, weight=weight, seed=arguments.seed)
        for first, second in _pairs(arguments, dataset)
    ]
    if arguments.json:
        document = {
            "dataset": dataset.name,
            "split": None if split is None else split.value,
            "refused": len(dataset.refusals),
            "agreements": [result.to_dict() for result in results],
        }
        print(json.dumps(document, indent=2))
    else:
        print("\n\n".join(_as_text(result) for result in results))
    return 0


def _reportable(split: Any, conversations: Sequence[Conversation]) -> Any:
    from handoff_eval.conversation import Split
    from handoff_eval.errors import LeakageError

    has_splits = any(conversation.split is not None for conversation in conversations)
    if split not in (None, Split.TEST):
        raise LeakageError(
            f"Expected a trigger to be compared on the test split; got {split.value!r}, on which "
            "it or its threshold may have been chosen. Leave --split out."
        )
    return Split.TEST if has_splits else None


def _pairs(arguments: argparse.Namespace, dataset: Any) -> list[tuple[Answers, Answers]]:
    from itertools import combinations

    from handoff_eval.errors import SettingsError
    from handoff_eval.evaluation.agreement import annotator_answers, annotators

    named = [name for name in (arguments.first, arguments.second) if name is not None]
    if len(named) == 2 and named[0] == named[1]:
        raise SettingsError(f"Expected two annotators; got {named[0]!r} twice.")
    if arguments.decisions is not None:
        if arguments.second is not None:
            raise SettingsError(
                "Expected one annotator beside --decisions; got --second too. Leave it out."
            )
        decided = _decisions(arguments.decisions, dataset.conversations, arguments.handoff)
        return [(annotator_answers(dataset, n), decided) for n in named or annotators(dataset)]
    everyone = annotators(dataset)
    if len(everyone) < 2:
        known = f"only {everyone[0]!r}" if everyone else "nobody"
        raise SettingsError(
            f"Expected labels of two annotators in {dataset.name!r}; {known} has labelled it. "
            "Have a second person label it, or compare a trigger with --decisions."
        )
    if len(named) == 1:
        pairs = [(named[0], other) for other in everyone if other != named[0]]
    else:
        pairs = [(named[0], named[1])] if named else list(combinations(everyone, 2))
    return [(annotator_answers(dataset, a), annotator_answers(dataset, b)) for a, b in pairs]


def _decisions(path: Path, conversations: Sequence[Conversation], handoff: str | None) -> Answers:
    """Read decisions as answers; those on conversations the dataset doesn't have are left out."""
    from handoff_eval.errors import DataError
    from handoff_eval.evaluation.agreement import Answers
    from handoff_eval.transcripts.jsonl import read_objects
    from handoff_eval.transcripts.refusals import FieldError

    points = {c.id: c.decision_points() for c in conversations}
    answers: dict[str, dict[str, int | None]] = {}
    try:
        with path.open("rb") as stream:
            for line, document in read_objects(stream):
                try:
                    if isinstance(document, FieldError):
                        raise document
                    conversation_id, name, fired = _decision(document, points)
                except FieldError as fault:
                    raise DataError(str(fault.at(path.name, line))) from None
                if conversation_id in points:
                    answers.setdefault(name, {})[conversation_id] = fired
    except OSError as error:
        raise DataError(f"{path}: expected a file of decisions; {error.strerror}.") from None
    if handoff is None and len(answers) == 1:
        handoff = next(iter(answers))
    if handoff not in answers:
        known = ", ".join(repr(name) for name in answers) or "none on this dataset"
        wanted = "of one handoff" if handoff is None else f"of {handoff!r}"
        raise DataError(
            f"{path}: expected decisions {wanted}; got those of {known}. Say which with --handoff."
        )
    return Answers(f"trigger of {handoff}", answers[handoff])


def _decision(
    document: dict[str, Any], points: dict[str, tuple[DecisionPoint, ...]]
) -> tuple[str, str, int | None]:
    from handoff_eval.conversation import DecisionPoint
    from handoff_eval.transcripts.refusals import FieldError, shown

    kinds: dict[str, type] = {"conversation_id": str, "handoff": str, "fired": bool, "closed": bool}
    for field, kind in kinds.items():
        if not isinstance(document.get(field), kind):
            expected = "a text" if kind is str else "true or false"
            raise FieldError(field, expected, shown(document.get(field)))
    conversation_id: str = document["conversation_id"]
    if not document["fired"] or conversation_id not in points:
        return conversation_id, document["handoff"], None
    try:
        point = DecisionPoint(document.get("turns"), document["closed"])  # type: ignore[arg-type]
        index = points[conversation_id].index(point)
    except ValueError:
        raise FieldError(
            "turns",
            f"the number of turns at a decision point of {shown(conversation_id)}",
            shown(document.get("turns")),
        ) from None
    return conversation_id, document["handoff"], index


def _as_text(result: Agreement) -> str:
    first, second = result.first, result.second
    head = (f"{second}: handoff", f"{second}: none")
    side = (f"{first}: handoff", f"{first}: none")
    wide = max(len(name) for name in (*side, "within one decision point"))
    counts = ((result.both, result.first_only), (result.second_only, result.neither))
    rows = [
        [str(count).rjust(len(title)) for count, title in zip(row, head, strict=True)]
        for row in counts
    ]
    lines = [
        f"{first} and {second}, {result.conversations} conversations",
        "",
        "  ".join((" " * wide, *head)),
        *("  ".join((name.ljust(wide), *row)) for name, row in zip(side, rows, strict=True)),
        "",
        f"{'Cohen’s kappa'.ljust(wide)}  {result.kappa}",
        f"{'same answer'.ljust(wide)}  {result.same}",
    ]
    if result.both:
        lines.append(f"{'within one decision point'.ljust(wide)}  {result.within_one_point}")
    lists = {"different answers": result.different, "turns further apart": result.apart}
    for what, ids in lists.items():
        if ids:
            more = f", … {len(ids)} in all, listed by --json" if len(ids) > SHOWN_IDS else ""
            lines.append(f"{what.ljust(wide)}  {', '.join(ids[:SHOWN_IDS])}{more}")
    return "\n".join(lines)
