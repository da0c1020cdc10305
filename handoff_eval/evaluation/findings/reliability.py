"""Do scores mean what they say? Observed need against the stated chance, bin by bin."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from handoff_eval.evaluation.intervals import Estimate, percentile_estimate
from handoff_eval.evaluation.look import WIDE
from handoff_eval.evaluation.result import Result
from handoff_eval.evaluation.scored import ScoredSplit, share_among

if TYPE_CHECKING:
    import pandas as pd

    from handoff_eval.evaluation.look import Picture

BINS = 5
"""Bins of about equally many conversations: tens of positives carry no more."""


@dataclass(frozen=True, slots=True)
class Bin:
    """Conversations whose highest scores lie together, a point of the reliability diagram.

    Murphy and Winkler, Applied Statistics 26 (1977) 41-47.

    Attributes
    ----------
    low, high, mean : float
        Range and mean of the scores.
    needed : Estimate
        Share of them that need a handoff.
    """

    low: float
    high: float
    mean: float
    needed: Estimate


@dataclass(frozen=True, slots=True)
class Reliability(Result):
    """How well an arm's highest scores read as chances, at the sample's prevalence.

    Attributes
    ----------
    trigger, split : str
    bins : tuple of Bin
        Lowest scores first.
    brier : Estimate
        Mean squared distance of the score from the label (Brier, Monthly Weather Review 78
        (1950) 1-3); always saying the prevalence p gives p (1 - p).
    excess : Estimate
        Mean score minus the share in need, calibration in the large (Cox, Biometrika 45 (1958)
        562-565): above 0 the scores promise too much.
    """

    caption: ClassVar[str] = "Share in need by score, at the prevalence of the sample."

    trigger: str
    split: str
    bins: tuple[Bin, ...]
    brier: Estimate
    excess: Estimate

    def sentences(self) -> tuple[str, ...]:
        """Return whether the scores can be read as chances, and how far off they are."""
        inside = sum(b.needed.low <= b.mean <= b.needed.high for b in self.bins)
        if self.excess.low > 0:
            verdict = "promise more need than there is"
        elif self.excess.high < 0:
            verdict = "promise less need than there is"
        else:
            verdict = "are not shown to be off on average"
        return (
            f"{self.trigger}'s scores {verdict} on {self.split}: mean score minus share in need "
            f"{self.excess}.",
            f"In {inside} of {len(self.bins)} bins the mean score lies within the interval of "
            f"the share in need. Brier score {self.brier}.",
        )

    def frame(self) -> pd.DataFrame:
        """Return one row a bin."""
        import pandas as pd

        rows = [
            {
                "scores": f"{b.low:.3f} to {b.high:.3f}",
                "mean score": round(b.mean, 3),
                "in need": b.needed.short,
                "n": b.needed.n,
            }
            for b in self.bins
        ]
        return pd.DataFrame(rows).set_index("scores")

    def plot(self, *, width: int = WIDE) -> Picture:
        """Return the share in need against the mean score, beside the line of equality."""
        from handoff_eval.evaluation.findings.plots import reliability_plot

        return reliability_plot(self, width=width)

    def measured(self) -> dict[str, Estimate | float]:
        """Return the Brier score, and how far the scores are off on average."""
        return {"brier": self.brier, "excess": self.excess}

    def to_dict(self) -> dict[str, Any]:
        """Return the finding as JSON values."""
        return {
            "trigger": self.trigger,
            "split": self.split,
            "brier": self.brier.to_dict(),
            "excess": self.excess.to_dict(),
            "bins": [
                {"low": b.low, "high": b.high, "mean": b.mean, "needed": b.needed.to_dict()}
                for b in self.bins
            ],
        }


def measure_reliability(scored: ScoredSplit, *, bins: int = BINS, seed: int = 0) -> Reliability:
    """Return how the highest score of each conversation compares with how often there is need.

    Parameters
    ----------
    scored : ScoredSplit
        Not of train, which the scores were fitted on.
    bins : int
        At most; fewer where scores tie.
    seed : int
        Of the resampling.
    """
    peak, positive = scored.peak, scored.positive
    weight, weights = scored.weight, scored.resampled(seed=seed)
    edges = np.unique(np.quantile(peak, np.linspace(0, 1, bins + 1)))
    place = np.clip(np.searchsorted(edges, peak, side="right") - 1, 0, max(0, len(edges) - 2))
    found = []
    for index in np.unique(place):
        inside = place == index
        found.append(
            Bin(
                low=float(peak[inside].min()),
                high=float(peak[inside].max()),
                mean=float(np.average(peak[inside], weights=weight[inside])),
                needed=share_among(scored, positive, inside, weights),
            )
        )
    total = weights.sum(axis=1)
    estimates = [
        percentile_estimate(
            float(np.average(values, weights=weight)), weights @ values / total, len(values)
        )
        for values in ((peak - positive) ** 2, peak - positive)
    ]
    return Reliability(scored.replay.trigger, scored.split.value, tuple(found), *estimates)
