"""How often the intervals of an estimated prevalence hold the truth."""

from __future__ import annotations

from math import sqrt

import numpy as np
import pytest

from handoff_eval.evaluation.volume.prevalence import estimate_prevalence
from tests.unit.test_prevalence import drawn

DRAWS, WANTED = 200, 0.90


@pytest.mark.slow
@pytest.mark.parametrize("prevalence", [0.02, 0.05, 0.2])
def test_intervals_cover_the_truth(prevalence: float) -> None:
    """Both intervals hold the prevalence in at least 90 % of draws, less three standard errors.

    Resampling the traffic alone would cover half of them.
    """
    covered = np.zeros(2)
    for draw in range(DRAWS):
        rng = np.random.default_rng([int(1000 * prevalence), draw])
        found = estimate_prevalence(*drawn(rng, prevalence, traffic=800), seed=draw)
        assert found.rogan_gladen is not None
        for i, estimate in enumerate((found.em, found.rogan_gladen)):
            covered[i] += estimate.low <= prevalence <= estimate.high

    # .90 - 3 sqrt(.90 * .10 / 200) = .836
    least = WANTED - 3 * sqrt(WANTED * (1 - WANTED) / DRAWS)
    assert (covered / DRAWS >= least).all(), covered / DRAWS
