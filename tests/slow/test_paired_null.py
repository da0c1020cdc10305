"""Two arms that are equal by construction are told apart as seldom as stated."""

from __future__ import annotations

import numpy as np
import pytest

from handoff_eval.conversation import Split
from handoff_eval.evaluation.paired import paired_difference
from handoff_eval.evaluation.scored import ScoredSplit
from handoff_eval.evaluation.traffic import ScoredTraffic
from tests.builders import scored

DRAWS = 1000


def arm(noise: np.random.Generator, shared: list[np.ndarray], levels: int | None) -> ScoredSplit:
    values = [1 / (1 + np.exp(-(x + noise.normal(0, 0.7, len(x))))) for x in shared]
    if levels:
        values = [np.floor(v * levels) / levels for v in values]
    return scored(*values, split=Split.TEST)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("positives", "levels"), [(40, None), (200, None), (80, 11)], ids=["small", "large", "levels"]
)
def test_equal_arms_are_rejected_in_two_to_six_and_a_half_percent(
    positives: int, levels: int | None
) -> None:
    """Over 1,000 draws at 5 %, thresholds found anew in each replicate."""
    rejected = 0
    for draw in range(DRAWS):
        rng = np.random.default_rng([positives, draw])
        shared = [rng.normal(1, 1, positives), rng.normal(0, 1, 3 * positives)]
        first, second = (arm(rng, shared, levels) for _ in range(2))
        pair = paired_difference(first, second, email_rate=0.15, prevalence=0.1, seed=draw)
        rejected += pair.p_value < 0.05

    assert 0.02 <= rejected / DRAWS <= 0.065


@pytest.mark.slow
def test_equal_arms_on_a_small_traffic_of_its_own() -> None:
    """Traffic of 400 resampled apart from 80 positives, over 1,000 draws."""
    rejected = 0
    for draw in range(DRAWS):
        rng = np.random.default_rng([7, draw])
        shared = [rng.normal(1, 1, 80), rng.normal(0, 1, 160)]
        first, second = (arm(rng, shared, None) for _ in range(2))
        common = rng.normal(0.1, 1.05, 400)
        both = tuple(
            ScoredTraffic(
                "t",
                1 / (1 + np.exp(-(common + rng.normal(0, 0.7, 400)))),
                tuple(f"t{i}" for i in range(400)),
                (None,) * 400,
            )
            for _ in range(2)
        )
        pair = paired_difference(
            first, second, email_rate=0.15, prevalence=0.1, traffic=both, seed=draw
        )
        rejected += pair.p_value < 0.05

    assert 0.02 <= rejected / DRAWS <= 0.065
