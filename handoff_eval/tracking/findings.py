"""What findings leave in the tracking store: numbers, ids and pictures, no customer's words."""

from __future__ import annotations

import json
from collections.abc import Iterator

from handoff_eval.evaluation.findings.analysis import Analysis
from handoff_eval.evaluation.findings.timing import Timing
from handoff_eval.evaluation.look import WIDE
from handoff_eval.evaluation.result import Result
from handoff_eval.tracking.entries import Entry, File, Metric, estimate_metrics


def finding_entries(analysis: Analysis) -> Iterator[Entry]:
    """Yield what the parent run holds beside the comparison."""
    for finding in analysis.findings():
        if not isinstance(finding.result, str):
            yield from result_entries(finding.key, finding.result)
    document = json.dumps(analysis.to_dict(with_words=False), indent=2, allow_nan=False)
    yield File("analysis.json", f"{document}\n".encode())


def result_entries(key: str, result: Result, *, prefix: str | None = None) -> Iterator[Entry]:
    """Yield a result's numbers, tables and pictures, all named after `key`.

    `prefix` names the numbers another way: a run of its own needs none.
    """
    before = f"{key}/" if prefix is None else prefix
    result = result.without_words()
    for name, value in result.measured().items():
        if isinstance(value, float):
            yield Metric(f"{before}{name}", value)
        else:
            yield from estimate_metrics(f"{before}{name}", value)
    stem = key.replace("/", "_")
    for name, table in result.tables().items():
        yield File(f"{stem}_{name}".strip("_") + ".csv", table.frame.to_csv().encode())
    for name, draw in result.pictures().items():
        yield File(f"{stem}_{name}".strip("_") + ".png", draw(WIDE).png())


def timing_metrics(timing: Timing) -> Iterator[Metric]:
    """Yield when one arm fires."""
    for name, estimate in timing.items():
        yield from estimate_metrics(f"timing/{name}", estimate)
