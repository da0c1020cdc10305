"""Two arms at equal volume: the sign, the null, ties, and Holm's correction."""

from __future__ import annotations

import numpy as np
import pytest

from handoff_eval.conversation import Split
from handoff_eval.evaluation.paired import all_pairs, holm, paired_difference
from handoff_eval.evaluation.scored import ScoredSplit
from tests.builders import scored


def arm(seed: int, shift: float, name: str, n: int = 40, levels: int = 0) -> ScoredSplit:
    rng = np.random.default_rng(seed)
    positives, negatives = rng.normal(shift, 1, n), rng.normal(0, 1, 3 * n)
    values = [1 / (1 + np.exp(-x)) for x in (positives, negatives)]
    if levels:
        values = [np.floor(v * levels) / levels for v in values]
    return scored(*values, split=Split.TEST, name=name)


def test_identical_arms_differ_by_exactly_nothing() -> None:
    """The same scores give 0 and p = 1."""
    pair = paired_difference(arm(1, 1, "a"), arm(1, 1, "b"), email_rate=0.1, prevalence=0.05)

    assert pair.difference.value == 0
    assert pair.p_value == 1
    # discordance is taken as .05: (1.960 sqrt(.05) + .8416 sqrt(.05 - .0025))^2 / .0025 = 154.7
    assert pair.verdict == (
        "No difference shown with 40 positives; about 155 would be needed to show 5 points."
    )
    # no discordant one of 40: 1 - .025 ** (1/40) = .088
    assert pair.difference.high == pytest.approx(0.0881, abs=1e-4)


def test_a_better_arm_is_shown_to_be_better() -> None:
    """A large true difference is found, with its sign."""
    pair = paired_difference(
        arm(1, 3, "good"), arm(2, 0.2, "poor"), email_rate=0.1, prevalence=0.05
    )

    assert pair.difference.low > 0
    assert pair.verdict == "good catches more than poor at the same volume."


def test_row_order_changes_nothing() -> None:
    """Ties are shared, so no arm gains from where its rows stand."""
    first, second = arm(1, 1, "a", levels=4), arm(2, 1, "b", levels=4)
    back = [f"c{i}" for i in range(len(first.peak))][::-1]

    plain = paired_difference(first, second, email_rate=0.1, prevalence=0.05)
    turned = paired_difference(
        first.subset(back), second.subset(back), email_rate=0.1, prevalence=0.05
    )

    assert turned.difference.value == pytest.approx(plain.difference.value)


def test_different_conversations_are_refused() -> None:
    """A paired comparison needs the same conversations on both sides."""
    with pytest.raises(ValueError, match="on the same conversations"):
        paired_difference(arm(1, 1, "a"), arm(1, 1, "b", n=30), email_rate=0.1, prevalence=0.05)


def test_a_sampled_arm_is_compared_on_its_sample() -> None:
    """Each pair uses the conversations that both were asked on."""
    full, other = arm(1, 1, "a"), arm(2, 1, "b")
    sampled = arm(3, 1, "c").subset([f"c{i}" for i in range(30, 60)])

    pairs = all_pairs([full, other, sampled], email_rate=0.1, prevalence=0.05)

    assert [pair.difference.n for pair in pairs] == [160, 30, 30]
    assert [pair.positives for pair in pairs] == [40, 10, 10]


@pytest.mark.medium
def test_equal_arms_are_rejected_about_as_often_as_stated() -> None:
    """Two arms equal by construction differ at 5 % in 1 to 7.5 % of 400 draws."""
    rejected = 0
    for draw in range(400):
        rng = np.random.default_rng(draw)
        shared = rng.normal(1, 1, 40), rng.normal(0, 1, 120)
        arms = [
            scored(
                *(1 / (1 + np.exp(-(x + rng.normal(0, 0.7, len(x))))) for x in shared),
                split=Split.TEST,
            )
            for _ in range(2)
        ]
        pair = paired_difference(*arms, email_rate=0.15, prevalence=0.1, seed=draw)
        rejected += pair.p_value < 0.05

    assert 0.01 <= rejected / 400 <= 0.075


def test_holm_by_hand() -> None:
    """Sorted p-values times 3, 2, 1, never falling, never above 1."""
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.6, 0.9]) == pytest.approx([1.0, 1.0])
    assert holm([]) == []
