"""The promise, on draws where the truth is known; and that a planted bug is seen."""

from __future__ import annotations

import pytest

from benchmarks.certificate_cells import Cell, clustered, independent
from benchmarks.certificate_populations import Scores
from benchmarks.certificate_simulation import simulate

GOOD, BAD = Scores(5, 2), Scores(1.5, 6)


def small(levels: int | None = None, arms: int = 1) -> Cell:
    """Return a quick cell in which about half of the certificates are issued."""
    return independent(
        "small",
        Scores(5, 2, levels=levels),
        Scores(1.5, 6, levels=levels),
        n=40,
        m=300,
        min_recall=0.75,
        rate=0.15,
        arms=arms,
    )


@pytest.mark.parametrize(
    "cell",
    [small(), small(levels=11), small(arms=3)],
    ids=["continuous", "11 levels", "best of 3"],
)
def test_broken_promises_stay_within_the_risk(cell: Cell) -> None:
    """P(issued and broken) <= 5 % and three errors, and issues are as often as computed."""
    outcome = simulate(cell, draws=1500, seed=1)

    assert outcome.kept
    assert outcome.issued_as_computed
    assert outcome.issued > 0.1


@pytest.mark.parametrize(
    ("cell", "plant"),
    [
        (small(levels=11), "edge"),
        (small(levels=11), "strict"),
        (clustered("ignored", GOOD, BAD, rate=0.16), None),
        (small(arms=7), "undivided"),
    ],
    ids=["threshold on the edge", "fires above", "customers ignored", "risk not divided"],
)
def test_a_planted_bug_breaks_the_promise(cell: Cell, plant: str | None) -> None:
    """Each mistake breaks more promises than stated, so the test above would see it."""
    assert not simulate(cell, draws=1000, seed=1, plant=plant).kept
