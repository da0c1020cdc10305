"""HE006: too few positives in tune for the promise."""

from __future__ import annotations

from handoff_eval.conversation import Customer, Split
from handoff_eval.transcripts.read import Dataset
from tests.checks.build import answers, dataset, found, talks


def with_positives(number: int, split: Split | None = Split.TUNE) -> Dataset:
    """Return a dataset with this many positives of as many customers, and a negative."""
    positives = talks(number, split=split)
    negatives = talks(1, split=split, prefix="n")
    labels = answers(positives, handoff=True) + answers(negatives, handoff=False)
    return dataset(positives + negatives, labels)


def test_thirty_five_cannot_certify_ninety_percent() -> None:
    """36 positives are needed at 95 %, since .9**36 = .0225 <= .025 < .0250 < .9**35 = .02503."""
    (finding,) = found("HE006", with_positives(35))

    assert (finding.severity, finding.count) == ("warning", 35)
    assert "35 customers with a positive, and 36 are needed" in finding.sentence
    assert "label at least 1 more" in finding.sentence


def test_thirty_six_certify_with_no_miss() -> None:
    """From 36 on it is an info that says when one miss is allowed, 54 for .90."""
    (finding,) = found("HE006", with_positives(36))

    assert finding.severity == "info"
    assert "from 54 on one miss is allowed" in finding.sentence


def test_with_room_for_a_miss_it_passes() -> None:
    """54 positives allow a miss, and nothing is found."""
    assert found("HE006", with_positives(54)) == []


def test_a_customer_counts_once() -> None:
    """Forty conversations of one customer are one independent positive."""
    conversations = talks(40, split=Split.TUNE, customer=Customer(id="ana"))

    (finding,) = found("HE006", dataset(conversations, answers(conversations, handoff=True)))

    assert finding.count == 1
    assert "1 customer with a positive" in finding.sentence


def test_other_splits_do_not_count() -> None:
    """Positives of train certify nothing."""
    (finding,) = found("HE006", with_positives(60, Split.TRAIN))

    assert finding.count == 0


def test_without_splits_the_assigned_one_is_counted() -> None:
    """A set without splits is judged by the split it would get: 30 % of 200 by time is 60."""
    assert found("HE006", with_positives(200, None)) == []
    (finding,) = found("HE006", with_positives(100, None))
    assert "(by the split that would be assigned)" in finding.sentence


def test_a_lower_promise_needs_fewer() -> None:
    """A recall of .80 takes 17 positives."""
    assert found("HE006", with_positives(27), min_recall=0.8) == []
