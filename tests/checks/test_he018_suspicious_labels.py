"""HE018: labels that the words speak against."""

from __future__ import annotations

import random
import sys
from dataclasses import replace

import pytest

from handoff_eval.conversation import Conversation, Role, Turn
from handoff_eval.transcripts.read import Dataset
from tests.checks.build import answers, dataset, found, talks, why_not

ASKS = ("please have someone call", "phone email me back", "human manager person today")
CHATS = ("where parcel size colour", "price delivery shop open", "hours kettle blue thanks")


def made(number: int, *, wrong: int = 0, words_tell: bool = True) -> Dataset:
    """Return as many of each kind, the first `wrong` of each labelled as the other kind."""
    chance = random.Random(1)
    conversations: list[Conversation] = []
    labels = []
    for handoff in (True, False):
        own = ASKS if handoff else CHATS
        vocabulary = " ".join(own if words_tell else ASKS + CHATS).split()
        for i, talk in enumerate(talks(number, prefix=f"{'yes' if handoff else 'no'}")):
            words = chance.choices(vocabulary, k=8)
            conversations.append(replace(talk, turns=(Turn(Role.CUSTOMER, " ".join(words)),)))
            labels += answers(conversations[-1:], handoff=handoff is not (i < wrong))
    return dataset(conversations, labels)


def test_flipped_labels_are_found() -> None:
    """Of four labels turned round three or more are found, and no good one beside them."""
    (finding,) = found("HE018", made(60, wrong=2))

    doubted = {example.split("'")[1] for example in finding.examples}
    assert doubted <= {"yes-0", "yes-1", "no-0", "no-1"}
    assert len(doubted) == finding.count >= 3
    assert finding.severity == "warning"
    assert "labelled negative, " in next(e for e in finding.examples if "yes-1" in e)


def test_clean_labels_pass() -> None:
    """Labels that follow the words are left in peace."""
    assert found("HE018", made(60)) == []


def test_words_that_tell_nothing_doubt_nothing() -> None:
    """Where a bag of words is near chance, its doubts are not shown."""
    assert "too poorly to doubt any" in why_not("HE018", made(60, words_tell=False))


@pytest.mark.parametrize("number", [0, 19])
def test_few_labels_are_too_few(number: int) -> None:
    """Below 20 of a kind there is nothing to learn from."""
    reason = why_not("HE018", made(number))

    assert reason in ("no conversation is labelled", "there are fewer than 20 positives")


def test_few_customers_are_too_few() -> None:
    """Forty conversations of one customer can't be held out by customer."""
    data = made(40)
    one = data.conversations[0].customer
    of_one = [replace(c, customer=one) for c in data.conversations]

    assert why_not("HE018", dataset(of_one, data.labels)) == (
        "the positives come from fewer than 5 customers"
    )


def test_texts_without_common_words_cannot_run() -> None:
    """Where no word occurs twice there is nothing to count."""
    data = made(30)
    own_words = [
        replace(c, turns=(Turn(Role.CUSTOMER, f"w{i}"),)) for i, c in enumerate(data.conversations)
    ]

    assert why_not("HE018", dataset(own_words, data.labels)) == (
        "no word occurs in two conversations"
    )


def test_without_the_workbench_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """A base install names the package that is missing."""
    monkeypatch.setitem(sys.modules, "sklearn.feature_extraction.text", None)

    assert "pip install 'handoff-eval[bench]'" in why_not("HE018", made(30))
