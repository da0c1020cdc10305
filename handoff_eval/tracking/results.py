"""Put one result into MLflow: a run with its numbers, tables, pictures, values and page."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from handoff_eval.evaluation.pages.result_page import render_result
from handoff_eval.evaluation.result import Result
from handoff_eval.settings import project_root
from handoff_eval.tracking.entries import Entry, File, Param, Tag, origin_tags
from handoff_eval.tracking.findings import result_entries
from handoff_eval.tracking.log import dataset_input, open_run, write
from handoff_eval.tracking.origin import find_origin
from handoff_eval.tracking.prompts import PromptVersion, link_tag
from handoff_eval.tracking.store import (
    EXPERIMENT,
    experiment_id,
    locate_store,
    open_client,
    refusals_in_words,
)
from handoff_eval.transcripts.read import Dataset


def log_result(
    result: Result,
    *,
    kind: str,
    dataset: Dataset,
    params: Mapping[str, str],
    version: PromptVersion | None = None,
    experiment: str = EXPERIMENT,
    say: Callable[[str], None] | None = None,
) -> str:
    """Log a result and return the id of its run.

    Nothing that customers wrote is logged.

    Parameters
    ----------
    result : Result
    kind : str
        Such as `ablation`, `audit` or `gate`: names the run and its files.
    dataset : Dataset
        What it was measured on.
    params : mapping of str to str
        What it depends on.
    version : PromptVersion, optional
        The instruction that it is of.
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
    result = result.without_words()
    store = locate_store()
    client = open_client(store, say=say)
    with refusals_in_words(store):
        key = experiment_id(client, store, experiment)
        counts = {"conversations": len(dataset.conversations)}
        inputs = [dataset_input(dataset, part=kind, profile=counts)]
        with open_run(client, key, f"{dataset.name}, {kind}", inputs) as run_id:
            write(client, run_id, _entries(result, kind, dataset, params, version))
    return run_id


def _entries(
    result: Result,
    kind: str,
    dataset: Dataset,
    params: Mapping[str, str],
    version: PromptVersion | None,
) -> Iterator[Entry]:
    yield Tag("handoff_eval.kind", kind)
    yield Tag("mlflow.note.content", "\n\n".join(result.sentences()))
    yield from origin_tags(find_origin(project_root()))
    if version is not None:
        yield Tag(*link_tag(version))
        yield Param("instruction", version.uri)
    every = {"dataset": dataset.name, "dataset_digest": dataset.digest, **params}
    for name, value in every.items():
        yield Param(name, value)
    yield from result_entries(kind, result, prefix="")
    yield File(f"{kind}.json", f"{result.to_json()}\n".encode())
    page = render_result(
        result, title=result.sentences()[0], about=f"{kind} on {dataset.name}", context=every
    )
    yield File("report.html", page.encode())
