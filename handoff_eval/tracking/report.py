"""The report of a run that was logged, and what is needed to show its errors with transcripts."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlparse
from urllib.request import url2pathname

from handoff_eval.errors import SettingsError
from handoff_eval.tracking.log import ERRORS_FILE
from handoff_eval.tracking.store import (
    EXPERIMENT,
    locate_store,
    open_client,
    refusals_in_words,
)

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

REPORT_FILE = "report.html"
_KIND, _PARENT = "handoff_eval.kind", "mlflow.parentRunId"


@dataclass(frozen=True, slots=True)
class LoggedReport:
    """What a comparison's run holds of its report.

    Attributes
    ----------
    run_id, name : str
    page : str
        The report without transcripts.
    errors : mapping
        `Errors.to_dict`.
    dataset : Path or None
        Where the dataset was; None where the run doesn't say.
    digest : str
        Of the dataset.
    """

    run_id: str
    name: str
    page: str
    errors: Mapping[str, Any]
    dataset: Path | None
    digest: str


def fetch_report(run: str, *, experiment: str = EXPERIMENT) -> LoggedReport:
    """Return the report of a run.

    Parameters
    ----------
    run : str
        Id or name of a comparison's run; of several of that name the latest. The run of one of
        its arms stands for it too.
    experiment : str
        Name of the MLflow experiment, in which names are looked for.

    Raises
    ------
    MissingExtraError
        When mlflow is not installed.
    SettingsError
        When there is no such run, it is no comparison, or its report can't be read.
    """
    store = locate_store()
    client = open_client(store)
    with refusals_in_words(store):
        found = _find(client, run, experiment)
        values: dict[str, str] = {}
        with tempfile.TemporaryDirectory() as folder:
            for name in (REPORT_FILE, ERRORS_FILE):
                path = client.download_artifacts(found.info.run_id, name, folder)
                values[name] = Path(path).read_text(encoding="utf-8")
    return LoggedReport(
        run_id=found.info.run_id,
        name=found.info.run_name,
        page=values[REPORT_FILE],
        errors=json.loads(values[ERRORS_FILE]),
        dataset=_dataset_of(found),
        digest=found.data.params.get("dataset_digest", ""),
    )


def _find(client: MlflowClient, run: str, experiment: str) -> Run:
    """Return a comparison's run by its id, its name, or the id of one of its arms."""
    from mlflow.exceptions import MlflowException

    try:
        found = client.get_run(run)
    except MlflowException:
        found = _by_name(client, run, experiment)
    if (parent := found.data.tags.get(_PARENT)) is not None:
        found = client.get_run(parent)
    if found.data.tags.get(_KIND) != "comparison":
        raise SettingsError(
            f"Expected the run of a comparison; {run!r} is of another kind "
            f"({found.data.tags.get(_KIND, 'none of ours')}). 'handoff-eval ui' shows the runs."
        )
    return found


def _by_name(client: MlflowClient, name: str, experiment: str) -> Run:
    held = client.get_experiment_by_name(experiment)
    runs = (
        []
        if held is None
        else client.search_runs(
            [held.experiment_id],
            filter_string=f"tags.`{_KIND}` = 'comparison'",
            order_by=["attributes.start_time DESC"],
            max_results=1000,
        )
    )
    for run in runs:
        if run.info.run_name == name:
            return run
    latest = ", ".join(repr(run.info.run_name) for run in runs[:3])
    raise SettingsError(
        f"Expected the id or the name of a comparison's run; there is no {name!r}. "
        + (f"The latest: {latest}." if latest else "None has been logged: run 'compare' first.")
    )


def _dataset_of(run: Run) -> Path | None:
    """Return the folder that the run's data came from."""
    for given in run.inputs.dataset_inputs:
        try:
            address = urlparse(json.loads(given.dataset.source)["uri"])
        except (ValueError, KeyError, TypeError):
            continue
        if address.scheme == "file":
            return Path(url2pathname(address.path))
    return None
