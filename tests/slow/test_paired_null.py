"""Two arms that are equal by construction are told apart as seldom as stated."""

from __future__ import annotations

from math import sqrt

import numpy as np
import pytest

from handoff_eval.conversation import Split
from handoff_eval.evaluation.paired import paired_difference
from handoff_eval.evaluation.scored import ScoredSplit
from handoff_eval.evaluation.traffic import ScoredTraffic
from tests.builders import scored

DRAWS = 1000
LEAST, MOST = 0.02, 0.065
"""Share of draws that a test at 5 % with thresholds found anew may reject."""


def arm(noise: np.random.Generator, shared: list[np.ndarray], levels: int | None) -> ScoredSplit:
    values = [1 / (1 + np.exp(-(x + noise.normal(0, 0.7, len(x))))) for x in shared]
    if levels:
        values = [np.floor(v * levels) / levels for v in values]
    return scored(*values, split=Split.TEST)


def within_the_bounds(rejected: int) -> bool:
    """Whether so many of the draws fit a share in [LEAST, MOST].

    The test is conservative on continuous scores, rejecting near LEAST, so the lower bound leaves
    room for three standard errors of that share: .02 - 3 sqrt(.02 * .98 / 1000) = .0067. None is
    left above, where a test would claim differences that aren't there.
    """
    return LEAST - 3 * sqrt(LEAST * (1 - LEAST) / DRAWS) <= rejected / DRAWS <= MOST


@pytest.mark.slow
@pytest.mark.parametrize(
    ("positives", "negatives", "levels"),
    [(40, 120, None), (150, 200, None), (80, 160, 11)],
    ids=["small", "large", "levels"],
)
def test_equal_arms_are_seldom_told_apart(
    positives: int, negatives: int, levels: int | None
) -> None:
    """Thresholds are found anew in each replicate, so that a true null is kept."""
    rejected = 0
    for draw in range(DRAWS):
        rng = np.random.default_rng([positives, draw])
        shared = [rng.normal(1, 1, positives), rng.normal(0, 1, negatives)]
        first, second = (arm(rng, shared, levels) for _ in range(2))
        pair = paired_difference(first, second, email_rate=0.15, prevalence=0.1, seed=draw)
        rejected += pair.p_value < 0.05

    assert within_the_bounds(rejected), rejected


@pytest.mark.slow
def test_equal_arms_on_a_small_traffic_of_its_own() -> None:
    """Traffic that sets the thresholds is resampled apart from the positives."""
    rejected = 0
    for draw in range(DRAWS):
        rng = np.random.default_rng([7, draw])
        shared = [rng.normal(1, 1, 60), rng.normal(0, 1, 60)]
        first, second = (arm(rng, shared, None) for _ in range(2))
        common = rng.normal(0.1, 1.05, 250)
        both = tuple(
            ScoredTraffic(
                "t",
                1 / (1 + np.exp(-(common + rng.normal(0, 0.7, 250)))),
                tuple(f"t{i}" for i in range(250)),
                (None,) * 250,
            )
            for _ in range(2)
        )
        pair = paired_difference(
            first, second, email_rate=0.15, prevalence=0.1, traffic=both, seed=draw
        )
        rejected += pair.p_value < 0.05

    assert within_the_bounds(rejected), rejected
