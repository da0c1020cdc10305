"""The similarity arm: its score by hand, whose turns a clause is compared with, and its reasons."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
import pytest
from numpy.typing import NDArray

from handoff_eval.conversation import Reason
from handoff_eval.encoders.hashing import HashingEncoder
from handoff_eval.errors import SettingsError
from handoff_eval.evaluation.replay import replay
from handoff_eval.triggers.similarity import SimilarityTrigger
from tests.builders import talk

CUE, AGENT, GATE, NOT = "a", "the agent fails", "g", "n"
INSTRUCTION = f"Send it when {CUE} or when {AGENT}, only if {GATE}. Do not send it when {NOT}."


class Angles:
    """Vectors in four dimensions, written out: any text it doesn't know lies apart from all."""

    revision = "angles"
    dimension = 5
    known: ClassVar = {
        "a": [1, 0, 0, 0, 0],
        "the agent fails": [0, 1, 0, 0, 0],
        "g": [0, 0, 1, 0, 0],
        "n": [0, 0, 0, 1, 0],
        "half a, half g": [0.6, 0, 0.8, 0, 0],
        "a but n": [0.8, 0, 0, 0.6, 0],
        "I can't": [0, 0.9, 0, 0, np.sqrt(1 - 0.81)],
    }

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        rows = [self.known.get(text, [0, 0, 0, 0, 1]) for text in texts]
        return np.array(rows, dtype=np.float32).reshape(-1, 5)


def test_cues_gates_and_exclusions_combine_as_stated() -> None:
    """The score is (1 + c g - e) / 2 over the clauses' highest cosines."""
    trigger = SimilarityTrigger(INSTRUCTION, Angles())
    conversation = talk("C: half a, half g", "A: I can't", "C: a but n")

    scores = replay(trigger, [conversation]).scores

    # turn 0: c .6, g .8, e 0           -> (1 + .48) / 2      = .74
    # turn 2: c .9 (the agent's), g .8, e .6 -> (1 + .72 - .6) / 2 = .56
    assert scores == pytest.approx([0.74, 0.56, 0.56], abs=1e-6)


def test_a_cue_is_forgotten_and_a_precondition_is_not() -> None:
    """A cue counts for three customer turns and no longer; a precondition goes on holding."""
    trigger = SimilarityTrigger(INSTRUCTION, Angles())
    later = ["C: x", "A: y"] * 3

    scores = replay(trigger, [talk("C: half a, half g", *later, "C: a")]).scores

    # c .6 g .8 for three turns; then nothing near is recent: (1 + 0) / 2; at last c 1, g .8 -> .9
    assert scores[:3] == pytest.approx([0.74] * 3, abs=1e-6)
    assert scores[3] == pytest.approx(0.5)
    assert scores[-2:] == pytest.approx([0.9, 0.9])


def test_each_side_is_held_against_clauses_about_it() -> None:
    """What the customer says never meets a clause about the agent, nor the other way round."""
    trigger = SimilarityTrigger(f"Send it when {AGENT}.", Angles())

    scores = replay(trigger, [talk("C: I can't"), talk("A: I can't", "C: ok", id="2")]).scores

    # the agent hasn't spoken: (1 - 1) / 2; then (1 + .9) / 2
    assert scores == pytest.approx([0, 0, 0.95, 0.95], abs=1e-6)


def test_the_explanation_names_clause_turn_and_reason() -> None:
    """It is the strongest cue, the nearest recent turn and what the library says of such cues."""
    trigger = SimilarityTrigger(
        "Send it when the customer wants to talk to a person. Do not send it when they greet.",
        HashingEncoder(256),
    )
    turns = talk("C: where is my parcel", "A: a person", "C: can I talk to a person", "C: ok").turns

    found = trigger.explain(turns, closed=False)

    assert found.clause == "the customer wants to talk to a person"
    assert (found.evidence_turn, found.reason) == (2, Reason.HUMAN_REQUESTED)
    assert trigger.explain((), closed=True).evidence_turn is None


def test_an_instruction_without_a_cue_is_refused() -> None:
    """Nothing to look for is a user's mistake, told with where to look."""
    with pytest.raises(SettingsError, match="no cue is found in 'Send an email to the team'"):
        SimilarityTrigger("Send an email to the team", HashingEncoder(16))
