"""What replies cost: sums, price and percentiles, each question once."""

from __future__ import annotations

from dataclasses import replace

import pytest

from handoff_eval.errors import SettingsError
from handoff_eval.llm.cost import Meter, Usage
from handoff_eval.llm.question import Message, Question, Reply
from handoff_eval.settings import LlmLimits, Price
from tests.fakes import WordCountingAsker

REPLY = Reply("x", "m", None, 100, 2, 0.5)


def test_tokens_are_summed_and_priced() -> None:
    """300 in at 2 and 6 out at 10 a million: (300 * 2 + 6 * 10) / 1e6 = 0.00066."""
    usage = Usage.of([REPLY] * 3)

    assert (usage.replies, usage.prompt_tokens, usage.completion_tokens) == (3, 300, 6)
    assert usage.cost(Price(2, 10)) == pytest.approx(0.00066)
    assert usage.cost(None) is None
    assert usage.to_dict(Price(2, 10))["cost"] == pytest.approx(0.00066)


def test_what_is_not_counted_is_told() -> None:
    """A reply without counts adds nothing and is counted as such."""
    usage = Usage.of([REPLY, replace(REPLY, prompt_tokens=None, completion_tokens=None)])

    assert (usage.replies, usage.uncounted, usage.prompt_tokens) == (2, 1, 100)


def test_percentiles_are_times_that_occurred() -> None:
    """Of 1 to 40 seconds half are within 20 and 38 of 40, which is 95 %, within 38."""
    usage = Usage.of(replace(REPLY, seconds=float(s)) for s in range(40, 0, -1))

    assert (usage.p50_seconds, usage.p95_seconds) == (20, 38)
    assert Usage.of([REPLY]).p95_seconds == 0.5
    assert Usage.of([]) == Usage(0, 0, 0, 0, None, None)


def test_a_meter_counts_its_own_questions_once() -> None:
    """Two meters on one model have each their own count; an equal question costs nothing more."""
    asker = WordCountingAsker()
    one, other = Meter(asker), Meter(asker)
    a, b = (Question((Message("user", text),), max_tokens=1) for text in ("a", "a b"))

    replies = one.ask([a, b, a])
    other.ask([a])

    assert replies == asker.ask([a, b, a])
    assert one.identity == asker.identity
    assert (one.usage.replies, one.usage.prompt_tokens) == (2, 3)
    assert other.usage.replies == 1


def test_limits_and_prices_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each field has its variable; without any, nothing is limited and nothing priced."""
    assert LlmLimits.from_environment() == LlmLimits()
    assert Price.from_environment() is None
    for name, value in {
        "THREADS": "8", "RETRIES": "0", "REQUESTS_PER_MINUTE": "500", "TIMEOUT": "9.5",
        "TOKENS_PER_MINUTE": "2e5", "PRICE_IN": "0.15",
    }.items():  # fmt: skip
        monkeypatch.setenv(f"HANDOFF_EVAL_LLM_{name}", value)

    assert LlmLimits.from_environment() == LlmLimits(8, 500, 200_000, 9.5, 0)
    assert Price.from_environment() == Price(0.15, 0)


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("THREADS", "many", "HANDOFF_EVAL_LLM_THREADS to be a number; got 'many'"),
        ("THREADS", "0", "threads to be a whole number from 1 to 1000; got 0"),
        ("THREADS", "2.5", "threads to be a whole number .*; got 2.5"),
        ("RETRIES", "-1", "retries to be a whole number from 0"),
        ("TIMEOUT", "0", "timeout to be a number above 0; got 0"),
        ("REQUESTS_PER_MINUTE", "nan", "requests_per_minute to be a number above 0; got nan"),
        ("TOKENS_PER_MINUTE", "inf", "tokens_per_minute to be a number above 0; got inf"),
        ("PRICE_OUT", "-1", "a price of 0 or more for a million tokens; got -1"),
    ],
)
def test_a_setting_that_makes_no_sense_is_a_sentence(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, sentence: str
) -> None:
    """It says which, what was expected and what came."""
    monkeypatch.setenv(f"HANDOFF_EVAL_LLM_{name}", value)

    with pytest.raises(SettingsError, match=f"Expected {sentence}"):
        (Price if name.startswith("PRICE") else LlmLimits).from_environment()
