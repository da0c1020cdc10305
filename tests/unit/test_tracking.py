"""Runs against a real MLflow: in one place, complete, and without what customers wrote."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import pytest

from handoff_eval.errors import SettingsError
from handoff_eval.evaluation.comparison.result import Comparison
from handoff_eval.handoff import Handoff
from handoff_eval.tracking.entries import HEADLINE
from handoff_eval.tracking.log import log_comparison
from handoff_eval.tracking.origin import find_origin
from handoff_eval.tracking.prompts import prompt_name, register_instruction
from handoff_eval.tracking.store import Store, experiment_id, locate_store, open_client
from handoff_eval.tracking.ui import runs_url, serve, server_command
from handoff_eval.transcripts.read import Dataset
from tests.conftest import SECRET, empty_project, files_at_rest

HANDOFF = Handoff("support", ("team@example.com",))


class Logged(NamedTuple):
    """A comparison's parent run and where it is."""

    run: str
    store: Store


@pytest.fixture(scope="module")
def logged(
    mlflow_schema: Path,
    tmp_path_factory: pytest.TempPathFactory,
    comparison: Comparison,
    dataset: Dataset,
) -> Logged:
    """Log the comparison once, for the tests that only look."""
    with empty_project(mlflow_schema, tmp_path_factory.mktemp("logged") / "home") as store:
        return Logged(log_comparison(comparison, dataset=dataset, handoff=HANDOFF, seed=7), store)


def _children(store: Store, parent: str) -> dict[str, object]:
    client = open_client(store)
    found = client.search_runs(
        [experiment_id(client, store)], f"tags.`mlflow.parentRunId` = '{parent}'"
    )
    return {run.info.run_name: run for run in found}


def _artifact(store: Store, run_id: str, name: str) -> bytes:
    assert store.artifacts is not None
    return (store.artifacts / run_id / "artifacts" / name).read_bytes()


def test_store_does_not_follow_the_working_directory(
    tracking_store: Store,
    comparison: Comparison,
    dataset: Dataset,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Runs of two folders are in one database, their artifacts beside it, the folders empty."""
    runs = []
    for name in ("here", "there"):
        (tmp_path / name).mkdir()
        monkeypatch.chdir(tmp_path / name)
        runs.append(log_comparison(comparison, dataset=dataset, handoff=HANDOFF, seed=0))

    client = open_client(tracking_store)

    assert tracking_store.database == tmp_path / "home" / "mlruns" / "mlflow.db"
    assert [client.get_run(run).info.status for run in runs] == ["FINISHED", "FINISHED"]
    for run in runs:
        assert _artifact(tracking_store, run, "report.html").startswith(b"<!doctype html>")
    assert [*(tmp_path / "here").iterdir(), *(tmp_path / "there").iterdir()] == []


def test_store_of_the_user_is_honoured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """MLFLOW_TRACKING_URI wins; a relative SQLite file is anchored where it was named."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:///mine/runs.db")
    mine = locate_store()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9999")
    remote = locate_store()

    assert mine == Store(f"sqlite:///{tmp_path}/mine/runs.db", tmp_path / "mine" / "runs.db")
    assert mine.artifacts == tmp_path / "mine" / "artifacts"
    assert (remote.uri, remote.artifacts) == ("http://127.0.0.1:9999", None)


