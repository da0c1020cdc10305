"""How fast the encoder is, beside sentence-transformers and beside the machine, in one run.

    python benchmarks/encoder_speed.py ../shared/data

Contestants take turns on the same distinct turns of the public sets, so that other work on the
machine meets them alike; ratios are medians over the rounds. Each has one thread and is timed by
the processor time it takes, which other people's work doesn't lengthen; `--all-cores` gives each
every core and takes the clock instead. The peak is a product of the encoder's own sizes run by
ONNX Runtime in the same precision and with the same threads, so that no other BLAS, nor a setting
of one, plays a part.
"""

from __future__ import annotations

import argparse
import random
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from onnx import TensorProto, helper, numpy_helper, save

from handoff_eval.conversation import Role
from handoff_eval.encoders import onnx_encoder
from handoff_eval.encoders.cache import CachedEncoder
from handoff_eval.encoders.minilm import load_minilm, load_minilm_int8, weights_folder
from handoff_eval.encoders.onnx_encoder import MAX_TOKENS, OnnxEncoder
from handoff_eval.encoders.runtime import onnxruntime
from handoff_eval.transcripts.read import read_dataset

SETS = ("star_out_of_scope", "tweetsumm", "uss_sgd", "tau_transfer")
LAYERS, HIDDEN, INNER = 6, 384, 1536
PEAK_ROWS = 512
PEER = "sentence-transformers"

Run = Callable[[], object]


def turns_said(data: Path) -> list[str]:
    """Return what customers and agents said, repetitions included, in the order of the sets."""
    return [
        turn.text
        for name in SETS
        for conversation in read_dataset(data / name).conversations
        for turn in conversation.turns
        if turn.role is not Role.SYSTEM
    ]


def operations(lengths: list[int]) -> float:
    """Return the multiplications and additions on texts of these tokens, padding left out."""
    weights = 4 * HIDDEN * HIDDEN + 2 * HIDDEN * INNER
    return float(sum(2 * LAYERS * n * (weights + 2 * n * HIDDEN) for n in lengths))


def product(folder: Path, threads: int, *, int8: bool) -> tuple[Run, float]:
    """Return a call that runs matrix products, and the operations that one call takes."""
    rng = np.random.default_rng(0)
    if int8:
        matrix = rng.integers(-127, 128, (HIDDEN, INNER)).astype(np.int8)
        rows = rng.integers(0, 256, (PEAK_ROWS, HIDDEN)).astype(np.uint8)
        operator, kinds = "MatMulInteger", (TensorProto.UINT8, TensorProto.INT32)
    else:
        matrix = rng.normal(size=(HIDDEN, INNER)).astype(np.float32)
        rows = rng.normal(size=(PEAK_ROWS, HIDDEN)).astype(np.float32)
        operator, kinds = "MatMul", (TensorProto.FLOAT, TensorProto.FLOAT)
    graph = helper.make_graph(
        [helper.make_node(operator, ["x", "w"], ["y"])],
        "product",
        [helper.make_tensor_value_info("x", kinds[0], rows.shape)],
        [helper.make_tensor_value_info("y", kinds[1], [PEAK_ROWS, INNER])],
        [numpy_helper.from_array(matrix, "w")],
    )
    path = folder / f"{operator}.onnx"
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    times = 200

    def run() -> None:
        for _ in range(times):
            session.run(["y"], {"x": rows})

    return run, times * 2.0 * PEAK_ROWS * HIDDEN * INNER


def dynamic(exact: OnnxEncoder, folder: Path, threads: int) -> OnnxEncoder:
    """Return the encoder as ONNX Runtime's own dynamic quantisation makes it."""
    from onnxruntime.quantization import (  # noqa: TID251 - loaded above, and quiet
        QuantType,
        quantize_dynamic,
    )

    quantize_dynamic(
        exact.model, folder / "dynamic.onnx", per_channel=True, weight_type=QuantType.QInt8
    )
    return OnnxEncoder(
        folder / "dynamic.onnx", exact.tokenizer, revision="dynamic", workers=threads
    )


def sentence_transformer(threads: int) -> Callable[[list[str]], np.ndarray]:
    """Return `SentenceTransformer.encode` as its users call it, over the same weights."""
    import torch
    from sentence_transformers import SentenceTransformer

    torch.set_num_threads(threads)
    model = SentenceTransformer(str(weights_folder()), device="cpu")
    model.max_seq_length = MAX_TOKENS
    return lambda texts: model.encode(texts, normalize_embeddings=True)


