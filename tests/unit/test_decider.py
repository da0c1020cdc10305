"""Deciding a growing conversation, with a state that survives a restart."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handoff_eval.conversation import Conversation, Role, Split, Turn
from handoff_eval.encoders.hashing import HashingEncoder
from handoff_eval.errors import DataError
from handoff_eval.evaluation.operating_point import OperatingPoint
from handoff_eval.production.bundle import Bundle
from handoff_eval.production.decide import decide
from handoff_eval.production.decider import Decider
from handoff_eval.production.state import state_from_json, state_to_json, state_type
from handoff_eval.trigger import Trigger
from handoff_eval.triggers.cascade import Band, CascadeTrigger
from handoff_eval.triggers.feature_maps import StackedFeatures
from handoff_eval.triggers.keyword import KeywordTrigger, default_rules
from handoff_eval.triggers.prompt import PromptTrigger
from handoff_eval.triggers.train import train_classifier
from handoff_eval.triggers.words import Vocabulary, WordFeatures
from tests.builders import talk
from tests.fakes import WordCountingAsker
from tests.strategies import conversations
from tests.training import TRAINING

HASHING = train_classifier(TRAINING, HashingEncoder(32), name="hashing")
KEYWORD = KeywordTrigger(default_rules())
PROMPT = PromptTrigger("Email us when a person is needed.", WordCountingAsker())
WORDS = train_classifier(TRAINING, HashingEncoder(32), words=True, name="words")
CASCADE = CascadeTrigger(HASHING, PROMPT, Band(0.05, 0.6, 0.5, Split.TRAIN))
TALK = talk("C: where is it", "A: sorry", "C: let me talk to a person", "C: a person!", id="1")


def decider(trigger: Trigger, threshold: float = 0.3) -> Decider:
    point = OperatingPoint(trigger.name, threshold, Split.TUNE, None, "")
    return Decider(Bundle(trigger, point, "support", "when", Path()))


@pytest.mark.medium
@pytest.mark.parametrize(
    "trigger", [HASHING, KEYWORD, PROMPT, WORDS, CASCADE], ids=lambda t: t.name
)
@settings(max_examples=15, deadline=None)
@given(conversation=conversations(), threshold=st.sampled_from([0.05, 0.2, 0.35, 0.5]))
def test_turn_by_turn_with_restarts_decides_as_the_replay(
    trigger: Trigger, conversation: Conversation, threshold: float
) -> None:
    """Saved and restored after every turn, it fires at the same point with the same score."""
    (expected,) = decide(
        trigger,
        OperatingPoint(trigger.name, threshold, Split.TUNE, None, ""),
        [conversation],
        handoff="support",
    )
    service = decider(trigger, threshold)
    standing = service.start()
    fires = []
    for turn in conversation.turns:
        (verdict,) = service.add([standing], [turn])
        fires += [verdict] * verdict.fires
        standing = service.restore(service.save(verdict.standing))
    (verdict,) = service.close([standing])
    fires += [verdict] * verdict.fires

    assert bool(fires) == expected.fired
    assert len(fires) <= 1
    if fires:
        assert fires[0].score == pytest.approx(expected.score, abs=1e-9)
        assert fires[0].standing.fired_at == expected.turns
        assert fires[0].standing.closed == expected.closed
    else:
        assert verdict.standing.peak == pytest.approx(expected.score, abs=1e-9)


def test_a_batch_gives_what_each_gives_alone() -> None:
    """Conversations of one batch don't touch each other."""
    service = decider(HASHING)
    turns = [Turn(Role.CUSTOMER, "a human please"), Turn(Role.AGENT, "ok"), TALK.turns[0]]

    together = service.add([service.start()] * 3, turns)

    for verdict, turn in zip(together, turns, strict=True):
        (alone,) = service.add([service.start()], [turn])
        assert verdict.score == pytest.approx(alone.score)
        assert verdict.fires == alone.fires
    assert together[1].score is None


def test_it_fires_once_and_goes_on_scoring() -> None:
    """After the fire later scores still raise the peak, and nothing fires again."""
    service = decider(KEYWORD, 0.05)
    standing = service.start()
    fires = []
    for turn in TALK.turns:
        (verdict,) = service.add([standing], [turn])
        standing = verdict.standing
        fires.append(verdict.fires)

    assert sum(fires) == 1
    assert standing.fired_at == 3
    assert verdict.score is not None


def test_the_state_keeps_its_size() -> None:
    """Three hundred turns take no more room than three."""
    service = decider(HASHING)
    standing, sizes = service.start(), []
    for i in range(300):
        (verdict,) = service.add([standing], [Turn(Role.CUSTOMER, f"question {i}")])
        standing = verdict.standing
        sizes.append(len(service.save(standing)))

    assert sizes[-1] <= sizes[2] + 20
    assert "question" not in service.save(standing)


def test_a_closed_conversation_takes_no_turn() -> None:
    """What was closed stays closed, with a sentence."""
    service = decider(KEYWORD)
    (verdict,) = service.close([service.start()])

    with pytest.raises(DataError, match="it was closed"):
        service.add([verdict.standing], [TALK.turns[0]])
    with pytest.raises(DataError, match="it was closed"):
        service.close([verdict.standing])


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text[: len(text) // 2],
        lambda text: "[]",  # noqa: ARG005 - whatever was saved
        lambda text: json.dumps({**json.loads(text), "state": {"x": 1}}),
        lambda text: json.dumps({**json.loads(text), "more": 1}),
        lambda text: text.replace("float32", "object"),
        lambda text: text.replace('"shape": [32]', '"shape": [31]'),
    ],
)
def test_a_damaged_state_is_a_sentence(damage: Callable[[str], str]) -> None:
    """Whatever is wrong with a saved state, nothing but a DataError comes of it."""
    service = decider(HASHING)

    with pytest.raises(DataError, match="Expected a saved"):
        service.restore(damage(service.save(service.start())))


def test_a_state_of_another_trigger_is_refused() -> None:
    """A state means nothing to a trigger that didn't make it."""
    saved = decider(KEYWORD).save(decider(KEYWORD).start())

    with pytest.raises(DataError, match="saved under"):
        decider(HASHING).restore(saved)


def test_a_state_of_foreign_objects_is_a_bug() -> None:
    """A trigger whose state can't be saved is told so by type."""
    with pytest.raises(TypeError, match="got object"):
        state_to_json((object(),))
    with pytest.raises(DataError, match="Expected a saved state"):
        state_from_json(float, "1.5")


def test_states_made_of_parts_come_back() -> None:
    """Words stacked beside vectors under one head, and a cascade, are restored part by part."""
    said = Vocabulary(("person",), np.ones(1, dtype=np.float32))
    stacked = StackedFeatures([WordFeatures(said, said), HASHING.features])
    cascade = CascadeTrigger(HASHING, PROMPT, Band(0.4, 0.6, 0.1, Split.TRAIN))
    owners: tuple[Any, ...] = (stacked, cascade)
    for owner in owners:
        state = owner.start()
        for seen in owner.encode(TALK.turns):
            state = owner.update(state, seen)
        saved = json.loads(json.dumps(state_to_json(state)))

        assert state_to_json(state_from_json(state_type(owner), saved)) == saved
