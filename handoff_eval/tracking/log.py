"""Put a comparison into MLflow: one parent run, one child run an arm."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from handoff_eval.conversation import Split
from handoff_eval.evaluation.comparison.plots import shown_arm
from handoff_eval.evaluation.comparison.result import Comparison
from handoff_eval.evaluation.findings.analysis import Analysis
from handoff_eval.evaluation.pages.errors import Errors
from handoff_eval.evaluation.pages.report import render_report
from handoff_eval.handoff import Handoff
from handoff_eval.settings import project_root
from handoff_eval.tracking.entries import (
    Entry,
    File,
    Metric,
    Param,
    Tag,
    Trace,
    arm_entries,
    comparison_entries,
)
from handoff_eval.tracking.findings import finding_entries, timing_metrics
from handoff_eval.tracking.origin import Origin, find_origin
from handoff_eval.tracking.prompts import link_tag, register_instruction
from handoff_eval.tracking.store import (
    EXPERIMENT,
    experiment_id,
    locate_store,
    open_client,
    refusals_in_words,
)
from handoff_eval.tracking.traces import write_traces
from handoff_eval.transcripts.read import Dataset

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import DatasetInput

ERRORS_FILE = "errors.json"
_DIGEST_LENGTH = 16
"""MLflow takes at most 36 characters; the full digest is a parameter."""


def log_comparison(
    comparison: Comparison,
    *,
    dataset: Dataset,
    handoff: Handoff,
    seed: int,
    experiment: str = EXPERIMENT,
    say: Callable[[str], None] | None = None,
    analysis: Analysis | None = None,
    of_arms: Mapping[str, Iterable[Entry]] | None = None,
) -> str:
    """Log a comparison and return the id of its parent run.

    Nothing that customers or annotators wrote is logged but what `of_arms` brings: conversations
    appear by their ids, and the report is the version without transcripts.

    Parameters
    ----------
    comparison : Comparison
    dataset : Dataset
        What was compared on.
    handoff : Handoff
        Whose instruction becomes a versioned prompt, linked to each run.
    seed : int
        Of the comparison.
    experiment : str
        Name of the MLflow experiment.
    say : callable, optional
        Told what takes long: making the store the first time.
    analysis : Analysis, optional
        The findings beside it, logged with it.
    of_arms : mapping of str to iterable of Entry, optional
        What else the runs of these arms hold: `production.draft.draft_entries` makes them ready to
        be exported, `asked.decision_entries` adds the wrong decisions and what a model was asked.

    Returns
    -------
    str

    Raises
    ------
    MissingExtraError
        When mlflow or a package that draws is not installed.
    SettingsError
        When the store can't be used.
    ValueError
        When the dataset isn't the one that was compared.
    """
    if dataset.digest != comparison.digest:
        raise ValueError(
            f"Expected the dataset with digest {comparison.digest[:12]} that was compared; "
            f"got {dataset.name} with {dataset.digest[:12]}."
        )
    origin = find_origin(project_root())
    report = render_report(
        comparison,
        test=dataset.labeled(Split.TEST),
        instruction=handoff.instruction,
        seed=seed,
        with_transcripts=False,
        context=_context(dataset, origin),
        analysis=analysis,
    )
    store = locate_store()
    client = open_client(store, say=say)
    with refusals_in_words(store):
        experiment_key = experiment_id(client, store, experiment)
        prompt = register_instruction(
            client,
            handoff=handoff.name,
            instruction=handoff.instruction,
            experiment_id=experiment_key,
        )
        linked: list[Entry] = [Param("instruction", prompt.uri), Tag(*link_tag(prompt))]
        inputs = _dataset_inputs(comparison, dataset)
        name = f"{comparison.dataset}, {comparison.budget.max_emails_per_day:g} emails a day"
        with open_run(client, experiment_key, name, inputs) as parent:
            entries = comparison_entries(
                comparison, handoff=handoff, seed=seed, origin=origin, report=report
            )
            found = () if analysis is None else finding_entries(analysis)
            errors = Errors.of(shown_arm(comparison), dataset.labeled(Split.TEST)).to_dict()
            named = [File(ERRORS_FILE, f"{json.dumps(errors)}\n".encode())]
            write(client, parent, chain(linked, entries, found, named))
            for arm in comparison.arms:
                with open_run(client, experiment_key, arm.name, inputs, parent=parent) as child:
                    timed = () if analysis is None else timing_metrics(analysis.timing_of(arm.name))
                    of_arm = arm_entries(comparison, arm, origin=origin)
                    more = (of_arms or {}).get(arm.name, ())
                    write(client, child, chain(linked, of_arm, timed, more))
    return parent


def write(client: MlflowClient, run_id: str, entries: Iterable[Entry]) -> None:
    """Put a stream of entries into a run: the one place where values become MLflow's."""
    from mlflow import entities

    now = int(time.time() * 1000)
    params, metrics, tags, traces = [], [], [], []
    with tempfile.TemporaryDirectory() as folder:
        for entry in entries:
            match entry:
                case Param(name, value):
                    params.append(entities.Param(name, value))
                case Metric(name, value):
                    metrics.append(entities.Metric(name, value, now, 0))
                case Tag(name, value):
                    tags.append(entities.RunTag(name, value))
                case Trace():
                    traces.append(entry)
                case File(name, content):
                    place = Path(folder) / name
                    place.parent.mkdir(exist_ok=True)
                    place.write_bytes(content)
        client.log_batch(run_id, metrics=metrics, params=params, tags=tags)
        client.log_artifacts(run_id, folder)
    write_traces(client, run_id, traces)


@contextmanager
def open_run(
    client: MlflowClient,
    experiment_key: str,
    name: str,
    inputs: list[DatasetInput],
    *,
    parent: str | None = None,
) -> Iterator[str]:
    """Open a run on its data and end it, as failed where what is done in it fails."""
    tags = None if parent is None else {"mlflow.parentRunId": parent}
    run_id = str(client.create_run(experiment_key, run_name=name, tags=tags).info.run_id)
    try:
        client.log_inputs(run_id, datasets=inputs)
        yield run_id
    except BaseException:
        client.set_terminated(run_id, "FAILED")
        raise
    client.set_terminated(run_id)


def _dataset_inputs(comparison: Comparison, dataset: Dataset) -> list[DatasetInput]:
    """Return one input a split; the registry knows a dataset by name and digest alone."""
    return [
        dataset_input(dataset, part=split, profile=counts)
        for split, counts in comparison.counts.items()
    ]


def dataset_input(dataset: Dataset, *, part: str, profile: Mapping[str, int]) -> DatasetInput:
    """Return what a run says of its data: the dataset, the part of it that was used, and counts."""
    from mlflow.entities import Dataset as Input
    from mlflow.entities import DatasetInput, InputTag

    return DatasetInput(
        dataset=Input(
            name=f"{dataset.name}/{part}",
            digest=dataset.digest[:_DIGEST_LENGTH],
            source_type="local",
            source=json.dumps({"uri": dataset.path.resolve().as_uri()}),
            profile=json.dumps(profile),
        ),
        tags=[InputTag("mlflow.data.context", part)],
    )


def _context(dataset: Dataset, origin: Origin) -> dict[str, str]:
    revision = "not under version control"
    if origin.revision is not None:
        revision = origin.revision + (", with changes" if origin.dirty else "")
    return {"Code": revision, "Refused lines": str(len(dataset.refusals))}
