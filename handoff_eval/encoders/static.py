"""Static embeddings: the mean of one vector a token, a lookup instead of a network.

Running needs numpy and tokenizers alone; `load_static` distils MiniLM once with model2vec, or
takes a model2vec folder that is given.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from handoff_eval.encoders.minilm import WEIGHTS_SHA256, quiet, weights_folder
from handoff_eval.errors import DataError, MissingExtraError, SettingsError
from handoff_eval.settings import cache_dir

DIMENSION = 256
REVISION = f"model2vec-{DIMENSION}-of-all-MiniLM-L6-v2-{WEIGHTS_SHA256[:12]}"
VECTORS, TOKENIZER = "vectors.npy", "tokenizer.json"


class StaticEncoder:
    """Averages token vectors and scales the mean to unit length.

    Parameters
    ----------
    vectors : Path
        float32 array in NumPy's format, shape (tokens, dimension), weights of tokens included.
    tokenizer : Path
        `tokenizer.json`.
    revision : str
        Names the vectors.
    """

    def __init__(self, vectors: Path, tokenizer: Path, *, revision: str) -> None:
        self.revision = revision
        self.vectors, self.tokenizer = vectors, tokenizer
        self._table: NDArray[np.float32] = np.load(vectors, allow_pickle=False)
        self._tokenizer = Tokenizer.from_file(str(tokenizer))
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()
        if self._table.ndim != 2 or len(self._table) < self._tokenizer.get_vocab_size():
            raise DataError(
                f"Expected one vector for each of {self._tokenizer.get_vocab_size()} tokens in "
                f"{vectors}; got shape {self._table.shape}. Make them again."
            )
        self.dimension = int(self._table.shape[1])
        self._unknown = self._tokenizer.token_to_id("[UNK]")

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return one unit vector a text; a text without a known token is the zero vector."""
        encodings = self._tokenizer.encode_batch(list(texts), add_special_tokens=False)
        vectors = np.zeros((len(texts), self.dimension), dtype=np.float32)
        for row, encoding in zip(vectors, encodings, strict=True):
            known = [token for token in encoding.ids if token != self._unknown]
            if known:
                mean = self._table[known].mean(axis=0)
                row[:] = mean / max(float(np.linalg.norm(mean)), 1e-12)
        return vectors


def load_static(folder: Path | None = None) -> StaticEncoder:
    """Return static embeddings: those of a model2vec folder, else distilled from MiniLM.

    Distilling takes about half a minute, once; the result is kept in the cache.

    Parameters
    ----------
    folder : Path, optional
        What model2vec's `save_pretrained` wrote; nothing is downloaded.

    Raises
    ------
    MissingExtraError
        When model2vec is not installed and the vectors aren't in the cache yet.
    SettingsError
        When the folder holds no model2vec model.
    """
    revision = REVISION if folder is None else f"model2vec-{_digest(folder)}"
    kept = cache_dir() / revision
    if not ((kept / VECTORS).exists() and (kept / TOKENIZER).exists()):
        _keep(_distilled() if folder is None else _given(folder), kept)
    return StaticEncoder(kept / VECTORS, kept / TOKENIZER, revision=revision)


def _digest(folder: Path) -> str:
    digest = hashlib.sha256()
    try:
        for name in ("model.safetensors", TOKENIZER, "config.json"):
            digest.update((folder / name).read_bytes())
    except OSError as error:
        raise SettingsError(
            f"Expected a folder that model2vec saved; {error.filename} can't be read "
            f"({error.strerror})."
        ) from None
    return digest.hexdigest()[:12]


def _keep(model: Any, folder: Path) -> None:
    """Write a model2vec model as one table, in place only when it is whole."""
    tokens = np.arange(model.tokenizer.get_vocab_size())
    table = model.embedding[tokens if model.token_mapping is None else model.token_mapping[tokens]]
    if model.weights is not None:
        table = table * model.weights[tokens][:, None]
    partial = folder.with_name(f"{folder.name}.{os.getpid()}.partial")
    partial.mkdir(parents=True)
    try:
        np.save(partial / VECTORS, np.ascontiguousarray(table, dtype=np.float32))
        model.tokenizer.save(str(partial / TOKENIZER))
        if not folder.exists():
            partial.replace(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _distilled() -> Any:
    distill, _ = _model2vec()
    from transformers import BertModel, BertTokenizerFast

    source = weights_folder()
    with quiet():
        return distill(
            BertModel.from_pretrained(source, add_pooling_layer=False),
            BertTokenizerFast.from_pretrained(source),
            pca_dims=DIMENSION,
            quantize_to="float32",
        )


def _given(folder: Path) -> Any:
    _, model = _model2vec()
    try:
        return model.from_pretrained(str(folder))
    except Exception as error:  # model2vec raises of every kind for a folder that isn't its own
        raise SettingsError(f"{folder}: expected a model2vec model; {error}.") from None


def _model2vec() -> tuple[Any, Any]:
    try:
        from model2vec import StaticModel
        from model2vec.distill import distill_from_model
    except ImportError as error:
        raise MissingExtraError(
            f"Expected model2vec to make static embeddings; {error.name} is not installed. "
            "Run: pip install 'handoff-eval[bench]'."
        ) from None
    return distill_from_model, StaticModel
