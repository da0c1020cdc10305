"""An exported trigger: a folder of data files, no code, that decides as it was measured.

Format 1 holds `bundle.json` (the policy), the files of its kind of trigger (`kinds`) and
`golden.json`, scores that it must give again. `bundle.json` names every file with its SHA-256 and
size. A change that an older reader would misread raises the number; a new optional field or kind
does not. A reader refuses numbers and kinds that it doesn't know, and goes on reading every format
there ever was (docs/bundle.md).
"""

from __future__ import annotations

import hashlib
import json
import math
import shutil
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from handoff_eval import __version__
from handoff_eval.errors import BundleError, SettingsError
from handoff_eval.evaluation.operating_point import OperatingPoint
from handoff_eval.production.golden import GOLDEN, check_golden, write_golden
from handoff_eval.production.kinds.table import asks_a_model, read_trigger, write_trigger
from handoff_eval.production.onnx_guard import refuse_unsafe_graph
from handoff_eval.production.revocation import read_revocation
from handoff_eval.trigger import Trigger

FORMAT = 1
POLICY = "bundle.json"
MAX_FILE_BYTES = 1 << 30
MAX_POLICY_BYTES = 1 << 20
RUNTIME = ("numpy", "onnxruntime", "tokenizers")


@dataclass(frozen=True, slots=True)
class Bundle:
    """A trigger with the operating point that cuts it and the handoff it serves.

    Attributes
    ----------
    trigger : Trigger
    point : OperatingPoint
    handoff : str
        Name of the handoff.
    instruction : str
        The condition it was tuned for.
    path : Path
        Where it was read from.
    packages : dict of str to str
        Versions that it was exported with.
    source : dict of str to str
        The run it comes from (`run`), the registered version of its instruction
        (`instruction_version`) and the fingerprint of the data it was measured on
        (`dataset_digest`); empty where it was written without a run.
    """

    trigger: Trigger
    point: OperatingPoint
    handoff: str
    instruction: str
    path: Path
    packages: dict[str, str] = field(default_factory=dict)
    source: dict[str, str] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        """The sha256 of its policy, which names every file by digest: what it is, in one line."""
        return sha256_of(self.path / POLICY)


def write_bundle(
    trigger: Trigger, point: OperatingPoint, *, handoff: str, instruction: str, to: Path
) -> Path:
    """Write a trigger and its operating point as a new folder; `export_bundle` proves it too.

    Raises
    ------
    BundleError
        When the trigger is of a kind that can't leave the workbench, or belongs to another
        operating point, or when `to` exists.
    """
    if point.trigger != trigger.name:
        raise BundleError(
            f"Expected the operating point of {trigger.name!r}; got that of {point.trigger!r}."
        )
    if to.exists():
        raise BundleError(f"Expected {to} to be free; it exists. Replace bundles by exporting.")
    to.mkdir(parents=True)
    try:
        parts = write_trigger(trigger, to)
        if not asks_a_model(trigger):
            write_golden(trigger, to)
    except BundleError:
        shutil.rmtree(to)
        raise
    policy = {
        "format": FORMAT,
        "handoff_eval": __version__,
        "packages": {name: version(name) for name in RUNTIME},
        "handoff": handoff,
        "instruction": instruction,
        "trigger": {"name": trigger.name, "description": trigger.description, **parts},
        "operating_point": point.to_dict(),
        "files": {
            file.name: {"sha256": sha256_of(file), "bytes": file.stat().st_size}
            for file in sorted(to.iterdir())
        },
    }
    write_policy(policy, to)
    return to


def write_policy(policy: dict[str, Any], folder: Path) -> None:
    """Write the policy of a bundle."""
    text = json.dumps(policy, indent=2, ensure_ascii=False, allow_nan=False)
    (folder / POLICY).write_text(text + "\n", encoding="utf-8")


