"""Topics of mistakes: groups that say the same thing, named by the words that set them apart."""

from __future__ import annotations

from math import log, sqrt

import numpy as np
import pytest

from handoff_eval.encoders.hashing import HashingEncoder
from handoff_eval.evaluation.findings.mistakes import Mistake
from handoff_eval.evaluation.findings.topic_names import distinctiveness
from handoff_eval.evaluation.findings.topics import Topics, group_by_topic
from tests.builders import labeled, talk

PARCELS = ["where is my parcel today", "my parcel is late", "parcel number says lost parcel",
           "the parcel never came", "track the parcel please"]  # fmt: skip
INVOICES = ["send the invoice again", "my invoice has a wrong address", "invoice total is wrong",
            "need an invoice for taxes"]  # fmt: skip
BACKGROUND = [talk("C: please reset my password today", id=f"b{i}") for i in range(20)]


def _mistakes(texts: list[str], *, fired: bool = True) -> list[Mistake]:
    return [
        Mistake(
            labeled(
                talk(f"C: {text}", "A: noted", "C: goodbye forever", id=f"m{i}"),
                handoff=not fired,
            ),
            score=0.9, turn=0, closed=False, fired=fired,
        )
        for i, text in enumerate(texts)
    ]  # fmt: skip


def _topics(texts: list[str], kind: str = "needless emails") -> Topics:
    return group_by_topic(_mistakes(texts), HashingEncoder(256), BACKGROUND, kind=kind)


def test_distinctive_words_by_hand() -> None:
    """Log odds inside over outside, each drawn towards the overall share, over its error."""
    scores = distinctiveness(np.array([3.0, 1, 0]), np.array([0.0, 1, 3]))

    # n = m = 4; prior of the first word 4 * 3/8 = 1.5: log(4.5 / 3.5) - log(1.5 / 6.5),
    # variance 1 / 4.5 + 1 / 1.5; the second is as usual on either side
    expected = (log(4.5 / 3.5) - log(1.5 / 6.5)) / sqrt(1 / 4.5 + 1 / 1.5)
    assert scores == pytest.approx([expected, 0, -expected])


def test_addresses_and_halves_of_words_name_nothing() -> None:
    """What comes in most texts as part of an address, a link or a contraction is no name."""
    parts = "it isn't here, write to ana@mail.example or see https://shop.example/parcels"
    found = _topics([f"{text}: {parts}" for text in PARCELS])

    assert {word for topic in found.topics for term in topic.terms for word in term.split()} & {
        "ana", "mail", "example", "https", "shop", "parcels", "isn",
    } == set()  # fmt: skip
    assert found.topics[0].terms[0] == "parcel"


def test_two_topics_are_told_apart_and_named() -> None:
    """Parcels and invoices make two topics, each with its own word first, the larger one first."""
    found = _topics([*PARCELS, *INVOICES])

    assert [topic.terms[0] for topic in found.topics] == ["parcel", "invoice"]
    assert [len(topic.mistakes) for topic in found.topics] == [5, 4]
    assert found.n == 9
    # what is said after the email was sent has no part in it
    assert all("goodbye" not in topic.terms for topic in found.topics)
    assert found.topics[1].examples[0] in INVOICES


def test_needless_emails_name_what_the_agent_should_answer() -> None:
    """The sentence that a team acts on holds each topic with its count."""
    said = _topics([*PARCELS, *INVOICES]).sentences()[0]

    assert said.startswith("These are questions your agent should answer: parcel")
    assert "parcel (5), such as “" in said or "(5), such as “" in said
    assert "; invoice" in said


def test_few_mistakes_stay_one_topic() -> None:
    """Below six nothing is grouped, and one alone still has a name and an example."""
    assert len(_topics(PARCELS).topics) == 1
    alone = _topics(PARCELS[:1])
    assert "parcel" in alone.topics[0].terms
    assert alone.topics[0].examples == (PARCELS[0],)


def test_no_mistakes_make_no_topic() -> None:
    """Without mistakes there is nothing to name, and the words say so."""
    found = _topics([])

    assert found.topics == ()
    assert found.sentences() == ("There are no needless emails on test.",)
    assert found.frame().empty


def test_words_that_say_nothing_leave_a_topic_unnamed() -> None:
    """Numbers and stop words are no name."""
    found = group_by_topic(_mistakes(["it is 12 34"]), HashingEncoder(), [], kind="needless emails")

    assert found.topics[0].name == "no common words"


def test_missed_handoffs_are_read_whole() -> None:
    """Where no email was sent the whole conversation counts."""
    found = group_by_topic(
        _mistakes(PARCELS, fired=False), HashingEncoder(256), BACKGROUND, kind="missed handoffs"
    )

    assert "goodbye" in found.topics[0].terms
    assert found.sentences()[0].startswith("These needed a person and got none: ")


def test_topics_can_be_told_without_a_word_of_customers() -> None:
    """The version for places that others can open holds sizes and ids alone."""
    text = _topics([*PARCELS, *INVOICES]).without_words().to_json()

    assert "m0" in text
    assert "parcel" not in text


def test_a_terminal_obeys_no_example() -> None:
    """What customers wrote is printed with its control characters as escapes."""
    said = "send the \x1b[2J invoice again"

    assert "\\x1b[2J invoice" in _topics([said]).text()


def test_topics_show_themselves() -> None:
    """The same mistakes give the same topics, table and picture."""
    found = _topics([*PARCELS, *INVOICES])

    assert found == _topics([*PARCELS, *INVOICES])
    assert found.frame()["needless emails"].tolist() == [5, 4]
    assert found.plot().svg().startswith("<svg")
