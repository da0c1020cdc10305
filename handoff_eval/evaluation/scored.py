"""A replay with its labels on one split, and the metrics of an operating point there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from handoff_eval.conversation import LabeledConversation, Split
from handoff_eval.evaluation.intervals import (
    Estimate,
    bca_estimate,
    cluster_weights,
    left_out_weights,
    percentile_estimate,
    proportion_estimate,
)
from handoff_eval.evaluation.metrics import (
    at_prevalence,
    average_precision,
    email_rate,
    precision_at_prevalence,
)
from handoff_eval.evaluation.operating_point import OperatingPoint
from handoff_eval.evaluation.replay import Replay

BCA_CUSTOMERS = 1000


@dataclass(frozen=True)
class ScoredSplit:
    """Scores of one trigger beside the labels of one split.

    Attributes
    ----------
    replay : Replay
        n conversations.
    split : Split
        Where they come from.
    positive : bool array, shape (n,)
        Needs a handoff.
    groups : tuple of str, length n
        The customer of each, the unit of resampling.
    due : int array, shape (n,)
        Index of the decision point at which a fire is on time; -1 for negatives.
    peak, on_time_peak : float arrays, shape (n,)
        Highest score overall, and up to the due point (NaN for negatives).
    weight : float array, shape (n,)
        How many conversations each stands for: one over its sampling probability.
    emailed : bool array, shape (n,)
        An email was sent in it when it was recorded.
    """

    replay: Replay
    split: Split
    positive: NDArray[np.bool_]
    groups: tuple[str, ...]
    due: NDArray[np.int64]
    peak: NDArray[np.float64]
    on_time_peak: NDArray[np.float64]
    weight: NDArray[np.float64]
    emailed: NDArray[np.bool_]

    @classmethod
    def join(
        cls, replay: Replay, labeled: Sequence[LabeledConversation], split: Split
    ) -> ScoredSplit:
        """Put a replay beside the labels of the same conversations, in the same order."""
        if replay.ids != tuple(item.conversation.id for item in labeled):
            raise ValueError("Expected the labels in the order of the replay; got another order.")
        due = np.array([-1 if item.due is None else item.due for item in labeled], dtype=np.int64)
        positive = due >= 0
        until = replay.peak_until([max(point, 0) for point in due])
        return cls(
            replay=replay,
            split=split,
            positive=positive,
            groups=tuple(item.conversation.group for item in labeled),
            due=due,
            peak=replay.peak,
            on_time_peak=np.where(positive, until, np.nan),
            weight=np.array([item.weight for item in labeled]),
            emailed=np.array([item.conversation.emailed for item in labeled]),
        )

    def peak_within(self, points: int | None) -> NDArray[np.float64]:
        """Return the highest score up to `points` after the due point, shape (n,).

        None: the highest of all. NaN for negatives where it is bounded.
        """
        if points is None:
            return self.peak
        last = np.diff(self.replay.offsets) - 1
        until = self.replay.peak_until(np.minimum(np.maximum(self.due, 0) + points, last).tolist())
        return np.where(self.positive, until, np.nan)

    def resampled(self, *, seed: int) -> NDArray[np.float64]:
        """Return bootstrap weights by customer, times what each conversation stands for."""
        return cluster_weights(self.groups, seed=seed) * self.weight

    def subset(self, ids: Sequence[str]) -> ScoredSplit:
        """Return the same scores for some of the conversations, in the order of `ids`."""
        place = {conversation_id: i for i, conversation_id in enumerate(self.replay.ids)}
        keep = np.array([place[i] for i in ids], dtype=np.int64)
        starts, stops = self.replay.offsets[keep], self.replay.offsets[keep + 1]
        points = np.concatenate([np.arange(a, b) for a, b in zip(starts, stops, strict=True)])
        return ScoredSplit(
            replay=Replay(
                trigger=self.replay.trigger,
                ids=tuple(ids),
                offsets=np.append(0, np.cumsum(stops - starts)),
                turns=self.replay.turns[points],
                scores=self.replay.scores[points],
            ),
            split=self.split,
            positive=self.positive[keep],
            groups=tuple(self.groups[i] for i in keep),
            due=self.due[keep],
            peak=self.peak[keep],
            on_time_peak=self.on_time_peak[keep],
            weight=self.weight[keep],
            emailed=self.emailed[keep],
        )


@dataclass(frozen=True, slots=True)
class Ranking:
    """How well a trigger orders conversations, over all thresholds.

    `average_precision` is at the sample's prevalence, `average_precision_deployed` at the
    deployment's. `average_precision_on_time` scores a positive by its highest score up to the due
    point, so that what is said after the need can't raise it: where it lies far below the first,
    the trigger fires, but late.
    """

    average_precision: Estimate
    average_precision_deployed: Estimate
    average_precision_on_time: Estimate


@dataclass(frozen=True, slots=True)
class Measures:
    """What an operating point does on a split it was not chosen on.

    `precision`, `email_rate` and `emails_per_day` are stated at the deployment prevalence,
    `precision_in_sample` at the sample's own.
    """

    recall: Estimate
    recall_on_time: Estimate
    false_positive_rate: Estimate
    precision: Estimate
    precision_in_sample: Estimate
    email_rate: Estimate
    emails_per_day: Estimate

    def items(self) -> list[tuple[str, Estimate]]:
        """Return name and estimate of each measure, in the order of the table."""
        return [(field.name, getattr(self, field.name)) for field in fields(self)]


def rank(scored: ScoredSplit, *, prevalence: float, seed: int = 0) -> Ranking:
    """Measure the ordering of conversations by their highest score.

    Average precision is skewed where positives are few, so its intervals are BCa up to
    `BCA_CUSTOMERS` customers; beyond, leaving out each of them costs much and changes little.
    """
    positive, n = scored.positive, len(scored.peak)
    resampled = scored.resampled(seed=seed)
    few = len(set(scored.groups)) <= BCA_CUSTOMERS
    left_out = left_out_weights(scored.groups) * scored.weight if few else None
    on_time = np.where(positive, scored.on_time_peak, scored.peak)
    estimates = []
    for scores, share in ((scored.peak, None), (scored.peak, prevalence), (on_time, None)):

        def precision(
            weights: NDArray[np.float64],
            scores: NDArray[np.float64] = scores,
            share: float | None = share,
        ) -> NDArray[np.float64]:
            return average_precision(scores, positive, at_prevalence(positive, weights, share))

        value, replicates = float(precision(scored.weight)), precision(resampled)
        estimates.append(
            percentile_estimate(value, replicates, n)
            if left_out is None
            else bca_estimate(value, replicates, precision(left_out), n)
        )
    return Ranking(*estimates)


def measure(
    scored: ScoredSplit,
    point: OperatingPoint,
    *,
    prevalence: float,
    conversations_per_day: float,
    seed: int = 0,
) -> Measures:
    """Measure an operating point.

    Raises
    ------
    LeakageError
        When the split is not test: the point was chosen on tune and fitted on train.
    """
    point.check_reportable_on(scored.split)
    positive = scored.positive
    fired = scored.peak >= point.threshold
    on_time = scored.on_time_peak >= point.threshold
    weights = scored.resampled(seed=seed)
    n = len(fired)
    recall = share_among(scored, fired, positive, weights)
    recall_on_time = share_among(scored, on_time, positive, weights)
    false_positives = share_among(scored, fired, ~positive, weights)
    r, f = conditional_shares(scored, fired, seed=seed)
    in_sample = share_among(scored, positive, fired, weights)
    edge = {recall.value, false_positives.value} & {0.0, 1.0}
    rate_estimate = email_rate_estimate(recall, false_positives, r, f, prevalence=prevalence, n=n)
    precision = float(precision_at_prevalence(recall.value, false_positives.value, prevalence))
    if edge:
        precision_estimate = Estimate(
            precision,
            float(precision_at_prevalence(recall.low, false_positives.high, prevalence)),
            float(precision_at_prevalence(recall.high, false_positives.low, prevalence)),
            n,
            "limits of both rates",
        )
    else:
        precision_estimate = percentile_estimate(
            precision, precision_at_prevalence(r, f, prevalence), n
        )
    return Measures(
        recall=recall,
        recall_on_time=recall_on_time,
        false_positive_rate=false_positives,
        precision=precision_estimate,
        precision_in_sample=in_sample,
        email_rate=rate_estimate,
        emails_per_day=rate_estimate.scaled(conversations_per_day),
    )


def email_rate_estimate(
    recall: Estimate,
    false_positives: Estimate,
    r: NDArray[np.float64],
    f: NDArray[np.float64],
    *,
    prevalence: float,
    n: int,
) -> Estimate:
    """Return emails per conversation, p R + (1 - p) F, from both rates and their replicates.

    Where a rate is 0 or 1 its replicates have no spread, so the limits come from those of both.
    """
    rate = float(email_rate(recall.value, false_positives.value, prevalence))
    if not {recall.value, false_positives.value} & {0.0, 1.0}:
        return percentile_estimate(rate, email_rate(r, f, prevalence), n)
    low = float(email_rate(recall.low, false_positives.low, prevalence))
    high = float(email_rate(recall.high, false_positives.high, prevalence))
    return Estimate(rate, low, high, n, "limits of both rates")


def conditional_shares(
    scored: ScoredSplit, fired: NDArray[np.bool_], *, seed: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the replicates of recall and false positive rate, each of shape (replicates,)."""
    weights = scored.resampled(seed=seed)
    with np.errstate(invalid="ignore", divide="ignore"):
        recall = weights @ (fired & scored.positive) / (weights @ scored.positive)
        false_positives = weights @ (fired & ~scored.positive) / (weights @ ~scored.positive)
    return recall, false_positives


def share_among(
    scored: ScoredSplit,
    hits: NDArray[np.bool_],
    among: NDArray[np.bool_],
    weights: NDArray[np.float64],
) -> Estimate:
    """Return the share of hits among some of the conversations; `weights` from `resampled`."""
    groups = [group for group, yes in zip(scored.groups, among, strict=True) if yes]
    return proportion_estimate(hits[among], groups, weights[:, among], weight=scored.weight[among])
