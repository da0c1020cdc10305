"""What the gate says of a candidate: the verdict, its exit code and what it rests on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from handoff_eval.evaluation.look import WIDE
from handoff_eval.evaluation.result import Result

if TYPE_CHECKING:
    import pandas as pd

    from handoff_eval.evaluation.intervals import Estimate
    from handoff_eval.evaluation.look import Picture

EXIT_CODES = {"pass": 0, "fail": 1, "too few": 3}
"""2 is a mistake in the call, as everywhere."""


@dataclass(frozen=True, slots=True)
class GateReport(Result):
    """What the gate says of a candidate, and on what.

    Attributes
    ----------
    verdict : str
        `pass`, `fail` (the loss seen is itself beyond a margin), or `too few`.
    recall, volume : (float, float)
        Of baseline and candidate; volume in emails a conversation at the prevalence.
    largest_drop : float
        In recall, what the data can't rule out at a risk of 5 %.
    largest_growth : float
        In volume, as a share of the baseline's, likewise.
    lost, gained : int
        Positives that only the baseline caught, and only the candidate.
    p_value : float
        McNemar's exact test of equal recall.
    positives, conversations, customers_in_need : int
    prevalence, recall_margin, volume_margin : float
    """

    caption: ClassVar[str] = (
        "Both triggers at their own thresholds; the worst change is a one-sided limit at a risk "
        "of 5 %."
    )

    verdict: str
    recall: tuple[float, float]
    volume: tuple[float, float]
    largest_drop: float
    largest_growth: float
    lost: int
    gained: int
    p_value: float
    positives: int
    conversations: int
    customers_in_need: int
    prevalence: float
    recall_margin: float
    volume_margin: float

    @property
    def exit_code(self) -> int:
        """0 for a pass, 1 for a fail, 3 where the data are too few to say."""
        return EXIT_CODES[self.verdict]

    def __str__(self) -> str:
        return " ".join(self.sentences())

    def sentences(self) -> tuple[str, ...]:
        """Return the verdict, and what it rests on."""
        head = self.verdict
        if self.verdict == "too few":
            unseen = []
            if self.largest_drop > self.recall_margin:
                unseen.append(f"a drop of {100 * self.largest_drop:.1f} points of recall")
            if self.largest_growth > self.volume_margin:
                unseen.append(f"a growth of {self.largest_growth:.0%} in emails")
            what = "positives" if self.largest_drop > self.recall_margin else "conversations"
            head = f"too few {what}: {' and '.join(unseen)} would go unseen"
        (r0, r1), (v0, v1) = self.recall, self.volume
        return (
            f"{head}.",
            f"Recall {r0:.1%} to {r1:.1%} ({self.lost} lost, {self.gained} gained of "
            f"{self.positives} positives, McNemar p {self.p_value:.2g}; "
            f"{_drop(self.largest_drop)}, a drop of {100 * self.recall_margin:g} allowed); "
            f"volume {v0:.1%} to {v1:.1%} of conversations at a prevalence of "
            f"{self.prevalence:.1%} ({_more(self.largest_growth)}, "
            f"{self.volume_margin:.0%} more allowed).",
        )

    def text(self) -> str:
        """Return the verdict alone, for a log of CI."""
        return str(self)

    def frame(self) -> pd.DataFrame:
        """Return one row a promise: baseline, candidate, the worst that is possible, the margin."""
        import pandas as pd

        rows = [
            ("recall", *self.recall, -self.largest_drop, -self.recall_margin, self.positives),
            ("volume", *self.volume, self.largest_growth, self.volume_margin, self.conversations),
        ]
        columns = ["promise", "baseline", "candidate", "worst possible change", "margin", "n"]
        return pd.DataFrame(rows, columns=columns).set_index("promise").round(3)

    def plot(self, *, width: int = WIDE) -> Picture:
        """Return the changes seen and the worst that are possible, against the margins."""
        from handoff_eval.evaluation.gate.plot import gate_plot

        return gate_plot(self, width=width)

    def measured(self) -> dict[str, Estimate | float]:
        """Return both recalls and volumes, and what can't be ruled out."""
        return {
            "recall_baseline": self.recall[0],
            "recall_candidate": self.recall[1],
            "volume_baseline": self.volume[0],
            "volume_candidate": self.volume[1],
            "largest_drop": self.largest_drop,
            "largest_growth": self.largest_growth,
            "p_value": self.p_value,
        }

    def to_dict(self) -> dict[str, Any]:
        """Return the report as JSON values."""
        return {
            "verdict": self.verdict,
            "exit_code": self.exit_code,
            "sentence": str(self),
            "recall": {"baseline": self.recall[0], "candidate": self.recall[1]},
            "volume": {"baseline": self.volume[0], "candidate": self.volume[1]},
            "largest_drop": self.largest_drop,
            "largest_growth": self.largest_growth,
            "lost": self.lost,
            "gained": self.gained,
            "p_value": self.p_value,
            "positives": self.positives,
            "conversations": self.conversations,
            "customers_in_need": self.customers_in_need,
            "prevalence": self.prevalence,
            "recall_margin": self.recall_margin,
            "volume_margin": self.volume_margin,
        }


def _drop(drop: float) -> str:
    if drop < 0:
        return f"at least {-100 * drop:.1f} points gained"
    return f"a drop of up to {100 * drop:.1f} points is possible"


def _more(growth: float) -> str:
    if growth < 0:
        return f"at least {-growth:.0%} fewer"
    return f"up to {growth:.0%} more possible"
