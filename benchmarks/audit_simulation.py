"""Simulate audits and print the table of docs/statistics-audit.md.

    python benchmarks/audit_simulation.py

10,000 unsent conversations, 200 sent ones of which 100 were needed and all are read. In each draw
the misses are placed anew, a plan is drawn and estimated with the functions of the command.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from math import sqrt

import numpy as np

from handoff_eval.evaluation.audit.estimate import estimate_recall
from handoff_eval.evaluation.audit.plan import Design, make_plan
from handoff_eval.evaluation.decision_log import LoggedConversation

SENT, CAUGHT, UNSENT = 200, 100, 10_000
LEVEL = 0.95
HEADER = (
    "reviews", "floor", "design", "misses", "where", "mean missed total (standard error)",
    "bias of recall, points", "recall's lower limit holds", "upper limit holds", "median interval",
)  # fmt: skip


@dataclass(frozen=True)
class Cell:
    """What many audits of one kind came to; `error` is of the mean missed total."""

    missed: float
    error: float
    bias: float
    lower_holds: float
    upper_holds: float
    low: float
    high: float


def simulate(
    *, draws: int, reviews: int, floor: float, design: Design, misses: int, near: bool, seed: int
) -> Cell:
    """Return what audits of this kind come to."""
    rng = np.random.default_rng(seed)
    scores = np.concatenate([rng.uniform(0.5, 1, SENT), rng.uniform(0, 0.5, UNSENT)])
    log = [LoggedConversation(f"c{i}", i < SENT, float(s)) for i, s in enumerate(scores)]
    by_score = SENT + np.argsort(-scores[SENT:])
    truth = CAUGHT / (CAUGHT + misses)
    totals, recalls, lows, highs = (np.empty(draws) for _ in range(4))
    for draw in range(draws):
        among = by_score[: UNSENT // 5] if near else by_score
        needed = {f"c{i}" for i in rng.choice(among, misses, replace=False)}
        needed |= {f"c{i}" for i in range(CAUGHT)}
        plan = make_plan(
            log, reviews=reviews, floor_share=floor, design=design, seed=int(rng.integers(2**31))
        )
        answers = {row.conversation_id: row.conversation_id in needed for row in plan.rows}
        found = estimate_recall(plan, answers, level=LEVEL)
        totals[draw], recalls[draw] = found.missed.value, found.recall.value
        lows[draw], highs[draw] = found.recall.low, found.recall.high
        assert found.recall.low < 1, "a draw without a miss must not promise a recall of 1"
    return Cell(
        missed=float(totals.mean()),
        error=float(totals.std(ddof=1) / sqrt(draws)),
        bias=float(recalls.mean() - truth),
        lower_holds=float(np.mean(lows <= truth)),
        upper_holds=float(np.mean(highs >= truth)),
        low=float(np.median(lows)),
        high=float(np.median(highs)),
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=2000, help="a cell (default: %(default)s)")
    arguments = parser.parse_args()
    print("| " + " | ".join(HEADER) + " |\n|" + "---|" * len(HEADER))
    cells = [
        (reviews, floor, design, misses, near)
        for reviews, floor, design, near in (
            (300, 0.8, Design.STRATIFIED, False),
            (300, 0.8, Design.POISSON, False),
            (300, 0.8, Design.STRATIFIED, True),
            (300, 0.1, Design.STRATIFIED, False),
            (1000, 0.8, Design.STRATIFIED, False),
        )
        for misses in (60, 20, 4)
    ]
    for seed, (reviews, floor, design, misses, near) in enumerate(cells):
        cell = simulate(
            draws=arguments.draws, reviews=reviews, floor=floor, design=design, misses=misses,
            near=near, seed=seed,
        )  # fmt: skip
        where = "top fifth by score" if near else "anywhere"
        row = (
            str(reviews), f"{floor:g}", design.value, str(misses), where,
            f"{cell.missed:.2f} ({cell.error:.2f})", f"{100 * cell.bias:+.1f}",
            f"{cell.lower_holds:.3f}", f"{cell.upper_holds:.3f}",
            f"{cell.low:.2f} to {cell.high:.2f}",
        )  # fmt: skip
        print("| " + " | ".join(row) + " |", flush=True)


if __name__ == "__main__":
    main()
