"""Our arms and three peers: learnt from the same train split, judged on the same conversations.

    python benchmarks/peers.py ../shared/data

The peers (semantic-router, SetFit, sentence-transformers with logistic regression) are installed
into an environment of their own in the cache folder the first time, over the same MiniLM weights.
On Linux, PyPI's torch brings CUDA: name an index with a CPU build in PIP_EXTRA_INDEX_URL or
PIP_FIND_LINKS before, as pip understands them.

Everybody learns from train and is judged at the decision points of test, where a whole
conversation's later turns can't give a need away. A peer classifies texts: at each decision point
it gets what the customer said last, or the end of what was said so far, whichever ranks better
out of fold on train. Nothing is cached; one thread each, timed by the processor time it takes.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import tempfile
import time
import venv
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np

from handoff_eval.conversation import LabeledConversation, Role, Split, Turn
from handoff_eval.encoders.minilm import load_minilm, load_minilm_int8, weights_folder
from handoff_eval.encoders.onnx_encoder import OnnxEncoder
from handoff_eval.evaluation.intervals import Estimate, percentile_estimate, weight_blocks
from handoff_eval.evaluation.metrics import (
    at_prevalence,
    average_precision,
    cut_at_volume,
    recall_above,
)
from handoff_eval.evaluation.replay import Replay, replay
from handoff_eval.evaluation.scored import ScoredSplit
from handoff_eval.settings import cache_dir
from handoff_eval.transcripts.read import read_dataset
from handoff_eval.trigger import Trigger
from handoff_eval.triggers.train import train_classifier
from handoff_eval.triggers.trained import train_setfit

SHIPPED = Path(__file__).resolve().parent.parent / "datasets" / "support_handoff"
REQUIREMENTS = ("semantic-router==1.1.1", "setfit==1.2.*", "torch==2.13.0")
PEERS = ("sentence-transformers", "semantic-router", "SetFit")
OURS = ("tfidf", "minilm", "minilm_int8", "minilm_words", "setfit")
SETS = ("support_handoff", "tau_transfer", "star_out_of_scope", "tweetsumm", "uss_sgd")
ABROAD = {"tau_transfer": "support_handoff"}
"""Where what was learnt on a set is judged as well."""

BEST = "minilm_words"
PREVALENCE, VOLUME = 0.05, 0.1
SO_FAR_CHARACTERS = 600

Labeled = Sequence[LabeledConversation]


@dataclass(frozen=True)
class Run:
    """One contestant after one source: what it cost and what it scored, by target."""

    train_seconds: float
    seconds: dict[str, float]
    scored: dict[str, ScoredSplit]
    note: str


def environment(folder: Path) -> Path:
    """Return the interpreter of the peers' environment, installing it where it isn't whole."""
    python = folder / "bin" / "python"
    whole = folder / "whole"
    if not whole.exists():
        print(f"Installing {', '.join(REQUIREMENTS)} into {folder}, some minutes.", flush=True)
        venv.create(folder, with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", *REQUIREMENTS], check=True)
        whole.touch()
    return python


def texts_at(turns: Sequence[Turn]) -> dict[str, str]:
    """Return what a peer may read at a decision point that sees these turns."""
    said = [turn for turn in turns if turn.role is not Role.SYSTEM]
    last = next((turn.text for turn in reversed(said) if turn.role is Role.CUSTOMER), "")
    so_far = "\n".join(f"{turn.role.value}: {turn.text}" for turn in said)
    return {"the last customer turn": last, "the end so far": so_far[-SO_FAR_CHARACTERS:]}


def examples(labeled: Labeled) -> list[dict[str, Any]]:
    """Return every decision point of train but those before a need, as our heads learn them.

    `telling` marks one a conversation: where the need is due, or any one of a negative.
    """
    random_ = random.Random(0)
    found = []
    for item in labeled:
        points = item.conversation.decision_points()
        telling = random_.randrange(len(points)) if item.due is None else item.due
        found += [
            {
                "texts": texts_at(item.conversation.turns[: point.turns]),
                "due": item.due is not None,
                "group": item.conversation.group,
                "telling": place == telling,
            }
            for place, point in enumerate(points)
            if item.due is None or place >= item.due
        ]
    return found


def replay_of(name: str, labeled: Labeled, scores: Sequence[float]) -> Replay:
    """Return a peer's scores of all decision points as a replay."""
    points = [item.conversation.decision_points() for item in labeled]
    return Replay(
        trigger=name,
        ids=tuple(item.conversation.id for item in labeled),
        offsets=np.append(0, np.cumsum([len(some) for some in points])),
        turns=np.array([point.turns for some in points for point in some]),
        scores=np.array(scores),
    )


