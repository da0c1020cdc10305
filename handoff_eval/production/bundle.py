"""An exported trigger: a folder of data files, no code, that decides as it was measured.

Format 1 holds `bundle.json` (the policy) and the files of its kind of trigger (`kinds`).
`bundle.json` names every file with its SHA-256 and size. A change that an older reader would
misread raises the number; a new optional field or kind does not. A reader refuses numbers and
kinds that it doesn't know.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from handoff_eval import __version__
from handoff_eval.errors import BundleError
from handoff_eval.evaluation.operating_point import OperatingPoint
from handoff_eval.production.kinds.table import read_trigger, write_trigger
from handoff_eval.trigger import Trigger

FORMAT = 1
POLICY = "bundle.json"
MAX_FILE_BYTES = 1 << 30


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
    """

    trigger: Trigger
    point: OperatingPoint
    handoff: str
    instruction: str
    path: Path


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
    except BundleError:
        shutil.rmtree(to)
        raise
    policy = {
        "format": FORMAT,
        "handoff_eval": __version__,
        "handoff": handoff,
        "instruction": instruction,
        "trigger": {"name": trigger.name, "description": trigger.description, **parts},
        "operating_point": point.to_dict(),
        "files": {
            file.name: {"sha256": _sha256(file), "bytes": file.stat().st_size}
            for file in sorted(to.iterdir())
        },
    }
    text = json.dumps(policy, indent=2, ensure_ascii=False, allow_nan=False)
    (to / POLICY).write_text(text + "\n", encoding="utf-8")
    return to


def read_bundle(path: Path) -> Bundle:
    """Read and check a bundle.

    Raises
    ------
    BundleError
        With one sentence: no policy, an unknown format, a file missing, changed, too large or not
        a plain file, or a policy that doesn't hold what it must.
    """
    policy = _read_policy(path)
    try:
        files = _checked_files(path, policy["files"])
        spec = policy["trigger"]
        return Bundle(
            trigger=read_trigger(spec, files),
            point=OperatingPoint.from_dict(policy["operating_point"]),
            handoff=policy["handoff"],
            instruction=policy["instruction"],
            path=path,
        )
    except BundleError:
        raise
    except (KeyError, TypeError, ValueError, AttributeError, RuntimeError) as error:
        raise BundleError(
            f"{path}: expected a complete policy; {type(error).__name__}: {error}. "
            "Export the trigger again."
        ) from None


def _read_policy(path: Path) -> dict[str, Any]:
    try:
        policy = json.loads((path / POLICY).read_text(encoding="utf-8"))
    except OSError:
        raise BundleError(
            f"{path}: expected a folder with {POLICY}; found none. "
            "Export a trigger with 'handoff-eval export'."
        ) from None
    except ValueError as error:
        raise BundleError(f"{path / POLICY}: expected JSON in UTF-8; {error}.") from None
    if not isinstance(policy, dict) or policy.get("format") != FORMAT:
        found = policy.get("format") if isinstance(policy, dict) else type(policy).__name__
        raise BundleError(
            f"{path / POLICY}: expected format {FORMAT}; got {found!r}. "
            "Read it with the version of handoff-eval that wrote it, or export again."
        )
    return policy


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
        if _sha256(file) != facts["sha256"]:
            raise BundleError(f"{file}: expected the content that was exported; it was changed.")
        files[name] = file
    return files


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
