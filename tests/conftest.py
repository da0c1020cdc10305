"""A tracking store of its own for every test, and one comparison that many tests look at."""

from __future__ import annotations

import logging
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from handoff_eval.conversation import LabeledConversation, Split
from handoff_eval.encoders.hashing import HashingEncoder
from handoff_eval.evaluation.comparison.arm_scores import Arm
from handoff_eval.evaluation.comparison.compare import compare
from handoff_eval.evaluation.comparison.result import Comparison
from handoff_eval.handoff import Budget
from handoff_eval.tracking.store import Store, locate_store, open_client
from handoff_eval.transcripts.read import Dataset, content_digest
from handoff_eval.triggers.keyword import KeywordTrigger, default_rules
from handoff_eval.triggers.prompt import PromptTrigger
from handoff_eval.triggers.train import train_classifier
from tests.builders import labeled, talk
from tests.fakes import WordCountingAsker
from tests.training import TRAINING

SECRET = "xylophone"
"""A word that only customers and annotators of the test data write."""


def pytest_configure(config: pytest.Config) -> None:
    """Except what a pinned package does to itself from the rule that warnings are errors."""
    # mlflow 3.17 maps its tables with an option that sqlalchemy 2.1 means to drop.
    config.addinivalue_line("filterwarnings", "ignore:The ``noload`` loader:DeprecationWarning")


class SmallModelAsker(WordCountingAsker):
    """Calls itself by the name of the local model."""

    identity = "SmolLM2-135M-Instruct.Q4_1 0123456789ab"


@pytest.fixture(autouse=True)
def _own_tracking_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep every test away from the project's runs, and end the runs it leaves open."""
    database = tmp_path_factory.getbasetemp() / "unused-mlruns" / "mlflow.db"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{database}")
        yield
    if (mlflow := sys.modules.get("mlflow")) is not None:
        while mlflow.active_run() is not None:
            mlflow.end_run()


@pytest.fixture(scope="session")
def mlflow_schema(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an empty tracking database; migrating takes seconds, so once a session."""
    database = tmp_path_factory.mktemp("schema") / "mlflow.db"
    open_client(Store(f"sqlite:///{database}", database))
    return database


@pytest.fixture
def tracking_store(mlflow_schema: Path, tmp_path: Path) -> Iterator[Store]:
    """Return the store of an empty project, as a user without settings has it."""
    with empty_project(mlflow_schema, tmp_path / "home") as store:
        yield store


@contextmanager
def empty_project(schema: Path, home: Path) -> Iterator[Store]:
    """Make a folder the project, with no runs in its store and no store set by the user."""
    (home / "mlruns").mkdir(parents=True)
    shutil.copy(schema, home / "mlruns" / "mlflow.db")
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        patch.setenv("HANDOFF_EVAL_HOME", str(home))
        yield locate_store()


@pytest.fixture(scope="session")
def dataset() -> Dataset:
    """Return conversations of which some need a person silently, and some only seem to."""
    train = [
        LabeledConversation(replace(item.conversation, split=Split.TRAIN), item.label)
        for item in TRAINING
    ]
    items = [*train, *_items(Split.TUNE), *_items(Split.TEST)]
    conversations = tuple(item.conversation for item in items)
    labels = tuple(item.label for item in items)
    return Dataset(
        name="parcels",
        path=Path("datasets") / "parcels",
        conversations=conversations,
        labels=labels,
        refusals=(),
        digest=content_digest(conversations, labels),
    )


@pytest.fixture(scope="session")
def comparison(dataset: Dataset) -> Comparison:
    """Return three real arms on that dataset, the last one asked on a sample."""
    arms = [
        Arm(KeywordTrigger(default_rules())),
        Arm(train_classifier(dataset.labeled(Split.TRAIN), HashingEncoder(dimension=16))),
        Arm(PromptTrigger("When a person is needed.", SmallModelAsker()), max_decisions=180),
    ]
    return compare(dataset, arms, Budget(20, 0.8, 200, prevalence=0.05))


def _items(split: Split) -> list[LabeledConversation]:
    items = []
    for i in range(48):
        said = ("C: thanks", False)
        if i % 6 == 0:
            said = ("C: please let a human call me", True)
        elif i % 6 == 1:
            said = (f"C: it broke again <b>{SECRET}</b>", True)
        elif i % 24 == 2:
            said = (f"C: no human needs to call me {SECRET}", False)
        conversation = talk(
            f"C: where is my parcel {i}", "A: on its way", said[0], "A: all right",
            id=f"{split.value}-{i}", customer=f"{split.value}-u{i}", split=split,
        )  # fmt: skip
        item = labeled(conversation, handoff=said[1], at=2 if said[1] else None)
        items.append(replace(item, label=replace(item.label, note=f"a note on {SECRET}")))
    return items


def files_at_rest(folder: Path) -> list[Path]:
    """Return all files below a folder, once MLflow's threads have ended what they write."""
    until = time.monotonic() + 30
    while list(folder.rglob("*.db-journal")) and time.monotonic() < until:
        time.sleep(0.05)
    return [path for path in folder.rglob("*") if path.is_file()]


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """Run a real PostgreSQL and return its URL."""
    # Not below pytest's folder, which is closed to the user that the server runs as.
    with (
        tempfile.TemporaryDirectory(prefix="postgres-") as folder,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setenv("XDG_RUNTIME_DIR", folder)
        import pgserver

        # It logs as the interpreter ends, when what pytest had captured is closed.
        logging.getLogger("pgserver").setLevel(logging.WARNING)
        with pgserver.get_server(Path(folder) / "data", cleanup_mode="stop") as server:
            yield server.get_uri()


@pytest.fixture
def postgres_url(postgres: str, tmp_path: Path) -> str:
    """Return the URL of an empty database of this test's own."""
    import psycopg

    name = f"t{abs(hash(str(tmp_path)))}"
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}".encode())
    return postgres.replace("/postgres?", f"/{name}?")