def read_bundle(path: Path) -> Bundle:
    """Read and check a bundle.

    Raises
    ------
    BundleError
        With one sentence: no policy, an unknown format, a file missing, changed, too large or not
        a plain file, a graph that names other files or loops, a policy that doesn't hold what it
        must, or other scores than the golden ones.
    """
    policy = read_policy(path)
    try:
        files = _checked_files(path, policy["files"])
        for name, file in files.items():
            if name.endswith(".onnx"):
                refuse_unsafe_graph(file)
        bundle = Bundle(
            trigger=read_trigger(policy["trigger"], files),
            point=_as_it_stands(OperatingPoint.from_dict(policy["operating_point"]), path),
            handoff=_text(policy, "handoff"),
            instruction=_text(policy, "instruction"),
            path=path,
            packages=dict(policy.get("packages", {})),
            source=dict(policy.get("source", {})),
        )
        if not math.isfinite(bundle.point.threshold):
            raise BundleError(f"{path}: expected a threshold; got {bundle.point.threshold}.")
        if GOLDEN in files:
            check_golden(bundle.trigger, files[GOLDEN])
        return bundle
    except (BundleError, SettingsError):
        raise
    except Exception as error:  # runtimes raise kinds of their own on hostile files
        raise BundleError(
            f"{path}: expected a complete policy; {type(error).__name__}: {error}. "
            "Export the trigger again."
        ) from None


def _as_it_stands(point: OperatingPoint, path: Path) -> OperatingPoint:
    """Return the point with its certificate revoked where a file beside the bundle says so."""
    revocation = read_revocation(path)
    if revocation is None or point.certificate is None:
        return point
    revoked = point.certificate.revoke(revocation.reason, at=revocation.revoked_at)
    return replace(point, certificate=revoked)


def read_policy(path: Path) -> dict[str, Any]:
    """Return the policy of a bundle, unchecked but for its format.

    Raises
    ------
    BundleError
        When there is none, or it is no JSON, too long or of another format.
    """
    file = path / POLICY
    # Opening a pipe would wait for ever; a missing file falls through to its own sentence.
    if file.is_symlink() or (file.exists() and not file.is_file()):
        raise BundleError(f"{file}: expected a plain file; it is a link or no file.")
    try:
        with file.open("rb") as stream:
            text = stream.read(MAX_POLICY_BYTES + 1)
        if len(text) > MAX_POLICY_BYTES:
            raise ValueError(f"it is longer than {MAX_POLICY_BYTES} bytes")
        policy = json.loads(text.decode(), parse_constant=_refuse_constant)
    except OSError:
        raise BundleError(
            f"{path}: expected a folder with {POLICY}; found none. "
            "Export a trigger with 'handoff-eval export'."
        ) from None
    except (ValueError, RecursionError) as error:
        raise BundleError(f"{file}: expected JSON in UTF-8; {error}.") from None
    found = policy.get("format") if isinstance(policy, dict) else type(policy).__name__
    if not isinstance(policy, dict) or type(found) is not int or found != FORMAT:
        raise BundleError(
            f"{file}: expected format {FORMAT}; got {found!r}. "
            "Read it with the version of handoff-eval that wrote it, or export again."
        )
    return policy


def _refuse_constant(name: str) -> float:
    raise ValueError(f"it holds the number {name}")


def _text(policy: dict[str, Any], name: str) -> str:
    if not isinstance(policy[name], str):
        raise BundleError(f"Expected {name} to be a text in {POLICY}; got {policy[name]!r}.")
    return str(policy[name])


def _checked_files(path: Path, listed: dict[str, Any]) -> dict[str, Path]:
    files = {}
    for name, facts in listed.items():
        if Path(name).name != name or name in {"", ".", ".."} or "\\" in name:
            raise BundleError(f"{path}: expected plain file names; got {name!r}.")
        file = path / name
        if file.is_symlink() or not file.is_file():
            raise BundleError(f"{file}: expected a plain file; it is missing or a link.")
        size = file.stat().st_size
        if size != facts["bytes"] or size > MAX_FILE_BYTES:
            raise BundleError(f"{file}: expected {facts['bytes']} bytes; got {size}. Export again.")
        if sha256_of(file) != facts["sha256"]:
            raise BundleError(f"{file}: expected the content that was exported; it was changed.")
        files[name] = file
    return files


def sha256_of(file: Path) -> str:
    """Return the digest of a file."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
