"""Measure what the order of the prompt saves on the real local model, as ratios within one run.

    python benchmarks/prompt_cache.py

Each conversation is asked twice at all its decision points, in turn: as the prompt arm asks, where
what was said before stays where it was, and with a number that never comes twice at the very
beginning, so that the server finds nothing of the prompt in its cache. The replies are to the
same question at the same length; only the reuse differs.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from itertools import count
from statistics import median
from typing import NamedTuple

from handoff_eval.conversation import Conversation, Split
from handoff_eval.encoders.hashing import HashingEncoder
from handoff_eval.handoff import DEFAULT_INSTRUCTION
from handoff_eval.llm.endpoint import Endpoint
from handoff_eval.llm.local import LocalModel
from handoff_eval.llm.question import Message, Question, Reply
from handoff_eval.settings import project_root
from handoff_eval.transcripts.read import read_dataset
from handoff_eval.triggers.prompt import NO, YES
from handoff_eval.triggers.prompt_template import default_template
from handoff_eval.triggers.shots import Shot, choose_shots


class Found(NamedTuple):
    """Seconds and prompt tokens of every decision, asked in both ways."""

    reused: list[Reply]
    fresh: list[Reply]


def questions(conversation: Conversation, shots: tuple[Shot, ...]) -> list[Question]:
    """Return what the prompt arm asks of one conversation, in order."""
    return [
        Question(
            default_template().render(
                DEFAULT_INSTRUCTION,
                conversation.turns[: point.turns],
                closed=point.closed,
                max_bytes=6000,
                shots=shots,
            ),
            max_tokens=1,
            answers=(YES, NO),
        )
        for point in conversation.decision_points()
    ]


def measure(
    endpoint: Endpoint, conversations: list[Conversation], shots: tuple[Shot, ...]
) -> Found:
    """Ask every conversation in both ways, one after the other."""
    found = Found([], [])
    for conversation in conversations:
        asked = questions(conversation, shots)
        found.reused.extend(endpoint.ask(question) for question in asked)
        for question in asked:
            first, *rest = question.messages
            marked = Message(first.role, f"{next(NUMBERS)}\n{first.text}")
            found.fresh.append(endpoint.ask(replace(question, messages=(marked, *rest))))
    return found


NUMBERS = count(100_000)


def main() -> None:
    """Print one row."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--conversations", type=int, default=12, help="default: %(default)s")
    parser.add_argument("--examples", type=int, default=0, help="default: %(default)s")
    arguments = parser.parse_args()
    dataset = read_dataset(project_root() / "datasets" / "support_handoff")
    conversations = [item.conversation for item in dataset.labeled(Split.TRAIN)]
    drawn = conversations[: arguments.conversations]
    train = dataset.labeled(Split.TRAIN)
    shots = choose_shots(train, arguments.examples, HashingEncoder(256).encode)
    model = LocalModel()
    print("| examples | decisions | tokens a prompt (median) | fresh / reused, total | median |")
    print("|---|---|---|---|---|")
    with model.serve() as settings, Endpoint(settings, model.limits) as endpoint:
        found = measure(endpoint, drawn, shots)
    reused, fresh = ([reply.seconds for reply in replies] for replies in found)
    tokens = median(reply.prompt_tokens or 0 for reply in found.reused)
    print(
        f"| {len(shots)} | {len(reused)} | {tokens:.0f} | {sum(fresh) / sum(reused):.1f} "
        f"| {median(fresh) / median(reused):.1f} |"
    )


if __name__ == "__main__":
    main()
