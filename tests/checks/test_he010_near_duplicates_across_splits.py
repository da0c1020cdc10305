"""HE010: near-duplicates across splits."""

from __future__ import annotations

from handoff_eval.conversation import Split
from tests.checks.build import dataset, found, talks, why_not

STORY = (
    "C: My parcel with the blue kettle has been in the depot for nine days and nothing happens, "
    "please look into it."
)


def test_a_copy_in_another_split_is_told() -> None:
    """The pair across splits is named, the pair within one isn't."""
    conversations = talks(2, STORY, split=Split.TRAIN, prefix="a") + talks(
        1, STORY, split=Split.TEST, prefix="b"
    )

    (finding,) = found("HE010", dataset(conversations))

    assert (finding.severity, finding.count) == ("warning", 2)
    assert finding.examples == ("'a-0' and 'b-0' (100%)", "'a-1' and 'b-0' (100%)")


def test_a_copy_without_a_split_leaks_nowhere() -> None:
    """A conversation that no split uses can't be fitted or judged on."""
    conversations = talks(1, STORY, split=Split.TRAIN) + talks(1, STORY, prefix="b")

    assert found("HE010", dataset(conversations)) == []


def test_it_needs_splits() -> None:
    """Without splits there is nothing to cross."""
    assert why_not("HE010", dataset(talks(2, STORY))) == "no conversation names a split"
