"""Triggers in MLflow's model registry: versions of one model a handoff, under two aliases.

`challenger` is the version that was registered last, `champion` the one in production. A version
holds a complete bundle in the layout of `mlflow.pyfunc`.
"""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from handoff_eval.errors import SettingsError
from handoff_eval.tracking.bundles import LoggedArm
from handoff_eval.tracking.prompts import registry_name
from handoff_eval.tracking.pyfunc import save_model
from handoff_eval.tracking.store import (
    locate_store,
    open_client,
    refusals_in_words,
    without_bars,
)

if TYPE_CHECKING:
    from mlflow.entities.model_registry import ModelVersion

CHAMPION, CHALLENGER = "champion", "challenger"
DIGEST, REASON = "handoff_eval.bundle_sha256", "handoff_eval.reason"
"""Tags of a version: which bundle it is, and why it became the champion or didn't."""

_PREFIX = "handoff-trigger"
_MODEL_URI = re.compile(r"models:/([^/@]+)(?:/(\d+)|@([\w-]+))")
_HANDOFF = "handoff_eval.handoff"
_CHAMPIONS = "handoff_eval.champions"
"""Tag of the model: the numbers of its champions, the present one last."""


@dataclass(frozen=True, slots=True)
class Version:
    """A registered version of a handoff's trigger."""

    model: str
    number: int
    tags: Mapping[str, str]

    @property
    def uri(self) -> str:
        """The address under which MLflow loads it."""
        return f"models:/{self.model}/{self.number}"


class Registry:
    """The versions of one handoff's trigger.

    Parameters
    ----------
    handoff : str
        Name of the handoff.

    Raises
    ------
    SettingsError
        When the store can't be used; so do all its methods.
    """

    def __init__(self, handoff: str) -> None:
        self.handoff = handoff
        self.model = registry_name(_PREFIX, handoff)
        self._store = locate_store()
        self._client = open_client(self._store)

    def champion(self) -> Version | None:
        """Return the version in production; None before the first one."""
        return self._under(CHAMPION)

    def register(
        self, bundle: Path, digest: str, arm: LoggedArm, *, description: str, example: Any
    ) -> Version:
        """Return the version that holds a bundle as the challenger, made where none holds it.

        Parameters
        ----------
        bundle : Path
            A complete one.
        digest : str
            Of its policy.
        arm : LoggedArm
            The run it comes from.
        description : str
            Markdown.
        example : list of dict
            Conversations that the model's input example shows.
        """
        with refusals_in_words(self._store), without_bars():
            if not self._known():
                self._client.create_registered_model(
                    self.model,
                    description=f"When the handoff {self.handoff!r} is triggered.",
                    tags={_HANDOFF: self.handoff},
                )
            found = next((v for v in self._versions() if v.tags.get(DIGEST) == digest), None)
            if found is None:
                found = self._add(bundle, digest, arm, description, example)
            number = found.version
            self._client.set_registered_model_alias(self.model, CHALLENGER, str(number))
            return _version(self._client.get_model_version(self.model, str(number)))

    def tag(self, version: Version, tags: Mapping[str, str]) -> None:
        """Set tags of a version."""
        with refusals_in_words(self._store):
            for name, value in tags.items():
                self._client.set_model_version_tag(self.model, str(version.number), name, value)

    def promote(self, version: Version, tags: Mapping[str, str]) -> None:
        """Move the alias `champion` to a version and keep in its tags why."""
        self.tag(version, tags)
        self._crown([*self._champions(), version.number])

    def roll_back(self, reason: str) -> tuple[Version, Version]:
        """Move the alias `champion` back to the champion before this one; return both.

        Raises
        ------
        SettingsError
            When there is no champion, or none before it.
        """
        present, champions = self.champion(), self._champions()
        if present is None:
            raise SettingsError(
                f"Expected a champion of {self.model} to roll back from; there is none in "
                f"{self._store.uri}."
            )
        if len(champions) < 2:
            raise SettingsError(
                f"Expected a champion before {present.uri} to go back to; it was the first. "
                "Stop asking it instead: MLflow's page of the model removes the alias."
            )
        self.tag(present, {"handoff_eval.rolled_back": reason})
        self._crown(champions[:-1])
        former = self.champion()
        assert former is not None  # noqa: S101 - just crowned
        return present, former

    def _crown(self, champions: list[int]) -> None:
        with refusals_in_words(self._store):
            self._client.set_registered_model_tag(self.model, _CHAMPIONS, json.dumps(champions))
            self._client.set_registered_model_alias(self.model, CHAMPION, str(champions[-1]))

    def _champions(self) -> list[int]:
        """Return the numbers of all champions, one whom somebody crowned by hand included."""
        with refusals_in_words(self._store):
            tags = self._client.get_registered_model(self.model).tags
        champions: list[int] = json.loads(tags.get(_CHAMPIONS, "[]"))
        present = self.champion()
        if present is not None and champions[-1:] != [present.number]:
            champions.append(present.number)
        return champions

    def _under(self, alias: str) -> Version | None:
        with refusals_in_words(self._store):
            number = self._known() and self._aliases().get(alias)
            if not number:
                return None
            return _version(self._client.get_model_version(self.model, str(number)))

    def _aliases(self) -> Mapping[str, Any]:
        aliases: Mapping[str, Any] = self._client.get_registered_model(self.model).aliases
        return aliases

    def _known(self) -> bool:
        return bool(self._client.search_registered_models(f"name = '{self.model}'"))

    def _versions(self) -> list[ModelVersion]:
        return list(self._client.search_model_versions(f"name = '{self.model}'"))

    def _add(
        self, bundle: Path, digest: str, arm: LoggedArm, description: str, example: Any
    ) -> ModelVersion:
        """Log the bundle as a model of its run and register it."""
        logged = self._client.create_logged_model(
            arm.experiment_id,
            name=arm.name,
            source_run_id=arm.run_id,
            model_type="handoff-trigger",
            tags={DIGEST: digest},
        )
        with tempfile.TemporaryDirectory() as folder:
            saved = Path(folder) / "model"
            save_model(bundle, saved, example=example, model_id=logged.model_id, run_id=arm.run_id)
            self._client.log_model_artifacts(logged.model_id, str(saved))
        self._client.finalize_logged_model(logged.model_id, "READY")
        return self._client.create_model_version(
            self.model,
            source=logged.artifact_location,
            run_id=arm.run_id,
            model_id=logged.model_id,
            tags={DIGEST: digest, "handoff_eval.arm": arm.name},
            description=description,
        )


