"""HE011: near-duplicates with opposite labels."""

from __future__ import annotations

from tests.checks.build import answers, dataset, found, talks, why_not

STORY = (
    "C: My parcel with the blue kettle has been in the depot for nine days and nothing happens, "
    "please look into it."
)


def test_opposite_labels_of_copies_are_told() -> None:
    """Of three copies the two pairs that disagree are named."""
    first, second, third = talks(3, STORY)
    labels = answers([first, third], handoff=True) + answers([second], handoff=False)

    (finding,) = found("HE011", dataset([first, second, third], labels))

    assert (finding.severity, finding.count) == ("warning", 2)
    assert finding.examples == ("'c-0' and 'c-1' (100%)", "'c-1' and 'c-2' (100%)")


def test_a_copy_without_a_label_contradicts_nobody() -> None:
    """Only two labels can be opposite."""
    first, second = talks(2, STORY)

    assert found("HE011", dataset([first, second], answers([first], handoff=True))) == []


def test_it_needs_labels() -> None:
    """Traffic has no labels to be apart."""
    assert why_not("HE011", dataset(talks(2, STORY))) == "no conversation is labelled"
