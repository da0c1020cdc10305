"""What an analysis leaves in the tracking store; of topics sizes and ids, no customer's words."""

from __future__ import annotations

import json
from collections.abc import Iterator

from handoff_eval.evaluation.analysis import Analysis
from handoff_eval.evaluation.timing import Timing
from handoff_eval.tracking.entries import Entry, File, Metric, estimate_metrics


def finding_entries(analysis: Analysis) -> Iterator[Entry]:
    """Yield what the parent run holds of timing, volume, slices and topics."""
    yield from timing_metrics(analysis.timing_of(analysis.arm))
    yield File("timing.csv", analysis.timing_frame().to_csv().encode())
    yield File("timing.png", analysis.timing_of(analysis.arm).plot().png())
    if analysis.forecast is not None:
        for name, estimate in analysis.forecast.items():
            yield from estimate_metrics(f"volume/{name}", estimate)
        yield File("forecast.csv", analysis.forecast.frame().to_csv().encode())
        yield File("forecast_parts.csv", analysis.forecast.parts_frame().to_csv().encode())
        yield File("forecast.png", analysis.forecast.plot().png())
    yield Metric("slices/differ", float(sum(s.differs for s in analysis.slices.slices)))
    yield File("slices.csv", analysis.slices.frame().to_csv().encode())
    yield File("slices.png", analysis.slices.plot().png())
    document = json.dumps(analysis.to_dict(with_words=False), indent=2, allow_nan=False)
    yield File("analysis.json", f"{document}\n".encode())


def timing_metrics(timing: Timing) -> Iterator[Metric]:
    """Yield when one arm fires."""
    for name, estimate in timing.items():
        yield from estimate_metrics(f"timing/{name}", estimate)
