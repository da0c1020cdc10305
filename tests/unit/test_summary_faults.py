"""The suite of injected faults: each fault is what it says, and is caught where it must be."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.summary_faults import (
    FAULTS,
    METRICS,
    Case,
    free_cases,
    quoting_cases,
    run_suite,
    table,
)
from handoff_eval.conversation import ReferenceFact, ReferenceKind
from handoff_eval.summaries.metrics import score_summary
from handoff_eval.summaries.support import statements_of
from handoff_eval.transcripts.read import Dataset, read_dataset
from tests.builders import talk

TURNS = talk(
    "C: Order 4417 never arrived on Monday and cost 35.",
    "A: The courier is late.",
    "C: I want a refund.",
).turns
CASE = Case(
    statements_of(
        "The customer says order 4417 never arrived on Monday. The agent says the courier is late. "
        "The customer wants a refund."
    ),
    TURNS,
    (
        ReferenceFact(ReferenceKind.IDENTIFIER, "4417", 0),
        ReferenceFact(ReferenceKind.ASK, "I want a refund", 2),
    ),
)
CAUGHT_BY = {
    "dropped order number": "coverage",
    "dropped ask": "coverage",
    "changed amount or number": "copy-precision",
    "changed date": "copy-precision",
    "swapped roles": "role swaps",
    "invented promise": "unsupported",
    "invented name": "copy-precision",
    "negation flipped": "unsupported",
}


@pytest.fixture(scope="module")
def shipped() -> Dataset:
    """Return the shipped dataset with the facts of its first conversations."""
    dataset = read_dataset(Path(__file__).parents[2] / "datasets" / "support_handoff")
    return replace(dataset, facts=dict(list(dataset.facts.items())[:12]))


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_is_caught_by_its_metric(fault: str) -> None:
    """On a plain case, the metric meant for a fault gets worse and was clean before."""
    spoilt = FAULTS[fault](CASE, random.Random(0))
    assert spoilt is not None
    before, after = (
        score_summary(statements, turns=CASE.turns, facts=CASE.facts)
        for statements in (CASE.statements, spoilt)
    )

    metric = METRICS[CAUGHT_BY[fault]]
    assert spoilt != CASE.statements
    assert metric(after) > metric(before)
    assert (before.invented, before.swapped, before.unsupported, before.missing) == ((), (), (), ())


def test_no_fault_fits_an_empty_case() -> None:
    """Where there is nothing to spoil, a fault that needs something is not counted as missed."""
    bare = Case(statements_of("It works."), TURNS, ())

    fitting = {name for name, spoil in FAULTS.items() if spoil(bare, random.Random(0)) is not None}
    assert fitting == {"invented promise", "invented name"}


def test_the_suite_over_shipped_summaries(shipped: Dataset) -> None:
    """Quotations hide no fault, free text few, and unspoilt quotations raise no complaint."""
    quoting, free = (run_suite(make(shipped)) for make in (quoting_cases, free_cases))

    assert quoting["none"].caught["any"] == 0
    for fault, metric in CAUGHT_BY.items():
        for outcomes in (quoting, free):
            outcome = outcomes[fault]
            assert 0 <= outcome.caught[metric] <= outcome.caught["any"] <= outcome.n
        assert quoting[fault].caught["any"] >= 0.9 * quoting[fault].n
    assert table(quoting).count("\n") == len(FAULTS) + 2