def run_peers(
    python: Path, names: Sequence[str], train: Labeled, targets: dict[str, Labeled], steps: int
) -> dict[str, Run]:
    """Run the peers in their environment."""
    job = {
        "peers": names,
        "setfit_steps": steps,
        "examples": examples(train),
        "score": {
            target: _columns(
                [
                    texts_at(item.conversation.turns[: point.turns])
                    for item in labeled
                    for point in item.conversation.decision_points()
                ]
            )
            for target, labeled in targets.items()
        },
    }
    with tempfile.TemporaryDirectory() as scratch:
        given, result = Path(scratch) / "job.json", Path(scratch) / "result.json"
        given.write_text(json.dumps(job))
        worker = Path(__file__).with_name("peers_worker.py")
        done = subprocess.run(
            [python, worker, weights_folder(), given, result],
            cwd=scratch,
            capture_output=True,
            text=True,
            env={**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"},
        )
        if done.returncode:
            raise SystemExit(done.stderr)
        found = json.loads(result.read_text())
    return {
        name: Run(
            peer["train_seconds"],
            peer["seconds"],
            {
                target: ScoredSplit.join(
                    replay_of(name, labeled, peer["scores"][target]), labeled, Split.TEST
                )
                for target, labeled in targets.items()
            },
            peer["note"],
        )
        for name, peer in found.items()
    }


def run_ours(
    names: Sequence[str], train: Labeled, targets: dict[str, Labeled], steps: int
) -> dict[str, Run]:
    """Train and play our arms, with no vector kept from before."""
    full, int8 = (one_worker(load()) for load in (load_minilm, load_minilm_int8))
    makers: dict[str, Callable[[], Trigger]] = {
        "tfidf": lambda: train_classifier(train, None, words=True, name="tfidf"),
        "minilm": lambda: train_classifier(train, full, name="minilm"),
        "minilm_int8": lambda: train_classifier(train, int8, name="minilm_int8"),
        "minilm_words": lambda: train_classifier(train, full, words=True, name="minilm_words"),
        "setfit": lambda: train_setfit(train, steps=steps),
    }
    notes = {"setfit": f"{steps} steps of 16 pairs on half of train, head on the other half"}
    runs = {}
    with (
        tempfile.TemporaryDirectory() as scratch,
        patch.dict(os.environ, HANDOFF_EVAL_CACHE=scratch),
    ):
        for name in names:
            start = time.process_time()
            trigger = makers[name]()
            learnt = time.process_time()
            scored, seconds = {}, {}
            for target, labeled in targets.items():
                before = time.process_time()
                played = replay(trigger, [item.conversation for item in labeled])
                seconds[target] = time.process_time() - before
                scored[target] = ScoredSplit.join(played, labeled, Split.TEST)
            runs[name] = Run(learnt - start, seconds, scored, notes.get(name, ""))
    return runs


def one_worker(encoder: OnnxEncoder) -> OnnxEncoder:
    """Return the same encoder on one thread."""
    return OnnxEncoder(encoder.model, encoder.tokenizer, revision=encoder.revision, workers=1)


def at_points(scored: ScoredSplit) -> Estimate:
    """Return average precision over decision points, resampled by customer.

    The point where a need is due is positive; points before it, and all of a conversation without
    one, are not. Points after it are left out: a fire there is late, and neither.
    """
    sizes = np.diff(scored.replay.offsets)
    place = np.concatenate([np.arange(size) for size in sizes])
    due = np.repeat(scored.due, sizes)
    kept = (due < 0) | (place <= due)
    positive, scores = (place == due)[kept], scored.replay.scores[kept]
    groups = [g for g, size in zip(scored.groups, sizes, strict=True) for _ in range(size)]
    groups = [g for g, keep in zip(groups, kept, strict=True) if keep]
    replicates = np.concatenate(
        [average_precision(scores, positive, block) for block in weight_blocks(groups)]
    )
    value = float(average_precision(scores, positive, np.ones(len(scores))))
    return percentile_estimate(value, replicates, len(scored.peak))


def recalls(scored: ScoredSplit) -> np.ndarray:
    """Return the recall on time at the equal volume: of the sample, then of each replicate."""
    positive = scored.positive
    on_time = np.where(positive, scored.on_time_peak, 0)
    found = []
    for block in (np.ones((1, len(positive))), *weight_blocks(scored.groups)):
        weights = at_prevalence(positive, block, PREVALENCE)
        cut = cut_at_volume(scored.peak, weights, VOLUME)
        found.append(recall_above(cut, on_time, positive, weights))
    return np.concatenate(found)


def table(runs: dict[str, Run], target: str) -> None:
    """Print one row a contestant; differences are taken from `BEST`."""
    print(
        "| | average precision at decision points | recall on time at equal volume | "
        f"{BEST} minus it | train, s | conversations a second | |"
    )
    print("|---|---|---|---|---|---|---|")
    n = len(runs[BEST].scored[target].peak)
    reference = recalls(runs[BEST].scored[target])
    for name, done in runs.items():
        scored = done.scored[target]
        found = recalls(scored)
        recall = percentile_estimate(float(found[0]), found[1:], n)
        gap = reference - found
        ahead = percentile_estimate(float(gap[0]), gap[1:], n).short if name != BEST else ""
        print(
            f"| {name} | {at_points(scored).short} | {recall.short} | {ahead} "
            f"| {done.train_seconds:.0f} | {n / done.seconds[target]:.0f} | {done.note} |"
        )


def main() -> None:
    """Print a table a set, and one a transfer."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, help="folder of the public sets")
    parser.add_argument("--sets", default=",".join(SETS), help="default: all")
    parser.add_argument("--arms", default=",".join(OURS), help="of ours (%(default)s)")
    parser.add_argument("--peers", default=",".join(PEERS), help="default: %(default)s")
    parser.add_argument("--setfit-steps", type=int, default=60, help="default: %(default)s")
    parser.add_argument(
        "--environment", type=Path, default=cache_dir() / "peers-1", help="default: %(default)s"
    )
    arguments = parser.parse_args()
    python = environment(arguments.environment)
    for name in arguments.sets.split(","):
        train = labeled_of(arguments.data, name, Split.TRAIN)
        abroad = ABROAD.get(name)
        targets = {name: labeled_of(arguments.data, name, Split.TEST)}
        if abroad is not None:
            targets[abroad] = labeled_of(arguments.data, abroad, Split.TEST)
        steps = arguments.setfit_steps
        runs = run_ours(arguments.arms.split(","), train, targets, steps)
        runs |= run_peers(python, arguments.peers.split(","), train, targets, steps)
        for target, labeled in targets.items():
            positives = sum(item.label.handoff for item in labeled)
            print(
                f"\n### {name if target == name else f'{name}, judged on {target}'}\n\n"
                f"Train: {len(train)} conversations, {sum(i.label.handoff for i in train)} "
                f"positive. Test: {len(labeled)}, {positives} positive, "
                f"{len({item.conversation.group for item in labeled})} customers.\n"
            )
            table(runs, target)
            print(end="", flush=True)


def labeled_of(data: Path, name: str, split: Split) -> Labeled:
    """Return one split of the shipped set or of a public one."""
    return read_dataset(SHIPPED if name == SHIPPED.name else data / name).labeled(split)


def _columns(rows: Sequence[dict[str, str]]) -> dict[str, list[str]]:
    return {key: [row[key] for row in rows] for key in rows[0]}


if __name__ == "__main__":
    main()
