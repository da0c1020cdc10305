"""HE020-HE024: what is known beside the words: times, customers, the datasheet."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from itertools import pairwise

from handoff_eval.conversation import Conversation, Role
from handoff_eval.evaluation.checks.base import (
    Check,
    Finding,
    Inputs,
    count_of,
    first_few,
    verb,
)
from handoff_eval.severity import Severity


def times_known(inputs: Inputs) -> Iterator[Finding]:
    """HE020: conversations without a start."""
    conversations = inputs.dataset.conversations
    without = [c.id for c in conversations if c.started_at is None]
    if without:
        number = len(without)
        yield Finding(
            "HE020",
            Severity.INFO,
            f"{count_of(number, 'conversation')} of {len(conversations):,} "
            f"{verb(number, 'has', 'have')} no 'started_at', so emails can't be counted by day and "
            "test can't be the latest; add the times where the source has them.",
            number,
            first_few(without),
        )


def times_in_order(inputs: Inputs) -> Iterator[Finding]:
    """HE021: times that run backwards within a conversation."""
    backwards = [c.id for c in inputs.dataset.conversations if _runs_backwards(c)]
    if backwards:
        number = len(backwards)
        yield Finding(
            "HE021",
            Severity.WARNING,
            f"In {count_of(number, 'conversation')} the times run backwards; the turns may be in "
            "the wrong order, or in different time zones: check the import.",
            number,
            first_few(backwards),
        )


def customer_speaks(inputs: Inputs) -> Iterator[Finding]:
    """HE022: conversations in which the customer says nothing."""
    silent = [
        c.id
        for c in inputs.dataset.conversations
        if not any(turn.role is Role.CUSTOMER for turn in c.turns)
    ]
    if silent:
        number = len(silent)
        yield Finding(
            "HE022",
            Severity.WARNING,
            f"In {count_of(number, 'conversation')} no turn is the customer's, so a trigger is "
            "asked only at the close; check that the import gave each turn its right role.",
            number,
            first_few(silent),
        )


def datasheet_there(inputs: Inputs) -> Iterator[Finding]:
    """HE023: no datasheet."""
    if inputs.dataset.datasheet is None:
        yield Finding(
            "HE023",
            Severity.INFO,
            "There is no README.md beside the data; write where it comes from, under which "
            "licence, who labelled it and how, so that its numbers can be read.",
            1,
        )


def customers_known(inputs: Inputs) -> Iterator[Finding]:
    """HE024: conversations without a customer."""
    conversations = inputs.dataset.conversations
    without = [c.id for c in conversations if not c.customer.id]
    if without:
        number = len(without)
        yield Finding(
            "HE024",
            Severity.INFO,
            f"{count_of(number, 'conversation')} of {len(conversations):,} "
            f"{verb(number, 'names', 'name')} no customer, so one person's conversations may fall "
            "into two splits unseen and intervals may be too short; add 'customer.id', a pseudonym "
            "will do.",
            number,
            first_few(without),
        )


def _runs_backwards(conversation: Conversation) -> bool:
    times: list[datetime] = [] if conversation.started_at is None else [conversation.started_at]
    times += [turn.at for turn in conversation.turns if turn.at is not None]
    return any(later < earlier for earlier, later in pairwise(times))


CHECKS = (
    Check("HE020", "times known", times_known),
    Check("HE021", "times in order", times_in_order),
    Check("HE022", "the customer speaks", customer_speaks),
    Check("HE023", "a datasheet", datasheet_there),
    Check("HE024", "customers known", customers_known),
)
