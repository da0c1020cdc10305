"""Questions and replies: keys over all a reply depends on, spellings summed."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handoff_eval.llm.question import Message, Question, Reply, TokenLogprob

QUESTION = Question(
    (Message("system", "a"), Message("user", "b")), max_tokens=1, answers=("yes", "no")
)


@pytest.mark.parametrize(
    "other",
    [
        replace(QUESTION, max_tokens=2),
        replace(QUESTION, answers=("yes",)),
        replace(QUESTION, answers=()),
        replace(QUESTION, messages=QUESTION.messages[::-1]),
        replace(QUESTION, messages=(Message("user", "a"), Message("user", "b"))),
        replace(QUESTION, messages=(Message("system", "a b"), Message("user", ""))),
    ],
)
def test_the_key_changes_with_every_part(other: Question) -> None:
    """No two different questions share a key, nor does one question on two models."""
    assert other.key("m") != QUESTION.key("m")
    assert QUESTION.key("m") != QUESTION.key("m2")
    assert QUESTION.key("m") == replace(QUESTION).key("m")


def test_the_key_does_not_change_between_versions() -> None:
    """Recorded replies stay findable: this digest was written down once."""
    assert QUESTION.key("m") == "de37bc363f774077c9b22e9dc8f1b8cdf46798a2bbdbc16c47952d56e79df4d4"


@settings(deadline=None)
@given(st.text(), st.text())
def test_text_can_not_wander_between_messages(first: str, second: str) -> None:
    """Wherever the border between two messages lies, the key sees it, lone surrogates included."""
    whole = Question((Message("user", first + second), Message("user", "")), max_tokens=1)
    split = Question((Message("user", first), Message("user", second)), max_tokens=1)

    assert (whole.key("m") == split.key("m")) == (second == "")


def test_spellings_of_an_answer_are_summed() -> None:
    """Case, spaces and quotation marks don't matter; another word that starts alike does."""
    tokens = [("Yes", 0.4), (" yes", 0.2), ('"YES', 0.1), ("▁Yes", 0.05), ("Yesterday", 0.1)]
    tokens += [("No", 0.1), ("None", 0.05)]
    reply = Reply(
        text="Yes",
        model="m",
        logprobs=tuple(TokenLogprob(token, math.log(p)) for token, p in tokens),
        prompt_tokens=1,
        completion_tokens=1,
        seconds=0.1,
    )

    # .4 + .2 + .1 + .05
    assert reply.probability("yes") == pytest.approx(0.75)
    assert reply.probability("no") == pytest.approx(0.1)
    assert replace(reply, logprobs=None).probability("yes") == 0


@pytest.mark.parametrize("value", [0.5, float("nan"), float("inf")])
def test_what_is_no_log_probability_is_refused(value: float) -> None:
    """Positive numbers and NaN can't be weighed."""
    with pytest.raises(ValueError, match="Expected a log-probability of at most 0; got"):
        TokenLogprob("Yes", value)
