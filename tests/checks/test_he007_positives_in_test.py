"""HE007: too few positives in test for a useful interval."""

from __future__ import annotations

from handoff_eval.conversation import Split
from handoff_eval.transcripts.read import Dataset
from tests.checks.build import answers, dataset, found, talks


def with_positives(number: int) -> Dataset:
    """Return a dataset with this many positives in test."""
    conversations = talks(number, split=Split.TEST)
    return dataset(conversations, answers(conversations, handoff=True))


def test_thirty_four_are_too_few() -> None:
    """1.96 sqrt(.9 * .1 / 34) = .1008 is above a tenth, and 35 bring it below."""
    (finding,) = found("HE007", with_positives(34))

    assert (finding.severity, finding.count) == ("warning", 34)
    assert "a recall of 90% would be reported with about 10% to either side" in finding.sentence
    assert "35 bring that to 10%" in finding.sentence


def test_thirty_five_pass() -> None:
    """1.96 sqrt(.9 * .1 / 35) = .0994 is below a tenth."""
    assert found("HE007", with_positives(35)) == []


def test_none_says_nothing_at_all() -> None:
    """With no positive in test the interval is the whole range."""
    negatives = talks(3, split=Split.TEST)

    (finding,) = found("HE007", dataset(negatives, answers(negatives, handoff=False)))

    assert "about 100% to either side" in finding.sentence
