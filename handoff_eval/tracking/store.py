"""Where runs are kept, in one place: `mlruns/mlflow.db` of the project, artifacts beside it.

Nothing here changes MLflow's global tracking URI, and a store that the user has set by
`MLFLOW_TRACKING_URI` is used instead of the project's.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from handoff_eval.errors import MissingExtraError, SettingsError
from handoff_eval.settings import project_root

if TYPE_CHECKING:
    from mlflow import MlflowClient

EXPERIMENT = "handoff_eval"
VIEW = "arms"
"""Key of the saved view in which the table of runs shows these columns."""

_COLUMNS = (
    "metrics.`recall`",
    "metrics.`emails_per_day`",
    "metrics.`recall_on_time`",
    "metrics.`precision`",
    "metrics.`average_precision`",
    "metrics.`uncertainty/recall.low`",
    "metrics.`uncertainty/recall.high`",
    "params.`certified`",
    "params.`chosen`",
)
_SQLITE = "sqlite:///"
_TELEMETRY = "MLFLOW_DISABLE_TELEMETRY"
_BARS = "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR"


@dataclass(frozen=True, slots=True)
class Store:
    """A tracking store.

    Attributes
    ----------
    uri : str
        As MLflow takes it.
    database : Path or None
        The SQLite file; None for any other kind of store.
    """

    uri: str
    database: Path | None

    @property
    def artifacts(self) -> Path | None:
        """Folder of artifacts, beside the SQLite file; None where the store itself decides."""
        return None if self.database is None else self.database.parent / "artifacts"


def locate_store() -> Store:
    """Return the store of `MLFLOW_TRACKING_URI`, else the project's, wherever this runs."""
    uri = os.environ.get("MLFLOW_TRACKING_URI")
    if not uri:
        database = project_root().resolve() / "mlruns" / "mlflow.db"
        return Store(_SQLITE + str(database), database)
    if uri.startswith(_SQLITE):
        database = Path(uri.removeprefix(_SQLITE)).resolve()
        return Store(_SQLITE + str(database), database)
    return Store(uri, None)


def open_client(store: Store, *, say: Callable[[str], None] | None = None) -> MlflowClient:
    """Return a client of the store, making its database at the first use.

    Parameters
    ----------
    store : Store
    say : callable, optional
        Told when a database has to be made, which takes some seconds.

    Raises
    ------
    MissingExtraError
        When mlflow is not installed.
    SettingsError
        When the folder of the database can't be made, or MLflow refuses the store.
    """
    with _no_telemetry():
        try:
            from mlflow import MlflowClient
        except ImportError as error:
            raise MissingExtraError(
                f"Expected mlflow to log the run; {error.name} is not installed. "
                "Run pip install 'handoff-eval[bench]'."
            ) from None
    with refusals_in_words(store):
        if store.database is not None and not store.database.is_file():
            if say is not None:
                say(f"making the tracking store {store.database} (once)")
            _make_database(store)
        return MlflowClient(tracking_uri=store.uri, registry_uri=store.uri)


@contextmanager
def refusals_in_words(store: Store) -> Iterator[None]:
    """Turn what MLflow refuses within the block into a `SettingsError` that names the store."""
    from mlflow.exceptions import MlflowException

    try:
        yield
    except MlflowException as error:
        said = str(error).strip().partition("\n")[0]
        raise SettingsError(
            f"Expected a tracking store at {store.uri}; MLflow says: {said} "
            "Check MLFLOW_TRACKING_URI, or unset it to use the project's own store."
        ) from error


def experiment_id(client: MlflowClient, store: Store, name: str = EXPERIMENT) -> str:
    """Return the id of an experiment, made when missing and brought back when deleted."""
    from mlflow.entities import LifecycleStage

    found = client.get_experiment_by_name(name)
    if found is None:
        location = None if store.artifacts is None else store.artifacts.as_uri()
        view = json.dumps({"selectedColumns": _COLUMNS, "columnOrder": _COLUMNS})
        tags = {
            "mlflow.experimentKind": "custom_model_development",
            f"mlflow.sharedViewState.{VIEW}": view,
        }
        return str(client.create_experiment(name, artifact_location=location, tags=tags))
    if found.lifecycle_stage == LifecycleStage.DELETED:
        client.restore_experiment(found.experiment_id)
    return str(found.experiment_id)


def _make_database(store: Store) -> None:
    """Make the SQLite file, so that not even MLflow's own first experiment follows the folder."""
    assert store.database is not None  # noqa: S101 - open_client asks only then
    try:
        store.database.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SettingsError(
            f"Expected to make the folder {store.database.parent}; {error.strerror}. "
            "Set HANDOFF_EVAL_HOME or MLFLOW_TRACKING_URI to a place that can be written."
        ) from None
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    with quietly("mlflow.store.db.utils"):
        SqlAlchemyStore(store.uri, str(store.artifacts))


@contextmanager
def quietly(name: str) -> Iterator[None]:
    """Hold back what one of MLflow's loggers says below a warning."""
    logger = logging.getLogger(name)
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.setLevel(level)


@contextmanager
def without_bars() -> Iterator[None]:
    """Keep MLflow from drawing a progress bar for every artifact that is copied."""
    with _unless_set(_BARS, "false"):
        yield


@contextmanager
def _no_telemetry() -> Iterator[None]:
    """Keep MLflow from reporting its use over the network, which it decides when imported."""
    with _unless_set(_TELEMETRY, "true"):
        yield


@contextmanager
def _unless_set(name: str, value: str) -> Iterator[None]:
    """Set a variable of the environment within the block, unless the user has set it."""
    if name in os.environ:
        yield
        return
    os.environ[name] = value
    try:
        yield
    finally:
        del os.environ[name]
