"""The files of an encoder by its revision, made again from the pinned weights where need be."""

from __future__ import annotations

import re
from pathlib import Path

from handoff_eval.encoders.minilm import REVISION, exported_minilm, load_minilm_int8
from handoff_eval.encoders.static import load_static
from handoff_eval.errors import SettingsError
from handoff_eval.settings import cache_dir, static_model

_FINE_TUNED = re.compile(r"setfit-[0-9a-f]{16}")


def encoder_files(revision: str) -> tuple[Path, Path]:
    """Return the paths of an encoder's graph or table, and of its tokenizer.

    Raises
    ------
    SettingsError
        When the revision can't be made here.
    MissingExtraError
        When the package with the weights is not installed.
    """
    if revision == REVISION:
        return exported_minilm()
    if revision.startswith(f"{REVISION}-int8-"):
        rounded = load_minilm_int8()
        if rounded.revision == revision:
            return rounded.model, rounded.tokenizer
    if revision.startswith("model2vec-"):
        static = load_static(static_model())
        if static.revision == revision:
            return static.vectors, static.tokenizer
    if _FINE_TUNED.fullmatch(revision):
        folder = cache_dir() / revision
        if (folder / "model.onnx").is_file() and (folder / "tokenizer.json").is_file():
            return folder / "model.onnx", folder / "tokenizer.json"
    raise SettingsError(
        f"Expected to find or make the encoder {revision!r} here; it is neither in {cache_dir()} "
        "nor made by this version of handoff-eval. Export where it was compared, or compare again."
    )
