"""HE016: most positives have no labelled turn."""

from __future__ import annotations

from handoff_eval.transcripts.read import Dataset
from tests.checks.build import answers, dataset, found, talks


def made(unknown: int, known: int) -> Dataset:
    """Return positives without a labelled turn, and with one."""
    conversations = talks(unknown + known)
    labels = answers(conversations[:unknown], handoff=True)
    labels += answers(conversations[unknown:], handoff=True, at_turn=0)
    return dataset(conversations, labels)


def test_turns_that_nobody_labelled_are_told() -> None:
    """Nine of ten at the close look like turns that were never labelled."""
    (finding,) = found("HE016", made(9, 1))

    assert (finding.severity, finding.count) == ("warning", 9)
    assert finding.sentence.startswith("90% of the 10 positives have no 'at_turn'")


def test_four_in_five_pass() -> None:
    """Eight of ten isn't more than four in five."""
    assert found("HE016", made(8, 2)) == []
