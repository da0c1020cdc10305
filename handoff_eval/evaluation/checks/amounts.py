"""HE006-HE008: whether there is enough, and of the right share."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from handoff_eval.conversation import LabeledConversation, Split
from handoff_eval.evaluation.checks.base import (
    CannotRun,
    Check,
    Finding,
    Inputs,
    count_of,
    customers_of,
    positives_in,
)
from handoff_eval.evaluation.exact import largest_count, positives_needed
from handoff_eval.evaluation.intervals import effective_customers
from handoff_eval.severity import Severity
from handoff_eval.transcripts.split import assign_splits

MAX_HALF_WIDTH = 0.10
"""Half the 95 % interval of recall that a test split may have before HE007 speaks."""
FAR_FACTOR = 2.0
"""Odds of the sample's prevalence against the traffic's from which HE008 speaks."""


def enough_in_tune(inputs: Inputs) -> Iterator[Finding]:
    """HE006: too few customers with a positive in tune for the promise wanted."""
    positives, where = _positives_by_customer(inputs, Split.TUNE)
    risk = (1 - inputs.confidence) / 2
    needed = positives_needed(inputs.min_recall, risk)
    allowed = largest_count(positives, 1 - inputs.min_recall, risk)
    promise = f"a recall of {inputs.min_recall:.0%} at {inputs.confidence:.0%} confidence"
    if allowed < 0:
        yield Finding(
            "HE006",
            Severity.WARNING,
            f"Tune has {count_of(positives, 'customer')} with a positive{where}, and {needed} are "
            f"needed to certify {promise} even with no miss; label at least {needed - positives} "
            "more, or promise less.",
            positives,
        )
    elif allowed == 0:
        room = positives_needed(inputs.min_recall, risk, misses=1)
        yield Finding(
            "HE006",
            Severity.INFO,
            f"Tune has {count_of(positives, 'customer')} with a positive{where}: {promise} is "
            f"certified only by a threshold that misses none of them; from {room} on one miss is "
            "allowed, so label a few more.",
            positives,
        )


def enough_in_test(inputs: Inputs) -> Iterator[Finding]:
    """HE007: so few customers with a positive in test that the recall there says little."""
    positives, where = _positives_by_customer(inputs, Split.TEST)
    recall = inputs.min_recall
    half_width = _half_width(recall, positives)
    if half_width > MAX_HALF_WIDTH:
        enough = math.ceil(1.96**2 * recall * (1 - recall) / MAX_HALF_WIDTH**2)
        yield Finding(
            "HE007",
            Severity.WARNING,
            f"Test has {count_of(positives, 'customer')} with a positive{where}, so a recall of "
            f"{recall:.0%} would be reported with about {half_width:.0%} to either side; "
            f"label more, {enough} bring that to {MAX_HALF_WIDTH:.0%}.",
            positives,
        )


def prevalence_of_traffic(inputs: Inputs) -> Iterator[Finding]:
    """HE008: the prevalence that the labels show is far from the traffic's.

    Far is both of two: odds (Agresti, Categorical Data Analysis, 2013, section 2.2) apart by
    `FAR_FACTOR`, and the score test of a proportion rejecting at 5 % (section 1.3), with the
    standard error that the traffic's own prevalence gives as many customers. Labels count by
    what they stand for.
    """
    if inputs.prevalence is None:
        raise CannotRun("the prevalence of the traffic is not given (--prevalence)")
    labeled = inputs.need_labels()
    weight = np.array([item.weight for item in labeled])
    share = float(np.average([item.label.handoff for item in labeled], weights=weight))
    odds = _odds(share) / _odds(inputs.prevalence)
    customers = effective_customers([item.conversation.group for item in labeled], weight)
    standard_error = math.sqrt(inputs.prevalence * (1 - inputs.prevalence) / customers)
    if max(odds, 1 / odds if odds else math.inf) < FAR_FACTOR:
        return
    if abs(share - inputs.prevalence) < 1.96 * standard_error:
        return
    drawn = f"the {len(labeled):,} labelled conversations"
    if np.ptp(weight):
        drawn = f"what {drawn} were drawn from"
    yield Finding(
        "HE008",
        Severity.WARNING,
        f"{share:.1%} of {drawn} need a handoff, {inputs.prevalence:.1%} of the traffic does; "
        "precision and volume read off the sample would be wrong; give --prevalence to every "
        "command that reports them.",
        len(labeled),
    )


def _positives_by_customer(inputs: Inputs, split: Split) -> tuple[int, str]:
    """Return how many customers have a positive there, and words that say whose split it is."""
    labeled = inputs.need_labels()
    if inputs.has_splits:
        found, where = positives_in(labeled, split), ""
    else:
        assigned = assign_splits([item.conversation for item in labeled], seed=inputs.seed)
        items = [
            LabeledConversation(conversation, item.label)
            for conversation, item in zip(assigned, labeled, strict=True)
        ]
        found, where = positives_in(items, split), " (by the split that would be assigned)"
    return customers_of(item.conversation for item in found), where


def _half_width(share: float, n: int) -> float:
    """Return half the normal interval of a share, 1.96 sqrt(p (1 - p) / n), or 1 if that is less.

    It plans a size and judges nothing (Cochran, Sampling Techniques, 1977, chapter 4), and so does
    n = 1.96^2 p (1 - p) / width^2, the same solved for n.
    """
    return 1.0 if n == 0 else min(1.0, 1.96 * math.sqrt(share * (1 - share) / n))


def _odds(share: float) -> float:
    return math.inf if share == 1 else share / (1 - share)


CHECKS = (
    Check("HE006", "positives in tune for the promise", enough_in_tune),
    Check("HE007", "positives in test for a useful interval", enough_in_test),
    Check("HE008", "prevalence of the traffic", prevalence_of_traffic),
)
