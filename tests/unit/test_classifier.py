"""The trained arm: what its state holds, what it learns, and what it refuses to learn from."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from handoff_eval.conversation import Reason
from handoff_eval.encoders.base import encode_spoken
from handoff_eval.encoders.hashing import HashingEncoder
from handoff_eval.errors import DataError
from handoff_eval.evaluation.replay import replay
from handoff_eval.triggers import features
from handoff_eval.triggers.train import train_classifier
from tests.builders import labeled, talk
from tests.training import TRAINING

ENCODER = HashingEncoder(64)


def _signals(*lines: str, closed: bool = False) -> dict[str, float]:
    conversation = talk(*lines)
    vectors = ENCODER.encode([turn.text for turn in conversation.turns])
    state = features.start(64)
    for seen in features.observe(conversation.turns, vectors):
        state = features.update(state, seen)
    row = features.features([state], [closed])[0]
    return dict(zip(features.feature_names(64)[-len(features.SIGNALS) :], row[-16:], strict=True))


def test_counts_are_logarithms_of_what_was_seen() -> None:
    """Two customer turns give log(3), one agent turn log(2); closed is itself."""
    signals = _signals("C: one two three", "A: sorry, no", "C: call me", closed=True)

    assert signals["customer_turns"] == pytest.approx(np.log(3))
    assert signals["agent_turns"] == pytest.approx(np.log(2))
    assert signals["words_now"] == pytest.approx(np.log(3))
    assert signals["asks_now"] == pytest.approx(np.log(2))
    assert signals["agent_unable"] == pytest.approx(np.log(2))
    assert signals["closed"] == 1
    assert signals["customer_had_last_word"] == pytest.approx(np.log(2))


def test_a_repeated_question_is_noticed() -> None:
    """The same words again are a repetition of 1, other words of less."""
    again = _signals("C: where is my parcel", "A: soon", "C: where is my parcel")
    other = _signals("C: where is my parcel", "A: soon", "C: blue or green?")

    assert again["repeats"] == pytest.approx(np.log(2), abs=1e-6)
    assert other["repeats"] < 0.3


def test_system_turns_change_nothing() -> None:
    """Tool calls and results are not what anybody said."""
    assert _signals("C: hi", "S: tool call refund") == _signals("C: hi")


def test_state_does_not_grow() -> None:
    """After three hundred turns the state is as large as after one."""
    state = features.start(64)
    (seen,) = features.observe(talk("C: hello").turns, ENCODER.encode(["hello"]))
    once = features.update(state, seen)
    for _ in range(300):
        state = features.update(state, seen)

    for name in ("customer_sum", "remembered", "signals"):
        assert getattr(state, name).shape == getattr(once, name).shape


def test_it_learns_who_asks_for_a_person() -> None:
    """On unseen words of the same kind the asking prefix scores higher than the asking-free one."""
    trigger = train_classifier(TRAINING, ENCODER)

    played = replay(
        trigger,
        [
            talk("C: which size fits", "A: hm", "C: please let a person call me", id="1"),
            talk("C: which size fits", "A: M", "C: thanks", id="2"),
        ],
    )

    asked, thanked = played.peak
    assert asked > 0.5 > thanked
    assert played.scores[0] < asked


def test_it_learns_the_reason() -> None:
    """The reason head tells a request for a person from one for an email."""
    trigger = train_classifier(TRAINING, ENCODER)

    asked = talk("C: invoice?", "A: hm", "C: email me when it is repaired")
    found = trigger.explain(asked.turns, closed=False)

    assert found.reason is Reason.FOLLOW_UP_REQUESTED
    assert found.evidence_turn == 2


def test_the_same_data_give_the_same_head() -> None:
    """Training has no hidden randomness."""
    first, second = (train_classifier(TRAINING, ENCODER).head for _ in range(2))

    assert np.array_equal(first.weights, second.weights)


def test_clustered_customers_do_not_stop_training() -> None:
    """Folds that would hold one kind alone are left out, whatever the seed."""
    items = [
        labeled(talk("C: hi", "C: a person", id=f"{g}{i}", customer=g), handoff=g in "bc", at=1)
        if g in "bc"
        else labeled(talk("C: hi", id=f"{g}{i}", customer=g), handoff=False)
        for g, n in (("a", 3), ("b", 3), ("c", 1), ("d", 4), ("e", 3))
        for i in range(n)
    ]

    for seed in range(3):
        assert train_classifier(items, HashingEncoder(16), seed=seed).head.width > 0


@pytest.mark.parametrize(("handoff", "kind"), [(True, "without"), (False, "with")])
def test_one_kind_alone_teaches_nothing(handoff: bool, kind: str) -> None:
    """A train split without both kinds is refused with the count."""
    items = [labeled(talk("C: hi", id=str(i)), handoff=handoff) for i in range(5)]

    with pytest.raises(DataError, match=f"2 customers {kind} a handoff"):
        train_classifier(items, ENCODER)


def test_few_positives_are_said() -> None:
    """Under twenty needed handoffs the description says what can't be relied on."""
    few = train_classifier(TRAINING[:20], ENCODER).description
    enough = train_classifier(TRAINING, ENCODER).description

    assert "learnt from 10 needed handoffs, under 20" in few
    assert "under 20" not in enough


def test_noise_is_not_calibrated() -> None:
    """Where labels are drawn from nothing, the description says that it ranks by chance."""
    items = [
        labeled(talk("C: the same", id=str(i)), handoff=i % 3 == 0, at=0 if i % 3 == 0 else None)
        for i in range(62)
    ]

    assert "scores not calibrated" in train_classifier(items, ENCODER).description


def test_a_head_that_ignores_weights_is_refused() -> None:
    """Without sample weights a long conversation would count many times."""
    from sklearn.neighbors import KNeighborsClassifier

    with pytest.raises(DataError, match="takes sample_weight"):
        train_classifier(TRAINING, ENCODER, head=KNeighborsClassifier())


def test_words_that_nobody_shares_are_refused() -> None:
    """A vocabulary without a term is a user's mistake, told in a sentence."""
    items = [
        labeled(talk(f"C: {chr(97 + i) * 3}", id=str(i)), handoff=i % 2 == 0, at=None)
        for i in range(8)
    ]

    with pytest.raises(DataError, match="at least 2 customers of train share"):
        train_classifier(items, None, words=True)


def test_held_out_scores_are_kept_on_the_triggers_scale() -> None:
    """Every point of train has a score by another head, in [0, 1] and near the trigger's own."""
    trigger = train_classifier(TRAINING, ENCODER)
    played = replay(trigger, [item.conversation for item in TRAINING])
    flat = np.concatenate(trigger.held_out)

    assert [len(s) for s in trigger.held_out] == np.diff(played.offsets).tolist()
    assert np.all((flat > 0) & (flat < 1))
    assert np.abs(flat - played.scores).max() > 1e-3
    assert np.corrcoef(flat, played.scores)[0, 1] > 0.9


def test_encoding_spends_no_time_on_system_turns() -> None:
    """Tool results, however long, never reach the encoder, and get the zero vector."""
    asked: list[str] = []

    class Noting(HashingEncoder):
        def encode(self, texts: Sequence[str]) -> np.ndarray:
            asked.extend(texts)
            return super().encode(texts)

    encoder = Noting(16)
    vectors = encode_spoken(encoder, talk("S: {json}", "C: hi", "S: more", "A: ok").turns)

    assert asked == ["hi", "ok"]
    assert vectors[[1, 3]].tolist() == HashingEncoder(16).encode(["hi", "ok"]).tolist()
    assert not vectors[[0, 2]].any()
