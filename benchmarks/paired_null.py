"""How often two arms that are equal by construction are told apart, at a stated 5 %.

    python benchmarks/paired_null.py            # 1,000 draws a setting, some four minutes

Both arms score the same conversations with noise of their own, so neither is better. Thresholds are
found anew in every replicate, which keeps the null.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from handoff_eval.conversation import Split
from handoff_eval.evaluation.comparison.paired import paired_difference
from handoff_eval.evaluation.intervals import REPLICATES
from handoff_eval.evaluation.replay import Replay
from handoff_eval.evaluation.scored import ScoredSplit
from handoff_eval.evaluation.traffic import ScoredTraffic

Array = NDArray[np.float64]

NOISE = 0.7
EMAIL_RATE, PREVALENCE = 0.15, 0.1


@dataclass(frozen=True)
class Setting:
    """How many conversations there are; `levels` makes scores discrete."""

    name: str
    positives: int
    negatives: int
    traffic: int = 0
    levels: int = 0


SETTINGS = (
    Setting("small", 40, 120),
    Setting("large", 150, 200),
    Setting("11 levels", 80, 160, levels=11),
    Setting("traffic of its own", 60, 60, traffic=250),
)


def rejected(setting: Setting, *, draws: int, replicates: int = REPLICATES) -> int:
    """Return in how many draws the two arms are told apart at 5 %."""
    return sum(_p_value(setting, draw, replicates) < 0.05 for draw in range(draws))


def _p_value(setting: Setting, draw: int, replicates: int) -> float:
    rng = np.random.default_rng([setting.positives, setting.negatives, draw])
    shared = np.concatenate(
        [rng.normal(1, 1, setting.positives), rng.normal(0, 1, setting.negatives)]
    )
    arms = [_arm(_scores(shared, setting, rng), setting.positives) for _ in range(2)]
    traffic = None
    if setting.traffic:
        common = rng.normal(0.1, 1.05, setting.traffic)
        first, second = (_traffic(_scores(common, setting, rng)) for _ in range(2))
        traffic = first, second
    return paired_difference(
        *arms, email_rate=EMAIL_RATE, prevalence=PREVALENCE, traffic=traffic,
        replicates=replicates, seed=draw,
    ).p_value  # fmt: skip


def _scores(shared: Array, setting: Setting, rng: np.random.Generator) -> Array:
    values = 1 / (1 + np.exp(-(shared + rng.normal(0, NOISE, len(shared)))))
    return np.floor(values * setting.levels) / setting.levels if setting.levels else values


def _arm(peaks: Array, positives: int) -> ScoredSplit:
    n = len(peaks)
    positive = np.arange(n) < positives
    ids = tuple(f"c{i}" for i in range(n))
    return ScoredSplit(
        replay=Replay("arm", ids, np.arange(n + 1), np.ones(n, dtype=np.int64), peaks),
        split=Split.TEST,
        positive=positive,
        groups=ids,
        due=np.where(positive, 0, -1),
        peak=peaks,
        on_time_peak=np.where(positive, peaks, np.nan),
        weight=np.ones(n),
        emailed=np.zeros(n, dtype=bool),
    )


def _traffic(peaks: Array) -> ScoredTraffic:
    n = len(peaks)
    return ScoredTraffic("traffic", peaks, tuple(f"t{i}" for i in range(n)), (None,) * n)


def main() -> None:
    """Print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=1000, help="a setting (default: %(default)s)")
    arguments = parser.parse_args()
    print("| setting | positives | told apart | of draws |")
    print("|---|---:|---:|---:|")
    for setting in SETTINGS:
        count = rejected(setting, draws=arguments.draws)
        print(
            f"| {setting.name} | {setting.positives} | {count} | {arguments.draws:,} |", flush=True
        )


if __name__ == "__main__":
    main()
