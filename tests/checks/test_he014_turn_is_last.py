"""HE014: most labelled turns are the end of their conversation."""

from __future__ import annotations

from handoff_eval.transcripts.read import Dataset
from tests.checks.build import answers, dataset, found, talks, why_not

LINES = ("C: Where is it?", "A: Here.", "C: No.", "A: Sorry.")


def made(last: int, inside: int) -> Dataset:
    """Return positives labelled at the last customer turn, and at the first."""
    conversations = talks(last + inside, *LINES)
    labels = answers(conversations[:last], handoff=True, at_turn=2)
    labels += answers(conversations[last:], handoff=True, at_turn=0)
    return dataset(conversations, labels)


def test_cut_conversations_are_told() -> None:
    """17 of 20 at the last customer turn is more than four in five."""
    (finding,) = found("HE014", made(17, 3))

    assert (finding.severity, finding.count, len(finding.examples)) == ("warning", 17, 10)
    assert finding.sentence.startswith("85% of the 20 positives with 'at_turn'")


def test_four_in_five_pass() -> None:
    """16 of 20 isn't more than four in five."""
    assert found("HE014", made(16, 4)) == []


def test_few_positives_prove_nothing() -> None:
    """19 labelled turns are too few to judge."""
    assert why_not("HE014", made(19, 0)) == "fewer than 20 positives have 'at_turn'"


def test_it_needs_positives() -> None:
    """Where no handoff is needed there is no turn."""
    conversations = talks(2)
    data = dataset(conversations, answers(conversations, handoff=False))

    assert why_not("HE014", data) == "no label says that a handoff is needed"
