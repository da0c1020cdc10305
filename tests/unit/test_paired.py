"""Two arms at equal volume: the sign, the null, ties, and Holm's correction."""

from __future__ import annotations

import numpy as np
import pytest

from handoff_eval.conversation import Split
from handoff_eval.evaluation.comparison.paired import (
    all_pairs,
    holm,
    paired_difference,
    positives_to_show,
)
from handoff_eval.evaluation.scored import ScoredSplit
from handoff_eval.evaluation.traffic import ScoredTraffic
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


def test_positives_to_show_by_hand() -> None:
    """At discordance .2: (1.960 sqrt(.2) + .8416 sqrt(.2 - .0025))^2 / .05^2 = 625.6."""
    assert positives_to_show(0.05, 0.2) == 626
    assert positives_to_show(0.05, 0.0) == positives_to_show(0.05, 0.05)


def test_discordance_is_the_share_that_one_arm_alone_catches() -> None:
    """Two arms that part on two of four positives at the same volume."""
    first = scored([0.9, 0.8, 0.2, 0.1], [0.5] * 4, split=Split.TEST)
    second = scored([0.9, 0.2, 0.8, 0.1], [0.5] * 4, split=Split.TEST)

    # at a prevalence of .5 each of four positives weighs .125, so a volume of .25 takes two
    pair = paired_difference(first, second, email_rate=0.25, prevalence=0.5)

    assert (pair.difference.value, pair.discordance) == (0.0, 0.5)


def test_the_smallest_difference_is_the_users() -> None:
    """Twenty points take fewer positives than five, and enough of them say so."""
    pair = paired_difference(
        arm(1, 1, "a"), arm(1, 1, "b"), email_rate=0.1, prevalence=0.05, smallest_difference=0.2
    )

    assert pair.verdict == (
        "No difference shown with 40 positives; one of 20 points would probably have been."
    )


def traffic(seed: int, shift: float) -> ScoredTraffic:
    rng = np.random.default_rng(seed)
    peaks = 1 / (1 + np.exp(-rng.normal(shift, 1, 2000)))
    return ScoredTraffic("t", peaks, tuple(f"t{i}" for i in range(2000)), (None,) * 2000)


def test_traffic_sets_the_thresholds() -> None:
    """An arm that scores all traffic higher has a higher cut, so it catches less at the volume."""
    same = arm(1, 1, "a"), arm(1, 1, "b")

    alike = paired_difference(
        *same, email_rate=0.1, prevalence=0.05, traffic=(traffic(5, 0), traffic(5, 0))
    )
    louder = paired_difference(
        *same, email_rate=0.1, prevalence=0.05, traffic=(traffic(5, 0), traffic(5, 1))
    )

    # the 90 % point of N(0, 1) is 1.28 and that of N(1, 1) is 2.28
    positives = np.log(same[0].peak[:40] / (1 - same[0].peak[:40]))
    expected = np.mean(positives > 1.28) - np.mean(positives > 2.28)
    assert alike.difference.value == 0
    assert louder.difference.value == pytest.approx(expected, abs=0.06)
    assert louder.difference.low > 0


def test_holm_by_hand() -> None:
    """Sorted p-values times 3, 2, 1, never falling, never above 1."""
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.6, 0.9]) == pytest.approx([1.0, 1.0])
    assert holm([]) == []


def test_a_pair_turned_round_is_the_same_difference() -> None:
    """Value and limits change sign and places; turned twice it is what it was."""
    pair = paired_difference(
        arm(1, 3, "good"), arm(2, 0.2, "poor"), email_rate=0.1, prevalence=0.05
    )
    turned = pair.reversed()

    assert (turned.first, turned.second) == ("poor", "good")
    assert turned.difference.high == -pair.difference.low < 0
    assert turned.verdict == pair.verdict
    assert turned.reversed() == pair
