"""Report what readers and models would trip over in an instruction, each with an edit.

Reads a text file, a handoff file (.toml, every handoff in it) or - for stdin. Exits with 0 when
nothing is an error, 1 when something is, 2 for a mistake in the call.
"""

from __future__ import annotations

import argparse
import json
import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from handoff_eval.instructions.lint import Finding

WIDTH = 100


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the action's arguments."""
    parser.add_argument("file", type=Path, metavar="FILE", help="the instruction, or - for stdin")
    parser.add_argument("--json", action="store_true", help="print one JSON document")


def run(arguments: argparse.Namespace) -> int:
    """Print clauses and findings, and return the exit code."""
    from handoff_eval.instructions.clauses import parse_instruction
    from handoff_eval.instructions.lint import lint
    from handoff_eval.severity import Severity

    documents = []
    for name, text in _instructions(arguments.file):
        clauses = [
            {"kind": c.kind.value, "text": c.text, "start": c.start, "end": c.end}
            for c in parse_instruction(text).clauses
        ]
        documents.append((name, text, clauses, lint(text)))
    if arguments.json:
        print(json.dumps([_document(*d) for d in documents], ensure_ascii=False, indent=2))
    else:
        print("\n\n".join(_page(*document) for document in documents))
    errors = any(f.severity is Severity.ERROR for *_, found in documents for f in found)
    return 1 if errors else 0


def _instructions(path: Path) -> list[tuple[str, str]]:
    """Return name and text of each instruction in a file."""
    from handoff_eval.cli.options import read_text
    from handoff_eval.errors import SettingsError
    from handoff_eval.handoff import read_handoffs

    if path == Path("-"):
        text = sys.stdin.read().strip()
        if not text:
            raise SettingsError("Expected an instruction on stdin; it is empty.")
        return [("stdin", text)]
    if path.suffix == ".toml":
        return [(handoff.name, handoff.instruction) for handoff in read_handoffs(path)]
    return [(path.name, read_text(path))]


def _document(
    name: str, text: str, clauses: list[dict[str, Any]], findings: tuple[Finding, ...]
) -> dict[str, Any]:
    return {
        "instruction": name,
        "text": text,
        "clauses": clauses,
        "findings": [
            {**finding.to_dict(), "edited": finding.edit.apply(text)} for finding in findings
        ],
    }


def _page(
    name: str, text: str, clauses: list[dict[str, Any]], findings: tuple[Finding, ...]
) -> str:
    lines = [f"{name}: {len(text.split())} words, {len(clauses)} clauses"]
    for clause in clauses:
        lines += _wrapped(f"  {clause['kind']:<13} ", clause["text"])
    lines.append("")
    for finding in findings:
        head = f"{finding.code}  {finding.severity.value:<8} "
        lines += _wrapped(head, finding.sentence)
        lines += _wrapped(f"{'':{len(head)}}edit: ", finding.edit.what)
    counts = [finding.severity.value for finding in findings]
    totals = (
        f"{counts.count(kind)} {kind}{'' if counts.count(kind) == 1 else 's'}"
        for kind in ("error", "warning", "info")
    )
    return "\n".join([*lines, ", ".join(totals)])


def _wrapped(head: str, text: str) -> list[str]:
    return textwrap.wrap(
        text, WIDTH, initial_indent=head, subsequent_indent=" " * len(head), break_on_hyphens=False
    )
