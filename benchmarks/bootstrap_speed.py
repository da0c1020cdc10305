"""Time the paired comparison: 2,000 replicates over 100,000 decisions.

    python benchmarks/bootstrap_speed.py

Two arms on 20,000 conversations of five decision points each; what is timed begins at the scores
of all decisions and ends at the verdict. Exits with 1 when it takes longer than the limit.
"""

from __future__ import annotations

import argparse
import resource
import time

import numpy as np

from handoff_eval.conversation import Split
from handoff_eval.evaluation.comparison.paired import paired_difference
from handoff_eval.evaluation.intervals import REPLICATES
from handoff_eval.evaluation.replay import Replay
from handoff_eval.evaluation.scored import ScoredSplit

POINTS = 5


def arm(name: str, scores: np.ndarray, positive: np.ndarray) -> ScoredSplit:
    """Return an arm's scores on conversations of `POINTS` decision points."""
    n = len(positive)
    played = Replay(
        name,
        tuple(f"c{i}" for i in range(n)),
        POINTS * np.arange(n + 1),
        np.tile(np.arange(1, POINTS + 1), n),
        scores,
    )
    return ScoredSplit(
        replay=played,
        split=Split.TEST,
        positive=positive,
        groups=tuple(f"u{i // 2}" for i in range(n)),
        due=np.where(positive, POINTS - 1, -1),
        peak=played.peak,
        on_time_peak=np.where(positive, played.peak, np.nan),
        weight=np.ones(n),
        emailed=np.zeros(n, dtype=bool),
    )


def main() -> int:
    """Print the time and the memory; return 1 above the limit."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--decisions", type=int, default=100_000)
    parser.add_argument("--limit", type=float, default=5.0, metavar="SECONDS")
    arguments = parser.parse_args()
    rng = np.random.default_rng(0)
    n = arguments.decisions // POINTS
    positive = rng.random(n) < 0.1
    shared = np.repeat(positive, POINTS) + rng.normal(size=n * POINTS)
    scores = [1 / (1 + np.exp(-(shared + 0.5 * rng.normal(size=n * POINTS)))) for _ in range(2)]
    started, busy = time.perf_counter(), time.process_time()
    first, second = (arm(name, s, positive) for name, s in zip("ab", scores, strict=True))
    pair = paired_difference(first, second, email_rate=0.1, prevalence=0.05)
    elapsed, busy = time.perf_counter() - started, time.process_time() - busy
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"{REPLICATES:,} replicates over {n * POINTS:,} decisions of {n:,} conversations: "
        f"{elapsed:.1f} s ({busy:.1f} s of processor time), {peak:.0f} MB at most; difference "
        f"{pair.difference}"
    )
    return int(elapsed > arguments.limit)


if __name__ == "__main__":
    raise SystemExit(main())
