"""HE002: no labels, or all labels alike."""

from __future__ import annotations

import pytest

from tests.checks.build import answers, dataset, found, talks


def test_traffic_is_named_as_such() -> None:
    """Without labels it is an info: volume can be measured on it."""
    (finding,) = found("HE002", dataset(talks(4)))

    assert (finding.severity, finding.count) == ("info", 4)
    assert finding.sentence.startswith("No conversation is labelled: this is traffic")


@pytest.mark.parametrize(
    ("handoff", "words"), [(True, "every conversation needs"), (False, "no conversation needs")]
)
def test_labels_all_alike_are_an_error(handoff: bool, words: str) -> None:
    """With one kind only no trigger can be told from another."""
    conversations = talks(3)

    (finding,) = found("HE002", dataset(conversations, answers(conversations, handoff=handoff)))

    assert (finding.severity, finding.count) == ("error", 3)
    assert words in finding.sentence


def test_both_kinds_pass() -> None:
    """One positive and one negative are enough to pass."""
    first, second = talks(2)
    labels = answers([first], handoff=True) + answers([second], handoff=False)

    assert found("HE002", dataset([first, second], labels)) == []
