"""Two triggers, each frozen at a threshold: what changes between them, paired by customer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from handoff_eval.conversation import LabeledConversation
from handoff_eval.evaluation.intervals import Estimate, percentile_estimate
from handoff_eval.evaluation.metrics import email_rate
from handoff_eval.evaluation.scored import ScoredSplit


@dataclass(frozen=True, slots=True)
class ThresholdDifference:
    """Second minus first.

    Attributes
    ----------
    recall : Estimate
        Difference in recall, -1 to 1; n is the number of positives.
    email_rate : Estimate
        Difference in emails per conversation at the deployment prevalence.
    started, stopped : int
        Conversations that only the second emails, and only the first.
    """

    recall: Estimate
    email_rate: Estimate
    started: int
    stopped: int


@dataclass(frozen=True, slots=True)
class Flip:
    """A conversation that only one of two triggers emails.

    Attributes
    ----------
    item : LabeledConversation
    before, after : float
        Highest score under each.
    started : bool
        Whether the second one emails it; else the first one did.
    """

    item: LabeledConversation
    before: float
    after: float
    started: bool

    @property
    def better(self) -> bool:
        """Whether the label agrees with the second trigger."""
        return self.started == self.item.label.handoff

    def to_dict(self) -> dict[str, Any]:
        """Return the flip as JSON values, without the transcript."""
        return {
            "conversation_id": self.item.conversation.id,
            "needed": self.item.label.handoff,
            "started": self.started,
            "better": self.better,
            "score_before": self.before,
            "score_after": self.after,
        }


def threshold_difference(
    first: ScoredSplit,
    second: ScoredSplit,
    *,
    thresholds: tuple[float, float],
    prevalence: float,
    seed: int = 0,
) -> ThresholdDifference:
    """Compare two triggers as they stand, on the same conversations.

    One set of customer weights is shared by both, and the thresholds stay where they are, so the
    interval is for these two frozen triggers. The email rate is p R + (1 - p) F (`email_rate`).
    """
    if first.replay.ids != second.replay.ids:
        raise ValueError("Expected both triggers on the same conversations; got different ones.")
    positive = first.positive
    n = len(positive)
    before, after = (
        scored.peak >= threshold
        for scored, threshold in zip((first, second), thresholds, strict=True)
    )
    change = after.astype(np.float64) - before.astype(np.float64)
    weights = np.concatenate([first.weight[None], first.resampled(seed=seed)])
    recall = _mean(change, positive, weights)
    false_positives = _mean(change, ~positive, weights)
    rate = email_rate(recall, false_positives, prevalence)
    return ThresholdDifference(
        recall=percentile_estimate(float(recall[0]), recall[1:], int(positive.sum())),
        email_rate=percentile_estimate(float(rate[0]), rate[1:], n),
        started=int(np.sum(after & ~before)),
        stopped=int(np.sum(before & ~after)),
    )


def flips(
    first: ScoredSplit,
    second: ScoredSplit,
    items: Sequence[LabeledConversation],
    *,
    thresholds: tuple[float, float],
) -> tuple[Flip, ...]:
    """Return the conversations that only one of two triggers emails, the widest apart first."""
    before, after = first.peak >= thresholds[0], second.peak >= thresholds[1]
    found = [
        Flip(item, float(first.peak[i]), float(second.peak[i]), bool(after[i]))
        for i, item in enumerate(items)
        if before[i] != after[i]
    ]
    return tuple(sorted(found, key=lambda flip: -abs(flip.after - flip.before)))


def _mean(
    change: NDArray[np.float64], among: NDArray[np.bool_], weights: NDArray[np.float64]
) -> NDArray[np.float64]:
    with np.errstate(invalid="ignore", divide="ignore"):
        means: NDArray[np.float64] = (weights[:, among] @ change[among]) / weights[:, among].sum(1)
    return means
