"""Test the certificate's promise on thousands of draws where the truth is known.

    python benchmarks/certificate_simulation.py            # 4,000 draws a cell, a few minutes

For every cell the share of draws in which a certificate is issued AND the truth breaks it, at any
threshold of its interval, must stay within the stated risk plus three standard errors. It is never
conditional on issue and never judged by a test set: recall and volume are those of the
distribution the draws come from. Where scores are independent the share of draws that are issued
has a closed form, which stands beside the simulated one. Below, the same cells with a bug planted.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache, cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.stats import beta, binom, norm

from handoff_eval.evaluation.exact import (
    allowed_counts,
    lowest_mid_gap,
    recall_edge,
    volume_edge,
)

Array = NDArray[np.float64]
Share = Callable[[Array], Array]

RISK = 0.05
BLOCK = 500
POPULATION = 400_000


@cache
def _quantiles(a: float, b: float) -> tuple[Array, Array]:
    """Return a table of ranks and scores: looking up is twenty times faster than inverting."""
    ranks = np.linspace(0, 1, 200_001)
    return ranks, beta.ppf(ranks, a, b)


@dataclass(frozen=True)
class Scores:
    """A distribution of scores: a beta, cut into levels or with mass at 0 and 1."""

    a: float
    b: float
    levels: int | None = None
    at_zero: float = 0.0
    at_one: float = 0.0

    def draw(self, rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
        """Return independent scores."""
        return self.of_ranks(rng.random(shape))

    def of_ranks(self, u: Array) -> Array:
        """Return the scores at these ranks in [0, 1]."""
        body = (u - self.at_zero) / (1 - self.at_zero - self.at_one)
        values = np.interp(body, *_quantiles(self.a, self.b))
        if self.levels:
            values = np.minimum(np.floor(values * self.levels), self.levels - 1) / self.levels
        return values

    def at_or_above(self, t: Array) -> Array:
        """P(score >= t): what fires at a threshold t."""
        if self.levels:
            t = np.ceil(np.asarray(t) * self.levels - 1e-9) / self.levels
            t = np.where(t > (self.levels - 1) / self.levels + 1e-9, np.inf, t)
        return self._upper(np.asarray(t), closed=True)

    def above(self, t: Array) -> Array:
        """P(score > t): what fires at thresholds just above t."""
        if self.levels:
            return self.at_or_above(np.asarray(t) + 1e-6)
        return self._upper(np.asarray(t), closed=False)

    def _upper(self, t: Array, *, closed: bool) -> Array:
        body = (1 - self.at_zero - self.at_one) * beta.sf(t, self.a, self.b)
        zero, one = (t <= 0, t <= 1) if closed else (t < 0, t < 1)
        return body + self.at_zero * zero + self.at_one * one

    def points(self) -> Array:
        """Return every value a score can take, or a fine grid."""
        if self.levels:
            return np.arange(self.levels) / self.levels
        return np.linspace(0, 1, 40_001)


@dataclass(frozen=True)
class Mixture:
    """Traffic: positives at the prevalence among negatives."""

    positives: Scores
    negatives: Scores
    prevalence: float

    def draw(self, rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
        """Return independent scores."""
        yes = rng.random(shape) < self.prevalence
        return np.where(yes, self.positives.draw(rng, shape), self.negatives.draw(rng, shape))

    def at_or_above(self, t: Array) -> Array:
        """P(score >= t)."""
        p = self.prevalence
        return p * self.positives.at_or_above(t) + (1 - p) * self.negatives.at_or_above(t)

    def above(self, t: Array) -> Array:
        """P(score > t)."""
        p = self.prevalence
        return p * self.positives.above(t) + (1 - p) * self.negatives.above(t)


@dataclass(frozen=True)
class Empirical:
    """A distribution without a formula: a large sample of it, drawn when it is first asked."""

    sample: Callable[[], Array]

    @cached_property
    def values(self) -> Array:
        """The sample, sorted."""
        return np.sort(self.sample().ravel())

    def at_or_above(self, t: Array) -> Array:
        """P(score >= t)."""
        return 1 - np.searchsorted(self.values, t, side="left") / len(self.values)

    def above(self, t: Array) -> Array:
        """P(score > t)."""
        return 1 - np.searchsorted(self.values, t, side="right") / len(self.values)


Population = Scores | Mixture | Empirical
Draw = Callable[[np.random.Generator, int], Array]


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


@dataclass(frozen=True)
class Outcome:
    """Shares over all draws; `closed_form` is NaN where there is none."""

    name: str
    draws: int
    issued: float
    closed_form: float
    broken: float
    broken_as_deployed: float
    risk: float

    @property
    def limit(self) -> float:
        """The stated risk plus three standard errors."""
        return self.risk + 3 * np.sqrt(self.risk * (1 - self.risk) / self.draws)

    @property
    def kept(self) -> bool:
        """Whether the promise was broken no more often than stated."""
        return self.broken <= self.limit

    @property
    def issued_as_computed(self) -> bool:
        """Whether the issued share is the closed form's, to three standard errors."""
        if np.isnan(self.closed_form):
            return True
        error = np.sqrt(max(self.closed_form * (1 - self.closed_form), 1e-9) / self.draws)
        return abs(self.issued - self.closed_form) <= 3 * error + 2e-3


