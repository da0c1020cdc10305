"""HE013: the agreement of annotators."""

from __future__ import annotations

from handoff_eval.conversation import Label
from handoff_eval.transcripts.read import Dataset
from tests.checks.build import answers, dataset, found, talks, why_not


def two_annotators(both: int, first: int, second: int, neither: int) -> Dataset:
    """Return conversations that two annotators answered so often alike and apart."""
    conversations = talks(both + first + second + neither)
    labels: list[Label] = []
    for name, yes in (("a1", (True, True, False, False)), ("a2", (True, False, True, False))):
        said = [
            y for y, n in zip(yes, (both, first, second, neither), strict=True) for _ in range(n)
        ]
        for conversation, handoff in zip(conversations, said, strict=True):
            labels += answers([conversation], handoff=handoff, annotator=name)
    return dataset(conversations, labels)


def test_good_agreement_is_reported() -> None:
    """Of 20 + 5 + 5 + 70 cases p_o = .9, p_e = .25^2 + .75^2 = .625, kappa = .275 / .375 = .73."""
    (finding,) = found("HE013", two_annotators(20, 5, 5, 70))

    assert (finding.severity, finding.count) == ("info", 100)
    assert finding.sentence.startswith("'a1' and 'a2' agree with kappa 0.73 [0.5")
    assert "on the turn within one decision point 1.00 [0.83, 1.00] n=20" in finding.sentence


def test_poor_agreement_is_a_warning() -> None:
    """Of 10 + 15 + 15 + 60 p_o = .7, p_e = .625, kappa = .075 / .375 = .20."""
    (finding,) = found("HE013", two_annotators(10, 15, 15, 60))

    assert finding.severity == "warning"
    assert "kappa 0.20 [" in finding.sentence
    assert "sharpen the labelling guide" in finding.sentence


def test_perfect_agreement_is_not_certain() -> None:
    """Of 40 equal answers, half positive: .025^(1/40) = .912, kappa >= (.912 - .5) / .5 = .82."""
    (finding,) = found("HE013", two_annotators(20, 0, 0, 20))

    assert "kappa 1.00 [0.82, 1.00] n=40" in finding.sentence


def test_turns_two_points_apart_do_not_agree() -> None:
    """Labelled turns count as the same up to one decision point, here one pair of two."""
    lines = ("C: a", "C: b", "C: c", "C: d")
    near, far = talks(2, *lines)
    labels = [
        *answers([near, far], handoff=True, at_turn=0),
        *answers([near], handoff=True, at_turn=1, annotator="a2"),
        *answers([far], handoff=True, at_turn=2, annotator="a2"),
    ]

    (finding,) = found("HE013", dataset([near, far], labels))

    assert "one decision point 0.50 [" in finding.sentence


def test_the_adjudicator_is_no_annotator() -> None:
    """One annotator and an adjudicator have no agreement to report."""
    conversations = talks(3)
    labels = answers(conversations, handoff=True) + answers(
        conversations, handoff=True, annotator="adjudicated"
    )

    assert why_not("HE013", dataset(conversations, labels)) == (
        "fewer than two annotators are named"
    )


def test_annotators_who_share_nothing_cannot_be_compared() -> None:
    """Two people with a half each have no agreement either."""
    first, second = talks(2)
    labels = answers([first], handoff=True) + answers([second], handoff=True, annotator="a2")

    assert why_not("HE013", dataset([first, second], labels)) == (
        "no two annotators share a conversation"
    )
