"""HE001-HE005: what the files hold, and whether the splits can carry a measurement."""

from __future__ import annotations

from collections.abc import Iterator

from handoff_eval.conversation import Split
from handoff_eval.evaluation.checks.base import (
    CannotRun,
    Check,
    Finding,
    Inputs,
    count_of,
    first_few,
    positives_in,
    verb,
)
from handoff_eval.severity import Severity

MANY_REFUSED = 0.05


def refused_lines(inputs: Inputs) -> Iterator[Finding]:
    """HE001: lines that were not used; an error above 5 % of a file's lines."""
    dataset = inputs.dataset
    refused = len(dataset.refusals)
    if not refused:
        return
    kept = {
        "transcripts.jsonl": len(dataset.conversations),
        "labels.jsonl": len(dataset.labels),
        "facts.jsonl": len(dataset.facts),
    }
    shares = []
    for file, good in kept.items():
        bad = sum(refusal.file == file for refusal in dataset.refusals)
        shares.append(bad / (bad + good) if bad else 0.0)
    severity = Severity.ERROR if max(shares) > MANY_REFUSED else Severity.WARNING
    yield Finding(
        "HE001",
        severity,
        f"{count_of(refused, 'line')} could not be used ({shares[0]:.1%} of the transcripts, "
        f"{shares[1]:.1%} of the labels, {shares[2]:.1%} of the reference facts), so every number "
        "leaves them out; fix the lines named.",
        refused,
        first_few(str(refusal) for refusal in dataset.refusals),
    )


def both_classes(inputs: Inputs) -> Iterator[Finding]:
    """HE002: no labels, or all labels alike."""
    dataset = inputs.dataset
    labeled = inputs.labeled
    if not labeled:
        yield Finding(
            "HE002",
            Severity.INFO,
            "No conversation is labelled: this is traffic, good for volume but not for recall; "
            "label some to measure triggers on it.",
            len(dataset.conversations),
        )
        return
    positives = sum(item.label.handoff for item in labeled)
    if positives in (0, len(labeled)):
        missing = "no conversation needs" if positives == 0 else "every conversation needs"
        yield Finding(
            "HE002",
            Severity.ERROR,
            f"By the labels {missing} a handoff, so no trigger can be told from another; "
            "label conversations of both kinds.",
            len(labeled),
        )


def splits_given(inputs: Inputs) -> Iterator[Finding]:
    """HE003: no splits, or some conversations without one."""
    conversations = inputs.dataset.conversations
    without = [c.id for c in conversations if c.split is None]
    if not inputs.has_splits:
        yield Finding(
            "HE003",
            Severity.INFO,
            "No conversation names a split, so one is assigned by customer whenever it is needed; "
            "write 'split' into the transcripts to fix it for good.",
            len(conversations),
        )
    elif without:
        yield Finding(
            "HE003",
            Severity.WARNING,
            f"{count_of(len(without), 'conversation')} {verb(len(without), 'has', 'have')} no "
            "split while others do, and will be used for nothing; give each train, tune or test.",
            len(without),
            first_few(without),
        )


def one_split_a_customer(inputs: Inputs) -> Iterator[Finding]:
    """HE004: a customer on two splits."""
    if not inputs.has_splits:
        raise CannotRun("no conversation names a split")
    splits: dict[str, set[Split]] = {}
    for conversation in inputs.dataset.conversations:
        if conversation.split is not None and conversation.customer.id:
            splits.setdefault(conversation.customer.id, set()).add(conversation.split)
    straddling = [customer for customer, found in splits.items() if len(found) > 1]
    if straddling:
        number = len(straddling)
        yield Finding(
            "HE004",
            Severity.ERROR,
            f"{count_of(number, 'customer')} {verb(number, 'is', 'are')} on more than one split, "
            "so a trigger would be judged on people it was fitted to; move each customer whole "
            "into one split.",
            number,
            first_few(straddling),
        )


def classes_in_splits(inputs: Inputs) -> Iterator[Finding]:
    """HE005: tune or test lacks positives or negatives; train too, as a warning."""
    if not inputs.has_splits:
        raise CannotRun("no conversation names a split")
    labeled = inputs.need_labels()
    lacking: dict[Split, str] = {}
    for split in Split:
        total = sum(item.conversation.split is split for item in labeled)
        positives = len(positives_in(labeled, split))
        if total == 0:
            lacking[split] = f"{split.value} has no labelled conversation"
        elif positives == 0:
            lacking[split] = f"{split.value} has no positive"
        elif positives == total:
            lacking[split] = f"{split.value} has no negative"
    if lacking:
        fatal = Split.TUNE in lacking or Split.TEST in lacking
        yield Finding(
            "HE005",
            Severity.ERROR if fatal else Severity.WARNING,
            f"{', '.join(lacking.values())}, but arms are fitted on train, thresholds chosen on "
            "tune and reported on test, each with both kinds; label more, or split anew.",
            len(lacking),
            tuple(split.value for split in lacking),
        )


CHECKS = (
    Check("HE001", "lines that could not be used", refused_lines),
    Check("HE002", "labels of both kinds", both_classes),
    Check("HE003", "a split for every conversation", splits_given),
    Check("HE004", "one split for each customer", one_split_a_customer),
    Check("HE005", "both kinds in every split", classes_in_splits),
)
