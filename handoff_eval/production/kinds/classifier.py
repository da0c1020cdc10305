"""A trained head in a bundle: its graph, and the features it stands on."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from handoff_eval.conversation import Reason
from handoff_eval.errors import BundleError
from handoff_eval.production.kinds.base import Files, Kind, Spec
from handoff_eval.production.kinds.encoder import read_encoder, write_encoder
from handoff_eval.production.onnx_head import OnnxHead, write_head
from handoff_eval.triggers.classifier import ClassifierTrigger
from handoff_eval.triggers.feature_maps import FeatureMap, StackedFeatures, TurnFeatures
from handoff_eval.triggers.head import EstimatorHead, LinearHead
from handoff_eval.triggers.words import Vocabulary, WordFeatures

HEAD, WORDS = "head.onnx", "words.json"


def _write(trigger: ClassifierTrigger, folder: Path) -> Spec:
    if not isinstance(trigger.head, LinearHead | EstimatorHead):
        raise BundleError(
            "Expected a head fresh from training; this one was itself read from a bundle."
        )
    write_head(trigger.head, folder / HEAD)
    return {
        "features": [_write_features(part, folder) for part in _parts(trigger.features)],
        "reasons": [reason.value for reason in trigger.head.reasons.reasons],
    }


def _read(spec: Spec, files: Files) -> ClassifierTrigger:
    head = OnnxHead(files[HEAD], [Reason(reason) for reason in spec["reasons"]])
    parts = [_read_features(part, files) for part in spec["features"]]
    features = parts[0] if len(parts) == 1 else StackedFeatures(parts)
    return ClassifierTrigger(features, head, name=spec["name"])


def _parts(features: FeatureMap) -> tuple[FeatureMap, ...]:
    return features.parts if isinstance(features, StackedFeatures) else (features,)


def _write_features(features: FeatureMap, folder: Path) -> Spec:
    if isinstance(features, TurnFeatures):
        return {"kind": "turns", "encoder": write_encoder(features.encoder, folder)}
    if isinstance(features, WordFeatures):
        sides = {
            side: {"terms": vocabulary.terms, "idf": [float(value) for value in vocabulary.idf]}
            for side, vocabulary in (("customer", features.customer), ("agent", features.agent))
        }
        (folder / WORDS).write_text(json.dumps(sides, ensure_ascii=False), encoding="utf-8")
        return {"kind": "words"}
    raise BundleError(
        f"Expected features that run without the workbench (turns, words); got "
        f"{features.description!r}."
    )


def _read_features(spec: Spec, files: Files) -> FeatureMap:
    if spec["kind"] == "turns":
        return TurnFeatures(read_encoder(spec["encoder"], files))
    if spec["kind"] == "words":
        sides = json.loads(files[WORDS].read_text(encoding="utf-8"))
        return WordFeatures(
            *(
                Vocabulary(
                    tuple(sides[side]["terms"]), np.array(sides[side]["idf"], dtype=np.float32)
                )
                for side in ("customer", "agent")
            )
        )
    raise BundleError(f"Expected features of kind turns or words; got {spec['kind']!r}.")


KIND = Kind("classifier", ClassifierTrigger, _write, _read)
