"""The bundle that a comparison's run keeps of each arm: found again by run, id prefix or name."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from handoff_eval.errors import SettingsError
from handoff_eval.evaluation.certificate import Revocation
from handoff_eval.evaluation.replay import Replay
from handoff_eval.evaluation.replay_table import replay_from_csv
from handoff_eval.tracking.store import (
    EXPERIMENT,
    locate_store,
    open_client,
    refusals_in_words,
    without_bars,
)

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

BUNDLE, SCORES, MEASURED = "bundle", "scores.csv", "measured.json"
"""Names of an arm's artifacts: its bundle without the encoder, its scores, what was measured."""

LATEST = "latest"
"""Stands for the comparison made last."""

NOT_EXPORTED = "handoff_eval.not_exported"
"""Tag of an arm that has no bundle, with the reason."""

_REVOKED = "handoff_eval.revoked"
"""Tag of an arm whose certificate was revoked where its bundle runs: reason and time, as JSON."""

_KIND, _PARENT = "handoff_eval.kind", "mlflow.parentRunId"
_ID = re.compile(r"[0-9a-f]{4,32}")


@dataclass(frozen=True, slots=True)
class LoggedArm:
    """An arm's run.

    Attributes
    ----------
    run_id, name : str
        Of the run; its name is the arm's.
    dataset : Path
        Folder that it was compared on.
    dataset_digest : str
    instruction : str
        Address of the instruction's version in the prompt registry.
    experiment_id : str
    revoked : Revocation or None
        Where watching its bundle has ended the promise.
    """

    run_id: str
    name: str
    dataset: Path
    dataset_digest: str
    instruction: str
    experiment_id: str
    revoked: Revocation | None = None

    def fetch(self, to: Path) -> None:
        """Write its bundle and what was measured into a folder.

        Raises
        ------
        SettingsError
            When the store can't be read.
        """
        store = locate_store()
        client = open_client(store)
        with refusals_in_words(store), without_bars():
            for name in (BUNDLE, MEASURED):
                client.download_artifacts(self.run_id, name, str(to))

    def scores(self) -> Replay:
        """Return its scores of test, as they were compared.

        Raises
        ------
        SettingsError
            When the store can't be read.
        DataError
            When they are damaged.
        """
        store = locate_store()
        client = open_client(store)
        with (
            refusals_in_words(store),
            without_bars(),
            tempfile.TemporaryDirectory() as folder,
        ):
            file = Path(client.download_artifacts(self.run_id, SCORES, folder))
            return replay_from_csv(file.read_text(encoding="utf-8"), trigger=self.name)


def find_arm(where: str, *, arm: str | None = None) -> LoggedArm:
    """Return the arm of a run that can be exported.

    Parameters
    ----------
    where : str
        The run of a comparison, whose chosen arm is meant, or of one arm: its id, the beginning
        of its id, its name, or "latest" for the comparison made last.
    arm : str, optional
        Another arm than the chosen one.

    Raises
    ------
    SettingsError
        When there is no such run, several, or the arm has no bundle, each with what to do.
    """
    store = locate_store()
    client = open_client(store)
    with refusals_in_words(store):
        run = _find_run(client, where, store.uri)
        if run.data.tags.get(_KIND) == "comparison":
            run = _arm_of(client, run, arm)
        elif arm not in {None, run.info.run_name}:
            raise SettingsError(
                f"Expected --arm to go with the run of a comparison; {where!r} is the run of the "
                f"arm {run.info.run_name!r}. Leave it out, or name the run's parent."
            )
        _check_bundle(client, run)
    source = next(
        json.loads(one.dataset.source)["uri"]
        for one in run.inputs.dataset_inputs
        if one.dataset.name.endswith("/test")
    )
    return LoggedArm(
        run_id=run.info.run_id,
        name=run.info.run_name,
        dataset=Path(unquote(urlsplit(source).path)),
        dataset_digest=run.data.params["dataset_digest"],
        instruction=run.data.params["instruction"],
        experiment_id=run.info.experiment_id,
        revoked=_revocation(run),
    )


