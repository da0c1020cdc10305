"""A sentence encoder on ONNX Runtime: the same code in the workbench and in a bundle."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from tokenizers import Tokenizer

MAX_TOKENS = 256
BATCH_TOKENS = 4096


class OnnxEncoder:
    """Encodes with an ONNX graph that maps token ids to unit vectors.

    Parameters
    ----------
    model : Path
        Graph with inputs `input_ids`, `attention_mask` of shape (batch, tokens) and output
        `vectors` of shape (batch, dimension).
    tokenizer : Path
        `tokenizer.json`.
    revision : str
        Names model and weights.
    """

    def __init__(self, model: Path, tokenizer: Path, *, revision: str) -> None:
        self.revision = revision
        self.model, self.tokenizer = model, tokenizer
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(
            str(model), sess_options=options, providers=["CPUExecutionProvider"]
        )
        self.dimension = int(self._session.get_outputs()[0].shape[-1])
        self._tokenizer = Tokenizer.from_file(str(tokenizer))
        self._tokenizer.enable_truncation(MAX_TOKENS)
        self._tokenizer.no_padding()

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return one unit vector a text, shape (len(texts), dimension), in the order given.

        Equal texts are computed once; batches hold texts of similar length, about
        `BATCH_TOKENS` tokens each.
        """
        distinct = list(dict.fromkeys(texts))
        encodings = self._tokenizer.encode_batch(distinct)
        order = sorted(range(len(distinct)), key=lambda i: len(encodings[i].ids))
        vectors = np.zeros((len(distinct), self.dimension), dtype=np.float32)
        start = 0
        while start < len(order):
            stop = start + 1
            while (
                stop < len(order)
                and (stop - start + 1) * len(encodings[order[stop]].ids) <= BATCH_TOKENS
            ):
                stop += 1
            rows = order[start:stop]
            vectors[rows] = self._run([encodings[row].ids for row in rows])
            start = stop
        place = {text: row for row, text in enumerate(distinct)}
        return vectors[[place[text] for text in texts]]

    def _run(self, ids: list[list[int]]) -> NDArray[np.float32]:
        width = max(map(len, ids))
        input_ids = np.zeros((len(ids), width), dtype=np.int64)
        mask = np.zeros((len(ids), width), dtype=np.int64)
        for row, tokens in enumerate(ids):
            input_ids[row, : len(tokens)] = tokens
            mask[row, : len(tokens)] = 1
        (vectors,) = self._session.run(
            ["vectors"], {"input_ids": input_ids, "attention_mask": mask}
        )
        result: NDArray[np.float32] = vectors
        return result
