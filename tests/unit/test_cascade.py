"""The cascade: one scale, a band from train alone, and a model asked nowhere else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from handoff_eval.conversation import LabeledConversation, Split
from handoff_eval.encoders.hashing import HashingEncoder
from handoff_eval.errors import DataError, LeakageError, SettingsError
from handoff_eval.evaluation.comparison.arm_scores import Arm, sample_conversations
from handoff_eval.evaluation.comparison.compare import compare
from handoff_eval.evaluation.comparison.llm_arms import LlmArms, LlmPlan
from handoff_eval.evaluation.replay import replay
from handoff_eval.handoff import Budget
from handoff_eval.settings import Price
from handoff_eval.tracking.entries import Metric, arm_entries
from handoff_eval.tracking.origin import Origin
from handoff_eval.transcripts.read import Dataset
from handoff_eval.triggers.cascade import Band, CascadeTrigger, choose_band
from handoff_eval.triggers.prompt import PromptTrigger
from handoff_eval.triggers.train import train_classifier
from tests.builders import labeled, talk
from tests.fakes import WordCountingAsker
from tests.training import TRAINING


class Scores(WordCountingAsker):
    """A trigger that scores what the last turn says."""

    name = "stated"
    description = "stated scores"

    def encode(self, turns: Sequence) -> list[float]:
        """Return the number each turn states."""
        return [float(turn.text) for turn in turns]

    def start(self) -> float:
        """Return 0."""
        return 0.0

    def update(self, state: float, observation: float) -> float:  # noqa: ARG002
        """Return the number of the new turn."""
        return observation

    def score(self, states: Sequence[float], closed: Sequence[bool]) -> list[float]:  # noqa: ARG002
        """Return the states."""
        return list(states)


def on_train(*items: LabeledConversation) -> list[LabeledConversation]:
    """Put conversations on train."""
    return [replace(i, conversation=replace(i.conversation, split=Split.TRAIN)) for i in items]


def points(needs: str) -> list[LabeledConversation]:
    """Return a conversation a letter, of one decision point: `+` needs a handoff, `-` does not."""
    return on_train(
        *(labeled(talk("S: x", id=f"{i}"), handoff=letter == "+") for i, letter in enumerate(needs))
    )


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_one_scale_on_which_nothing_leaves_its_side(stated: list[float]) -> None:
    """Outside the band the score is the first one's to the digit; inside it stays in the band."""
    asker = WordCountingAsker()
    band = Band(0.25, 0.75, share=0.5)
    trigger = CascadeTrigger(Scores(), PromptTrigger("when", asker), band)
    conversation = talk(*(f"C: {number!r}" for number in stated))
    alone = replay(PromptTrigger("when", asker), [conversation]).scores

    for first, second, score in zip(
        [*stated, stated[-1]], alone, replay(trigger, [conversation]).scores, strict=True
    ):
        assert score == (0.25 + 0.5 * second if 0.25 <= first < 0.75 else first)


def test_the_model_is_asked_in_the_band_alone_and_once_a_batch() -> None:
    """Of 0.1, 0.5, 0.6, 0.9 two lie in the band: one call with two questions after the probe."""
    calls: list[int] = []

    class Counting(WordCountingAsker):
        def ask(self, questions: Sequence) -> list:
            calls.append(len(questions))
            return super().ask(questions)

    trigger = CascadeTrigger(Scores(), PromptTrigger("when", Counting()), Band(0.4, 0.8, share=0.5))
    states = [(score, ()) for score in (0.1, 0.5, 0.6, 0.9)]
    trigger.score(states, [False] * 4)
    trigger.score(states[:1], [False])

    assert calls == [1, 2]


@pytest.mark.parametrize("split", [Split.TUNE, Split.TEST])
def test_a_band_chosen_elsewhere_can_not_be_made(split: Split) -> None:
    """Neither from conversations of another split nor by hand."""
    items = points("+-+-")
    items[2] = replace(items[2], conversation=replace(items[2].conversation, split=split))

    with pytest.raises(LeakageError, match="Expected a band to be chosen on the train split alone"):
        choose_band(items, [np.array([0.5])] * 4)
    with pytest.raises(LeakageError, match=f"Expected a band chosen on train; got one of {split}"):
        Band(0.2, 0.4, share=0.5, chosen_on=split)


def test_the_band_holds_the_most_mistakes_of_its_share() -> None:
    """Sorted .1 to .8 as --+-+-++: of windows of four, + - + - holds 3 of the 3 wrong pairs.

    From the third place: (+.3, -.4), (+.3, -.6), (+.5, -.6); its ends lie at .25 and .65.
    """
    scores = [np.array([0.1 * (i + 1)]) for i in range(8)]
    band = choose_band(points("--+-+-++"), scores, share=0.5)

    assert (band.low, band.high) == (pytest.approx(0.25), pytest.approx(0.65))
    assert band.share == 0.5
    assert band.chosen_on is Split.TRAIN


def test_where_nothing_is_wrong_the_band_lies_at_the_border() -> None:
    """Of ---+++ the middle two hold the one pair that the windows of two can hold."""
    scores = [np.array([0.1 * (i + 1)]) for i in range(6)]
    band = choose_band(points("---+++"), scores, share=1 / 3)

    assert (band.low, band.high) == (pytest.approx(0.25), pytest.approx(0.45))


def test_a_tie_is_no_mistake_and_all_ties_are_no_band() -> None:
    """Equal scores can't be parted by a band, and say so."""
    with pytest.raises(DataError, match="Expected scores that differ to choose"):
        choose_band(points("+-+-+-"), [np.array([0.5])] * 6, share=0.5)