def simulate(cell: Cell, *, draws: int, seed: int, plant: str | None = None) -> Outcome:
    """Draw, certify and judge; `plant` names a bug: `edge`, `strict` or `undivided`."""
    rng = np.random.default_rng(seed)
    divide = 1 if plant == "undivided" else cell.arms
    issued, broken, deployed = [], [], []
    for start in range(0, draws, BLOCK):
        some = min(BLOCK, draws - start)
        arms = [_judge(cell, some, rng, cell.risk / divide, plant=plant) for _ in range(cell.arms)]
        caught = np.array([np.where(a[0], a[3], -1.0) for a in arms])
        chosen = caught.argmax(axis=0), np.arange(some)
        for kept, column in zip((issued, broken, deployed), range(3), strict=True):
            kept.append(np.array([a[column] for a in arms])[chosen])
    shares = [float(np.concatenate(column).mean()) for column in (issued, broken, deployed)]
    return Outcome(cell.name, draws, shares[0], closed_form(cell), shares[1], shares[2], cell.risk)


def _judge(
    cell: Cell, draws: int, rng: np.random.Generator, risk: float, *, plant: str | None
) -> tuple[NDArray[np.bool_], NDArray[np.bool_], NDArray[np.bool_], Array]:
    positives, volume = cell.positives(rng, draws), cell.volume(rng, draws)
    counts = allowed_counts(
        positives.shape[1], volume.shape[1], cell.min_recall, cell.max_share, risk
    )
    highest = recall_edge(positives, counts.misses)
    lowest = volume_edge(volume, counts.fires)
    observed = np.concatenate([positives, np.maximum(volume, 0)], axis=1)
    threshold = lowest_mid_gap(observed, lowest, highest)
    issued = np.isfinite(threshold) & (counts.misses >= 0) & (counts.fires >= 0)
    recall = (cell.catches.above if plant == "strict" else cell.catches.at_or_above)(highest)
    sent = (cell.sends.at_or_above if plant == "edge" else cell.sends.above)(lowest)
    broken = issued & _breaks(cell, recall, sent)
    at = np.nan_to_num(threshold, nan=2.0)
    as_deployed = issued & _breaks(cell, cell.catches.at_or_above(at), cell.sends.at_or_above(at))
    return issued, broken, as_deployed, (positives >= at[:, None]).mean(axis=1)


def _breaks(cell: Cell, recall: Array, sent: Array) -> NDArray[np.bool_]:
    return (recall < cell.min_recall - 1e-9) | (sent > cell.max_volume + 1e-9)


def closed_form(cell: Cell) -> float:
    """Return P(issued) = P(Y_[c+1] < X_(j+1)) for independent units, NaN where they aren't."""
    tested = cell.volume_tested or cell.sends
    if not cell.formula or not isinstance(cell.catches, Scores):
        return float("nan")
    rng = np.random.default_rng(0)
    n, m = cell.positives(rng, 1).shape[1], cell.volume(rng, 1).shape[1]
    counts = allowed_counts(n, m, cell.min_recall, cell.max_share, cell.risk / cell.arms)
    if counts.misses < 0 or counts.fires < 0:
        return 0.0
    y = cell.catches.points()
    below = binom.cdf(counts.fires, m, tested.above(y))
    mass = np.diff(below, prepend=0.0)
    one = float(mass @ binom.cdf(counts.misses, n, 1 - cell.catches.above(y)))
    return 1 - (1 - one) ** cell.arms


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


def table(outcomes: list[Outcome]) -> str:
    """Return the outcomes as a Markdown table."""
    lines = [
        "| cell | issued | closed form | issued and broken | as deployed | at most | kept |",
        "|---|---:|---:|---:|---:|---:|---|",
    ]
    for o in outcomes:
        closed = "" if np.isnan(o.closed_form) else f"{o.closed_form:.3f}"
        kept = "yes" if o.kept and o.issued_as_computed else "NO"
        lines.append(
            f"| {o.name} | {o.issued:.3f} | {closed} | {o.broken:.3f} | "
            f"{o.broken_as_deployed:.3f} | {o.limit:.3f} | {kept} |"
        )
    return "\n".join(lines)


def main() -> int:
    """Print both tables; return 1 when a promise is broken or a planted bug goes unseen."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=4000, help="a cell (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    sound = [simulate(c, draws=arguments.draws, seed=arguments.seed) for c in cells()]
    wrong = [
        replace(simulate(c, draws=arguments.draws, seed=arguments.seed, plant=p), name=words)
        for words, c, p in planted()
    ]
    print(table(sound), table([replace(o, closed_form=float("nan")) for o in wrong]), sep="\n\n")
    fine = all(o.kept and o.issued_as_computed for o in sound) and not any(o.kept for o in wrong)
    return 0 if fine else 1


if __name__ == "__main__":
    raise SystemExit(main())
