"""What a check gets and what it gives: a finding is a code, a severity and a sentence."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import Any

from handoff_eval.conversation import Conversation, LabeledConversation, Role, Split
from handoff_eval.errors import HandoffEvalError
from handoff_eval.evaluation.checks.overlap import Pair, near_duplicates
from handoff_eval.severity import Severity
from handoff_eval.transcripts.read import Dataset
from handoff_eval.transcripts.refusals import printable

MAX_EXAMPLES = 10
SIMILAR = 0.8
"""Jaccard similarity of character 5-grams from which two conversations are nearly the same."""
MIN_CHARACTERS = 100
"""Shorter conversations ("Hi", "How can I help?") are alike by nature and not compared."""
MAX_COMPARED = 20_000


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing found.

    Attributes
    ----------
    code : str
        `HE001` and so on, the same for ever; docs/checks.md explains each.
    severity : Severity
    sentence : str
        What was found and what to do.
    count : int
        How many lines, conversations, customers, pairs or fields it concerns.
    examples : tuple of str
        The first of them, at most ten.
    """

    code: str
    severity: Severity
    sentence: str
    count: int
    examples: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the finding as JSON values."""
        return {
            "code": self.code,
            "severity": self.severity.value,
            "sentence": self.sentence,
            "count": self.count,
            "examples": list(self.examples),
        }


class CannotRun(HandoffEvalError):  # noqa: N818 - it is an outcome of a check, shown as such
    """A check has nothing to stand on here; its text says why, as the end of a sentence."""


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """What every check may look at.

    Attributes
    ----------
    dataset : Dataset
    prevalence : float or None
        Share of the deployed conversations that need a handoff, where the caller knows it.
    min_recall : float
        The recall somebody wants to promise.
    confidence : float
        With which both promises, recall and volume, are to be kept.
    seed : int
        Of folds and resampling.
    """

    dataset: Dataset
    prevalence: float | None
    min_recall: float
    confidence: float
    seed: int

    @cached_property
    def labeled(self) -> tuple[LabeledConversation, ...]:
        """The labelled conversations with their label of record."""
        return self.dataset.labeled()

    @cached_property
    def has_splits(self) -> bool:
        """Whether any conversation names a split."""
        return any(conversation.split for conversation in self.dataset.conversations)

    @cached_property
    def near_duplicates(self) -> tuple[Pair, ...]:
        """The pairs of conversations that are nearly the same, by their places."""
        conversations = self.dataset.conversations
        if len(conversations) > MAX_COMPARED:
            raise CannotRun(
                f"there are {len(conversations):,} conversations, more than the {MAX_COMPARED:,} "
                "that are compared"
            )
        texts = [spoken(conversation) for conversation in conversations]
        long_enough = [text if len(text) >= MIN_CHARACTERS else "" for text in texts]
        return tuple(near_duplicates(long_enough, threshold=SIMILAR))

    def need_labels(self) -> tuple[LabeledConversation, ...]:
        """Return the labelled conversations, or stop a check that needs them."""
        if not self.labeled:
            raise CannotRun("no conversation is labelled")
        return self.labeled

    def need_positives(self) -> tuple[LabeledConversation, ...]:
        """Return the positives, or stop a check that needs them."""
        positives = tuple(item for item in self.need_labels() if item.label.handoff)
        if not positives:
            raise CannotRun("no label says that a handoff is needed")
        return positives


@dataclass(frozen=True, slots=True)
class Check:
    """A check by its code, a title of a few words, and the function that runs it."""

    code: str
    title: str
    run: Callable[[Inputs], Iterable[Finding]]


def first_few(names: Iterable[str]) -> tuple[str, ...]:
    """Return the first ten of the names, safe to print."""
    return tuple(printable(name) for name in islice(names, MAX_EXAMPLES))


def customers_of(conversations: Iterable[Conversation]) -> int:
    """Return how many different customers there are."""
    return len({conversation.group for conversation in conversations})


def positives_in(items: Iterable[LabeledConversation], split: Split) -> list[LabeledConversation]:
    """Return the positives of one split."""
    return [i for i in items if i.label.handoff and i.conversation.split is split]


def count_of(number: int, noun: str) -> str:
    """Return the number and its noun, with an s where it is not one."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def verb(number: int, one: str, many: str) -> str:
    """Return the form of a verb or pronoun that agrees with the number."""
    return one if number == 1 else many


def spoken(conversation: Conversation) -> str:
    """Return what people and agent said, one turn a line, without what tools wrote."""
    return "\n".join(turn.text for turn in conversation.turns if turn.role is not Role.SYSTEM)
