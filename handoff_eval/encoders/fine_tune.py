"""MiniLM fine-tuned on a few labelled texts in the SetFit way, exported like the original."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from handoff_eval.encoders.minilm import WEIGHTS_SHA256, export_minilm, quiet, weights_folder
from handoff_eval.encoders.onnx_encoder import OnnxEncoder
from handoff_eval.errors import DataError
from handoff_eval.settings import cache_dir

STEPS = 120
"""Steps of `PAIRS` pairs each; a few minutes on two cores."""

PAIRS = 16
LEARNING_RATE = 2e-5
MAX_TOKENS = 64
"""Of a text while it is learnt from; a turn has 28 on average."""


def fine_tune(
    texts: Sequence[str], needed: Sequence[bool], *, seed: int = 0, steps: int = STEPS
) -> OnnxEncoder:
    """Return an encoder in which texts of one kind lie together and apart from the other.

    Pairs are drawn evenly from both kinds: two of one kind are pulled to a cosine of 1, two of
    different kinds to 0 (Tunstall et al., Efficient few-shot learning without prompts, 2022,
    section 3). The result is kept in the cache under what it depends on: weights, texts, kinds,
    seed and steps.

    Parameters
    ----------
    texts : sequence of str
    needed : sequence of bool
        The kind of each text.
    seed : int
        Of pairs and dropout.
    steps : int

    Raises
    ------
    DataError
        When a kind has fewer than two texts.
    MissingExtraError
        When the weights are not installed.
    """
    kinds = np.array(needed, dtype=bool)
    if min(kinds.sum(), (~kinds).sum()) < 2:
        raise DataError(
            f"Expected at least 2 texts of either kind to fine-tune on; got {kinds.sum()} with "
            f"and {(~kinds).sum()} without a need. Label more conversations."
        )
    digest = hashlib.sha256(f"{WEIGHTS_SHA256} {seed} {steps} {PAIRS} {LEARNING_RATE}".encode())
    for text, kind in zip(texts, kinds, strict=True):
        digest.update(f"\0{kind:d}".encode() + text.encode("utf-8", "surrogatepass"))
    revision = f"setfit-{digest.hexdigest()[:16]}"
    folder = cache_dir() / revision
    model, tokenizer = folder / "model.onnx", folder / "tokenizer.json"
    if not (model.exists() and tokenizer.exists()):
        with tempfile.TemporaryDirectory() as tuned, quiet():
            _fit(texts, kinds, Path(tuned), seed=seed, steps=steps)
            export_minilm(Path(tuned), folder)
    return OnnxEncoder(model, tokenizer, revision=revision)


def _fit(texts: Sequence[str], kinds: np.ndarray, to: Path, *, seed: int, steps: int) -> None:
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.losses import CosineSimilarityLoss

    random = np.random.default_rng(seed)
    of_kind = [np.flatnonzero(kinds), np.flatnonzero(~kinds)]
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = SentenceTransformer(str(weights_folder()), device="cpu")
        model.max_seq_length = MAX_TOKENS
        loss = CosineSimilarityLoss(model)
        optimizer = torch.optim.AdamW(model.parameters(), lr=LEARNING_RATE)
        model.train()
        for _ in range(steps):
            left = random.integers(2, size=PAIRS)
            same = np.arange(PAIRS) % 2
            right = np.where(same, left, 1 - left)
            sides = [
                model.preprocess([texts[random.choice(of_kind[kind])] for kind in side])
                for side in (left, right)
            ]
            optimizer.zero_grad()
            loss(sides, torch.tensor(same, dtype=torch.float32)).backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
        model[0].auto_model.save_pretrained(to)
