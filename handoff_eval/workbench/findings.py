"""Findings on an instruction as the widgets show them."""

from __future__ import annotations

from typing import Any

from handoff_eval.instructions.lint import lint
from handoff_eval.workbench.static import Element, table


def findings_of(text: str) -> list[dict[str, Any]]:
    """Return each finding with the text that its edit would make, as JSON values."""
    return [
        {
            "code": finding.code,
            "severity": finding.severity.value,
            "sentence": finding.sentence,
            "what": finding.edit.what,
            "changed": finding.edit.apply(text),
        }
        for finding in lint(text)
    ]


def findings_table(text: str) -> list[Element]:
    """Return the findings as a table, nothing where there are none."""
    rows = [[f["code"], f["severity"], f["sentence"]] for f in findings_of(text)]
    return [table(["code", "severity", "what was found"], rows)] if rows else []
