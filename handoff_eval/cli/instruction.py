"""Lint, measure, compare and tune the instruction that says when to hand off."""

from __future__ import annotations

import argparse
from importlib import import_module

ACTIONS = {
    "lint": "instruction_lint",
    "ablate": "instruction_ablate",
    "compare": "instruction_compare",
    "tune": "instruction_tune",
}
"""Each action and the module under `cli` that holds it."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the actions, each with its own arguments."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    for name, module_name in ACTIONS.items():
        module = import_module(f"handoff_eval.cli.{module_name}")
        summary = (module.__doc__ or "").strip().splitlines()[0]
        action = actions.add_parser(
            name,
            help=summary,
            description=module.__doc__,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        module.add_arguments(action)
        action.set_defaults(act=module.run)


def run(arguments: argparse.Namespace) -> int:
    """Run the action asked for."""
    code: int = arguments.act(arguments)
    return code
