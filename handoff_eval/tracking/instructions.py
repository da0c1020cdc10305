"""Put what was measured of an instruction into MLflow: one run, linked to the versions it is of."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

from handoff_eval.evaluation.ablation import Ablation
from handoff_eval.evaluation.tuning_result import Tuning
from handoff_eval.settings import project_root
from handoff_eval.tracking.entries import (
    Entry,
    File,
    Metric,
    Param,
    Tag,
    estimate_metrics,
    origin_tags,
)
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


def ablation_entries(ablation: Ablation) -> Iterator[Entry]:
    """Yield an ablation: a clause is numbered as it stands in the instruction."""
    yield Param("split", ablation.split.value)
    yield Param("trigger", ablation.trigger)
    for number, contribution in enumerate(ablation.contributions, 1):
        yield Param(f"clause_{number}", contribution.clause.text)
        name = f"clause_{number}/"
        yield from estimate_metrics(f"{name}recall_at_volume", contribution.recall_at_volume)
        yield from estimate_metrics(f"{name}recall_at_threshold", contribution.recall_at_threshold)
        yield from estimate_metrics(f"{name}emails_per_day", contribution.emails_per_day)
        yield Metric(f"{name}p_adjusted", contribution.p_adjusted)
    yield File("clauses.csv", ablation.frame().to_csv().encode())


def tuning_entries(tuning: Tuning) -> Iterator[Entry]:
    """Yield a search: the winner's figures on test, and every candidate in a file."""
    yield Param("trigger", tuning.trigger)
    yield Param("candidates", str(len(tuning.candidates)))
    yield Param("tries", str(tuning.tries))
    yield Param("note", tuning.note)
    yield Param("verdict", tuning.verdict)
    for name, estimate in tuning.measures.items():
        yield from estimate_metrics(name, estimate)
    yield from estimate_metrics("recall_difference", tuning.difference.difference)
    yield File("candidates.csv", tuning.frame().to_csv(index=False).encode())


def log_instruction(
    report: Ablation | Tuning,
    *,
    dataset: Dataset,
    version: PromptVersion,
    experiment: str = EXPERIMENT,
    say: Callable[[str], None] | None = None,
) -> str:
    """Log an ablation or a search and return the id of its run.

    Parameters
    ----------
    report : Ablation or Tuning
    dataset : Dataset
        What it was measured on.
    version : PromptVersion
        The instruction that was ablated, or the winner.
    experiment : str
        Name of the MLflow experiment.
    say : callable, optional
        Told what takes long: making the store the first time.

    Raises
    ------
    SettingsError
        When the store can't be used.
    """
    kind = "ablation" if isinstance(report, Ablation) else "tuning"
    entries = ablation_entries(report) if isinstance(report, Ablation) else tuning_entries(report)
    store = locate_store()
    client = open_client(store, say=say)
    with refusals_in_words(store):
        key = experiment_id(client, store, experiment)
        inputs = [dataset_input(dataset, part=kind, profile={"instructions": 1})]
        with open_run(client, key, f"{dataset.name}, {kind}", inputs) as run_id:
            write(client, run_id, _common(report, kind, version))
            write(client, run_id, entries)
    return run_id


def _common(report: Ablation | Tuning, kind: str, version: PromptVersion) -> Iterator[Entry]:
    yield Tag("handoff_eval.kind", kind)
    yield from origin_tags(find_origin(project_root()))
    yield Tag(*link_tag(version))
    yield Param("instruction", version.uri)
    document = json.dumps(report.to_dict(), indent=2, ensure_ascii=False, allow_nan=False)
    yield File(f"{kind}.json", f"{document}\n".encode())
    yield File(f"{kind}.png", report.plot().png())
