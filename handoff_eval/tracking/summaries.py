"""Put a judgement of summaries into MLflow: one run, a metric a summariser and measure."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

from handoff_eval.settings import project_root
from handoff_eval.summaries.quality import QualityReport
from handoff_eval.tracking.entries import Entry, File, Param, Tag, estimate_metrics, origin_tags
from handoff_eval.tracking.log import dataset_input, open_run, write
from handoff_eval.tracking.origin import Origin, find_origin
from handoff_eval.tracking.store import (
    EXPERIMENT,
    experiment_id,
    locate_store,
    open_client,
    refusals_in_words,
)
from handoff_eval.transcripts.read import Dataset


def summary_entries(report: QualityReport, *, origin: Origin) -> Iterator[Entry]:
    """Yield what the run holds: numbers, ids and the picture, nothing that customers wrote."""
    yield Tag("handoff_eval.kind", "summaries")
    yield from origin_tags(origin)
    yield Param("dataset", report.dataset)
    yield Param("dataset_digest", report.digest)
    yield Param("facts", report.facts)
    yield Param("summarizers", ", ".join(quality.summarizer for quality in report.qualities))
    for quality in report.qualities:
        yield Param(f"{quality.summarizer}.description", quality.description)
        for name, estimate in quality.estimates():
            yield from estimate_metrics(f"{quality.summarizer}/{name}", estimate)
    table = report.summaries_frame().drop(columns=["missing", "invented"])
    yield File("summaries.csv", table.to_csv(index=False).encode())
    yield File("quality.csv", report.frame().to_csv().encode())
    yield File("quality.png", report.plot().png())
    document = json.dumps(report.to_dict(), indent=2, allow_nan=False)
    yield File("quality.json", f"{document}\n".encode())


def log_summaries(
    report: QualityReport,
    *,
    dataset: Dataset,
    experiment: str = EXPERIMENT,
    say: Callable[[str], None] | None = None,
) -> str:
    """Log a judgement of summaries and return the id of its run.

    Parameters
    ----------
    report : QualityReport
    dataset : Dataset
        What was summarised.
    experiment : str
        Name of the MLflow experiment.
    say : callable, optional
        Told what takes long: making the store the first time.

    Raises
    ------
    MissingExtraError
        When mlflow or a package that draws is not installed.
    SettingsError
        When the store can't be used.
    """
    origin = find_origin(project_root())
    store = locate_store()
    client = open_client(store, say=say)
    with refusals_in_words(store):
        key = experiment_id(client, store, experiment)
        counts = {"summaries": len(report.judged), "summarizers": len(report.qualities)}
        inputs = [dataset_input(dataset, part="summaries", profile=counts)]
        with open_run(client, key, f"{report.dataset}, summaries", inputs) as run_id:
            write(client, run_id, summary_entries(report, origin=origin))
    return run_id
