"""Datasets written out in a test, and the findings of one code on them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from handoff_eval.conversation import Conversation, Customer, Label, Reason, Role, Split, Turn
from handoff_eval.evaluation.checks.base import CannotRun, Finding, Inputs
from handoff_eval.evaluation.checks.check import CHECKS
from handoff_eval.transcripts.read import Dataset
from handoff_eval.transcripts.refusals import Refusal

START = datetime(2026, 3, 2, 9, tzinfo=UTC)
ROLES = {"C": Role.CUSTOMER, "A": Role.AGENT, "H": Role.HUMAN, "S": Role.SYSTEM}


def talks(
    number: int, *lines: str, split: Split | None = None, prefix: str = "c", **fields: Any
) -> list[Conversation]:
    """Return conversations "c-0", "c-1" and so on of as many customers, an hour apart."""
    spoken = lines or ("C: Where is my parcel?", "A: On its way.")
    turns = tuple(Turn(ROLES[line[0]], line[3:]) for line in spoken)
    return [
        replace(
            Conversation(
                f"{prefix}-{i}",
                turns,
                started_at=START + timedelta(hours=i),
                customer=Customer(id=f"u-{prefix}-{i}"),
                split=split,
            ),
            **fields,
        )
        for i in range(number)
    ]


def answers(conversations: Iterable[Conversation], *, handoff: bool, **fields: Any) -> list[Label]:
    """Return the same label for each conversation."""
    given = Label("", handoff, reasons=(Reason.UNRESOLVED,) if handoff else (), annotator="a1")
    return [replace(given, conversation_id=c.id, **fields) for c in conversations]


def dataset(
    conversations: Iterable[Conversation],
    labels: Iterable[Label] = (),
    *,
    refusals: Iterable[Refusal] = (),
    datasheet: Path | None = None,
) -> Dataset:
    """Return a dataset as the reader would."""
    return Dataset(
        name="made",
        path=Path("made"),
        conversations=tuple(conversations),
        labels=tuple(labels),
        refusals=tuple(refusals),
        digest="0" * 64,
        datasheet=datasheet,
    )


def found(code: str, data: Dataset, **options: Any) -> list[Finding]:
    """Return what the check of this code finds; a check that can't run raises `CannotRun`."""
    inputs = Inputs(
        dataset=data,
        **{"prevalence": None, "min_recall": 0.9, "confidence": 0.95, "seed": 0, **options},
    )
    (check,) = (check for check in CHECKS if check.code == code)
    findings = list(check.run(inputs))
    assert all(finding.code == code for finding in findings)
    return findings


def why_not(code: str, data: Dataset, **options: Any) -> str:
    """Return why the check of this code can't run."""
    try:
        findings = found(code, data, **options)
    except CannotRun as reason:
        return str(reason)
    raise AssertionError(f"{code} ran and found {findings}")
