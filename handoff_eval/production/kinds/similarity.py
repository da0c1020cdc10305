"""The similarity arm in a bundle: the instruction's words and the encoder that reads them."""

from __future__ import annotations

from pathlib import Path

from handoff_eval.production.kinds.base import Files, Kind, Spec
from handoff_eval.production.kinds.encoder import read_encoder, write_encoder
from handoff_eval.triggers.similarity import SimilarityTrigger

INSTRUCTION = "instruction.txt"


def _write(trigger: SimilarityTrigger, folder: Path) -> Spec:
    # Line ends are part of what the description's digest is of.
    (folder / INSTRUCTION).write_bytes(trigger.instruction.encode("utf-8"))
    return {"encoder": write_encoder(trigger.encoder, folder)}


def _read(spec: Spec, files: Files) -> SimilarityTrigger:
    instruction = files[INSTRUCTION].read_bytes().decode("utf-8")
    return SimilarityTrigger(instruction, read_encoder(spec["encoder"], files), name=spec["name"])


KIND = Kind("similarity", SimilarityTrigger, _write, _read)