@given(
    st.lists(
        st.tuples(st.booleans(), st.integers(0, 1000)),
        min_size=2,
        max_size=20,
        unique_by=lambda p: p[1],
    ).filter(lambda said: len({needs for needs, _ in said}) == 2),
    st.floats(0.05, 0.95),
)
def test_no_other_window_holds_more_mistakes(said: list[tuple[bool, int]], share: float) -> None:
    """Counted pair by pair, in every window of the size asked for."""
    items = points("".join("+" if needs else "-" for needs, _ in said))
    band = choose_band(items, [np.array([score / 1000]) for _, score in said], share=share)
    ordered = sorted((score / 1000, needs) for needs, score in said)
    inside = [point for point in ordered if point[0] in band]

    def wrong(window: list[tuple[float, bool]]) -> int:
        return sum(a[0] < b[0] for a in window if a[1] for b in window if not b[1])

    windows = [ordered[i : i + len(inside)] for i in range(len(ordered) - len(inside) + 1)]
    assert len(inside) == min(max(1, round(share * len(said))), len(said) - 1)
    assert wrong(inside) == max(map(wrong, windows))


@pytest.mark.parametrize("share", [0.0, 1.0, -0.1, float("nan")])
def test_a_share_that_is_none_is_refused(share: float) -> None:
    """Above 0 and below 1."""
    with pytest.raises(SettingsError, match="share to lie between 0 and 1; got"):
        choose_band(points("+-"), [np.array([0.5])] * 2, share=share)


def test_one_kind_of_point_is_no_ground_for_a_band() -> None:
    """Nothing can be in the wrong order."""
    with pytest.raises(DataError, match="with and without a handoff due in train"):
        choose_band(points("--"), [np.array([0.5])] * 2, share=0.5)


def test_the_draw_of_who_asks_less_holds_that_of_who_asks_more() -> None:
    """So the cascade is compared with the prompt on all that the prompt was asked."""
    every = sample_conversations(TRAINING, 60, seed=3)
    fewer = sample_conversations(TRAINING, 60, seed=3, asked=lambda cs: [1] * len(cs))
    free = sample_conversations(TRAINING, 1, seed=3, asked=lambda cs: [0] * len(cs))

    assert len(every) < len(fewer)
    assert {i.conversation.id for i in every} < {i.conversation.id for i in fewer}
    assert free == tuple(TRAINING)


def test_the_cascade_is_reported_against_both_of_its_parts(dataset: Dataset) -> None:
    """Recall, volume and cost of all three, paired, with the share of decisions asked."""
    train = dataset.labeled(Split.TRAIN)

    first = train_classifier(train, HashingEncoder(16), words=True, name="minilm_words")
    plan = LlmPlan(max_decisions=180, share=0.2, shots=2, price=Price(1.0, 2.0))
    arms = LlmArms(
        train,
        instruction="When a person is needed.",
        asker=WordCountingAsker,
        encoder=lambda: HashingEncoder(16),
        plan=plan,
    )
    three = [Arm(first), arms.prompt(), arms.cascade(first)]
    found = compare(dataset, three, Budget(20, 0.8, 200, prevalence=0.05))
    document = {arm["name"]: arm for arm in found.to_dict()["arms"]}
    prompt, cascade = found.arm("prompt").llm, found.arm("cascade").llm

    assert document["minilm_words"]["llm"] is None
    assert prompt is not None
    assert cascade is not None
    assert prompt.asked == prompt.decisions <= 180
    assert cascade.asked < cascade.decisions
    assert cascade.asked <= 180
    assert cascade.share < prompt.share == 1
    assert document["cascade"]["llm"]["cost"] == pytest.approx(
        (cascade.usage.prompt_tokens * 1 + cascade.usage.completion_tokens * 2) / 1e6
    )
    assert (cascade.cost_per_thousand or 0) < (prompt.cost_per_thousand or 0)
    assert {frozenset((pair.first, pair.second)) for pair in found.pairs} == {
        frozenset(pair)
        for pair in (("minilm_words", "prompt"), ("minilm_words", "cascade"), ("prompt", "cascade"))
    }
    rows = found.frame()
    assert rows["asked of a model"].tolist()[:2] == ["none", "100%"]
    assert rows["tokens"]["cascade"] == (
        f"{cascade.usage.prompt_tokens:,} in, {cascade.usage.completion_tokens:,} out"
    )
    assert rows["cost of 1,000 conversations"]["cascade"] == f"{cascade.cost_per_thousand:.4g}"
    logged = {
        entry.name: entry.value
        for entry in arm_entries(found, found.arm("cascade"), origin=Origin(None, False, {}, ()))
        if isinstance(entry, Metric)
    }
    assert logged["secondary/llm_asked"] == cascade.asked
    assert logged["secondary/llm_prompt_tokens"] == cascade.usage.prompt_tokens
    assert logged["secondary/llm_cost"] == pytest.approx(document["cascade"]["llm"]["cost"])
    assert "for 1,000 such conversations" in cascade.sentence()


def test_an_arm_that_asked_at_every_conversation_may_be_chosen(dataset: Dataset) -> None:
    """With room for all it isn't sampled, so the risk is shared with it and it can be exported."""
    train = dataset.labeled(Split.TRAIN)
    arms = LlmArms(
        train,
        instruction="When a person is needed.",
        asker=WordCountingAsker,
        encoder=lambda: HashingEncoder(16),
        plan=LlmPlan(max_decisions=10_000),
    )
    found = compare(dataset, [arms.prompt()], Budget(20, 0.8, 200, prevalence=0.05))

    assert not found.arm("prompt").sampled
    assert found.chosen == "prompt"
