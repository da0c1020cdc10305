"""A bundle without its encoder's files: what a run keeps of each arm, and how it is made whole.

An encoder is most of a bundle's size and the same in many of them, and it can be made again from
the pinned weights. The policy names it by SHA-256 all the same, so a bundle that was made whole is
the one that was compared, to the last bit, or it is refused.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from handoff_eval.encoders.files import encoder_files
from handoff_eval.errors import BundleError
from handoff_eval.evaluation.comparison.arm_scores import Arm
from handoff_eval.evaluation.comparison.result import Comparison
from handoff_eval.evaluation.replay_table import replay_to_csv
from handoff_eval.handoff import Handoff
from handoff_eval.production.bundle import read_policy, sha256_of, write_bundle
from handoff_eval.production.kinds.encoder import MODEL, TOKENIZER, VECTORS
from handoff_eval.production.measured import measured_facts
from handoff_eval.tracking.bundles import BUNDLE, MEASURED, NOT_EXPORTED, SCORES
from handoff_eval.tracking.entries import Entry, File, Tag
from handoff_eval.trigger import Trigger

_LEFT_OUT = (MODEL, VECTORS, TOKENIZER)


def draft_entries(
    arm: Arm, comparison: Comparison, handoff: Handoff, *, log_text: bool = False
) -> Iterator[Entry]:
    """Yield what an arm's run must keep so that `export_run` can export it, or why it can't be.

    Parameters
    ----------
    arm : Arm
    comparison : Comparison
        Which measured it.
    handoff : Handoff
    log_text : bool
        Whether a bundle may be kept whose prompt quotes conversations.
    """
    trigger = arm.trigger
    if _quotes_conversations(trigger) and not log_text:
        yield Tag(
            NOT_EXPORTED,
            "its prompt quotes conversations of train, which MLflow keeps only with --log-text",
        )
        return
    result = comparison.arm(trigger.name)
    with tempfile.TemporaryDirectory() as folder:
        try:
            written = write_bundle(
                trigger,
                result.point,
                handoff=handoff.name,
                instruction=handoff.instruction,
                to=Path(folder) / BUNDLE,
            )
        except BundleError as error:
            yield Tag(NOT_EXPORTED, str(error))
            return
        for file in sorted(written.iterdir()):
            if file.name not in _LEFT_OUT:
                yield File(f"{BUNDLE}/{file.name}", file.read_bytes())
    yield File(SCORES, replay_to_csv(result.test.replay).encode())
    facts = json.dumps(measured_facts(comparison, trigger.name), indent=2, allow_nan=False)
    yield File(MEASURED, f"{facts}\n".encode())


def complete_draft(folder: Path) -> None:
    """Put the files that a draft leaves out into its folder.

    Raises
    ------
    BundleError
        When what this machine has or makes isn't what was compared.
    SettingsError
        When it can't be made here.
    """
    policy = read_policy(folder)
    for spec in _encoders(policy["trigger"]):
        table_or_graph = VECTORS if spec["kind"] == "static" else MODEL
        for name, source in zip(
            (table_or_graph, TOKENIZER), encoder_files(spec["revision"]), strict=True
        ):
            listed = policy["files"][name]["sha256"]
            if (found := sha256_of(source)) != listed:
                raise BundleError(
                    f"Expected {source} to be the {name} that was compared, with sha256 "
                    f"{listed[:12]}; got {found[:12]}. Another version of torch or onnx may have "
                    "made it: install what constraints.txt pins and remove that folder, or compare "
                    "again."
                )
            shutil.copyfile(source, folder / name)


def _encoders(spec: Any) -> Iterator[Mapping[str, Any]]:
    """Yield the specs of encoders with files, wherever they stand in a trigger's."""
    if isinstance(spec, Mapping):
        if spec.get("kind") in {"onnx", "static"} and "revision" in spec:
            yield spec
        for part in spec.values():
            yield from _encoders(part)
    elif isinstance(spec, list):
        for part in spec:
            yield from _encoders(part)


def _quotes_conversations(trigger: Trigger) -> bool:
    prompt = getattr(trigger, "prompt", trigger)
    return bool(getattr(prompt, "shots", ()))
