"""What more labels bring: the points of a learning curve, and what they say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isnan
from typing import TYPE_CHECKING, Any, ClassVar

from handoff_eval.evaluation.intervals import Estimate
from handoff_eval.evaluation.look import WIDE
from handoff_eval.evaluation.result import Result

if TYPE_CHECKING:
    import pandas as pd

    from handoff_eval.evaluation.look import Picture


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
        from handoff_eval.evaluation.learning.plot import learning_plot

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
