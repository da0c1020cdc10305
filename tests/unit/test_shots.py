"""Examples for the prompt: from train alone, the same every time, spread by meaning."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from handoff_eval.conversation import LabeledConversation, Split
from handoff_eval.encoders.hashing import HashingEncoder
from handoff_eval.errors import DataError, LeakageError, SettingsError
from handoff_eval.triggers.shots import choose_shots, farthest_first
from tests.builders import labeled, talk
from tests.training import TRAINING

ENCODE = HashingEncoder(64).encode
TRAIN = [
    replace(item, conversation=replace(item.conversation, split=Split.TRAIN)) for item in TRAINING
]


def only(*items: LabeledConversation) -> list[LabeledConversation]:
    """Put conversations on train."""
    return [replace(i, conversation=replace(i.conversation, split=Split.TRAIN)) for i in items]


def angles(texts: Sequence[str]) -> NDArray[np.float32]:
    """Return the unit vector at the angle each text states in degrees."""
    radians = np.radians([float(text) for text in texts])
    return np.stack([np.cos(radians), np.sin(radians)], axis=1).astype(np.float32)


def test_the_first_is_central_and_each_next_is_farthest() -> None:
    """Of 0, 10, 40, 90 degrees: the mean is near 34, so 40; then 90 (50 away), then 0 (40 away)."""
    vectors = angles(["0", "10", "40", "90"])

    assert farthest_first(vectors, 4) == [2, 3, 0, 1]
    assert farthest_first(np.ones((3, 2), np.float32), 3) == [0, 1, 2]


def test_half_are_handoffs_and_none_shows_what_came_after_the_need() -> None:
    """A handoff is cut where it is due, another conversation at the customer's last turn."""
    shots = choose_shots(TRAIN, 4, ENCODE)

    assert [shot.handoff for shot in shots] == [True, False, True, False]
    assert [len(shot.turns) for shot in shots] == [3, 3, 3, 3]
    assert not any(shot.closed for shot in shots)
    assert shots == choose_shots(TRAIN[::-1], 4, ENCODE)
    assert choose_shots(TRAIN, 0, ENCODE) == ()


def test_the_state_of_a_pair_gives_nothing_away() -> None:
    """Beside a handoff due only at the close stands a conversation shown to its close."""
    at_close = labeled(talk("C: 10", "A: ok", id="p"), handoff=True)
    fine = labeled(talk("C: 20", "A: ok", id="n"), handoff=False)

    positive, negative = choose_shots(only(at_close, fine), 2, angles)

    assert (positive.closed, negative.closed) == (True, True)
    assert len(negative.turns) == 2


def test_a_customer_is_shown_once_and_a_long_text_never() -> None:
    """Of one customer's two and one too long only one is left, which is too few for four."""
    items = only(
        labeled(talk("C: 1", id="a", customer="u"), handoff=True),
        labeled(talk("C: 50", id="b", customer="u"), handoff=True),
        labeled(talk("C: " + "1" * 700, id="c"), handoff=True),
        labeled(talk("C: 3", id="d"), handoff=False),
    )

    assert choose_shots(items, 2, angles)[0].turns[0].text == "1"
    with pytest.raises(DataError, match=r"Expected 2 customers with a handoff .*; got 1"):
        choose_shots(items, 4, angles)


@pytest.mark.parametrize("split", [Split.TUNE, Split.TEST, None])
def test_an_example_of_another_split_is_refused(split: Split | None) -> None:
    """Tune and test stay unseen, and a conversation of no split is none of train."""
    stray = replace(TRAIN[0], conversation=replace(TRAIN[0].conversation, split=split))

    with pytest.raises(LeakageError, match="Expected examples to be chosen on the train split"):
        choose_shots([*TRAIN, stray], 2, ENCODE)


@pytest.mark.parametrize("count", [-2, 1, 10])
def test_a_number_that_can_not_be_served_is_refused(count: int) -> None:
    """Odd, negative and more than eight."""
    with pytest.raises(SettingsError, match=f"even number of examples from 0 to 8.*; got {count}"):
        choose_shots(TRAIN, count, ENCODE)
