"""What every trigger keeps: prefixes only, order, range, batches, and the same after export."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import numpy as np
import pytest

from handoff_eval.conversation import Conversation, Role, Split, Turn
from handoff_eval.encoders.hashing import HashingEncoder
from handoff_eval.encoders.minilm import load_minilm, load_minilm_int8
from handoff_eval.evaluation.operating_point import OperatingPoint
from handoff_eval.evaluation.replay import replay
from handoff_eval.llm.asker import Asker, default_asker
from handoff_eval.llm.question import Message, Question
from handoff_eval.production.bundle import read_bundle, write_bundle
from handoff_eval.production.parity import check_parity
from handoff_eval.trigger import Trigger
from handoff_eval.triggers.cascade import Band, CascadeTrigger
from handoff_eval.triggers.classifier import ClassifierTrigger
from handoff_eval.triggers.feature_maps import TurnFeatures
from handoff_eval.triggers.keyword import KeywordTrigger, default_rules
from handoff_eval.triggers.prompt import PromptTrigger
from handoff_eval.triggers.shots import Shot
from handoff_eval.triggers.similarity import SimilarityTrigger
from handoff_eval.triggers.train import train_classifier
from handoff_eval.triggers.trained import train_setfit
from tests.builders import static_encoder, talk
from tests.fakes import WordCountingAsker
from tests.llm_provider import Answer, completion, provider
from tests.training import TRAINING

TALKS = [
    talk("C: my parcel is lost", "A: sorry", "C: can I speak to a person please", id="1"),
    talk("A: hello", "C: how do I pay", "A: by card", "C: thanks, works", "A: bye", id="2"),
    talk("S: tool call", "C: delete my account", "S: result", id="3"),
    talk("C: ??", id="4"),
    talk("C: " + "very long " * 800, "C: 😀 \u202eright to left\u202c", id="5"),
]


def keyword() -> Trigger:
    return KeywordTrigger(default_rules())


def hashing() -> Trigger:
    return train_classifier(TRAINING, HashingEncoder(64), name="hashing")


def similarity() -> Trigger:
    return SimilarityTrigger(
        "Send it when the customer asks for a person or when the agent apologises, only if the "
        "customer said what is wrong. Do not send it when the customer says thanks.",
        HashingEncoder(64),
    )


def prompt(asker: Asker | None = None) -> PromptTrigger:
    shot = Shot(TALKS[3].turns, closed=True, handoff=False)
    return PromptTrigger(
        "Email us when a person is needed.", asker or WordCountingAsker(), shots=[shot]
    )


def cascade(asker: Asker | None = None) -> Trigger:
    return CascadeTrigger(hashing_words(), prompt(asker), Band(0.05, 0.9, share=0.5))


def served_word_counter(body: dict[str, Any]) -> Answer:
    """Answer over HTTP as the word counter does."""
    messages = tuple(Message(m["role"], m["content"]) for m in body["messages"])
    (reply,) = WordCountingAsker().ask([Question(messages, max_tokens=1, answers=("yes", "no"))])
    return completion(reply.text, logprobs=[(c.token, c.logprob) for c in reply.logprobs or ()])


def words() -> Trigger:
    return train_classifier(TRAINING, None, words=True, name="tfidf")


def static() -> Trigger:
    folder = Path(mkdtemp())
    return train_classifier(TRAINING, static_encoder(folder), name="static")


def hashing_words() -> Trigger:
    return train_classifier(TRAINING, HashingEncoder(64), words=True, name="hashing_words")


def forest() -> Trigger:
    from sklearn.ensemble import RandomForestClassifier

    head = RandomForestClassifier(20, random_state=0)
    return train_classifier(TRAINING, HashingEncoder(64), head=head, name="forest")


def machine() -> Trigger:
    from sklearn.svm import LinearSVC

    return train_classifier(TRAINING, HashingEncoder(64), head=LinearSVC(), name="machine")


@cache
def minilm() -> Trigger:
    return train_classifier(TRAINING, load_minilm())


@cache
def minilm_int8() -> Trigger:
    return train_classifier(TRAINING, load_minilm_int8(), name="minilm_int8")


@cache
def minilm_words() -> Trigger:
    return train_classifier(TRAINING, load_minilm(), words=True, name="minilm_words")


@cache
def setfit() -> Trigger:
    return train_setfit(TRAINING, steps=2)


EXPORTABLE = [
    *(keyword, similarity, hashing, words, static, hashing_words, forest, machine),
    *(
        pytest.param(make, marks=pytest.mark.slow)
        for make in (minilm, minilm_int8, minilm_words, setfit)
    ),
]


@pytest.fixture(params=[*EXPORTABLE, prompt, cascade], ids=lambda make: make.__name__)
def trigger(request: pytest.FixtureRequest) -> Trigger:
    return request.param()


def test_is_a_trigger(trigger: Trigger) -> None:
    """It has the protocol's parts and a description that tells versions apart."""
    assert isinstance(trigger, Trigger)
    assert trigger.name
    assert trigger.description