def in_large_batches(encoder: OnnxEncoder, texts: list[str]) -> None:
    """Encode with eight times as many tokens in a batch."""
    kept, onnx_encoder.BATCH_TOKENS = onnx_encoder.BATCH_TOKENS, 8 * onnx_encoder.BATCH_TOKENS
    encoder.encode(texts)
    onnx_encoder.BATCH_TOKENS = kept


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, help="folder of the public sets")
    parser.add_argument("--texts", type=int, default=500, help="distinct turns (%(default)s)")
    parser.add_argument("--rounds", type=int, default=7, help="turns each takes (%(default)s)")
    parser.add_argument("--all-cores", action="store_true", help="every core, and the clock")
    arguments = parser.parse_args()
    threads = onnx_encoder.cores() if arguments.all_cores else 1
    clock = time.perf_counter if arguments.all_cores else time.process_time
    said = turns_said(arguments.data)
    texts = list(dict.fromkeys(said))
    random.Random(0).shuffle(texts)
    texts = texts[: arguments.texts]

    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        peer = sentence_transformer(threads)
        loaded = load_minilm(), load_minilm_int8()
        encoders = {
            name: OnnxEncoder(
                encoder.model, encoder.tokenizer, revision=encoder.revision, workers=threads
            )
            for name, encoder in zip(("full", "int8"), loaded, strict=True)
        }
        encoders["dynamic int8"] = dynamic(encoders["full"], folder, threads)
        peaks = {name: product(folder, threads, int8=name == "int8") for name in ("full", "int8")}
        contestants: dict[str, Run] = {PEER: lambda: peer(texts)}
        for name, encoder in encoders.items():
            contestants[name] = lambda encoder=encoder: encoder.encode(texts)
        contestants["large"] = lambda: in_large_batches(encoders["full"], texts)
        for name, (run, _) in peaks.items():
            contestants[f"{name} peak"] = run
        taken: dict[str, list[float]] = {name: [] for name in contestants}
        for _ in range(arguments.rounds):
            for name, run in contestants.items():
                start = clock()
                run()
                taken[name].append(clock() - start)

        reference = peer(texts)
        feeds = [feed for text in texts for _, feed in encoders["full"].batches([text])]
        lengths = [feed["input_ids"].shape[1] for feed in feeds]
        padded = sum(feed["input_ids"].size for _, feed in encoders["full"].batches(texts))
        work = operations(lengths)

        def times(slow: str, fast: str) -> float:
            return float(np.median(np.array(taken[slow]) / np.array(taken[fast])))

        print(
            f"{len(texts)} distinct turns, {np.mean(lengths):.0f} tokens on average, "
            f"{1 - sum(lengths) / padded:.1%} of the computed tokens padding; {threads} thread(s), "
            f"{arguments.rounds} rounds.\n"
        )
        print(f"| encoder | times {PEER} | share of the peak | cosine: mean, lowest 1 % | alone |")
        print("|---|---|---|---|---|")
        for name, encoder in encoders.items():
            peak, peak_work = (
                ("full peak", peaks["full"][1])
                if name == "full"
                else ("int8 peak", peaks["int8"][1])
            )
            vectors = encoder.encode(texts)
            cosines = np.sum(vectors * reference, axis=1)
            alone = np.concatenate([encoder.encode([text]) for text in texts[:100]])
            print(
                f"| {name} | {times(PEER, name):.2f} | {times(peak, name) * work / peak_work:.0%} "
                f"| {cosines.mean():.4f}, {np.percentile(cosines, 1):.4f} "
                f"| {np.sum(vectors[:100] * alone, axis=1).min():.4f} |"
            )
        for name in ("full", "int8"):
            rate = work / np.median(taken[name]) / 1e9
            top = peaks[name][1] / np.median(taken[f"{name} peak"]) / 1e9
            print(f"\n{name}: {rate:.0f} GFLOP/s of a peak of {top:.0f}.")
        print(f"\nBatches of eight times as many tokens take {times('large', 'full'):.2f} times.")

        sample = said[: 10 * arguments.texts]
        print(
            f"\nDuplicates: {len(sample)} turns as they come hold {len(set(sample))} distinct "
            f"texts, {len(sample) / len(set(sample)):.2f} times fewer."
        )
        cached = CachedEncoder(encoders["full"], folder / "vectors.sqlite")
        first, again = [], []
        for kept in (first, again):
            start = clock()
            cached.encode(texts)
            kept.append(clock() - start)
        print(f"Cache: vectors that are kept take {first[0] / again[0]:.0f} times less.")


if __name__ == "__main__":
    main()
