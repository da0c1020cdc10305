"""Intervals: exact where they can be, by customer elsewhere, honest at the edges."""

from __future__ import annotations

import numpy as np
import pytest

from handoff_eval.evaluation.intervals import (
    Estimate,
    bca_estimate,
    clopper_pearson,
    cluster_weights,
    left_out_weights,
    percentile_estimate,
    proportion_estimate,
    weight_blocks,
)


def test_clopper_pearson_by_hand() -> None:
    """With no failure in n the lower limit is (alpha / 2) ** (1 / n)."""
    # 10 of 10 at 95 %: .025 ** (1 / 10) = .6915
    assert clopper_pearson(10, 10) == pytest.approx((0.025 ** (1 / 10), 1.0))
    assert clopper_pearson(0, 10) == pytest.approx((0.0, 1 - 0.025 ** (1 / 10)))


def test_clopper_pearson_matches_the_published_table() -> None:
    """8 of 10 has the 95 % limits .444 and .975 of Clopper and Pearson's chart."""
    assert clopper_pearson(8, 10) == pytest.approx((0.4439, 0.9748), abs=5e-5)


@pytest.mark.parametrize(("successes", "n"), [(0, 0), (3, 2), (-1, 2)])
def test_clopper_pearson_refuses_impossible_counts(successes: int, n: int) -> None:
    """A share of nothing has no interval."""
    with pytest.raises(ValueError, match="0 <= successes <= n"):
        clopper_pearson(successes, n)


def test_weights_resample_whole_customers() -> None:
    """Conversations of one customer always carry the same weight; the units drawn sum up."""
    weights = cluster_weights(["a", "b", "a", "c"], replicates=200, seed=3)

    assert weights.shape == (200, 4)
    assert np.array_equal(weights[:, 0], weights[:, 2])
    assert np.all(weights[:, 0] + weights[:, 1] + weights[:, 3] == 3)


def test_weights_are_the_same_for_the_same_seed() -> None:
    """A number in a report can be made again."""
    assert np.array_equal(cluster_weights(["a", "b"], seed=1), cluster_weights(["a", "b"], seed=1))


def test_clusters_widen_the_interval() -> None:
    """Four conversations of each of 10 customers say less than 40 customers."""
    hits = np.repeat([True, False] * 5, 4)
    clustered = [f"u{i // 4}" for i in range(40)]
    alone = [f"u{i}" for i in range(40)]

    wide = proportion_estimate(hits, clustered, cluster_weights(clustered))
    narrow = proportion_estimate(hits, alone, cluster_weights(alone))

    assert wide.method == "customer bootstrap"
    assert narrow.method == "exact binomial"
    assert wide.high - wide.low > 1.5 * (narrow.high - narrow.low)


def test_no_miss_never_gives_a_certain_recall() -> None:
    """At 1.0 a bootstrap has no width, so the limit is exact, on the number of customers."""
    groups = ["a", "a", "b", "c", "d"]

    estimate = proportion_estimate(np.ones(5, dtype=bool), groups, cluster_weights(groups))

    # four customers: .025 ** (1 / 4)
    assert estimate.low == pytest.approx(0.025**0.25)
    assert estimate.high == 1.0


def test_nothing_to_estimate_is_nan_with_n_zero() -> None:
    """A share of no conversations is not zero."""
    estimate = proportion_estimate(np.array([], dtype=bool), [], np.zeros((5, 0)))

    assert np.isnan(estimate.value)
    assert estimate.n == 0


def test_replicates_without_spread_give_no_interval() -> None:
    """A perfect average precision in every replicate is no proof of certainty."""
    estimate = percentile_estimate(1.0, np.ones(100), 50)

    assert np.isnan(estimate.low)
    assert estimate.short == "1.00 [no interval]"


def test_bootstrap_coverage_by_customer() -> None:
    """A nominal 95 % interval of clustered shares covers the truth in 88 % of 300 draws."""
    rng = np.random.default_rng(5)
    covered = 0
    for draw in range(300):
        chance = rng.beta(2, 2, size=40)
        hits = rng.random((40, 3)) < chance[:, None]
        groups = [f"u{i // 3}" for i in range(120)]
        weights = cluster_weights(groups, replicates=300, seed=draw)
        estimate = proportion_estimate(hits.ravel(), groups, weights)
        covered += estimate.low <= 0.5 <= estimate.high

    assert covered / 300 >= 0.88


def test_estimate_prints_value_interval_and_n() -> None:
    """No bare number: the text of an estimate holds all three."""
    estimate = Estimate(0.5, 0.25, 0.75, 12, "exact binomial")

    assert str(estimate) == "0.50 [0.25, 0.75] n=12"
    assert estimate.scaled(100).to_dict()["high"] == 75
    assert Estimate(float("nan"), 0, 1, 0, "x").to_dict()["value"] is None


def test_bca_moves_the_percentiles_by_bias() -> None:
    """With two fifths of the replicates below the value z0 = -.2533 and a = 0."""
    replicates = np.arange(1, 10_001) / 10_000

    estimate = bca_estimate(0.4, replicates, np.array([0.1, 0.2, 0.3]), 50)

    # Phi(2 * -.2533 - 1.9600) = Phi(-2.4667) = .0068; Phi(-.5067 + 1.9600) = Phi(1.4533) = .9269
    assert estimate.low == pytest.approx(0.0068, abs=2e-4)
    assert estimate.high == pytest.approx(0.9269, abs=2e-4)
    assert estimate.method == "customer bootstrap, BCa"


def test_bca_moves_the_percentiles_by_skewness() -> None:
    """Left-out values 0, 0, 0, 1: apart (.25, .25, .25, -.75), a = -.375 / (6 * .75^1.5)."""
    replicates = np.arange(1, 10_001) / 10_000

    estimate = bca_estimate(0.5, replicates, np.array([0.0, 0, 0, 1]), 50)

    # a = (3 * .0156 - .4219) / (6 * .6495) = -.0962; z / (1 - a z) at +-1.96: -2.4156, 1.6491
    assert estimate.low == pytest.approx(0.0079, abs=3e-4)
    assert estimate.high == pytest.approx(0.9504, abs=3e-4)


def test_each_customer_is_left_out_once() -> None:
    """Two conversations of one customer go together."""
    assert left_out_weights(["b", "a", "b"]).tolist() == [[1, 0, 1], [0, 1, 0]]


def test_unequal_weights_count_as_fewer_customers() -> None:
    """Nothing missed of weights 1, 1, 2: (1 + 1 + 2)^2 / (1 + 1 + 4) = 2.67, so two customers."""
    weight = np.array([1.0, 1, 2])
    groups = ["a", "b", "c"]

    estimate = proportion_estimate(
        np.ones(3, dtype=bool), groups, cluster_weights(groups) * weight, weight=weight
    )
    mixed = proportion_estimate(
        np.array([True, False, True]), groups, cluster_weights(groups) * weight, weight=weight
    )

    assert estimate.low == pytest.approx(0.025 ** (1 / 2))
    # (1 + 2) / 4
    assert mixed.value == 0.75
    assert mixed.method == "customer bootstrap"


def test_blocks_are_the_whole_in_parts() -> None:
    """However many customers there are, the draws are those of the seed."""
    groups = [str(i) for i in range(3000)]

    blocks = list(weight_blocks(groups, replicates=700, seed=3))

    assert len(blocks) == 3
    assert np.array_equal(np.concatenate(blocks), cluster_weights(groups, replicates=700, seed=3))
