"""Replay against encoding every prefix: how much faster, and whether a score changes.

    python benchmarks/replay_speed.py ../shared/data

The conversations are the public sets' turns in groups of twenty, customer and agent in turn, with
no cache and distinct texts, so that neither plays a part. Both ways take turns on the same
conversations, timed by processor time; the ratio is the median over the rounds.
"""

from __future__ import annotations

import argparse
import random
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from encoder_speed import turns_said

from handoff_eval.conversation import (
    Conversation,
    DecisionPoint,
    LabeledConversation,
    Role,
    Split,
    Turn,
)
from handoff_eval.encoders.minilm import load_minilm
from handoff_eval.evaluation.replay import replay
from handoff_eval.transcripts.read import read_dataset
from handoff_eval.trigger import Trigger
from handoff_eval.triggers.train import train_classifier

TURNS = 20
DATASET = Path(__file__).resolve().parent.parent / "datasets" / "support_handoff"


def by_prefix(
    trigger: Trigger, conversation: Conversation, points: Sequence[DecisionPoint]
) -> list[float]:
    """Score some points by encoding the whole prefix that each sees, as if it were all there."""
    scores = []
    for point in points:
        state = trigger.start()
        for observation in trigger.encode(conversation.turns[: point.turns]):
            state = trigger.update(state, observation)
        scores += trigger.score([state], [point.closed])
    return scores


def conversations_of(texts: list[str]) -> list[Conversation]:
    """Return conversations of twenty turns each."""
    roles = (Role.CUSTOMER, Role.AGENT)
    return [
        Conversation(
            f"c{start}",
            tuple(Turn(roles[i % 2], text) for i, text in enumerate(texts[start : start + TURNS])),
        )
        for start in range(0, len(texts), TURNS)
    ]


def training(n: int) -> list[LabeledConversation]:
    """Return some of the shipped set's train split, of both kinds."""
    return list(read_dataset(DATASET).labeled(Split.TRAIN)[:n])


def main() -> None:
    """Print the ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, help="folder of the public sets")
    parser.add_argument("--conversations", type=int, default=25, help="default: %(default)s")
    parser.add_argument("--rounds", type=int, default=5, help="default: %(default)s")
    arguments = parser.parse_args()
    texts = list(dict.fromkeys(turns_said(arguments.data)))
    random.Random(0).shuffle(texts)
    conversations = conversations_of(texts[: TURNS * arguments.conversations])
    trigger = train_classifier(training(120), load_minilm())
    every = [DecisionPoint(turns + 1) for turns in range(TURNS)]
    ratios: dict[str, list[float]] = {"decision point": [], "turn": []}
    for _ in range(arguments.rounds):
        start = time.process_time()
        played = replay(trigger, conversations)
        replayed = time.process_time() - start
        start = time.process_time()
        asked = [by_prefix(trigger, c, c.decision_points()) for c in conversations]
        ratios["decision point"].append((time.process_time() - start) / replayed)
        start = time.process_time()
        for conversation in conversations:
            by_prefix(trigger, conversation, every)
        ratios["turn"].append((time.process_time() - start) / replayed)
    slow = np.concatenate(asked)
    changed = sum(
        bool(np.any((slow >= threshold) != (played.scores >= threshold)))
        for threshold in np.quantile(played.scores, (0.5, 0.9, 0.99)) + 1e-4
    )
    print(
        f"{len(conversations)} conversations of {TURNS} turns, {len(slow)} decision points, "
        f"{arguments.rounds} rounds. Largest score difference "
        f"{np.abs(slow - played.scores).max():.1e}; thresholds of 3 at which a decision changed: "
        f"{changed}."
    )
    for name, values in ratios.items():
        print(
            f"Replay is {np.median(values):.1f} times faster than encoding the prefix at every "
            f"{name} ({min(values):.1f} to {max(values):.1f})."
        )


if __name__ == "__main__":
    main()
