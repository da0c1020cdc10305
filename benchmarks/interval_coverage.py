"""Compare percentile and BCa intervals of average precision where the truth is known.

    python benchmarks/interval_coverage.py

Prints, for each setting, how often the truth lies below the interval and above it; 2.5 % each is
what a 95 % interval should have.
"""

from __future__ import annotations

import argparse

import numpy as np
from numpy.typing import NDArray

from handoff_eval.evaluation.intervals import (
    bca_estimate,
    cluster_weights,
    left_out_weights,
    percentile_estimate,
)
from handoff_eval.evaluation.metrics import at_prevalence, average_precision

Array = NDArray[np.float64]

SETTINGS = ((1.0, 20), (2.0, 20), (1.5, 60))
"""How far positives lie above negatives in standard deviations, and how many there are."""
TIMES = 3
"""Negatives for each positive."""
POPULATION = 400_000


def drawn(rng: np.random.Generator, shift: float, n: int) -> tuple[Array, NDArray[np.bool_]]:
    """Return scores and which are positive."""
    scores = np.concatenate([rng.normal(shift, 1, n), rng.normal(0, 1, TIMES * n)])
    return scores, np.arange((1 + TIMES) * n) < n


def missed(shift: float, n: int, *, draws: int, seed: int) -> dict[str, NDArray[np.float64]]:
    """Return the share of draws whose interval lies above the truth, and below it, by method."""
    rng = np.random.default_rng(seed)
    scores, positive = drawn(rng, shift, POPULATION)
    truth = float(average_precision(scores, positive, np.ones(len(scores))))
    found = {"percentile": np.zeros(2), "BCa": np.zeros(2)}
    for draw in range(draws):
        scores, positive = drawn(rng, shift, n)
        groups = [str(i) for i in range(len(scores))]
        resampled = at_prevalence(positive, cluster_weights(groups, seed=draw), None)
        left_out = at_prevalence(positive, left_out_weights(groups), None)
        value = float(average_precision(scores, positive, np.ones(len(scores))))
        replicates = average_precision(scores, positive, resampled)
        without = average_precision(scores, positive, left_out)
        for name, estimate in (
            ("percentile", percentile_estimate(value, replicates, len(scores))),
            ("BCa", bca_estimate(value, replicates, without, len(scores))),
        ):
            found[name] += estimate.low > truth, estimate.high < truth
    return {name: counts / draws for name, counts in found.items()}


def main() -> None:
    """Print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=1000, help="a setting (default: %(default)s)")
    arguments = parser.parse_args()
    print("| positives | separation | percentile: too high / too low | BCa: too high / too low |")
    print("|---:|---:|---:|---:|")
    for shift, n in SETTINGS:
        shares = missed(shift, n, draws=arguments.draws, seed=0)
        cells = (" / ".join(f"{share:.3f}" for share in shares[name]) for name in shares)
        print(f"| {n} | {shift:g} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
