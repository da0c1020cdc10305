"""How long a decision takes when one new turn arrives, on one core.

    python benchmarks/decision_latency.py ../shared/data

Conversations of the public sets are played turn by turn, as a service would: the new turn is
encoded, the kept state updated and scored. The time is that of one customer turn, which is when a
trigger is asked. Both precisions take turns on the same turns. Processor time is what the work
takes on a core of its own; the clock also counts the waits on a machine that others use.
"""

from __future__ import annotations

import argparse
import random
import time
from pathlib import Path

import numpy as np
from encoder_speed import SETS
from replay_speed import training

from handoff_eval.conversation import Role, Turn
from handoff_eval.encoders.minilm import load_minilm, load_minilm_int8
from handoff_eval.encoders.onnx_encoder import OnnxEncoder
from handoff_eval.transcripts.read import read_dataset
from handoff_eval.triggers.train import train_classifier

CLOCKS = {"processor time": time.process_time_ns, "clock": time.perf_counter_ns}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, help="folder of the public sets")
    parser.add_argument("--decisions", type=int, default=2000, help="default: %(default)s")
    arguments = parser.parse_args()
    conversations = [
        conversation
        for name in SETS
        for conversation in read_dataset(arguments.data / name).conversations
    ]
    random.Random(0).shuffle(conversations)
    triggers = {}
    for name, load in (("full", load_minilm), ("int8", load_minilm_int8)):
        loaded = load()
        encoder = OnnxEncoder(loaded.model, loaded.tokenizer, revision=loaded.revision, workers=1)
        triggers[name] = train_classifier(training(120), encoder)
    taken = {(name, clock): [] for name in triggers for clock in CLOCKS}
    tokens: list[int] = []
    for conversation in conversations:
        states = {name: trigger.start() for name, trigger in triggers.items()}
        for turn in conversation.turns:
            for name, trigger in triggers.items():
                before = {clock: read() for clock, read in CLOCKS.items()}
                (observation,) = trigger.encode([turn])
                states[name] = trigger.update(states[name], observation)
                trigger.score([states[name]], [False])
                if turn.role is Role.CUSTOMER:
                    for clock, read in CLOCKS.items():
                        taken[name, clock].append((read() - before[clock]) / 1e6)
            if turn.role is Role.CUSTOMER:
                tokens.append(tokens_of(turn, encoder))
        if len(tokens) >= arguments.decisions:
            break
    print(
        f"{len(tokens)} decisions; customer turns of {np.mean(tokens):.0f} tokens on average, "
        f"{np.percentile(tokens, 99):.0f} at the 99th percentile, {max(tokens)} at most.\n"
    )
    print("| encoder | timed by | median ms | 99th percentile ms | times full at the 99th |")
    print("|---|---|---|---|---|")
    for (name, clock), times in taken.items():
        slow = np.percentile(taken["full", clock], 99) / np.percentile(times, 99)
        print(
            f"| {name} | {clock} | {np.median(times):.1f} | {np.percentile(times, 99):.1f} | "
            f"{slow:.1f} |"
        )


def tokens_of(turn: Turn, encoder: OnnxEncoder) -> int:
    """Return how many tokens the encoder sees of a turn."""
    ((_, feed),) = encoder.batches([turn.text])
    return int(feed["input_ids"].shape[1])


if __name__ == "__main__":
    main()
