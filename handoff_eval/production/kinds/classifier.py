"""A trained head in a bundle: its graph, and the encoder it stands on."""

from __future__ import annotations

from pathlib import Path

from handoff_eval.conversation import Reason
from handoff_eval.errors import BundleError
from handoff_eval.production.kinds.base import Files, Kind, Spec
from handoff_eval.production.kinds.encoder import read_encoder, write_encoder
from handoff_eval.production.onnx_head import OnnxHead, write_head
from handoff_eval.triggers.classifier import ClassifierTrigger
from handoff_eval.triggers.head import LinearHead

HEAD = "head.onnx"


def _write(trigger: ClassifierTrigger, folder: Path) -> Spec:
    if not isinstance(trigger.head, LinearHead):
        raise BundleError(
            "Expected a head fresh from training; this one was itself read from a bundle."
        )
    write_head(trigger.head, folder / HEAD)
    return {
        "encoder": write_encoder(trigger.encoder, folder),
        "reasons": [reason.value for reason in trigger.head.reasons],
    }


def _read(spec: Spec, files: Files) -> ClassifierTrigger:
    head = OnnxHead(files[HEAD], [Reason(reason) for reason in spec["reasons"]])
    return ClassifierTrigger(read_encoder(spec["encoder"], files), head, name=spec["name"])


KIND = Kind("classifier", ClassifierTrigger, _write, _read)
