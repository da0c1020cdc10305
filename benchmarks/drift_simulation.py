"""False alarms of the drift tests over a year at exactly the bound, and days until a rise is seen.

    python benchmarks/drift_simulation.py

Prints the tables of docs/drift.md.
"""

from __future__ import annotations

import argparse

import numpy as np
from numpy.typing import NDArray

from handoff_eval.production.drift.conformal import conformal_martingale, conformal_p_values
from handoff_eval.production.drift.sequential import (
    ALPHA,
    MEAN_RUN_LENGTH,
    e_detector,
    e_process,
    recall_excess,
)

Array = NDArray[np.float64]

BOUND = 0.10
CONVERSATIONS = 200
DAYS = 365
KINDS = ("independent", "weekday", "shock")
WEEK = np.array([1.3, 1.2, 1.1, 1.1, 1.0, 0.7, 0.6])
SHOCK_SHAPE = 5.0


def daily_shares(kind: str, rate: float | Array, *, streams: int, days: int, seed: int) -> Array:
    """Return the share of each day's conversations that is emailed, shape (streams, days).

    `weekday` multiplies the rate by a weekly pattern of mean 1; `shock` by a gamma factor of mean
    1 and coefficient of variation .45, drawn anew each day.
    """
    rng = np.random.default_rng(seed)
    rates = np.broadcast_to(np.asarray(rate, dtype=np.float64), (streams, days)).copy()
    if kind == "weekday":
        rates *= (WEEK / WEEK.mean())[np.arange(days) % 7]
    elif kind == "shock":
        rates *= rng.gamma(SHOCK_SHAPE, 1 / SHOCK_SHAPE, size=rates.shape)
    shares: Array = rng.binomial(CONVERSATIONS, np.minimum(rates, 1)) / CONVERSATIONS
    return shares


def median_days(alarm: NDArray[np.int64], *, after: int = 0) -> str:
    """Return the median number of days from the rise to the alarm; earlier alarms are left out."""
    counted = np.where(alarm < 0, DAYS * 10, alarm - after + 1)[(alarm < 0) | (alarm >= after)]
    median = float(np.median(counted))
    return "not within the year" if median > DAYS - after else f"{median:.0f}"


def volume_rows(streams: int) -> list[tuple[str, ...]]:
    """Return one row a kind of stream: false alarms, then days to see each rise."""
    rows = []
    for kind in KINDS:
        null = daily_shares(kind, BOUND, streams=streams, days=DAYS, seed=1) - BOUND
        detector = e_detector(null, -BOUND).alarm
        found = [
            kind,
            f"{np.mean(e_process(null, -BOUND).alarm >= 0):.3f}",
            f"{np.mean(detector >= 0):.3f}",
        ]
        for factor in (1.3, 1.5):
            for quiet in (0, 90):
                rate = np.where(np.arange(DAYS) < quiet, 0.8 * BOUND, factor * BOUND)
                risen = daily_shares(kind, rate, streams=streams, days=DAYS, seed=2) - BOUND
                found += [
                    median_days(e_process(risen, -BOUND).alarm, after=quiet),
                    median_days(e_detector(risen, -BOUND).alarm, after=quiet),
                ]
        rows.append(tuple(found))
    return rows


def score_rows(streams: int) -> list[tuple[str, ...]]:
    """Return false alarms of the conformal test on daily mean scores, and days to see a shift."""
    rng = np.random.default_rng(3)
    rows = []
    for kind in KINDS:
        means = rng.normal(size=(streams, DAYS))
        if kind == "weekday":
            means += 2 * (WEEK / WEEK.mean())[np.arange(DAYS) % 7]
        elif kind == "shock":
            means += rng.standard_t(3, size=means.shape)
        shifted = means + np.where(np.arange(DAYS) >= 90, 1.0, 0.0)
        alarms = [
            conformal_martingale(
                np.stack([conformal_p_values(s, seed=i) for i, s in enumerate(streams_)])
            ).alarm
            for streams_ in (means, shifted)
        ]
        rows.append((kind, f"{np.mean(alarms[0] >= 0):.3f}", median_days(alarms[1], after=90)))
    return rows


def recall_rows(streams: int) -> list[tuple[str, ...]]:
    """Return false alarms of the audited-recall test at exactly R = .9, and reviews to see .8."""
    rng = np.random.default_rng(4)
    rows = []
    for name, probability in (("all audited alike", 1.0), ("floor of 1 in 10", 0.1)):
        alarms = []
        for recall in (0.9, 0.8):
            needed = rng.random((streams, 1000)) < 0.3
            missed = needed & (rng.random(needed.shape) >= recall)
            rare = missed & (rng.random(needed.shape) < 0.5)
            weights = np.where(rare, 1 / probability, 1.0)
            audited = rng.random(needed.shape) < 1 / weights
            excess = np.where(audited, recall_excess(missed, needed, weights, 0.9), 0.0)
            alarms.append(e_process(excess, -0.1 / probability).alarm)
        late = np.where(alarms[1] < 0, 9999, alarms[1] + 1)
        rows.append((name, f"{np.mean(alarms[0] >= 0):.3f}", f"{np.median(late):.0f}"))
    return rows


def print_table(header: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    """Print rows as Markdown."""
    for row in (header, ("---",) * len(header), *rows):
        print("| " + " | ".join(row) + " |")
    print()


def main() -> None:
    """Print three tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--streams", type=int, default=2000, help="default: %(default)s")
    streams = parser.parse_args().streams
    print(
        f"Volume: {streams} years of {CONVERSATIONS} conversations a day at exactly the bound of "
        f"{BOUND:.0%}; alpha {ALPHA:g}, mean run length {MEAN_RUN_LENGTH:g} days.\n"
    )
    rises = [
        f"x{factor} {when}, {test}"
        for factor in (1.3, 1.5)
        for when in ("from day 1", "after 90 days at 80 %")
        for test in ("process", "detector")
    ]
    print_table(
        ("days", "process: ever a false alarm", "detector: a false alarm in the year", *rises),
        volume_rows(streams),
    )
    print(f"Scores: {streams // 4} years; a shift by one standard deviation of a day at day 90.\n")
    print_table(("days", "ever a false alarm", "days to see the shift"), score_rows(streams // 4))
    print(f"Audited recall: {streams} streams of 1,000 conversations, 30 % in need.\n")
    print_table(
        ("audit", "ever a false alarm at recall .9", "conversations until recall .8 is seen"),
        recall_rows(streams),
    )


if __name__ == "__main__":
    main()
