"""What wrong labels in train cost, and what helps against them.

    python benchmarks/label_noise.py

Some labels of the shipped set's train split are turned: a need is denied, or one is put at a
customer's turn drawn at random. Two annotators err independently. A trigger is judged on tune,
whose labels stay as they are; the same draws are used for every way of learning, and intervals of
the difference are 95 %, by customer, over the mean of the draws.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import replace
from random import Random

import numpy as np

from handoff_eval.conversation import Label, LabeledConversation, Role, Split
from handoff_eval.evaluation.intervals import percentile_estimate, weight_blocks
from handoff_eval.evaluation.metrics import average_precision
from handoff_eval.evaluation.replay import replay
from handoff_eval.settings import project_root
from handoff_eval.transcripts.read import read_dataset
from handoff_eval.triggers.trained import train_arm

Labeled = list[LabeledConversation]
DOUBT = 0.9
"""Held-out peak above which a label without a need is dropped, and one minus it below."""


def turned(item: LabeledConversation, random: Random) -> Label:
    """Return the opposite of a label."""
    said = [i for i, turn in enumerate(item.conversation.turns) if turn.role is Role.CUSTOMER]
    if item.label.handoff or not said:
        return replace(item.label, handoff=not item.label.handoff, at_turn=None, reasons=())
    return replace(item.label, handoff=True, at_turn=random.choice(said))


def annotated(labeled: Sequence[LabeledConversation], rate: float, seed: int) -> Labeled:
    """Return what two annotators say who each err at this rate, the second one of record."""
    random = Random(seed)
    found = []
    for item in labeled:
        first, second = (
            turned(item, random) if random.random() < rate else item.label for _ in range(2)
        )
        found.append(replace(item, label=second, others=(first,)))
    return found


def last_counts(labeled: Labeled, arm: str) -> Labeled:  # noqa: ARG001 - one shape for all ways
    """Learn from the label of record alone."""
    return [replace(item, others=()) for item in labeled]


def by_votes(labeled: Labeled, arm: str) -> Labeled:  # noqa: ARG001
    """Learn from both annotators, as the trained arms do."""
    return labeled


def smoothed(labeled: Labeled, arm: str) -> Labeled:  # noqa: ARG001
    """Learn from the label of record with a tenth of doubt."""
    random = Random(0)
    return [
        replace(item, others=(*[item.label] * 8, turned(item, random)))
        for item in last_counts(labeled, "")
    ]


def doubtful_dropped(labeled: Labeled, arm: str) -> Labeled:
    """Learn from the label of record where held-out scores don't contradict it plainly."""
    plain = last_counts(labeled, arm)
    peaks = [scores.max() for scores in train_arm(arm, plain).held_out]
    return [
        item
        for item, peak in zip(plain, peaks, strict=True)
        if not (peak > DOUBT if not item.label.handoff else peak < 1 - DOUBT)
    ]


WAYS: dict[str, Callable[[Labeled, str], Labeled]] = {
    "the label of record": last_counts,
    "both annotators, by their votes": by_votes,
    "the label of record, smoothed by .1": smoothed,
    "the label of record, contradicted ones dropped": doubtful_dropped,
}


def main() -> None:
    """Print one row a rate and way of learning."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--arm", default="minilm_words", help="default: %(default)s")
    parser.add_argument("--draws", type=int, default=2, help="default: %(default)s")
    parser.add_argument("--rates", default="0.1,0.2", help="default: %(default)s")
    arguments = parser.parse_args()
    dataset = read_dataset(project_root() / "datasets" / "support_handoff")
    train, tune = dataset.labeled(Split.TRAIN), dataset.labeled(Split.TUNE)
    positive = np.array([item.label.handoff for item in tune])
    groups = [item.conversation.group for item in tune]

    def precision(learnt_from: Labeled) -> np.ndarray:
        """Return average precision on tune, of the sample and then of each replicate."""
        trigger = train_arm(arguments.arm, learnt_from)
        peaks = replay(trigger, [item.conversation for item in tune]).peak
        blocks = (np.ones((1, len(tune))), *weight_blocks(groups))
        return np.concatenate([average_precision(peaks, positive, block) for block in blocks])

    clean = precision(list(train))
    print(f"{arguments.arm}, {len(tune)} conversations of tune, {arguments.draws} draws.\n")
    print("| labels turned | learnt from | average precision | minus that of the label of record |")
    print("|---|---|---|---|")
    whole = percentile_estimate(float(clean[0]), clean[1:], len(tune))
    print(f"| none | the labels as they are | {whole.short} | |")
    for rate in map(float, arguments.rates.split(",")):
        found: dict[str, np.ndarray] = {}
        for way, learn in WAYS.items():
            draws = [
                precision(learn(annotated(train, rate, seed), arguments.arm))
                for seed in range(arguments.draws)
            ]
            found[way] = np.mean(draws, axis=0)
        reference = found["the label of record"]
        for way, values in found.items():
            value = percentile_estimate(float(values[0]), values[1:], len(tune)).short
            gap = values - reference
            ahead = percentile_estimate(float(gap[0]), gap[1:], len(tune)).short
            print(f"| {rate:.0%} | {way} | {value} | {ahead if gap.any() else ''} |", flush=True)


if __name__ == "__main__":
    main()
