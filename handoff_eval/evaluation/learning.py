"""Quality against the number of labelled conversations, to know what more labels would bring."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import isnan
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from handoff_eval.conversation import LabeledConversation, Split
from handoff_eval.errors import DataError
from handoff_eval.evaluation.intervals import Estimate, cluster_weights, percentile_estimate
from handoff_eval.evaluation.look import WIDE
from handoff_eval.evaluation.metrics import at_prevalence, average_precision, recall_at_volume
from handoff_eval.evaluation.replay import replay
from handoff_eval.evaluation.result import Result
from handoff_eval.handoff import Budget
from handoff_eval.transcripts.read import Dataset
from handoff_eval.trigger import Trigger

if TYPE_CHECKING:
    import pandas as pd

    from handoff_eval.evaluation.look import Picture

SHARES = (0.15, 0.3, 0.5, 0.75, 1.0)
"""Parts of the train split's customers that are learnt from."""

SEEDS = 3
REPLICATES = 500

Train = Callable[[str, Sequence[LabeledConversation], int], Trigger]
"""Takes an arm's name, conversations and a seed; gives the trained trigger."""


@dataclass(frozen=True, slots=True)
class LearningPoint:
    """One arm after some labels, judged on tune.

    Attributes
    ----------
    arm : str
    conversations, positives : float
        Learnt from, mean over the draws.
    average_precision, recall : Estimate
        Of the peaks; recall is at the budget's volume. Their intervals hold both the customers
        of tune and the draw of what was learnt from.
    ahead : Estimate or None
        Average precision minus the prompt's, on the conversations that the prompt was asked.
    """

    arm: str
    conversations: float
    positives: float
    average_precision: Estimate
    recall: Estimate
    ahead: Estimate | None


@dataclass(frozen=True, slots=True)
class LearningCurve(Result):
    """What more labels bring, arm by arm.

    Attributes
    ----------
    dataset : str
    points : tuple of LearningPoint
    prompt : Estimate or None
        Average precision of the prompt arm; None where none was asked.
    seeds : int
        Draws of nested customers a size.
    """

    caption: ClassVar[str] = (
        "Each arm on growing parts of train, judged on tune, with 95% intervals over customers and "
        "draws."
    )

    dataset: str
    points: tuple[LearningPoint, ...]
    prompt: Estimate | None
    seeds: int

    def arms(self) -> tuple[str, ...]:
        """Return the names of the arms, in order."""
        return tuple(dict.fromkeys(point.arm for point in self.points))

    def of(self, arm: str) -> tuple[LearningPoint, ...]:
        """Return the points of one arm, fewest labels first."""
        return tuple(point for point in self.points if point.arm == arm)

    def sentences(self) -> tuple[str, ...]:
        """Return how many labels it took to beat the prompt, and what the last ones brought."""
        return tuple(
            sentence
            for arm in self.arms()
            for sentence in (self._answer(self.of(arm)), _gain(self.of(arm)))
        )

    def frame(self) -> pd.DataFrame:
        """Return one row an arm and size."""
        import pandas as pd

        rows = [
            {
                "arm": point.arm,
                "labelled": round(point.conversations),
                "positive": round(point.positives),
                "average precision": point.average_precision.short,
                "recall at the budget's volume": point.recall.short,
                "ahead of the prompt": "" if point.ahead is None else point.ahead.short,
                "n": point.average_precision.n,
            }
            for point in self.points
        ]
        return pd.DataFrame(rows).set_index(["arm", "labelled"])

    def plot(self, *, width: int = WIDE) -> Picture:
        """Return average precision against labels, one line an arm with its band."""
        from handoff_eval.evaluation.learning_plot import learning_plot

        return learning_plot(self, width=width)

    def measured(self) -> dict[str, Estimate | float]:
        """Return what each arm reaches with all of train."""
        last = {arm: self.of(arm)[-1] for arm in self.arms()}
        return {
            **{f"{arm}/average_precision": point.average_precision for arm, point in last.items()},
            **{f"{arm}/recall": point.recall for arm, point in last.items()},
        }

    def to_dict(self) -> dict[str, Any]:
        """Return the curve as JSON values."""
        return {
            "dataset": self.dataset,
            "seeds": self.seeds,
            "prompt": None if self.prompt is None else self.prompt.to_dict(),
            "points": [
                {
                    "arm": point.arm,
                    "conversations": point.conversations,
                    "positives": point.positives,
                    "average_precision": point.average_precision.to_dict(),
                    "recall": point.recall.to_dict(),
                    "ahead_of_prompt": None if point.ahead is None else point.ahead.to_dict(),
                }
                for point in self.points
            ],
        }

    def _answer(self, points: Sequence[LearningPoint]) -> str:
        arm = points[0].arm
        if self.prompt is None:
            return f"{arm}: no prompt was asked, so there is nothing to beat."
        shown = [i for i, point in enumerate(points) if _above(point.ahead)]
        # From the first size on from which every larger one is ahead too.
        steady = next(
            (i for i in range(len(points)) if all(j in shown for j in range(i, len(points)))), None
        )
        on = f"on the {self.prompt.n} conversations the prompt was asked"
        if steady is not None:
            return (
                f"{arm} beats the prompt from {points[steady].conversations:.0f} labelled "
                f"conversations on ({points[steady].positives:.0f} positive), {on}."
            )
        last = points[-1]
        assert last.ahead is not None  # noqa: S101 - there is a prompt
        return (
            f"{arm} is not shown to beat the prompt with {last.conversations:.0f} labelled "
            f"conversations: {last.ahead.short} average precision ahead {on}. Ask the prompt "
            "about more conversations, or label more."
        )


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
        self.weights = np.concatenate(
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


def _above(estimate: Estimate | None) -> bool:
    return estimate is not None and not isnan(estimate.low) and estimate.low > 0


def _gain(points: Sequence[LearningPoint]) -> str:
    last, arm = points[-1], points[-1].arm
    if len(points) < 2:
        return f"{arm}: one size alone, which says nothing of what more labels bring."
    before = points[-2]
    return (
        f"{arm} reaches an average precision of {last.average_precision} with "
        f"{last.conversations:.0f} labelled conversations; the last "
        f"{last.conversations - before.conversations:.0f} of them brought "
        f"{last.average_precision.value - before.average_precision.value:+.2f}."
    )