def test_new_store_is_made_once_and_quietly(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """The first use makes the database and says so; neither use prints or leaves a trace."""
    database = tmp_path / "new" / "mlflow.db"
    store = Store(f"sqlite:///{database}", database)
    before, said = dict(os.environ), []

    open_client(store, say=said.append)
    open_client(store, say=said.append)

    assert database.is_file()
    assert said == [f"making the tracking store {database} (once)"]
    assert capfd.readouterr() == ("", "")
    assert dict(os.environ) == before


@pytest.mark.usefixtures("tracking_store")
def test_logging_leaves_no_global_trace(
    comparison: Comparison,
    dataset: Dataset,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """Nothing is printed, no run stays open, and MLflow's global address is as before."""
    import mlflow

    before = (mlflow.get_tracking_uri(), dict(os.environ))
    capfd.readouterr()

    log_comparison(comparison, dataset=dataset, handoff=HANDOFF, seed=0)

    assert (mlflow.get_tracking_uri(), dict(os.environ)) == before
    assert mlflow.active_run() is None
    assert capfd.readouterr() == ("", "")


def test_parent_holds_the_comparison_and_a_child_each_arm(
    logged: Logged, comparison: Comparison
) -> None:
    """The parent has the settings and the choice, a child each has an arm's own."""
    parent = open_client(logged.store).get_run(logged.run)
    children = _children(logged.store, logged.run)

    assert parent.info.run_name == "parcels, 20 emails a day"
    assert parent.data.params["chosen"] == "minilm"
    assert parent.data.params["seed"] == "7"
    assert parent.data.params["dataset_digest"] == comparison.digest
    assert parent.data.tags["version.handoff-eval"]
    assert set(children) == {"keyword", "minilm", "prompt"}
    for arm in comparison.arms:
        params = children[arm.name].data.params
        assert float(params["threshold"]) == arm.point.threshold
        assert params["sampled"] == ("yes" if arm.sampled else "no")


def test_metrics_carry_interval_and_n(logged: Logged, comparison: Comparison) -> None:
    """Each measure is there with limits and n, and the ones that decide come first by name."""
    parent = open_client(logged.store).get_run(logged.run).data.metrics
    children = _children(logged.store, logged.run)

    for arm in comparison.arms:
        metrics = children[arm.name].data.metrics
        for name, estimate in arm.measures.items():
            shown = name if name in HEADLINE else f"secondary/{name}"
            parts = (f"uncertainty/{shown}.{part}" for part in ("low", "high", "n"))
            found = [metrics[key] for key in (shown, *parts)]
            assert found == [estimate.value, estimate.low, estimate.high, estimate.n]
        assert tuple(sorted(metrics))[: len(HEADLINE)] == HEADLINE
    assert tuple(sorted(parent))[: len(HEADLINE)] == HEADLINE
    assert parent["recall"] == comparison.arm("minilm").measures.recall.value
    assert parent["uncertainty/versus/keyword-prompt.n"] == 30
    shares = (parent[f"secondary/prevalence_{name}"] for name in ("deployed", "in_sample"))
    assert tuple(shares) == (0.05, comparison.deployment.test.value)


def test_dataset_is_an_input_for_each_split(logged: Logged) -> None:
    """MLflow shows name and digest with the split as the context."""
    inputs = open_client(logged.store).get_run(logged.run).inputs.dataset_inputs

    found = {i.tags[0].value: (i.dataset.name, json.loads(i.dataset.profile)) for i in inputs}

    assert {split: name for split, (name, _) in found.items()} == {
        "train": "parcels/train",
        "tune": "parcels/tune",
        "test": "parcels/test",
    }
    assert found["test"][1] == {"conversations": 48, "positives": 16, "customers": 48}


def test_instruction_gets_a_version_only_when_it_changes(tracking_store: Store) -> None:
    """The same text is the same version, also after another text came between."""
    client = open_client(tracking_store)
    experiment = experiment_id(client, tracking_store)
    first, second = "When it is not resolved.", "Only when they ask for a person."

    made = [
        register_instruction(client, handoff="support", instruction=text, experiment_id=experiment)
        for text in (first, first, second, first)
    ]

    assert [prompt.version for prompt in made] == [1, 1, 2, 1]
    assert len(client.search_prompt_versions("handoff-instruction.support")) == 2
    assert client.load_prompt(made[2].uri).template == second


def test_runs_are_linked_to_the_instruction(logged: Logged) -> None:
    """Parent and children name the version that they were made with, and its text is kept."""
    client = open_client(logged.store)
    runs = [client.get_run(logged.run), *_children(logged.store, logged.run).values()]

    for run in runs:
        assert run.data.params["instruction"] == "prompts:/handoff-instruction.support/1"
        assert json.loads(run.data.tags["mlflow.linkedPrompts"]) == [
            {"name": "handoff-instruction.support", "version": "1"}
        ]
    assert client.load_prompt(run.data.params["instruction"]).template == HANDOFF.instruction


def test_handoffs_do_not_share_a_prompt() -> None:
    """Names that the registry can't tell apart keep a prompt each."""
    names = ["billing", "bil ling", "bil-ling", "bil/ling", "Rückfragen", "Rckfragen"]

    assert len({prompt_name(name) for name in names}) == len(names)
    assert prompt_name("billing") == "handoff-instruction.billing"


def test_nothing_that_customers_wrote_is_logged(logged: Logged) -> None:
    """No file of the store, the database included, holds a word of a conversation or a note."""
    assert logged.store.database is not None
    files = files_at_rest(logged.store.database.parent)

    assert len(files) > 10
    for path in files:
        content = path.read_bytes()
        assert SECRET.encode() not in content, path
        assert b"where is my parcel" not in content, path


def test_artifacts_restate_the_comparison(logged: Logged, comparison: Comparison) -> None:
    """Table, JSON, pictures and curves are there and agree with what was compared."""
    document = json.loads(_artifact(logged.store, logged.run, "comparison.json"))
    table = _artifact(logged.store, logged.run, "arms.csv").decode()
    child = _children(logged.store, logged.run)["minilm"].info.run_id
    curve = _artifact(logged.store, child, "curve.csv").decode()
    rows = [{k: float(v) for k, v in row.items()} for row in csv.DictReader(io.StringIO(curve))]

    assert document == json.loads(json.dumps(comparison.to_dict()))
    assert [line.split(",")[0] for line in table.splitlines()] == [
        "arm",
        "keyword",
        "minilm",
        "prompt",
    ]
    for picture in ("volume_recall.png", "precision_recall.png"):
        assert _artifact(logged.store, logged.run, picture).startswith(b"\x89PNG")
    assert [row["recall"] for row in rows] == sorted(row["recall"] for row in rows)
    # at the lowest score everything is emailed: 200 a day, of which the prevalence is needed
    assert rows[-1] | {"threshold": 0} == {
        "threshold": 0, "emails_per_day": 200, "recall": 1, "precision": 0.05,
    }  # fmt: skip


def test_run_that_breaks_is_marked_failed(
    tracking_store: Store,
    comparison: Comparison,
    dataset: Dataset,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Where logging stops midway, neither the arm's run nor the parent passes for finished."""

    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("handoff_eval.tracking.log.arm_entries", broken)
    with pytest.raises(ZeroDivisionError):
        log_comparison(comparison, dataset=dataset, handoff=HANDOFF, seed=0)
    client = open_client(tracking_store)
    runs = client.search_runs([experiment_id(client, tracking_store)])

    assert [run.info.status for run in runs] == ["FAILED", "FAILED"]


def test_store_that_cannot_be_used_is_a_sentence(
    comparison: Comparison, dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A store that MLflow refuses is named, with what to do."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "carrier-pigeon://loft")

    with pytest.raises(SettingsError, match=r"at carrier-pigeon://loft; MLflow says: .*unset it"):
        log_comparison(comparison, dataset=dataset, handoff=HANDOFF, seed=0)


def test_other_dataset_is_refused(comparison: Comparison, dataset: Dataset) -> None:
    """A comparison is never logged as one of another dataset."""
    other = replace(dataset, name="letters", digest="f" * 64)

    with pytest.raises(ValueError, match="got letters with ffffffffffff"):
        log_comparison(comparison, dataset=other, handoff=HANDOFF, seed=0)


def test_deleted_experiment_comes_back(tracking_store: Store) -> None:
    """An experiment that someone deleted in the pages is restored, not doubled."""
    client = open_client(tracking_store)
    first = experiment_id(client, tracking_store)
    client.delete_experiment(first)

    again = experiment_id(client, tracking_store)

    assert again == first
    assert client.get_experiment(first).lifecycle_stage == "active"


def test_origin_knows_revision_and_changes(tmp_path: Path) -> None:
    """The commit is named, and an untracked file makes it dirty; no repository is no error."""

    def git(*arguments: str) -> str:
        identity = ["-c", "user.name=a", "-c", "user.email=a@example.com"]
        command = ["git", "-C", str(tmp_path), *identity, *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    git("init")
    before = find_origin(tmp_path)
    git("commit", "--allow-empty", "-m", "first")
    clean = find_origin(tmp_path)
    (tmp_path / "new.txt").write_text("new")
    changed = find_origin(tmp_path)

    assert (before.revision, before.dirty) == (None, False)
    assert (clean.revision, clean.dirty) == (git("rev-parse", "HEAD"), False)
    assert (changed.revision, changed.dirty) == (clean.revision, True)
    assert clean.versions["python"] == ".".join(map(str, sys.version_info[:3]))
    assert any(line.startswith("numpy==") for line in clean.packages)


def test_pages_are_served_on_loopback_from_the_store() -> None:
    """The command binds 127.0.0.1, and the address leads to the runs, not to the overview."""
    store = Store("sqlite:////x/mlflow.db", Path("/x/mlflow.db"))

    command = server_command(store, port=5001)

    assert command[command.index("--host") + 1] == "127.0.0.1"
    assert command[command.index("--backend-store-uri") + 1] == "sqlite:////x/mlflow.db"
    assert command[command.index("--default-artifact-root") + 1] == "file:///x/artifacts"
    assert runs_url("http://127.0.0.1:5001/", "3") == (
        "http://127.0.0.1:5001/#/experiments/3/runs"
        "?workflowType=machine_learning&viewStateShareKey=arms"
    )


@pytest.mark.usefixtures("tracking_store")
def test_taken_port_is_a_sentence() -> None:
    """Where another program listens the user is told which port to change."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]

        with pytest.raises(SettingsError, match=rf"free port .*got {port} .*--port"):
            serve(port=port)


@pytest.mark.browser
def test_printed_address_shows_the_runs(logged: Logged) -> None:
    """The pages come up, their printed address shows the comparison, and SIGTERM ends them."""
    from playwright.sync_api import sync_playwright

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    program = f"from handoff_eval.tracking.ui import serve; raise SystemExit(serve(port={port}))"
    server = subprocess.Popen(
        [sys.executable, "-c", program],
        env={**os.environ, "MLFLOW_TRACKING_URI": logged.store.uri},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert server.stdout is not None
        address = server.stdout.readline().strip()
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
            )
            tab = browser.new_page(viewport={"width": 1800, "height": 900})
            outside: list[str] = []
            tab.on("request", lambda request: outside.append(request.url))
            tab.goto(address)
            tab.get_by_text("parcels, 20").first.wait_for(timeout=60_000)
            tab.get_by_text("recall_on_time").first.wait_for(timeout=60_000)
            browser.close()
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(timeout=30)
        server.stdout.close()

    assert f"127.0.0.1:{port}/#/experiments/" in address
    assert [url for url in outside if url.startswith("http") and "//127.0.0.1:" not in url] == []
