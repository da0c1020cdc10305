"""How fast the encoder is, beside sentence-transformers and beside the machine, in one run.

    python benchmarks/encoder_speed.py ../shared/data

Contestants take turns on the same texts, so that other work on the machine meets them alike; the
ratios are medians over rounds. The texts are distinct turns of the public sets. The peak is a
matrix product of the sizes the encoder has, run by ONNX Runtime itself in the same precision and
with the same threads, so that no other BLAS or setting of it plays a part.
"""

from __future__ import annotations

import argparse
import random
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnxruntime
from onnx import TensorProto, helper, numpy_helper, save

from handoff_eval.conversation import Role
from handoff_eval.encoders.cache import CachedEncoder
from handoff_eval.encoders.minilm import load_minilm, load_minilm_int8, weights_folder
from handoff_eval.encoders.onnx_encoder import MAX_TOKENS, OnnxEncoder
from handoff_eval.transcripts.read import read_dataset

SETS = ("star_out_of_scope", "tweetsumm", "uss_sgd", "tau_transfer")
LAYERS, HIDDEN, INNER = 6, 384, 1536
PEAK_ROWS = 4096


def turns_said(data: Path) -> list[str]:
    """Return what customers and agents said, repetitions included, in the order of the sets."""
    return [
        turn.text
        for name in SETS
        for conversation in read_dataset(data / name).conversations
        for turn in conversation.turns
        if turn.role is not Role.SYSTEM
    ]


def operations(encoder: OnnxEncoder, texts: list[str]) -> float:
    """Return the multiplications and additions of the encoder on these texts, padding left out."""
    total = 0
    for text in texts:
        for _, feed in encoder.batches([text]):
            tokens = feed["input_ids"].shape[1]
            weights = 4 * HIDDEN * HIDDEN + 2 * HIDDEN * INNER
            total += 2 * LAYERS * tokens * (weights + 2 * tokens * HIDDEN)
    return float(total)


def product(folder: Path, *, int8: bool) -> Callable[[], float]:
    """Return a call that runs one matrix product and gives its operations."""
    rng = np.random.default_rng(0)
    if int8:
        matrix = rng.integers(-127, 128, (HIDDEN, INNER)).astype(np.int8)
        rows = rng.integers(0, 256, (PEAK_ROWS, HIDDEN)).astype(np.uint8)
        node = helper.make_node("MatMulInteger", ["x", "w"], ["y"])
        kinds = TensorProto.UINT8, TensorProto.INT32
    else:
        matrix = rng.normal(size=(HIDDEN, INNER)).astype(np.float32)
        rows = rng.normal(size=(PEAK_ROWS, HIDDEN)).astype(np.float32)
        node = helper.make_node("MatMul", ["x", "w"], ["y"])
        kinds = TensorProto.FLOAT, TensorProto.FLOAT
    graph = helper.make_graph(
        [node],
        "product",
        [helper.make_tensor_value_info("x", kinds[0], rows.shape)],
        [helper.make_tensor_value_info("y", kinds[1], [PEAK_ROWS, INNER])],
        [numpy_helper.from_array(matrix, "w")],
    )
    path = folder / f"product-{int8}.onnx"
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])

    def run() -> float:
        for _ in range(8):
            session.run(["y"], {"x": rows})
        return 8 * 2.0 * PEAK_ROWS * HIDDEN * INNER

    return run


def sentence_transformer() -> Callable[[list[str]], np.ndarray]:
    """Return `SentenceTransformer.encode` as its users call it, over the same weights."""
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(weights_folder()), device="cpu")
    model.max_seq_length = MAX_TOKENS
    return lambda texts: model.encode(texts, normalize_embeddings=True)


def seconds(run: Callable[[], object]) -> float:
    """Return how long a call takes."""
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, help="folder of the public sets")
    parser.add_argument("--texts", type=int, default=300, help="distinct turns (%(default)s)")
    parser.add_argument("--rounds", type=int, default=7, help="turns each takes (%(default)s)")
    arguments = parser.parse_args()
    said = turns_said(arguments.data)
    distinct = list(dict.fromkeys(said))
    random.Random(0).shuffle(distinct)
    texts = distinct[: arguments.texts]
    exact, rounded, reference = load_minilm(), load_minilm_int8(), sentence_transformer()

    vectors = {"full": exact.encode(texts), "int8": rounded.encode(texts)}
    peer = reference(texts)
    work = operations(exact, texts)
    with tempfile.TemporaryDirectory() as scratch:
        peaks = {name: product(Path(scratch), int8=name == "int8") for name in vectors}
        contestants: dict[str, Callable[[], object]] = {
            "sentence-transformers": lambda: reference(texts),
            "full peak": peaks["full"],
            "full": lambda: exact.encode(texts),
            "int8 peak": peaks["int8"],
            "int8": lambda: rounded.encode(texts),
        }
        taken: dict[str, list[float]] = {name: [] for name in contestants}
        for _ in range(arguments.rounds):
            for name, run in contestants.items():
                taken[name].append(seconds(run))
        peak_work = peaks["full"]()

    def median_ratio(above: str, below: str) -> float:
        return float(np.median(np.array(taken[above]) / np.array(taken[below])))

    lengths = [feed["input_ids"].shape[1] for text in texts for _, feed in exact.batches([text])]
    padded = sum(feed["input_ids"].size for _, feed in exact.batches(texts))
    print(
        f"{len(texts)} distinct turns of {np.mean(lengths):.0f} tokens on average, "
        f"{1 - sum(lengths) / padded:.1%} of the computed tokens padding, "
        f"{arguments.rounds} rounds, {onnxruntime.get_device()}.\n"
    )
    print(
        "| encoder | times sentence-transformers | share of the peak | cosine: mean, 1st percentile |"
    )
    print("|---|---|---|---|")
    for name in ("full", "int8"):
        share = median_ratio(f"{name} peak", name) * work / peak_work
        cosines = np.sum(vectors[name] * peer, axis=1)
        print(
            f"| {name} | {median_ratio('sentence-transformers', name):.2f} | {share:.0%} | "
            f"{cosines.mean():.4f}, {np.percentile(cosines, 1):.4f} |"
        )
    for name in ("full", "int8"):
        rate = work / np.median(taken[name]) / 1e9
        top = peak_work / np.median(taken[f"{name} peak"]) / 1e9
        print(f"\n{name}: {rate:.0f} of {top:.0f} GFLOP/s on this machine, as loaded as it was.")
    print(f"int8 peak over full peak: {median_ratio('full peak', 'int8 peak'):.1f}.\n")

    sample = said[: 10 * arguments.texts]
    once = list(dict.fromkeys(sample))
    with tempfile.TemporaryDirectory() as scratch:
        cached = CachedEncoder(exact, Path(scratch) / "vectors.sqlite")
        first = seconds(lambda: cached.encode(once[: arguments.texts]))
        again = seconds(lambda: cached.encode(once[: arguments.texts]))
    print(
        f"Duplicates: {len(sample)} turns of whole conversations hold {len(once)} distinct texts "
        f"({len(sample) / len(once):.2f} times fewer).\n"
        f"Cache: reading {arguments.texts} vectors again takes {first / again:.0f} times less."
    )


if __name__ == "__main__":
    main()
