"""ROUGE by hand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handoff_eval.summaries.rouge import rouge_l, rouge_n

TEXT = st.lists(
    st.sampled_from(["the", "cat", "sat", "on", "a", "mat", "4417", "你", "no"]), max_size=9
).map(" ".join)


def test_by_hand() -> None:
    """Counts of one pair worked out on paper."""
    summary, reference = "The cat sat, the cat.", "the cat lay on the mat"

    # Common unigrams: the 2, cat 1 = 3; 5 and 6 tokens: 2 * 3 / 11.
    assert rouge_n(summary, reference) == pytest.approx(6 / 11)
    # Bigrams of 4 and 5, common: "the cat" once: 2 * 1 / 9.
    assert rouge_n(summary, reference, n=2) == pytest.approx(2 / 9)
    # Longest common subsequence "the cat the": 2 * 3 / 11.
    assert rouge_l(summary, reference) == pytest.approx(6 / 11)


@given(TEXT, TEXT)
def test_symmetric_and_bounded(first: str, second: str) -> None:
    """The F-measure lies in [0, 1], is the same both ways, and is 1 for a text with itself."""
    for measure in (rouge_n, rouge_l):
        assert 0 <= measure(first, second) <= 1
        assert measure(first, second) == measure(second, first)
        assert measure(first, first) == (1.0 if first else 0.0)
