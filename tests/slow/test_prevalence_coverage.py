"""How often the intervals of an estimated prevalence hold the truth."""

from __future__ import annotations

import numpy as np
import pytest

from handoff_eval.evaluation.prevalence import estimate_prevalence
from tests.unit.test_prevalence import drawn


@pytest.mark.slow
@pytest.mark.parametrize("prevalence", [0.02, 0.05, 0.2])
def test_intervals_cover_the_truth(prevalence: float) -> None:
    """Over 400 draws of labels and traffic both intervals hold the prevalence in at least 90 %."""
    covered = np.zeros(2)
    for draw in range(400):
        labels, traffic = drawn(np.random.default_rng([int(1000 * prevalence), draw]), prevalence)
        found = estimate_prevalence(labels, traffic, seed=draw)
        assert found.rogan_gladen is not None
        for i, estimate in enumerate((found.em, found.rogan_gladen)):
            covered[i] += estimate.low <= prevalence <= estimate.high

    # three standard errors of a share of .90 over 400 draws are .045; .90 is what is asked
    assert (covered / 400 >= 0.90 - 0.015).all()
