"""A project whose MLflow store holds a comparison of three arms, ready to be exported."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from handoff_eval.encoders.static import REVISION
from handoff_eval.evaluation.comparison.arm_scores import Arm
from handoff_eval.evaluation.comparison.compare import compare
from handoff_eval.evaluation.comparison.result import Comparison
from handoff_eval.handoff import Budget, Handoff
from handoff_eval.production.keep import keep_comparison
from handoff_eval.tracking.store import Store
from handoff_eval.transcripts.read import Dataset, read_dataset
from handoff_eval.transcripts.write import write_conversations, write_labels
from handoff_eval.triggers.keyword import KeywordTrigger, default_rules
from handoff_eval.triggers.prompt import PromptTrigger
from handoff_eval.triggers.shots import Shot
from handoff_eval.triggers.train import train_classifier
from tests.builders import static_encoder
from tests.conftest import SmallModelAsker, empty_project
from tests.training import TRAINING

HANDOFF = Handoff("support", ("team@example.com",))
Compared = tuple[Dataset, list[Arm], Comparison]
Project = tuple[str, Store]


@pytest.fixture(scope="session")
def compared(dataset: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Compared:
    """Return a dataset on the disk and arms compared on it."""
    folder = tmp_path_factory.mktemp("data") / "parcels"
    folder.mkdir()
    write_conversations(dataset.conversations, folder / "transcripts.jsonl")
    write_labels(dataset.labels, folder / "labels.jsonl")
    data = read_dataset(folder)
    shot = Shot(TRAINING[0].conversation.turns, closed=True, handoff=True)
    encoder = static_encoder(tmp_path_factory.mktemp("static"))
    encoder.revision = REVISION
    arms = [
        Arm(KeywordTrigger(default_rules())),
        Arm(train_classifier(TRAINING, encoder, words=True, name="static")),
        Arm(PromptTrigger("When?", SmallModelAsker(), shots=[shot]), max_decisions=180),
    ]
    return data, arms, compare(data, arms, Budget(20, 0.8, 200, prevalence=0.05))


@pytest.fixture(scope="session")
def logged(
    compared: Compared,
    mlflow_schema: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[str, Store, Path]:
    """Log the comparison with what its arms need; return its run, the store and the cache."""
    data, arms, comparison = compared
    cache = tmp_path_factory.mktemp("cache")
    (cache / REVISION).mkdir()
    encoder = arms[1].trigger.features.parts[0].encoder  # type: ignore[attr-defined]
    shutil.copy(encoder.vectors, cache / REVISION / "vectors.npy")
    shutil.copy(encoder.tokenizer, cache / REVISION / "tokenizer.json")
    with empty_project(mlflow_schema, tmp_path_factory.mktemp("project") / "home") as store:
        run = keep_comparison(comparison, arms, dataset=data, handoff=HANDOFF)
    return run, store, cache


@pytest.fixture
def project(
    logged: tuple[str, Store, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Project:
    """Give that run and its store, with a cache that a test may damage."""
    run, store, cache = logged
    shutil.copytree(cache, tmp_path / "cache")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store.uri)
    monkeypatch.setenv("HANDOFF_EVAL_CACHE", str(tmp_path / "cache"))
    return run, store


@pytest.fixture
def mlflow_copy(project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """Give a copy of that store's database, whose registry a test may fill."""
    assert project[1].database is not None
    database = tmp_path / "mlruns" / "mlflow.db"
    database.parent.mkdir()
    shutil.copy(project[1].database, database)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{database}")
    return Store(f"sqlite:///{database}", database)