def fetch_model(uri: str, to: Path) -> Path:
    """Write what is registered under `models:/NAME/3` or `models:/NAME@champion` into a folder.

    Returns
    -------
    Path
        The bundle in it.

    Raises
    ------
    SettingsError
        When nothing is, or the store can't be read.
    """
    from mlflow.artifacts import download_artifacts
    from mlflow.exceptions import MlflowException

    match = _MODEL_URI.fullmatch(uri)
    if match is None:
        raise SettingsError(
            f"Expected a version such as models:/handoff-trigger.support@champion or "
            f"models:/handoff-trigger.support/3; got {uri!r}."
        )
    name, number, alias = match.groups()
    store = locate_store()
    client = open_client(store)
    try:
        found = (
            client.get_model_version(name, number)
            if number
            else client.get_model_version_by_alias(name, alias)
        )
    except MlflowException:
        raise SettingsError(
            f"Expected a version {uri!r} in {store.uri}; there is none. See 'handoff-eval ui' "
            "under Models, or register one with 'handoff-eval promote'."
        ) from None
    # The address itself would be looked up in MLflow's global registry, not in this store.
    with refusals_in_words(store), without_bars():
        folder = Path(
            download_artifacts(artifact_uri=found.source, dst_path=str(to), tracking_uri=store.uri)
        )
    bundle = folder / "data"
    if not bundle.is_dir():
        raise SettingsError(
            f"Expected {uri} to be a trigger that 'handoff-eval promote' registered; it has no "
            "bundle."
        )
    return next((path for path in bundle.iterdir() if path.is_dir()), bundle)


def handoffs_registered() -> list[str]:
    """Return the names of the handoffs whose triggers are registered."""
    store = locate_store()
    client = open_client(store)
    with refusals_in_words(store):
        models = client.search_registered_models(f"name LIKE '{_PREFIX}.%'")
    return sorted(str(model.tags[_HANDOFF]) for model in models)


def _version(found: ModelVersion) -> Version:
    return Version(found.name, int(found.version), dict(found.tags))