def test_scores_are_finite_and_in_the_unit_interval(trigger: Trigger) -> None:
    """Whatever is said, every score lies in [0, 1]."""
    scores = replay(trigger, TALKS).scores

    assert np.all(np.isfinite(scores))
    assert np.all((scores >= 0) & (scores <= 1))


def test_later_turns_change_no_earlier_score(trigger: Trigger) -> None:
    """A prefix scored alone gives what it gave inside the whole conversation."""
    for conversation in TALKS:
        whole = replay(trigger, [conversation])
        for index, point in enumerate(conversation.decision_points()[:-1]):
            prefix = Conversation(conversation.id, conversation.turns[: point.turns])
            other = Conversation(
                conversation.id,
                (*prefix.turns, Turn(Role.CUSTOMER, "I want a human, call my lawyer!")),
            )

            assert replay(trigger, [prefix]).scores[index] == pytest.approx(whole.scores[index])
            assert replay(trigger, [other]).scores[index] == pytest.approx(whole.scores[index])


def test_order_and_batches_change_nothing(trigger: Trigger) -> None:
    """Each conversation has the same scores alone, in a batch, and in another order."""
    together = replay(trigger, TALKS)
    backwards = replay(trigger, TALKS[::-1])

    for i, conversation in enumerate(TALKS):
        j = len(TALKS) - 1 - i
        alone = replay(trigger, [conversation]).scores
        here = together.scores[together.offsets[i] : together.offsets[i + 1]]
        there = backwards.scores[backwards.offsets[j] : backwards.offsets[j + 1]]
        assert here == pytest.approx(alone, abs=1e-6)
        assert there == pytest.approx(alone, abs=1e-6)


def test_nothing_in_gives_nothing_out(trigger: Trigger) -> None:
    """An empty batch is answered with an empty list."""
    assert len(trigger.encode([])) == 0
    assert trigger.score([], []) == []


def test_update_leaves_the_old_state_alone(trigger: Trigger) -> None:
    """A state can be kept and continued twice with the same result."""
    first, second = trigger.encode(TALKS[0].turns[:2])
    state = trigger.update(trigger.start(), first)
    before = trigger.score([state], [False])

    trigger.update(state, second)

    assert trigger.score([state], [False]) == before


def test_explanation_points_into_the_prefix(trigger: Trigger) -> None:
    """The evidence is a turn that was visible."""
    for conversation in TALKS:
        evidence = trigger.explain(conversation.turns, closed=True).evidence_turn

        assert evidence is None or 0 <= evidence < len(conversation.turns)


@pytest.mark.parametrize("make", EXPORTABLE, ids=lambda make: make.__name__)
def test_export_scores_and_explains_the_same(make: Callable[[], Trigger], tmp_path: Path) -> None:
    """Read back from its bundle, a trigger decides as it was measured."""
    check_export(make(), tmp_path)


@pytest.mark.parametrize("make", [prompt, cascade], ids=lambda make: make.__name__)
def test_export_with_the_endpoint_as_a_setting(
    make: Callable[[Asker], Trigger], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Read back, it asks the endpoint of the settings and decides as it was measured."""
    monkeypatch.setenv("HANDOFF_EVAL_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HANDOFF_EVAL_LLM_MODEL", "tiny")
    with provider(served_word_counter) as served:
        monkeypatch.setenv("HANDOFF_EVAL_LLM_URL", served.settings.url)
        with default_asker() as asker:
            check_export(make(asker), tmp_path)

    assert len(served.requests) > 5


def check_export(trigger: Trigger, tmp_path: Path) -> None:
    played = replay(trigger, TALKS)
    threshold = float(np.median(played.scores)) + 1e-3
    point = OperatingPoint(trigger.name, threshold, Split.TUNE, None, "")
    write_bundle(trigger, point, handoff="support", instruction="when", to=tmp_path / "bundle")

    bundle = read_bundle(tmp_path / "bundle")
    parity = check_parity(bundle, TALKS, played)

    assert parity.changed == 0
    assert parity.largest_difference <= 1e-5
    for conversation in TALKS:
        assert bundle.trigger.explain(conversation.turns, closed=True) == trigger.explain(
            conversation.turns, closed=True
        )


def test_the_head_must_fit_the_encoder() -> None:
    """A head trained on another width is refused with both widths."""
    head = hashing().head  # type: ignore[attr-defined]

    with pytest.raises(ValueError, match=r"Expected a head over .* features for hashing-1-32"):
        ClassifierTrigger(TurnFeatures(HashingEncoder(32)), head)
