"""The certificate's promise over every cell of docs/statistics.md."""

from __future__ import annotations

import pytest

from benchmarks.certificate_cells import Cell, cells, planted
from benchmarks.certificate_simulation import simulate

DRAWS = 1500


@pytest.mark.slow
@pytest.mark.parametrize("cell", tuple(cells()), ids=lambda cell: cell.name)
def test_every_cell_keeps_its_promise(cell: Cell) -> None:
    """All settings of docs/statistics.md, whose table has more draws by the command it names."""
    outcome = simulate(cell, draws=DRAWS, seed=2)

    assert outcome.kept
    assert outcome.issued_as_computed


@pytest.mark.slow
def test_every_planted_bug_is_seen() -> None:
    """All mistakes of docs/statistics.md."""
    for words, cell, plant in planted():
        assert not simulate(cell, draws=DRAWS, seed=2, plant=plant).kept, words
