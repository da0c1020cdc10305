"""Each metric against counts worked out by hand."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handoff_eval.conversation import ReferenceFact, ReferenceKind, Role, Turn
from handoff_eval.decision import Decision
from handoff_eval.summaries.metrics import (
    Said,
    SummaryScore,
    count_words,
    found_facts,
    score_summary,
)
from handoff_eval.summaries.structured import StructuredSummarizer
from handoff_eval.summaries.summary import Statement
from handoff_eval.summaries.support import Evidence, statements_of
from tests.builders import talk

TURNS = talk(
    "C: Order 4417 never arrived and I paid 35.00 on Monday.",
    "A: Please wait two more days, the courier was delayed.",
    "C: I want my money refunded. Write to ana@example.com by Friday.",
).turns
FACTS = (
    ReferenceFact(ReferenceKind.IDENTIFIER, "4417", 0),
    ReferenceFact(ReferenceKind.AMOUNT, "35.00", 0),
    ReferenceFact(ReferenceKind.ASK, "I want my money refunded", 2),
    ReferenceFact(ReferenceKind.TRIED, "Please wait two more days", 1),
    ReferenceFact(ReferenceKind.CONTACT, "ana@example.com", 2),
    ReferenceFact(ReferenceKind.NAME, "courier", 1, needed=False),
)


def score(text: str, **options: object) -> SummaryScore:
    """Judge a summary that was written freely."""
    return score_summary(statements_of(text), turns=TURNS, facts=FACTS, **options)  # type: ignore[arg-type]


def test_coverage_counts_needed_facts() -> None:
    """Number, amount and ask are said, the step and the address are not: 3 of 5."""
    result = score("Order 4417 never arrived. The customer wants the 35 refunded, their money.")

    assert result.kept.total() == 3
    assert result.needed.total() == 5
    assert result.coverage == pytest.approx(3 / 5)
    assert [fact.kind for fact in result.missing] == [ReferenceKind.TRIED, ReferenceKind.CONTACT]


def test_copy_precision_counts_every_claim() -> None:
    """Of 4417, 36, Tuesday and ana@example.com two were written; the subject counts too."""
    result = score("Order 4417 cost 36 on Tuesday.", subject="Answer to ana@example.com by Sunday")

    assert result.claims == 5
    assert [claim.text for claim in result.invented] == ["36", "Tuesday", "Sunday"]


@pytest.mark.parametrize(
    ("text", "supported", "swapped"),
    [
        ("The customer says order 4417 never arrived.", True, False),
        ("The customer paid and wants a refund.", True, False),
        ("The agent says order 4417 never arrived.", True, True),
        ("The customer said to wait two more days as the courier was delayed.", True, True),
        ("The agent said to wait two more days.", True, False),
        ("The customer says order 4417 arrived.", False, False),
        ("The courier was not delayed.", False, False),
        ("The agent offered a voucher for the next purchase.", False, False),
        ("Nobody knows anything.", False, False),
    ],
)
def test_support_and_roles(text: str, supported: bool, swapped: bool) -> None:
    """A sentence is borne out by words and polarity, and belongs to who said it."""
    (statement,) = statements_of(text)
    evidence = Evidence(TURNS)

    assert evidence.is_supported(statement) is supported
    assert evidence.is_swapped(statement) is swapped


def test_a_quotation_must_stand_in_its_turn() -> None:
    """A linked sentence is held to the letter, and its speaker to its turn's."""
    evidence = Evidence(TURNS)
    right = Statement("…never arrived and I paid 35.00…", 0, Role.CUSTOMER)

    assert evidence.is_supported(right)
    assert not evidence.is_supported(Statement(right.text, 2, Role.CUSTOMER))
    assert not evidence.is_supported(Statement("never arrived and I paid 36.00", 0))
    assert not evidence.is_supported(Statement("Order", 9))
    assert evidence.is_swapped(Statement(right.text, 0, Role.AGENT))


def test_length_by_hand() -> None:
    """Eight words to 10 + 9 + 10; at 238 words a minute that is 60 * 8 / 238 seconds."""
    result = score("Order 4417 never arrived and they want money.")

    assert (result.words, result.transcript_words) == (8, 29)
    assert result.reading_seconds == pytest.approx(60 * 8 / 238)
    assert count_words("我的订单没有") == 3
    assert count_words("it's 16:05, ana@example.com") == 3


def test_rouge_takes_the_best_reference() -> None:
    """Against two references the nearer one counts; without any, the needed facts."""
    result = score("order 4417", references=("something else", "order 4417 late"))

    # Two common words of 2 and 3: 2 * 2 / 5.
    assert result.rouge_1 == pytest.approx(4 / 5)
    assert math.isnan(score_summary([], turns=TURNS, facts=()).rouge_1)


def test_facts_of_later_turns_are_not_asked_for() -> None:
    """A summary made before a fact was said can't be blamed for lacking it."""
    result = score_summary((), turns=TURNS[:2], facts=FACTS)

    assert result.needed.total() == 3


def test_facts_are_found_where_none_are_written_down() -> None:
    """The customer's numbers, dates, addresses and asks; the agent's are no need of theirs."""
    decision = Decision("c", "team", True, 3, False, 0.9, 0.5)

    found = {(fact.kind.value, fact.text) for fact in found_facts(TURNS, decision)}

    assert {("identifier", "4417"), ("amount", "35.00"), ("contact", "ana@example.com")} <= found
    assert any(kind == "ask" for kind, _ in found)
    assert not any("two more days" in text for _, text in found)


@given(st.lists(st.builds(Turn, st.sampled_from(Role), st.text(max_size=40)), max_size=5))
def test_quoting_everything_is_faithful(turns: list[Turn]) -> None:
    """A summary made of whole turns invents nothing, swaps nothing and is borne out."""
    decision = Decision("c", "team", True, len(turns), True, 0.9, 0.5)
    summary = StructuredSummarizer().summarize(turns, decision=decision)

    result = score_summary(
        summary.statements(turns), turns=turns, facts=found_facts(turns, decision)
    )

    assert (result.invented, result.swapped, result.unsupported) == ((), (), ())
    assert math.isnan(result.coverage) or 0 <= result.coverage <= 1


@given(st.text(min_size=1).filter(str.strip))
def test_a_fact_is_said_by_itself(text: str) -> None:
    """Whatever a fact says, a summary that repeats it has it."""
    fact = ReferenceFact(ReferenceKind.ISSUE, text, 0)

    assert Said([Statement(text, 0)]).holds(fact)
