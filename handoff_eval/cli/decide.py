"""Decide conversations with exported bundles: transcripts on stdin, a JSON decision a line out."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import TypeVar

Item = TypeVar("Item")

BATCH = 64


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `decide`."""
    parser.add_argument(
        "bundles", type=Path, nargs="+", metavar="BUNDLE", help="bundle folder, one a handoff"
    )


def run(arguments: argparse.Namespace) -> int:
    """Decide what comes on stdin; lines that can't be used are told on stderr and counted."""
    from handoff_eval.errors import BundleError, DataError
    from handoff_eval.production.bundle import read_bundle
    from handoff_eval.production.decide import decide
    from handoff_eval.transcripts.read import iter_conversations
    from handoff_eval.transcripts.refusals import Refusal

    bundles = [read_bundle(path) for path in arguments.bundles]
    names = [bundle.handoff for bundle in bundles]
    if len(set(names)) != len(names):
        raise BundleError(
            f"Expected bundles of different handoffs, since each sends at most one email a "
            f"conversation; got {', '.join(map(repr, names))}."
        )
    refused = decided = 0
    for batch in _batches(iter_conversations(sys.stdin.buffer), BATCH):
        conversations = []
        for item in batch:
            if isinstance(item, Refusal):
                refused += 1
                print(item, file=sys.stderr)
            else:
                conversations.append(item)
        for bundle in bundles:
            for decision in decide(
                bundle.trigger, bundle.point, conversations, handoff=bundle.handoff
            ):
                print(json.dumps(decision.to_dict()))
        decided += len(conversations)
        sys.stdout.flush()
    if refused:
        raise DataError(f"{refused} lines refused, {decided} conversations decided.")
    return 0


def _batches(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    iterator = iter(items)
    while batch := list(islice(iterator, size)):
        yield batch
