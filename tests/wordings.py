"""A trigger that reads an instruction by the last word of each clause, and talks to try it on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from handoff_eval.conversation import LabeledConversation, Role, Split, Turn
from handoff_eval.instructions.clauses import parse_instruction
from handoff_eval.transcripts.read import Dataset, content_digest
from handoff_eval.trigger import Explanation
from tests.builders import labeled, talk

Words = frozenset[str]


class LastWordTrigger:
    """Scores .9 where the customer said a cue's last word, .4 less where also an exclusion's."""

    name = "lastword"

    def __init__(self, instruction: str) -> None:
        parsed = parse_instruction(instruction)
        self.description = instruction
        self.cues = {clause.text.split()[-1] for clause in parsed.cues}
        self.exclusions = {clause.text.split()[-1] for clause in parsed.exclusions}

    def encode(self, turns: Sequence[Turn]) -> list[Words]:
        return [
            frozenset(turn.text.split()) if turn.role is Role.CUSTOMER else frozenset()
            for turn in turns
        ]

    def start(self) -> Words:
        return frozenset()

    def update(self, state: Words, observation: Words) -> Words:
        return state | observation

    def score(self, states: Sequence[Words], closed: Sequence[bool]) -> list[float]:  # noqa: ARG002
        return [
            0.9 * bool(state & self.cues)
            - 0.4 * bool(state & self.cues and state & self.exclusions)
            for state in states
        ]

    def explain(self, turns: Sequence[Turn], *, closed: bool) -> Explanation:  # noqa: ARG002
        return Explanation()


SAID = [
    *[("can I see a person", True)] * 6,
    *[("I call my lawyer", True)] * 4,
    *[("no person please solved", False)] * 5,
    *[("where is my parcel", False)] * 15,
]
"""What a customer says on each split, and whether a person is needed: 10 of 30."""


def word_dataset(path: Path = Path("words")) -> Dataset:
    """Return the same 30 talks on every split, each of a customer of its own."""
    items: list[LabeledConversation] = []
    for split in Split:
        for i, (said, needed) in enumerate(SAID):
            conversation = talk(
                "C: hello", "A: hi", f"C: {said}", "A: ok",
                id=f"{split.value}-{i}", customer=f"{split.value}-u{i}", split=split,
            )  # fmt: skip
            items.append(labeled(conversation, handoff=needed, at=2 if needed else None))
    conversations = tuple(item.conversation for item in items)
    labels = tuple(item.label for item in items)
    digest = content_digest(conversations, labels)
    return Dataset("words", path, conversations, labels, (), digest)
