"""Make the champion's predecessor the champion again, in MLflow's registry.

Deploy it with 'handoff-eval export models:/NAME@champion --to DIR'; the address is printed.
"""

from __future__ import annotations

import argparse

from handoff_eval.errors import SettingsError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `rollback`."""
    parser.add_argument(
        "handoff", nargs="?", metavar="HANDOFF", help="whose trigger, where several are registered"
    )
    parser.add_argument("--reason", required=True, metavar="TEXT", help="kept with the version")


def run(arguments: argparse.Namespace) -> int:
    """Move the alias back and say from where to where."""
    from handoff_eval.tracking.registry import CHAMPION, Registry, handoffs_registered

    names = handoffs_registered()
    handoff = arguments.handoff or (names[0] if len(names) == 1 else None)
    if handoff not in names:
        raise SettingsError(
            f"Expected a handoff whose trigger is registered, one of {', '.join(names) or 'none'}; "
            f"got {handoff!r}."
        )
    registry = Registry(handoff)
    present, former = registry.roll_back(arguments.reason)
    print(
        f"models:/{registry.model}@{CHAMPION} is {former.uri} again; it was {present.uri}. "
        f"Reason kept: {arguments.reason}"
    )
    return 0
