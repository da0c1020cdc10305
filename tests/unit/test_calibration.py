"""The sigmoid that turns raw values into chances."""

from __future__ import annotations

import numpy as np
import pytest

from handoff_eval.triggers.calibration import fit_sigmoid


def test_two_values_are_fitted_exactly() -> None:
    """With raw values 0 and 1 alone, two parameters meet both shares.

    At 0 stand 8 of 10 negatives and 2 of 10 positives; Platt's targets are 11/12 and 1/12, so
    the share there is (2 * 11/12 + 8 * 1/12) / 10 = .25, and .75 at 1.
    """
    peaks = np.array([0.0] * 10 + [1.0] * 10)
    positive = np.array([True] * 2 + [False] * 8 + [True] * 8 + [False] * 2)

    sigmoid = fit_sigmoid(peaks, positive)

    assert sigmoid is not None
    chances = 1 / (1 + np.exp(-(sigmoid.slope * np.array([0, 1]) + sigmoid.shift)))
    assert chances == pytest.approx([0.25, 0.75], abs=1e-3)


def test_values_of_any_unit_give_the_same_chances() -> None:
    """A raw value a thousand times larger is divided out."""
    random = np.random.default_rng(0)
    positive = random.random(200) < 0.3
    peaks = random.normal(size=200) + positive
    small, large = fit_sigmoid(peaks, positive), fit_sigmoid(1000 * peaks, positive)

    assert small is not None
    assert large is not None
    assert 1000 * large.slope == pytest.approx(small.slope, rel=1e-3)


@pytest.mark.parametrize("peaks", [np.arange(10.0), np.zeros(10)])
def test_a_map_that_would_not_rise_is_refused(peaks: np.ndarray) -> None:
    """Values that rank backwards, or not at all, are left alone."""
    assert fit_sigmoid(peaks, np.arange(10) < 5) is None
