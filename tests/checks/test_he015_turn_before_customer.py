"""HE015: a labelled turn before the customer spoke."""

from __future__ import annotations

from tests.checks.build import answers, dataset, found, talks


def test_a_turn_of_the_greeting_is_told() -> None:
    """The agent's greeting can't warrant a handoff; the customer's first turn can."""
    first, second = talks(2, "A: Hello!", "C: Call me.")
    labels = answers([first], handoff=True, at_turn=0) + answers([second], handoff=True, at_turn=1)

    (finding,) = found("HE015", dataset([first, second], labels))

    assert (finding.severity, finding.count, finding.examples) == ("warning", 1, ("c-0",))


def test_the_close_is_never_too_early() -> None:
    """A positive with no turn became one at the end."""
    conversations = talks(1, "A: Hello!", "C: Call me.")

    assert found("HE015", dataset(conversations, answers(conversations, handoff=True))) == []
