"""Word features: terms, hand-computed rows, and what the vocabulary leaves out."""

from __future__ import annotations

import numpy as np
import pytest

from handoff_eval.conversation import Turn
from handoff_eval.triggers.words import Vocabulary, WordFeatures, learn_words, terms
from tests.builders import labeled, talk

CUSTOMER = Vocabulary(("call", "call me", "me"), np.array([1.0, 2.0, 1.0], np.float32))
AGENT = Vocabulary(("sorry",), np.array([3.0], np.float32))
WORDS = WordFeatures(CUSTOMER, AGENT)


def _row(*lines: str) -> list[float]:
    state = WORDS.start()
    for seen in WORDS.encode(talk(*lines).turns):
        state = WORDS.update(state, seen)
    return [float(value) for value in WORDS.rows([state], [False])[0]]


def test_terms_are_words_and_neighbours() -> None:
    """Single letters and punctuation are no words; a pair holds neighbours among the words."""
    assert terms("Call me, I SAID!") == ["call", "me", "said", "call me", "me said"]


def test_a_row_by_hand() -> None:
    """Counts 2, 1, 1: (1 + ln 2) * 1, 1 * 2, 1 * 1, divided by their length.

    1.6931^2 + 4 + 1 = 7.8667, of which the root is 2.8048: .6037, .7131, .3565. The agent's one
    term alone has length 1.
    """
    assert _row("C: call me", "A: sorry", "C: call") == pytest.approx(
        [0.6037, 0.7131, 0.3565, 1.0], abs=1e-4
    )


def test_sides_have_words_of_their_own() -> None:
    """What the agent says counts for the agent alone, and system turns for nobody."""
    assert _row("A: call me", "S: sorry") == [0.0, 0.0, 0.0, 0.0]


def test_pairs_do_not_cross_turns() -> None:
    """The last word of a turn and the first of the next are no pair."""
    assert _row("C: call", "C: me")[1] == 0.0


def test_a_term_of_one_customer_is_not_learnt() -> None:
    """A name or number that one customer repeats, even in a second conversation, is left out."""
    said = [("1", "where is xylophone xylophone"), ("1", "xylophone"), ("2", "where is it")]
    items = [
        labeled(talk(f"C: {text}", "A: hm", id=str(i), customer=who), handoff=False)
        for i, (who, text) in enumerate(said)
    ]

    learnt = learn_words(items)

    assert learnt.customer.terms == ("is", "where", "where is")
    assert learnt.agent.terms == ("hm",)
    # ln((1 + 3) / (1 + 2)) + 1, scikit-learn's smoothed inverse document frequency.
    assert learnt.customer.idf == pytest.approx([np.log(4 / 3) + 1] * 3)


def test_hostile_text_stays_a_row() -> None:
    """Any string gives finite counts."""
    (seen,) = WORDS.encode([Turn(talk("C: x").turns[0].role, "\ud800 \x00 call " * 5000)])
    row = WORDS.rows([WORDS.update(WORDS.start(), seen)], [True])

    assert np.isfinite(row).all()
    assert row[0, 0] == pytest.approx(1.0)
