"""Quality against the number of labelled conversations, to know what more labels would bring."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from handoff_eval.conversation import LabeledConversation, Split
from handoff_eval.errors import DataError
from handoff_eval.evaluation.intervals import Estimate, cluster_weights, percentile_estimate
from handoff_eval.evaluation.learning.result import LearningCurve, LearningPoint
from handoff_eval.evaluation.metrics import at_prevalence, average_precision, recall_at_volume
from handoff_eval.evaluation.replay import replay
from handoff_eval.handoff import Budget
from handoff_eval.transcripts.read import Dataset
from handoff_eval.trigger import Trigger

SHARES = (0.15, 0.3, 0.5, 0.75, 1.0)
"""Parts of the train split's customers that are learnt from."""

SEEDS = 3
REPLICATES = 500

Train = Callable[[str, Sequence[LabeledConversation], int], Trigger]
"""Takes an arm's name, conversations and a seed; gives the trained trigger."""


def learning_curve(
    dataset: Dataset,
    arms: Sequence[str],
    budget: Budget,
    *,
    train: Train,
    prompt: tuple[Trigger, Sequence[LabeledConversation]] | None = None,
    shares: Sequence[float] = SHARES,
    seeds: int = SEEDS,
    on_progress: Callable[[str, int, int], None] | None = None,
) -> LearningCurve:
    """Train every arm on growing parts of train and judge it on tune; test is not touched.

    A draw orders the customers of train at random, and each part holds the smaller ones; every
    arm gets the same parts.

    Parameters
    ----------
    dataset : Dataset
    arms : sequence of str
        Names that `train` knows.
    budget : Budget
        Recall is read at its volume, at its prevalence or else the tune split's.
    train : callable
        See `Train`.
    prompt : trigger and conversations, optional
        The prompt arm and those of tune that it is asked.
    shares : sequence of float
        Rising, the last one 1.
    seeds : int
        Draws.
    on_progress : callable, optional
        Called with the arm's name, trainings done and trainings in all.

    Raises
    ------
    DataError
        When tune lacks one kind of conversation, or no part of train can be learnt from.
    """
    labeled, judged = dataset.labeled(Split.TRAIN), dataset.labeled(Split.TUNE)
    positive = np.array([item.label.handoff for item in judged], dtype=bool)
    if len(set(positive)) < 2:
        raise DataError(
            "Expected conversations with and without a handoff in the tune split to judge on; "
            f"got {len(judged)} labelled ones of one kind. Label more or set their splits."
        )
    judge = _Judge(judged, positive, budget, prompt)
    parts = [_parts(labeled, shares, seed) for seed in range(seeds)]
    points = []
    for arm in arms:
        done = 0
        for size in range(len(shares)):
            found = []
            for seed, nested in enumerate(parts):
                if _learnable(nested[size]):
                    trigger = train(arm, nested[size], seed)
                    found.append((nested[size], judge.peaks(trigger)))
                done += 1
                if on_progress is not None:
                    on_progress(arm, done, len(shares) * seeds)
            if found:
                points.append(judge.point(arm, found))
    if not points:
        raise DataError(
            f"Expected train conversations of both kinds from 2 customers each; the "
            f"{len(labeled)} labelled ones are too few. Label more conversations."
        )
    return LearningCurve(dataset.name, tuple(points), judge.prompt, seeds)


class _Judge:
    """The tune split with one set of resampled customers for every arm and size."""

    def __init__(
        self,
        judged: Sequence[LabeledConversation],
        positive: NDArray[np.bool_],
        budget: Budget,
        prompt: tuple[Trigger, Sequence[LabeledConversation]] | None,
    ) -> None:
        self.conversations = [item.conversation for item in judged]
        self.positive = positive
        groups = [item.conversation.group for item in judged]
        weight = np.array([item.weight for item in judged])
        self.weights = weight * np.concatenate(
            [np.ones((1, len(judged))), cluster_weights(groups, replicates=REPLICATES)]
        )
        self.volume = budget.email_rate
        self.prevalence = budget.prevalence
        self.prompt: Estimate | None = None
        if prompt is not None:
            trigger, asked = prompt
            place = {c.id: i for i, c in enumerate(self.conversations)}
            self.asked = np.array([place[item.conversation.id] for item in asked])
            peaks = replay(trigger, [item.conversation for item in asked], batch_turns=16).peak
            self.of_prompt = self._precision(peaks, self.asked)
            self.prompt = _estimate(self.of_prompt[None], len(asked))

    def peaks(self, trigger: Trigger) -> NDArray[np.float64]:
        return replay(trigger, self.conversations).peak

    def point(
        self, arm: str, found: Sequence[tuple[Sequence[LabeledConversation], NDArray[np.float64]]]
    ) -> LearningPoint:
        everyone = np.arange(len(self.positive))
        precision = np.array([self._precision(peaks, everyone) for _, peaks in found])
        weights = at_prevalence(self.positive, self.weights, self.prevalence)
        recall = np.array(
            [recall_at_volume(peaks, self.positive, weights, self.volume) for _, peaks in found]
        )
        ahead = None
        if self.prompt is not None:
            ours = np.array([self._precision(peaks[self.asked], self.asked) for _, peaks in found])
            ahead = _estimate(ours - self.of_prompt, len(self.asked))
        return LearningPoint(
            arm=arm,
            conversations=float(np.mean([len(part) for part, _ in found])),
            positives=float(np.mean([sum(i.label.handoff for i in part) for part, _ in found])),
            average_precision=_estimate(precision, len(everyone)),
            recall=_estimate(recall, len(everyone)),
            ahead=ahead,
        )

    def _precision(
        self, peaks: NDArray[np.float64], indices: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        return average_precision(peaks, self.positive[indices], self.weights[:, indices])


def _estimate(values: NDArray[np.float64], n: int) -> Estimate:
    """Return the mean over draws of the first column, and the interval over all others.

    Parameters
    ----------
    values : float array, shape (draws, 1 + replicates)
        The first column is of the sample itself.
    n : int
    """
    return percentile_estimate(float(values[:, 0].mean()), values[:, 1:].ravel(), n)


def _parts(
    labeled: Sequence[LabeledConversation], shares: Sequence[float], seed: int
) -> list[tuple[LabeledConversation, ...]]:
    """Return nested parts of train that keep customers whole."""
    customers = list(dict.fromkeys(item.conversation.group for item in labeled))
    order = np.random.default_rng(seed).permutation(len(customers))
    rank = {customers[index]: place for place, index in enumerate(order)}
    return [
        tuple(i for i in labeled if rank[i.conversation.group] < share * len(customers))
        for share in shares
    ]


def _learnable(part: Sequence[LabeledConversation]) -> bool:
    kinds = [
        {item.conversation.group for item in part if item.label.handoff is kind}
        for kind in (True, False)
    ]
    return min(map(len, kinds)) >= 2
