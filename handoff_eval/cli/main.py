"""Measure, tune and ship the trigger that decides when an AI support agent emails a person."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from importlib import import_module

from handoff_eval import __version__
from handoff_eval.errors import HandoffEvalError

COMMANDS = {
    "check": "check",
    "compare": "compare",
    "report": "report",
    "learning-curve": "learning_curve",
    "export": "export",
    "promote": "promote",
    "rollback": "rollback",
    "decide": "decide",
    "gate": "gate",
    "score": "score",
    "import": "import_",
    "instruction": "instruction",
    "labels": "labels",
    "summarize": "summarize",
    "agreement": "agreement",
    "audit": "audit",
    "replay": "replay",
    "mailbox": "mailbox",
    "outbox": "outbox",
    "serve": "serve",
    "drift": "drift",
    "volume": "volume",
    "review": "review",
    "forget": "forget",
    "ui": "ui",
    "demo": "demo",
}
"""Each command and the module under `cli` that holds it."""


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of all commands; it imports nothing heavy."""
    parser = argparse.ArgumentParser(prog="handoff-eval", description=__doc__)
    parser.add_argument("--version", action="version", version=f"handoff-eval {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, module_name in COMMANDS.items():
        module = import_module(f"handoff_eval.cli.{module_name}")
        summary = (module.__doc__ or "").strip().splitlines()[0]
        command = commands.add_parser(
            name,
            help=summary,
            description=module.__doc__,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        module.add_arguments(command)
        command.set_defaults(run=module.run)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; return 0, or 2 after a user's mistake, which is told in a sentence."""
    arguments = build_parser().parse_args(argv)
    try:
        code: int = arguments.run(arguments)
        sys.stdout.flush()
    except HandoffEvalError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:
        sys.stderr.close()
        return 0
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return 130
    return code


if __name__ == "__main__":
    sys.exit(main())
