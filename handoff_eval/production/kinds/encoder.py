"""An encoder in a bundle: its graph and tokenizer, or nothing where it has no weights."""

from __future__ import annotations

import shutil
from pathlib import Path

from handoff_eval.encoders.base import Encoder
from handoff_eval.encoders.cache import CachedEncoder
from handoff_eval.encoders.hashing import HashingEncoder
from handoff_eval.encoders.onnx_encoder import OnnxEncoder
from handoff_eval.encoders.recent import RecentEncoder
from handoff_eval.encoders.static import StaticEncoder
from handoff_eval.errors import BundleError
from handoff_eval.production.kinds.base import Files, Spec

MODEL, VECTORS, TOKENIZER = "encoder.onnx", "vectors.npy", "tokenizer.json"


def write_encoder(encoder: Encoder, folder: Path) -> Spec:
    """Put an encoder's files into a folder and return its spec.

    Raises
    ------
    BundleError
        When it is of a kind that can't leave the workbench.
    """
    spec: Spec = {"revision": encoder.revision, "dimension": encoder.dimension}
    if isinstance(encoder, CachedEncoder | RecentEncoder):
        encoder = encoder.encoder
    if isinstance(encoder, HashingEncoder):
        return {"kind": "hashing", **spec}
    if isinstance(encoder, OnnxEncoder):
        shutil.copyfile(encoder.model, folder / MODEL)
        shutil.copyfile(encoder.tokenizer, folder / TOKENIZER)
        return {"kind": "onnx", **spec}
    if isinstance(encoder, StaticEncoder):
        shutil.copyfile(encoder.vectors, folder / VECTORS)
        shutil.copyfile(encoder.tokenizer, folder / TOKENIZER)
        return {"kind": "static", **spec}
    raise BundleError(
        f"Expected an encoder that runs without the workbench (onnx, static, hashing); got "
        f"{encoder.revision!r}."
    )


def read_encoder(spec: Spec, files: Files) -> Encoder:
    """Return the encoder that `write_encoder` wrote.

    Raises
    ------
    BundleError
        When its kind is unknown.
    """
    if spec["kind"] == "hashing":
        return HashingEncoder(spec["dimension"])
    if spec["kind"] == "onnx":
        onnx = OnnxEncoder(files[MODEL], files[TOKENIZER], revision=spec["revision"])
        return RecentEncoder(onnx)
    if spec["kind"] == "static":
        return StaticEncoder(files[VECTORS], files[TOKENIZER], revision=spec["revision"])
    raise BundleError(f"Expected an encoder of kind onnx, static or hashing; got {spec['kind']!r}.")
