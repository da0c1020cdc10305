"""Scores a bundle must give again wherever it is loaded: a few conversations that ship with it.

Parity is shown where the bundle is made. Another machine may compute otherwise (a processor
without an instruction that 8-bit arithmetic relies on, a runtime with a bug), and a hostile hand
may have changed a graph together with its digest: both show here, before anything is decided.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from handoff_eval.conversation import Conversation, Role, Turn
from handoff_eval.errors import BundleError
from handoff_eval.evaluation.replay import replay
from handoff_eval.transcripts.parse import parse_conversation
from handoff_eval.transcripts.write import conversation_to_dict
from handoff_eval.trigger import Trigger

GOLDEN = "golden.json"
TOLERANCE = 1e-5

_TALKS = (
    ("C Where is my order 4417? It should have come on Monday.",
     "A It left our warehouse on Friday and should reach you today.",
     "C It says the same for four days. Please have someone look into it and email me.",
     "A I understand. Is there anything else?", "C No. ana@example.com"),
    ("C how do i change my password", "A Open Settings, then Security, then Change password.",
     "C found it, thanks!", "A You're welcome."),
    ("A Hello, how can I help?", "C I was charged twice: 2 x £39.00 on 3 March.",
     "A I am sorry. I am unable to see payments.", "C So who can? Let me speak to a person."),
    ("C Are you a bot?", "A I am an AI assistant.", "C ok. Do you ship to Malta?",
     "S shipping_zones -> MT: yes", "A Yes, in five days.", "C perfect"),
    ("C ¿Puedo pagar con tarjeta? 😀", "A Yes, by card or by transfer.", "C " + "merci " * 60),
)  # fmt: skip
_ROLES = {"C": Role.CUSTOMER, "A": Role.AGENT, "S": Role.SYSTEM}


def golden_conversations() -> tuple[Conversation, ...]:
    """Return the conversations that new bundles are given; nobody's real ones."""
    return tuple(
        Conversation(f"golden-{i}", tuple(Turn(_ROLES[line[0]], line[2:]) for line in talk))
        for i, talk in enumerate(_TALKS, 1)
    )


def write_golden(trigger: Trigger, folder: Path) -> None:
    """Put the conversations and the trigger's scores of them into a folder."""
    conversations = golden_conversations()
    document = {
        "conversations": [conversation_to_dict(c) for c in conversations],
        "scores": replay(trigger, conversations).scores.tolist(),
    }
    (folder / GOLDEN).write_text(json.dumps(document, ensure_ascii=False), encoding="utf-8")


def check_golden(trigger: Trigger, file: Path) -> None:
    """Raise `BundleError` where a trigger doesn't give the scores it was exported with."""
    conversations, expected = _read(file)
    got = replay(trigger, conversations).scores
    if len(got) != len(expected):
        raise BundleError(f"{file}: expected {len(got)} golden scores; got {len(expected)}.")
    worst = max(abs(a - b) for a, b in zip(got, expected, strict=True))
    if not worst <= TOLERANCE:
        raise BundleError(
            f"{file}: expected the golden scores within {TOLERANCE:g}; they differ by {worst:.2g}. "
            "This machine computes otherwise than the one that exported, or the bundle was "
            "changed: export and measure again where it will run."
        )


def _read(file: Path) -> tuple[Sequence[Conversation], list[float]]:
    document = json.loads(file.read_text(encoding="utf-8"))
    conversations = [parse_conversation(values) for values in document["conversations"]]
    scores = [float(score) for score in document["scores"]]
    if not conversations or any(not c.turns for c in conversations):
        raise BundleError(f"{file}: expected golden conversations with turns; got none.")
    return conversations, scores
