"""A small labelled set that a head can learn from: people asking for people, and not."""

from __future__ import annotations

from handoff_eval.conversation import LabeledConversation, Reason
from tests.builders import labeled, talk

ASKS = [
    ("I want to talk to a person", Reason.HUMAN_REQUESTED),
    ("please let a human call me", Reason.HUMAN_REQUESTED),
    ("write to me when it is repaired", Reason.FOLLOW_UP_REQUESTED),
    ("email me once you know more", Reason.FOLLOW_UP_REQUESTED),
]
QUESTIONS = ["how do I change my address", "where is my invoice", "which size fits", "is it open"]


def _training() -> tuple[LabeledConversation, ...]:
    items = []
    for i in range(24):
        ask, reason = ASKS[i % 4]
        needs = talk(
            f"C: {QUESTIONS[i % 3]}", "A: let me see", f"C: {ask}", "A: ok", id=f"p{i}",
            customer=f"u{i}",
        )  # fmt: skip
        fine = talk(
            f"C: {QUESTIONS[(i + 1) % 4]} number {i}", "A: here it is", "C: thanks", id=f"n{i}",
            customer=f"v{i}",
        )  # fmt: skip
        items += [
            labeled(needs, handoff=True, at=2, reasons=[reason]),
            labeled(fine, handoff=False),
        ]
    return tuple(items)


TRAINING = _training()
