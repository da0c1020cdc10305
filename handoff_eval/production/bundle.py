"""An exported trigger: a folder of data files, no code, that decides as it was measured.

Format 1 holds `bundle.json` (the policy) and, by the kind of trigger, `rules.txt` or
`head.onnx` with `encoder.onnx` and `tokenizer.json`. `bundle.json` names every file with its
SHA-256 and size. A change that an older reader would misread raises the number; a new optional
field does not. A reader refuses numbers it doesn't know.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from handoff_eval import __version__
from handoff_eval.conversation import Reason
from handoff_eval.encoders.hashing import HashingEncoder
from handoff_eval.encoders.onnx_encoder import OnnxEncoder
from handoff_eval.errors import BundleError
from handoff_eval.evaluation.operating_point import OperatingPoint
from handoff_eval.production.onnx_head import OnnxHead
from handoff_eval.trigger import Trigger
from handoff_eval.triggers.classifier import ClassifierTrigger
from handoff_eval.triggers.keyword import KeywordTrigger, parse_rules

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
    if not isinstance(trigger, KeywordTrigger | ClassifierTrigger):
        raise BundleError(
            f"Expected a trigger that runs without the workbench (keyword, minilm); got "
            f"{trigger.name!r}, which asks a language model."
        )
    if to.exists():
        raise BundleError(f"Expected {to} to be free; it exists. Replace bundles by exporting.")
    to.mkdir(parents=True)
    parts = _write_parts(trigger, to)
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
            trigger=_READERS[spec["kind"]](spec, files),
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


def _write_parts(trigger: KeywordTrigger | ClassifierTrigger, folder: Path) -> dict[str, Any]:
    if isinstance(trigger, KeywordTrigger):
        lines = [
            f"{rule.weight!r} | {rule.role} | {rule.reason} | {rule.pattern}"
            for rule in trigger.rules
        ]
        (folder / "rules.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
        return {"kind": "keyword"}
    return _write_classifier(trigger, folder)


def _write_classifier(trigger: ClassifierTrigger, folder: Path) -> dict[str, Any]:
    from handoff_eval.production.onnx_head import write_head
    from handoff_eval.triggers.head import LinearHead

    if not isinstance(trigger.head, LinearHead):
        raise BundleError(
            "Expected a head fresh from training; this one was itself read from a bundle."
        )
    write_head(trigger.head, folder / "head.onnx")
    encoder: dict[str, Any] = {
        "revision": trigger.encoder.revision,
        "dimension": trigger.encoder.dimension,
    }
    if encoder["revision"] == HashingEncoder(trigger.encoder.dimension).revision:
        encoder["kind"] = "hashing"
    else:
        from handoff_eval.encoders.minilm import exported_minilm

        model, tokenizer = exported_minilm()
        shutil.copyfile(model, folder / "encoder.onnx")
        shutil.copyfile(tokenizer, folder / "tokenizer.json")
        encoder["kind"] = "onnx"
    reasons = [reason.value for reason in trigger.head.reasons]
    return {"kind": "classifier", "encoder": encoder, "reasons": reasons}


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


def _read_keyword(spec: dict[str, Any], files: dict[str, Path]) -> Trigger:  # noqa: ARG001 - one signature
    rules = files["rules.txt"]
    return KeywordTrigger(parse_rules(rules.read_text(encoding="utf-8"), source=str(rules)))


def _read_classifier(spec: dict[str, Any], files: dict[str, Path]) -> Trigger:
    encoder = spec["encoder"]
    head = OnnxHead(files["head.onnx"], [Reason(reason) for reason in spec["reasons"]])
    if encoder["kind"] == "hashing":
        return ClassifierTrigger(HashingEncoder(encoder["dimension"]), head, name=spec["name"])
    if encoder["kind"] == "onnx":
        onnx = OnnxEncoder(
            files["encoder.onnx"], files["tokenizer.json"], revision=encoder["revision"]
        )
        return ClassifierTrigger(onnx, head, name=spec["name"])
    raise BundleError(f"Expected an encoder of kind onnx or hashing; got {encoder['kind']!r}.")


_READERS = {"keyword": _read_keyword, "classifier": _read_classifier}


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