def revocation_of(run_id: str) -> Revocation | None:
    """Return why the promise of an arm's run has ended; None while it stands or isn't known here.

    Raises
    ------
    SettingsError
        When the store can't be used.
    """
    run = _run_or_none(open_client(locate_store()), run_id)
    return None if run is None else _revocation(run)


def mark_revoked(client: MlflowClient, run_id: str, revoked: Mapping[str, str]) -> None:
    """Keep with an arm's run that its promise has ended; the first time stays.

    Parameters
    ----------
    client : MlflowClient
    run_id : str
        That of the bundle's `source`; one of another store is left alone.
    revoked : mapping
        From `Revocation.to_dict`.
    """
    run = _run_or_none(client, run_id)
    if run is not None and _REVOKED not in run.data.tags:
        client.set_tag(run_id, _REVOKED, json.dumps(dict(revoked)))


def _run_or_none(client: MlflowClient, run_id: str) -> Run | None:
    from mlflow.exceptions import MlflowException

    try:
        return client.get_run(run_id)
    except MlflowException:
        return None


def _revocation(run: Run) -> Revocation | None:
    tag = run.data.tags.get(_REVOKED)
    if tag is None:
        return None
    values = json.loads(tag)
    return Revocation(values["reason"], datetime.fromisoformat(values["revoked_at"]))


def _find_run(client: MlflowClient, where: str, uri: str) -> Run:
    experiment = client.get_experiment_by_name(EXPERIMENT)
    runs = [] if experiment is None else _all_runs(client, experiment.experiment_id)
    latest = next((run for run in runs if run.data.tags.get(_KIND) == "comparison"), None)
    if where == LATEST and latest is not None:
        return latest
    found = [run for run in runs if run.info.run_id == where]
    if not found and _ID.fullmatch(where):
        found = [run for run in runs if run.info.run_id.startswith(where)]
    if not found:
        found = [run for run in runs if run.info.run_name == where]
    if len(found) == 1:
        return found[0]
    if found:
        some = ", ".join(f"{run.info.run_id[:8]} ({run.info.run_name})" for run in found[:5])
        raise SettingsError(
            f"Expected one run; {where!r} fits {len(found)}, such as {some}. Give the id."
        )
    hint = (
        "Make one with 'handoff-eval compare'."
        if latest is None
        else f"The latest comparison is {latest.info.run_id} ({latest.info.run_name})."
    )
    raise SettingsError(
        f"Expected a run of 'handoff-eval compare' in {uri}, by its id, the beginning of its id or "
        f"its name; there is no {where!r}. {hint}"
    )


def _all_runs(client: MlflowClient, experiment_id: str) -> list[Run]:
    """Return the runs of comparisons and of arms, of either the latest first."""
    runs = []
    for kind in ("comparison", "arm"):
        token = None
        while True:
            page = client.search_runs(
                [experiment_id], f"tags.`{_KIND}` = '{kind}'", page_token=token
            )
            runs += page
            if not (token := page.token):
                break
    return runs


def _arm_of(client: MlflowClient, parent: Run, arm: str | None) -> Run:
    chosen = arm or parent.data.params["chosen"]
    children = client.search_runs(
        [parent.info.experiment_id], f"tags.`{_PARENT}` = '{parent.info.run_id}'"
    )
    for child in children:
        if child.info.run_name == chosen:
            return child
    names = ", ".join(sorted(child.info.run_name for child in children))
    if arm is None:
        raise SettingsError(
            f"Expected the comparison {parent.info.run_id[:8]} to have chosen an arm; no arm of it "
            f"scored every conversation. Name one of {names} with --arm."
        )
    raise SettingsError(
        f"Expected --arm to name an arm of {parent.info.run_id[:8]}, one of {names}; got {arm!r}."
    )


def _check_bundle(client: MlflowClient, run: Run) -> None:
    name, reason = run.info.run_name, run.data.tags.get(NOT_EXPORTED)
    if reason is not None:
        raise SettingsError(f"Expected an arm that can be exported; {name!r} can't be: {reason}")
    if not any(file.path == SCORES for file in client.list_artifacts(run.info.run_id)):
        raise SettingsError(
            f"Expected the run {run.info.run_id[:8]} ({name}) to hold a bundle; it was made "
            "without one, by an earlier version or from Python. Compare again with "
            "'handoff-eval compare'."
        )
