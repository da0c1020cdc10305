"""The options of the commands that ask a language model."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from handoff_eval.cli.llm_options import LlmOptions, add_llm_options, llm_options_of
from handoff_eval.errors import SettingsError
from handoff_eval.settings import LlmLimits, Price


def options(*arguments: str) -> LlmOptions:
    """Return what these arguments state."""
    parser = argparse.ArgumentParser()
    add_llm_options(parser)
    return llm_options_of(parser.parse_args(arguments))


def test_flags_win_over_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What is stated on the line holds; the rest is the environment's, else the default."""
    monkeypatch.setenv("HANDOFF_EVAL_LLM_THREADS", "2")
    monkeypatch.setenv("HANDOFF_EVAL_LLM_TIMEOUT", "7")
    monkeypatch.setenv("HANDOFF_EVAL_LLM_PRICE_IN", "9")
    (tmp_path / "p.txt").write_text("[open]\nGoing on.")
    stated = options(
        *("--llm-threads", "3", "--requests-per-minute", "60", "--price-out", "2"),
        *("--prompt", str(tmp_path / "p.txt"), "--shots", "2", "--cascade-share", "0.3"),
    )
    plan = stated.plan()

    assert stated.merged_limits() == LlmLimits(threads=3, requests_per_minute=60, timeout=7)
    assert (plan.shots, plan.share, plan.price) == (2, 0.3, Price(9, 2))
    assert plan.template is not None
    assert "[open]\nGoing on.\n" in plan.template.text
    assert options().plan().price == Price(9, 0)
    assert options().plan().template is None


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--prompt", "none.txt"], "none.txt: can't be read"),
        (["--shots", "3"], "an even number of examples from 0 to 8"),
        (["--cascade-share", "2"], "share to lie between 0 and 1; got 2"),
        (["--price-in", "-1"], "a price of 0 or more"),
        (["--price-in", "nan"], "a price of 0 or more"),
        (["--llm-threads", "0"], "threads to be a whole number from 1"),
        (["--tokens-per-minute", "0"], "tokens_per_minute to be a number above 0"),
    ],
)
def test_what_can_not_be_used_is_a_sentence(arguments: list[str], sentence: str) -> None:
    """Said before anything is asked."""
    with pytest.raises(SettingsError, match=sentence):
        (options(*arguments).plan(), options(*arguments).merged_limits())
