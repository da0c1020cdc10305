"""HE005: a split lacks positives or negatives."""

from __future__ import annotations

from collections.abc import Collection

from handoff_eval.conversation import Split
from handoff_eval.transcripts.read import Dataset
from tests.checks.build import answers, dataset, found, talks, why_not


def made(lacking: Collection[tuple[Split, bool]]) -> Dataset:
    """Return a dataset with a positive and a negative in each split, but for those lacking."""
    conversations, labels = [], []
    for split in Split:
        for handoff in (True, False):
            if (split, handoff) not in lacking:
                one = talks(1, split=split, prefix=f"{split.value}-{handoff}")
                conversations += one
                labels += answers(one, handoff=handoff)
    return dataset(conversations, labels)


def test_test_without_positives_is_an_error() -> None:
    """Recall can't be reported where nothing is to be caught."""
    (finding,) = found("HE005", made({(Split.TEST, True)}))

    assert (finding.severity, finding.examples) == ("error", ("test",))
    assert finding.sentence.startswith("test has no positive, but arms are fitted on train")


def test_tune_without_negatives_is_an_error() -> None:
    """Volume can't be bounded where every conversation is a positive."""
    (finding,) = found("HE005", made({(Split.TUNE, False)}))

    assert finding.severity == "error"
    assert finding.sentence.startswith("tune has no negative")


def test_an_unlabelled_train_is_a_warning() -> None:
    """Arms that aren't fitted still work without train."""
    (finding,) = found("HE005", made({(Split.TRAIN, True), (Split.TRAIN, False)}))

    assert finding.severity == "warning"
    assert finding.sentence.startswith("train has no labelled conversation")


def test_all_kinds_everywhere_pass() -> None:
    """Both kinds in each split are enough."""
    assert found("HE005", made(())) == []


def test_it_needs_splits_and_labels() -> None:
    """Without splits, or without labels, it says so."""
    assert why_not("HE005", dataset(talks(1))) == "no conversation names a split"
    assert why_not("HE005", dataset(talks(1, split=Split.TEST))) == "no conversation is labelled"
