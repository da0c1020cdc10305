"""HE003: no splits, or some conversations without one."""

from __future__ import annotations

from handoff_eval.conversation import Split
from tests.checks.build import dataset, found, talks


def test_no_split_at_all_is_an_info() -> None:
    """A dataset without splits is split when it is used."""
    (finding,) = found("HE003", dataset(talks(5)))

    assert (finding.severity, finding.count) == ("info", 5)


def test_some_without_a_split_is_a_warning() -> None:
    """Conversations left out of all splits are named, since nothing will use them."""
    conversations = talks(3, split=Split.TRAIN) + talks(2, prefix="lost")

    (finding,) = found("HE003", dataset(conversations))

    assert (finding.severity, finding.count) == ("warning", 2)
    assert finding.examples == ("lost-0", "lost-1")
    assert finding.sentence.startswith("2 conversations have no split while others do")


def test_all_split_passes() -> None:
    """Nothing is found where each conversation has a split."""
    assert found("HE003", dataset(talks(3, split=Split.TEST))) == []
