"""What a search for a better instruction found: candidates, their Pareto front, the winner."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from handoff_eval.evaluation.comparison.paired import PairedDifference
from handoff_eval.evaluation.look import WIDE
from handoff_eval.evaluation.operating_point import OperatingPoint
from handoff_eval.evaluation.result import Result
from handoff_eval.evaluation.scored import Measures
from handoff_eval.evaluation.wordings.set_objective import Objective

if TYPE_CHECKING:
    import pandas as pd

    from handoff_eval.evaluation.intervals import Estimate
    from handoff_eval.evaluation.look import Picture


@dataclass(frozen=True, slots=True)
class Candidate:
    """A wording as it was judged on train: a figure to choose by, not to report.

    Attributes
    ----------
    text : str
    origin : str
        "as given", the edits that made it, or "reflection".
    recall : float
        At the budget's volume.
    emails_at_floor : float
        Emails a day at which the budget's smallest recall is reached.
    words : int
        What every decision pays for again where a model reads the instruction.
    """

    text: str
    origin: str
    recall: float
    emails_at_floor: float
    words: int

    def dominates(self, other: Candidate) -> bool:
        """Whether it is as good in recall, volume and cost, and better in one of them."""
        mine = (self.recall, -self.emails_at_floor, -self.words)
        theirs = (other.recall, -other.emails_at_floor, -other.words)
        return mine != theirs and all(a >= b for a, b in zip(mine, theirs, strict=True))


def pareto_front(candidates: Sequence[Candidate]) -> tuple[Candidate, ...]:
    """Return the candidates that no other dominates, most recall first."""
    front = [c for c in candidates if not any(other.dominates(c) for other in candidates)]
    return tuple(sorted(front, key=lambda c: (-c.recall, c.emails_at_floor, c.words)))


@dataclass(frozen=True, slots=True)
class Tuning(Result):
    """The outcome of `tune_instruction`.

    Attributes
    ----------
    trigger : str
        Name of the trigger that read the wordings.
    given, winner : Candidate
        Where it started, and the best of train; the same where nothing was better.
    candidates : tuple of Candidate
        All that were judged on train, in order.
    objective : Objective
    train_positives : int
        Positives that candidates were judged on.
    point : OperatingPoint
        Of the winner, chosen on tune.
    tries : int
        What the risk of its certificate was divided by.
    looks : int
        What the p-value of the difference is multiplied by, for the winners confirmed on test.
    measures : Measures
        Of the winner at that point on test.
    difference : PairedDifference
        Recall of the winner minus recall of the given instruction on test, at equal volume.
    note : str
        Where the candidates came from.
    """

    caption: ClassVar[str] = (
        "Every wording as it was judged on train: figures to choose by, which flatter the winner."
    )

    trigger: str
    given: Candidate
    winner: Candidate
    candidates: tuple[Candidate, ...]
    objective: Objective
    train_positives: int
    point: OperatingPoint
    tries: int
    looks: int
    measures: Measures
    difference: PairedDifference
    note: str

    @property
    def front(self) -> tuple[Candidate, ...]:
        """The candidates that no other beats in recall, volume and cost at once."""
        return pareto_front(self.candidates)

    @property
    def verdict(self) -> str:
        """One sentence on whether the winner is better where it was not chosen."""
        if self.winner.text == self.given.text:
            return (
                f"None of {len(self.candidates)} wordings did better on train than the given one."
            )
        gain = self.winner.recall - self.given.recall
        shown = self.difference.p_adjusted < 0.05
        where = f"{self.difference.positives} positives of test"
        if shown and self.difference.difference.value > 0:
            return f"The winner catches more than the given instruction, shown on {where}."
        if shown:
            return f"The winner catches less than the given instruction on {where}; don't use it."
        points = f"{100 * gain:.0f} point{'' if round(100 * gain) == 1 else 's'}"
        return (
            f"The winner's recall is {points} higher on train, where it was chosen; "
            f"no difference is shown on {where}."
        )

    def sentences(self) -> tuple[str, ...]:
        """Return whether the winner is better, by test and tune, and where wordings came from."""
        m = self.measures
        return (
            self.verdict,
            f"On test the winner has a recall of {m.recall} with {m.emails_per_day.short} emails a "
            f"day, and {self.difference.difference} more recall than the given instruction at the "
            f"same volume (p {self.difference.p_adjusted:.3f}, of which a factor of {self.looks} "
            "pays for every winner ever confirmed there).",
            f"On tune, with the risk divided by {self.tries}: {self.point.note}",
            self.note,
        )

    def frame(self) -> pd.DataFrame:
        """Return one row a candidate, best of train first."""
        import pandas as pd

        front = {candidate.text for candidate in self.front}
        rows = [
            {
                "origin": c.origin,
                "recall on train": round(c.recall, 3),
                "positives": self.train_positives,
                "emails a day at the floor": round(c.emails_at_floor, 1),
                "words": c.words,
                "on the front": c.text in front,
                "text": c.text,
            }
            for c in sorted(self.candidates, key=lambda c: (-c.recall, c.emails_at_floor, c.words))
        ]
        return pd.DataFrame(rows)

    def plot(self, *, width: int = WIDE) -> Picture:
        """Return the candidates by recall and volume, the front marked, as a picture."""
        from handoff_eval.evaluation.wordings.tuning_plot import tuning_plot

        return tuning_plot(self, width=width)

    def measured(self) -> dict[str, Estimate | float]:
        """Return the winner's figures on test."""
        return {**dict(self.measures.items()), "recall_difference": self.difference.difference}

    def to_dict(self) -> dict[str, Any]:
        """Return everything as JSON values."""
        budget = self.objective.budget
        front = {candidate.text for candidate in self.front}
        return {
            "trigger": self.trigger,
            "given": self.given.text,
            "winner": self.winner.text,
            "verdict": self.verdict,
            "note": self.note,
            "max_emails_per_day": budget.max_emails_per_day,
            "conversations_per_day": budget.conversations_per_day,
            "prevalence": self.objective.prevalence,
            "tries": self.tries,
            "looks": self.looks,
            "operating_point": self.point.to_dict(),
            "test": {name: estimate.to_dict() for name, estimate in self.measures.items()},
            "recall_difference_on_test": {
                **self.difference.difference.to_dict(),
                "positives": self.difference.positives,
                "p_value": self.difference.p_value,
                "p_adjusted": self.difference.p_adjusted,
            },
            "candidates": [
                {
                    "text": c.text,
                    "origin": c.origin,
                    "recall_on_train": c.recall,
                    "emails_per_day_at_floor": c.emails_at_floor,
                    "words": c.words,
                    "on_front": c.text in front,
                }
                for c in self.candidates
            ],
        }
