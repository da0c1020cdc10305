"""Every command with its options as one Markdown page, `docs/reference/commands.md`.

    python -m handoff_eval.cli.reference > docs/reference/commands.md

Made from the parsers themselves, so that the page and the help text can't differ.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator

from handoff_eval.cli.main import build_parser


def command_page() -> str:
    """Return the page."""
    lines = [
        "# Commands",
        "",
        "Results go to stdout, progress to stderr. Exit code 2 says that something given was not",
        "usable, and one sentence on stderr says what.",
        "",
    ]
    for name, parser in _subparsers(build_parser()).items():
        lines += _command(f"handoff-eval {name}", parser, level=2)
    return "\n".join(lines).rstrip() + "\n"


def _command(name: str, parser: argparse.ArgumentParser, *, level: int) -> Iterator[str]:
    yield from (f"{'#' * level} {name}", "")
    yield from ((parser.description or "").strip(), "")
    nested = _subparsers(parser)
    rows = [row for action in parser._actions if (row := _row(action)) is not None]
    if rows:
        yield from ("| option | meaning |", "|---|---|", *rows, "")
    for inner, child in nested.items():
        yield from _command(f"{name} {inner}", child, level=level + 1)


def _row(action: argparse.Action) -> str | None:
    if isinstance(action, argparse._HelpAction | argparse._SubParsersAction):
        return None
    value = "" if action.nargs == 0 else f" {action.metavar or action.dest.upper()}"
    if action.option_strings:
        shown = ", ".join(f"{option}{value}" for option in action.option_strings)
    else:
        shown = value.strip()
    meaning = (action.help or "") % {"default": action.default, "dest": action.dest}
    if action.choices is not None:
        meaning += f" ({', '.join(str(choice) for choice in action.choices)})"
    return f"| `{shown}` | {_cell(meaning)} |"


def _cell(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip().replace("|", "\\|").replace("<", "&lt;")


def _subparsers(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            return dict(action.choices)
    return {}


if __name__ == "__main__":
    print(command_page(), end="")
