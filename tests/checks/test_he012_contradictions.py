"""HE012: contradictory labels that nobody decided."""

from __future__ import annotations

from tests.checks.build import answers, dataset, found, talks


def test_an_open_contradiction_is_told() -> None:
    """Two annotators who differ leave the conversation open; agreeing ones don't."""
    first, second = talks(2)
    labels = [
        *answers([first, second], handoff=True),
        *answers([first], handoff=False, annotator="a2"),
        *answers([second], handoff=True, annotator="a2"),
    ]

    (finding,) = found("HE012", dataset([first, second], labels))

    assert (finding.severity, finding.count, finding.examples) == ("warning", 1, ("c-0",))
    assert finding.sentence.startswith("1 conversation has labels that contradict each other")


def test_adjudication_closes_it() -> None:
    """A third label by the adjudicator decides, wherever it stands."""
    conversations = talks(1)
    labels = [
        *answers(conversations, handoff=True, annotator="adjudicated"),
        *answers(conversations, handoff=True),
        *answers(conversations, handoff=False, annotator="a2"),
    ]

    assert found("HE012", dataset(conversations, labels)) == []
