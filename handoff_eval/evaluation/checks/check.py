"""Can this dataset carry a measurement? Coded findings, each with what to do about it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from handoff_eval.errors import SettingsError
from handoff_eval.evaluation.checks import (
    amounts,
    background,
    duplicates,
    labels,
    leaks,
    structure,
)
from handoff_eval.evaluation.checks.base import CannotRun, Check, Finding, Inputs
from handoff_eval.severity import Severity
from handoff_eval.transcripts.read import Dataset

if TYPE_CHECKING:
    import pandas as pd

CHECKS: tuple[Check, ...] = (
    *structure.CHECKS,
    *amounts.CHECKS,
    *duplicates.CHECKS,
    *labels.CHECKS,
    *leaks.CHECKS,
    *background.CHECKS,
)
SHOWN_EXAMPLES = 3
_CAN_BE_ERRORS = structure.CHECKS


@dataclass(frozen=True, slots=True)
class NotRun:
    """A check that had nothing to stand on, and why."""

    code: str
    title: str
    why: str


@dataclass(frozen=True, slots=True)
class CheckReport:
    """What all checks said of one dataset.

    Attributes
    ----------
    findings : tuple of Finding
        Errors first, then warnings, then infos; by code within each.
    not_run : tuple of NotRun
    passed : tuple of str
        Codes of the checks that ran and found nothing.
    """

    findings: tuple[Finding, ...]
    not_run: tuple[NotRun, ...]
    passed: tuple[str, ...]

    @property
    def has_errors(self) -> bool:
        """Whether any finding makes the numbers wrong."""
        return any(finding.severity is Severity.ERROR for finding in self.findings)

    def frame(self) -> pd.DataFrame:
        """Return one row a finding, with the first of what it concerns."""
        import pandas as pd

        rows = [
            (f.code, f.severity.value, f.count, f.sentence, "; ".join(f.examples[:SHOWN_EXAMPLES]))
            for f in self.findings
        ]
        columns = ["code", "severity", "count", "finding", "such as"]
        return pd.DataFrame(rows, columns=columns).set_index("code")

    def to_dict(self) -> dict[str, Any]:
        """Return the report as JSON values."""
        return {
            "findings": [finding.to_dict() for finding in self.findings],
            "not_run": [{"code": n.code, "title": n.title, "why": n.why} for n in self.not_run],
            "passed": list(self.passed),
        }


def check_dataset(
    dataset: Dataset,
    *,
    prevalence: float | None = None,
    min_recall: float = 0.9,
    confidence: float = 0.95,
    seed: int = 0,
    progress: Callable[[str], None] | None = None,
) -> CheckReport:
    """Run every check.

    Parameters
    ----------
    dataset : Dataset
    prevalence : float, optional
        Share of the deployed conversations that need a handoff, in (0, 1).
    min_recall, confidence : float
        The promise that tune should be able to certify, in (0, 1).
    seed : int
        Of folds and resampling.
    progress : callable, optional
        Given each check's title before it runs.

    Raises
    ------
    SettingsError
        When a share isn't between 0 and 1.
    """
    for name, value in (
        ("prevalence", prevalence),
        ("min_recall", min_recall),
        ("confidence", confidence),
    ):
        if value is not None and not 0 < value < 1:
            raise SettingsError(
                f"Expected {name} to lie between 0 and 1, both excluded; got {value:g}."
            )
    inputs = Inputs(
        dataset=dataset,
        prevalence=prevalence,
        min_recall=min_recall,
        confidence=confidence,
        seed=seed,
    )
    findings: list[Finding] = []
    not_run: list[NotRun] = []
    passed: list[str] = []
    for check in CHECKS:
        if progress is not None:
            progress(check.title)
        try:
            found = list(check.run(inputs))
        except CannotRun as reason:
            not_run.append(NotRun(check.code, check.title, str(reason)))
            continue
        findings += found
        if not found:
            passed.append(check.code)
    order = list(Severity)
    findings.sort(key=lambda finding: (order.index(finding.severity), finding.code))
    return CheckReport(tuple(findings), tuple(not_run), tuple(passed))


def blocking_findings(dataset: Dataset) -> tuple[Finding, ...]:
    """Return the error-level findings alone, in a moment: what stops a comparison."""
    inputs = Inputs(dataset=dataset, prevalence=None, min_recall=0.9, confidence=0.95, seed=0)
    found: list[Finding] = []
    for check in _CAN_BE_ERRORS:
        try:
            found += [f for f in check.run(inputs) if f.severity is Severity.ERROR]
        except CannotRun:
            continue
    return tuple(found)
