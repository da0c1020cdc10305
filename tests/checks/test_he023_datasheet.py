"""HE023: no datasheet."""

from __future__ import annotations

from pathlib import Path

from tests.checks.build import dataset, found, talks


def test_a_missing_datasheet_is_told() -> None:
    """Without README.md the finding says what belongs into it."""
    (finding,) = found("HE023", dataset(talks(1)))

    assert finding.severity == "info"
    assert "where it comes from" in finding.sentence


def test_a_datasheet_passes() -> None:
    """Nothing is found where there is one."""
    assert found("HE023", dataset(talks(1), datasheet=Path("README.md"))) == []
