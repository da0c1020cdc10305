"""Put a look at the decision log into MLflow: one run, numbers and dates, nothing of anybody."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from handoff_eval.settings import project_root
from handoff_eval.tracking.bundles import mark_revoked
from handoff_eval.tracking.entries import Entry, File, Metric, Param, Tag, origin_tags
from handoff_eval.tracking.log import open_run, write
from handoff_eval.tracking.origin import Origin, find_origin
from handoff_eval.tracking.store import (
    EXPERIMENT,
    experiment_id,
    locate_store,
    open_client,
    refusals_in_words,
)


def drift_entries(
    document: Mapping[str, Any], *, picture: bytes, origin: Origin
) -> Iterator[Entry]:
    """Yield what the run holds: the verdict, each test's value and limit, and the picture."""
    yield Tag("handoff_eval.kind", "drift")
    yield Tag("handoff_eval.verdict", document["verdict"])
    yield Tag("mlflow.note.content", document["sentence"])
    yield from origin_tags(origin)
    for name in ("bundle", "handoff", "days"):
        yield Param(name, document[name])
    for test in document["tests"]:
        if test["available"]:
            name = test["name"].replace(", ", "_").replace(" ", "_")
            yield Metric(f"{name}/evidence", test["value"])
            yield Metric(f"{name}/limit", test["limit"])
            yield Metric(f"{name}/alarm", float(test["alarm"] is not None))
    for trend in document["trends"]:
        for week in trend["weeks"][-1:]:
            name = trend["name"].replace(" ", "_")
            for part in ("value", "low", "high", "n"):
                yield Metric(f"{name}/{part}", float(week[part]))
    yield File("drift.png", picture)
    yield File("drift.json", f"{json.dumps(document, indent=2)}\n".encode())


def log_drift(
    document: Mapping[str, Any],
    *,
    picture: bytes,
    of_run: str | None = None,
    experiment: str = EXPERIMENT,
    say: Callable[[str], None] | None = None,
) -> str:
    """Log a watch and return the id of its run.

    Parameters
    ----------
    document : mapping
        What `handoff-eval drift --json` prints.
    picture : bytes
        PNG.
    of_run : str, optional
        The run that the bundle comes from, which keeps a revocation too, so that exporting or
        promoting it again can't bring the promise back.
    experiment : str
        Name of the MLflow experiment.
    say : callable, optional
        Told what takes long: making the store the first time.

    Raises
    ------
    MissingExtraError
        When mlflow is not installed.
    SettingsError
        When the store can't be used.
    """
    origin = find_origin(project_root())
    store = locate_store()
    client = open_client(store, say=say)
    with refusals_in_words(store):
        key = experiment_id(client, store, experiment)
        with open_run(client, key, f"{document['handoff']}, drift", []) as run_id:
            write(client, run_id, drift_entries(document, picture=picture, origin=origin))
        if of_run is not None and document["revoked"]:
            mark_revoked(client, of_run, document["revoked"])
    return run_id
