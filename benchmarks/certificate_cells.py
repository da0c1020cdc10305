"""The settings in which the certificate's promise is tested: what is drawn, true and promised."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.stats import beta, norm

from benchmarks.certificate_populations import Array, Empirical, Mixture, Population, Scores

Draw = Callable[[np.random.Generator, int], Array]

RISK = 0.05
POPULATION = 400_000


@dataclass(frozen=True)
class Cell:
    """One setting: what is drawn, what is true, what is promised.

    `positives` and `volume` return the units of both tests, shape (draws, n) and (draws, m).
    `catches` and `sends` are the populations that the promises speak of.
    """

    name: str
    positives: Draw
    volume: Draw
    catches: Population
    sends: Population
    min_recall: float
    max_share: float
    max_volume: float
    risk: float = RISK
    arms: int = 1
    formula: bool = True
    volume_tested: Population | None = None


def independent(
    name: str,
    positives: Scores,
    negatives: Scores,
    *,
    n: int,
    m: int,
    min_recall: float,
    rate: float,
    prevalence: float = 0.05,
    on_negatives: bool = False,
    arms: int = 1,
) -> Cell:
    """Return a cell of independent conversations, with traffic or with negatives alone."""
    traffic = Mixture(positives, negatives, prevalence)
    drawn = negatives if on_negatives else traffic
    share = (rate - prevalence) / (1 - prevalence) if on_negatives else rate
    return Cell(
        name,
        lambda rng, k: positives.draw(rng, (k, n)),
        lambda rng, k: drawn.draw(rng, (k, m)),
        catches=positives,
        sends=traffic,
        min_recall=min_recall,
        max_share=share,
        max_volume=rate,
        arms=arms,
        volume_tested=drawn,
    )


SIZES = (1, 3, 10)
WITHIN = 0.6


def customers(
    scores: Scores, rng: np.random.Generator, draws: int, n: int
) -> tuple[Array, NDArray[np.bool_]]:
    """Return scores of n customers with 1, 3 or 10 conversations alike, and which are there."""
    sizes = rng.choice(SIZES, size=(draws, n))
    own = rng.standard_normal((draws, n, max(SIZES)))
    shared = rng.standard_normal((draws, n, 1))
    ranks = norm.cdf(np.sqrt(WITHIN) * shared + np.sqrt(1 - WITHIN) * own)
    return scores.of_ranks(ranks), np.arange(max(SIZES)) < sizes[..., None]


def clustered(kind: str, positives: Scores, negatives: Scores, *, rate: float) -> Cell:
    """Return a cell whose positives come in customers: `one` each, the `lowest`, or `ignored`."""
    plain = independent(
        f"customers of 1, 3 or 10, {kind}",
        positives,
        negatives,
        n=60,
        m=1000,
        min_recall=0.8,
        rate=rate,
    )

    def one(rng: np.random.Generator, k: int) -> Array:
        return customers(positives, rng, k, 60)[0][..., 0]

    def lowest(rng: np.random.Generator, k: int) -> Array:
        values, there = customers(positives, rng, k, 60)
        return np.where(there, values, np.inf).min(axis=-1)

    def ignored(rng: np.random.Generator, k: int) -> Array:
        # Every conversation as a unit, the first 200 of a draw, which nearly all draws have.
        values, there = customers(positives, rng, k, 60)
        order = np.argsort(~there.reshape(k, -1), axis=1, kind="stable")
        flat = np.take_along_axis(values.reshape(k, -1), order, axis=1)
        return flat[:, :200]

    if kind == "lowest":
        truth = Empirical(lambda: lowest(np.random.default_rng(1), POPULATION // 60))
        return replace(plain, positives=lowest, catches=truth, min_recall=0.6, formula=False)
    return replace(
        plain, positives=one if kind == "one each" else ignored, formula=kind != "ignored"
    )


DAYS, A_DAY, LIMIT = 63, 100, 12


def by_days(positives: Scores, negatives: Scores, *, shock: float) -> Cell:
    """Return a cell whose days differ: at most a tenth of them may have more than LIMIT emails."""
    traffic = Mixture(positives, negatives, 0.05)

    def edges(rng: np.random.Generator, days: int) -> Array:
        move = shock * rng.standard_normal((days, 1))
        ranks = norm.cdf(norm.ppf(rng.random((days, A_DAY))) + move)
        yes = rng.random((days, A_DAY)) < traffic.prevalence
        scores = np.where(yes, positives.of_ranks(ranks), negatives.of_ranks(ranks))
        return np.partition(scores, -LIMIT - 1, axis=1)[:, -LIMIT - 1]

    truth = Empirical(lambda: edges(np.random.default_rng(2), POPULATION // 4))
    return Cell(
        f"days with shocks of {shock:g}, a tenth above {LIMIT}",
        lambda rng, k: positives.draw(rng, (k, 80)),
        lambda rng, k: edges(rng, k * DAYS).reshape(k, DAYS),
        catches=positives,
        sends=truth,
        min_recall=0.8,
        max_share=0.1,
        max_volume=0.1,
    )


def cells() -> Iterator[Cell]:
    """Yield every cell that must keep its promise."""
    good, bad = Scores(5, 2), Scores(1.5, 6)
    for prevalence in (0.02, 0.05, 0.2):
        yield independent(
            f"negatives alone, prevalence {prevalence:g}", good, bad, n=80, m=400,
            min_recall=0.8, rate=0.1 + prevalence, prevalence=prevalence, on_negatives=True,
        )  # fmt: skip
    for n, m in ((20, 200), (60, 1000), (300, 5000)):
        yield independent(
            f"{n} positives, traffic of {m}", good, bad, n=n, m=m, min_recall=0.8, rate=0.12
        )
    for levels in (3, 11):
        yield independent(
            f"{levels} levels", replace(good, levels=levels), replace(bad, levels=levels),
            n=80, m=1000, min_recall=0.8, rate=0.15 if levels == 11 else 0.25,
        )  # fmt: skip
    yield independent(
        "ties at 0 and 1", replace(good, at_one=0.3, at_zero=0.05),
        replace(bad, at_zero=0.5, at_one=0.02), n=80, m=1000, min_recall=0.75, rate=0.1,
    )  # fmt: skip
    yield clustered("one each", good, bad, rate=0.12)
    yield clustered("lowest", good, bad, rate=0.14)
    for shock in (0.0, 0.3):
        yield by_days(good, bad, shock=shock)
    near = Scores(1.5, 4)
    least = Mixture(good, near, 0.05).at_or_above(np.array(beta.ppf(0.2, good.a, good.b)))
    yield independent(
        "infeasible by a little", good, near, n=80, m=1000, min_recall=0.8, rate=0.98 * float(least)
    )
    yield independent(
        "infeasible by much", good, Scores(2, 3), n=80, m=1000, min_recall=0.9, rate=0.05
    )
    yield independent(
        "best of 7 arms", Scores(4, 2), Scores(1.5, 5), n=120, m=1000, min_recall=0.8, rate=0.17,
        arms=7,
    )  # fmt: skip


def planted() -> Iterator[tuple[str, Cell, str | None]]:
    """Yield cells that must break theirs: what is wrong, the cell, and the bug in the judge."""
    good, bad = Scores(5, 2, levels=11), Scores(1.5, 6, levels=11)
    levels = independent("11 levels", good, bad, n=80, m=1000, min_recall=0.8, rate=0.15)
    yield "threshold on the volume's order statistic", levels, "edge"
    yield "fires at s > t instead of s >= t", levels, "strict"
    smooth = Scores(5, 2), Scores(1.5, 6)
    yield "customers ignored", clustered("ignored", *smooth, rate=0.16), None
    seven = independent(
        "best of 7 arms", Scores(4, 2), Scores(1.5, 5), n=120, m=1000, min_recall=0.8, rate=0.17,
        arms=7,
    )  # fmt: skip
    yield "risk not divided by the arms tried", seven, "undivided"
