"""HE020: conversations without a start."""

from __future__ import annotations

from tests.checks.build import dataset, found, talks


def test_unknown_starts_are_told() -> None:
    """Those without a time are counted among all."""
    conversations = talks(2) + talks(1, prefix="x", started_at=None)

    (finding,) = found("HE020", dataset(conversations))

    assert (finding.severity, finding.count, finding.examples) == ("info", 1, ("x-0",))
    assert finding.sentence.startswith("1 conversation of 3 has no 'started_at'")


def test_known_starts_pass() -> None:
    """Nothing is found where all starts are known."""
    assert found("HE020", dataset(talks(2))) == []
