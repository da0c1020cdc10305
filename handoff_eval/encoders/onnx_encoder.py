"""A sentence encoder on ONNX Runtime: the same code in the workbench and in a bundle."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from handoff_eval.encoders.runtime import onnxruntime

MAX_TOKENS = 256
BATCH_TOKENS = 512
"""Few enough that what a layer makes of a batch stays in a core's cache."""

Feed = dict[str, NDArray[np.int64]]
"""Inputs of the graph by name, each of shape (batch, tokens)."""


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
    workers : int, optional
        Batches computed at a time, each by one thread; as many as this process has cores when
        None. Threads that share one batch wait for each other at every small step instead.
    """

    def __init__(
        self, model: Path, tokenizer: Path, *, revision: str, workers: int | None = None
    ) -> None:
        self.revision = revision
        self._workers = workers or cores()
        self.model, self.tokenizer = model, tokenizer
        self._session = open_session(model)
        self.dimension = int(self._session.get_outputs()[0].shape[-1])
        self._tokenizer = Tokenizer.from_file(str(tokenizer))
        self._tokenizer.enable_truncation(MAX_TOKENS)
        self._tokenizer.no_padding()

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return one unit vector a text, shape (len(texts), dimension), in the order given.

        Equal texts are computed once.
        """
        distinct = list(dict.fromkeys(texts))
        vectors = np.zeros((len(distinct), self.dimension), dtype=np.float32)

        def compute(batch: tuple[list[int], Feed]) -> None:
            rows, feed = batch
            vectors[rows] = self._session.run(["vectors"], feed)[0]

        batches = list(self.batches(distinct))
        if len(batches) > 1 and self._workers > 1:
            with ThreadPoolExecutor(self._workers) as pool:
                list(pool.map(compute, batches))
        else:
            for batch in batches:
                compute(batch)
        place = {text: row for row, text in enumerate(distinct)}
        return vectors[[place[text] for text in texts]]

    def batches(self, texts: Sequence[str]) -> Iterator[tuple[list[int], Feed]]:
        """Yield which texts a batch holds and the graph's inputs for them, longest texts first.

        Texts of similar length share a batch, so that little is padded; a batch holds about
        `BATCH_TOKENS` tokens.
        """
        ids = [encoding.ids for encoding in self._tokenizer.encode_batch(texts)]
        rows: list[int] = []
        for row in sorted(range(len(ids)), key=lambda row: -len(ids[row])):
            if rows and (len(rows) + 1) * len(ids[rows[0]]) > BATCH_TOKENS:
                yield rows, _feed([ids[row] for row in rows])
                rows = []
            rows.append(row)
        if rows:
            yield rows, _feed([ids[row] for row in rows])


def open_session(model: Path, *, save: Path | None = None) -> onnxruntime.InferenceSession:
    """Return a session of one thread; `save` names a file for the graph as it will be run.

    The graph is folded but its steps are not fused: ONNX Runtime's fused layer normalisation is
    slower than the plain one (benchmarks/encoder_speed.py).
    """
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = 1
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    if save is not None:
        options.optimized_model_filepath = str(save)
    return onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])


def _feed(ids: list[list[int]]) -> Feed:
    width = max(map(len, ids))
    input_ids = np.zeros((len(ids), width), dtype=np.int64)
    mask = np.zeros((len(ids), width), dtype=np.int64)
    for row, tokens in enumerate(ids):
        input_ids[row, : len(tokens)] = tokens
        mask[row, : len(tokens)] = 1
    return {"input_ids": input_ids, "attention_mask": mask}


def cores() -> int:
    """Return how many cores this process may use.

    Spark and other schedulers tell a worker its share as `OMP_NUM_THREADS`.
    """
    share = os.environ.get("OMP_NUM_THREADS", "")
    if share.isdecimal() and int(share) > 0:
        return int(share)
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
