"""HE009-HE011: conversations that are nearly the same."""

from __future__ import annotations

from collections.abc import Iterator

from handoff_eval.evaluation.checks.base import (
    SIMILAR,
    CannotRun,
    Check,
    Finding,
    Inputs,
    count_of,
    first_few,
)
from handoff_eval.evaluation.checks.overlap import Pair
from handoff_eval.severity import Severity
from handoff_eval.transcripts.refusals import shown


def near_duplicate_conversations(inputs: Inputs) -> Iterator[Finding]:
    """HE009: near-duplicates that stay within a split, or where there are no splits."""
    pairs = [pair for pair in inputs.near_duplicates if not _across(inputs, pair)]
    if pairs:
        yield Finding(
            "HE009",
            Severity.WARNING,
            f"{count_of(len(pairs), 'pair')} of conversations in the same split are nearly the "
            f"same (at least {SIMILAR:.0%} of their character 5-grams), so they count twice as "
            "evidence; keep one of each, or check that they are two real conversations.",
            len(pairs),
            _named(inputs, pairs),
        )


def near_duplicates_across_splits(inputs: Inputs) -> Iterator[Finding]:
    """HE010: near-duplicates in two splits."""
    if not inputs.has_splits:
        raise CannotRun("no conversation names a split")
    pairs = [pair for pair in inputs.near_duplicates if _across(inputs, pair)]
    if pairs:
        yield Finding(
            "HE010",
            Severity.WARNING,
            f"{count_of(len(pairs), 'pair')} of nearly identical conversations sit in two splits, "
            "so a trigger can be judged on what it was fitted to; put both into one split, or drop "
            "one.",
            len(pairs),
            _named(inputs, pairs),
        )


def near_duplicates_labeled_apart(inputs: Inputs) -> Iterator[Finding]:
    """HE011: near-duplicates of which one needs a handoff and the other doesn't."""
    handoff = {i.conversation.id: i.label.handoff for i in inputs.need_labels()}
    conversations = inputs.dataset.conversations
    apart = []
    for pair in inputs.near_duplicates:
        first, second = conversations[pair.first].id, conversations[pair.second].id
        if first in handoff and second in handoff and handoff[first] is not handoff[second]:
            apart.append(pair)
    if apart:
        yield Finding(
            "HE011",
            Severity.WARNING,
            f"{count_of(len(apart), 'pair')} of nearly identical conversations carry opposite "
            "labels; read each pair side by side and correct the label that is wrong.",
            len(apart),
            _named(inputs, apart),
        )


def _across(inputs: Inputs, pair: Pair) -> bool:
    conversations = inputs.dataset.conversations
    first, second = conversations[pair.first].split, conversations[pair.second].split
    return first is not None and second is not None and first is not second


def _named(inputs: Inputs, pairs: list[Pair]) -> tuple[str, ...]:
    conversations = inputs.dataset.conversations
    return first_few(
        f"{shown(conversations[pair.first].id)} and {shown(conversations[pair.second].id)} "
        f"({pair.similarity:.0%})"
        for pair in pairs
    )


CHECKS = (
    Check("HE009", "near-duplicates", near_duplicate_conversations),
    Check("HE010", "near-duplicates across splits", near_duplicates_across_splits),
    Check("HE011", "near-duplicates labelled apart", near_duplicates_labeled_apart),
)
