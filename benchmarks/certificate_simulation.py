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
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binom

# Run as a script, or imported by a test from the project's folder.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.certificate_cells import Cell, cells, planted
from benchmarks.certificate_populations import Array, Scores
from handoff_eval.evaluation.exact import (
    allowed_counts,
    lowest_mid_gap,
    recall_edge,
    volume_edge,
)

BLOCK = 500


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
