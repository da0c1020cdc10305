"""Audits drawn and estimated two thousand times, with misses that are placed anew each time."""

from __future__ import annotations

import pytest

from benchmarks.audit_simulation import simulate
from handoff_eval.evaluation.audit.plan import Design


@pytest.mark.slow
@pytest.mark.parametrize("design", list(Design))
@pytest.mark.parametrize("misses", [60, 20, 4])
def test_missed_total_is_unbiased_and_limits_hold(design: Design, misses: int) -> None:
    """The mean is the truth within two standard errors; each limit holds as often as stated."""
    cell = simulate(
        draws=2000, reviews=300, floor=0.8, design=design, misses=misses, near=False, seed=misses
    )

    assert abs(cell.missed - misses) <= 2 * cell.error
    assert cell.lower_holds >= 0.975 - 0.01
    assert cell.upper_holds >= 0.975 - 0.01
