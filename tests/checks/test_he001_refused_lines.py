"""HE001: lines that could not be used."""

from __future__ import annotations

from handoff_eval.transcripts.refusals import Refusal
from tests.checks.build import answers, dataset, found, talks

BAD = Refusal("transcripts.jsonl", 3, "turns", "a list with at least one turn", "[]")
BAD_LABEL = Refusal("labels.jsonl", 9, "handoff", "true or false", "'yes'")


def test_one_line_of_many_is_a_warning() -> None:
    """A refused line is told with its sentence while the rest of the file can be used."""
    (finding,) = found("HE001", dataset(talks(99), refusals=[BAD]))

    assert (finding.severity, finding.count) == ("warning", 1)
    assert finding.sentence.startswith("1 line could not be used (1.0% of the transcripts, 0.0%")
    assert finding.examples == (str(BAD),)


def test_above_one_in_twenty_it_is_an_error() -> None:
    """Five of a hundred lines is the most that may be missing: six of 105 is too much."""
    six = [BAD] * 6

    (at_the_limit,) = found("HE001", dataset(talks(95), refusals=[BAD] * 5))
    (above,) = found("HE001", dataset(talks(99), refusals=six))

    assert (at_the_limit.severity, above.severity) == ("warning", "error")


def test_labels_have_a_share_of_their_own() -> None:
    """One refused label among two counts against the labels, however many transcripts there are."""
    conversations = talks(200)
    labels = answers(conversations[:1], handoff=True)

    (finding,) = found("HE001", dataset(conversations, labels, refusals=[BAD_LABEL]))

    assert finding.severity == "error"
    assert "0.0% of the transcripts, 50.0% of the labels" in finding.sentence


def test_no_refusal_no_finding() -> None:
    """A clean file passes."""
    assert found("HE001", dataset(talks(3))) == []
