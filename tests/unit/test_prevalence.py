"""Prevalence from traffic: both ways by hand, their coverage, and their disagreement."""

from __future__ import annotations

import numpy as np
import pytest

from handoff_eval.conversation import Split
from handoff_eval.evaluation.scored import ScoredSplit
from handoff_eval.evaluation.traffic import ScoredTraffic
from handoff_eval.evaluation.volume.deployment import find_prevalence
from handoff_eval.evaluation.volume.prevalence import (
    em_prevalence,
    estimate_prevalence,
    rogan_gladen,
)
from handoff_eval.handoff import Budget
from tests.builders import scored

LABELS, TRAFFIC = 60, 1500


def traffic_of(peaks: np.ndarray) -> ScoredTraffic:
    n = len(peaks)
    return ScoredTraffic("t sha256 0", peaks, tuple(f"t{i}" for i in range(n)), (None,) * n)


def drawn(
    rng: np.random.Generator, prevalence: float, *, traffic: int = TRAFFIC
) -> tuple[ScoredSplit, ScoredTraffic]:
    """Return labels and traffic whose scores differ by class in the same way."""
    labels = scored(rng.beta(4, 2, LABELS), rng.beta(2, 5, 3 * LABELS), split=Split.TUNE)
    yes = rng.random(traffic) < prevalence
    high, low = rng.beta(4, 2, traffic), rng.beta(2, 5, traffic)
    return labels, traffic_of(np.where(yes, high, low))


def test_rogan_gladen_by_hand() -> None:
    """(.25 - .1) / (.7 - .1) = .25; below F it is 0, above T it is 1."""
    q = np.array([0.25, 0.05, 0.9])

    assert rogan_gladen(q, np.full(3, 0.7), np.full(3, 0.1)) == pytest.approx([0.25, 0.0, 1.0])


def test_em_by_hand() -> None:
    """Two bins: .8 p + .3 (1 - p) = 40/100 has the root p = .2, where the likelihood peaks."""
    high, low = np.array([[0.2, 0.8]]), np.array([[0.7, 0.3]])

    assert em_prevalence(high, low, np.array([[60.0, 40.0]])) == pytest.approx([0.2])
    assert em_prevalence(high, low, np.array([[90.0, 10.0]])) == pytest.approx([0.0], abs=1e-9)


def test_em_is_the_fixed_point_of_the_published_steps() -> None:
    """Saerens's E and M steps, run until they rest, give the same share."""
    rng = np.random.default_rng(0)
    high, low = rng.dirichlet(np.arange(1, 7)), rng.dirichlet(np.arange(6, 0, -1))
    counts = np.array([40.0, 30, 30, 20, 20, 30])
    p0 = p = 0.3
    calibrated = p0 * high / (p0 * high + (1 - p0) * low)
    for _ in range(5000):
        up, down = p / p0 * calibrated, (1 - p) / (1 - p0) * (1 - calibrated)
        p = float(counts @ (up / (up + down)) / counts.sum())

    found = em_prevalence(high[None], low[None], counts[None])

    assert found == pytest.approx([p], abs=1e-6)


def test_both_ways_agree_under_label_shift() -> None:
    """Where only the share of positives differs there is no warning, and both hold the truth."""
    estimate = estimate_prevalence(*drawn(np.random.default_rng(1), 0.1))

    assert estimate.rogan_gladen is not None
    assert estimate.warning == ""
    assert estimate.em.low < 0.1 < estimate.em.high
    assert estimate.rogan_gladen.low < 0.1 < estimate.rogan_gladen.high
    assert list(estimate.frame().index) == ["Saerens EM", "Rogan-Gladen"]


def test_disagreement_is_told() -> None:
    """Traffic whose negatives look different breaks the assumption, and the tool says so."""
    rng = np.random.default_rng(2)
    labels = scored(rng.beta(4, 2, 300), rng.beta(2, 5, 900), split=Split.TUNE)
    moved = np.where(rng.random(4000) < 0.5, rng.beta(30, 30, 4000), rng.beta(2, 5, 4000))

    estimate = estimate_prevalence(labels, traffic_of(moved))

    assert "differs from the labels in more than the share of positives" in estimate.warning


def test_a_blunt_trigger_gets_no_second_estimate() -> None:
    """Where T - F isn't shown to exceed .2 the ratio is refused, and the reason is given."""
    rng = np.random.default_rng(3)
    labels = scored(rng.beta(2, 2, 60), rng.beta(2, 2.2, 180), split=Split.TUNE)

    estimate = estimate_prevalence(labels, traffic_of(rng.beta(2, 2.2, 500)))

    assert estimate.rogan_gladen is None
    assert "tells too little at 0.5" in estimate.warning


def test_given_prevalence_is_used_and_checked() -> None:
    """A stated prevalence stays, with the estimate beside it and a word where it lies outside."""
    labels, traffic = drawn(np.random.default_rng(4), 0.05)
    budget = Budget(20, 0.8, 200, prevalence=0.4)

    found = find_prevalence(budget, [(labels, labels, traffic)])

    assert (found.deployed, found.origin) == (0.4, "given")
    assert "What was given lies outside that, so check it: 40.0%" in found.note
    assert found.to_dict()["sample"]["tune"]["value"] == 0.25


def test_unknown_prevalence_comes_from_traffic_or_else_from_tune() -> None:
    """Traffic gives an estimate; without any the sample stands in and says what that is worth."""
    labels, traffic = drawn(np.random.default_rng(5), 0.1)
    budget = Budget(20, 0.8, 200)

    estimated = find_prevalence(budget, [(labels, labels, traffic)])
    alone = find_prevalence(budget, [(labels, labels, None)])

    assert estimated.origin == "estimated"
    assert estimated.deployed == estimated.estimate.em.value
    assert (alone.deployed, alone.origin) == (0.25, "sample")
    assert "which real traffic hardly has" in alone.note


def test_sampling_weights_restate_the_sample() -> None:
    """Positives drawn four times as often as negatives count a quarter."""
    weight = [1.0] * 60 + [4.0] * 180
    labels = scored([0.9] * 60, [0.1] * 180, split=Split.TUNE, weight=weight)

    found = find_prevalence(Budget(20, 0.8, 200), [(labels, labels, None)])

    # 60 / (60 + 4 * 180) = .0769
    assert found.deployed == pytest.approx(60 / 780)


def test_traffic_that_ends_at_the_email_tells_no_prevalence() -> None:
    """What was emailed has no score of its own, so the reason stands where the estimate would."""
    labels, traffic = drawn(np.random.default_rng(6), 0.1)
    traffic.peak[:7] = np.inf

    found = find_prevalence(Budget(20, 0.8, 200), [(labels, labels, traffic)])

    assert (found.origin, found.estimate) == ("sample", None)
    assert "since 7 of its 1500 conversations were emailed" in found.note
