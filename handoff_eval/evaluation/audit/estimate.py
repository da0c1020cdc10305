"""Recall in production, from a sample of what was not sent: inverse weighting with exact limits.

The missed total is the Horvitz-Thompson estimate (Horvitz and Thompson, JASA 47 (1952) 663-685);
its limits are the gamma limits for a weighted sum of Poisson counts (Fay and Feuer, Statistics in
Medicine 16 (1997) 791-801), which keep their coverage with few misses or none, where Wald and the
bootstrap don't.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import isnan, sqrt
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from handoff_eval.errors import DataError
from handoff_eval.evaluation.audit.plan import AuditPlan, Design
from handoff_eval.evaluation.intervals import LEVEL, Estimate, clopper_pearson
from handoff_eval.evaluation.look import WIDE
from handoff_eval.evaluation.result import Result

if TYPE_CHECKING:
    import pandas as pd

    from handoff_eval.evaluation.look import Picture


@dataclass(frozen=True, slots=True)
class StratumCount:
    """One stratum of an audit: how many there are, were drawn, were read and needed a handoff."""

    name: str
    sent: bool
    size: int
    drawn: int
    read: int
    needed: int
    weight: float


@dataclass(frozen=True, slots=True)
class AuditEstimate(Result):
    """What an audit says of the decisions of a period.

    Attributes
    ----------
    recall : Estimate
        Share of the needed handoffs that were sent; n is the number of reviews read.
    missed, caught : Estimate
        Totals of needed handoffs that were not sent, and that were.
    precision : Estimate
        Share of the sent emails that were needed.
    missed_standard_error : float
        Of the missed total under the design; NaN where a stratum has a single read row.
    recall_if_unread_missed : float
        The recall if every unread row of the unsent sample were a missed handoff.
    design : Design
    strata : tuple of StratumCount
    """

    caption: ClassVar[str] = "What was drawn, read and found in each stratum."

    recall: Estimate
    missed: Estimate
    caught: Estimate
    precision: Estimate
    missed_standard_error: float
    recall_if_unread_missed: float
    design: Design
    strata: tuple[StratumCount, ...]

    def sentences(self) -> tuple[str, ...]:
        """Return recall, what was missed, and what was not read, in words."""
        drawn, read = (sum(getattr(s, k) for s in self.strata) for k in ("drawn", "read"))
        unsent = sum(s.size for s in self.strata if not s.sent)
        found = sum(s.needed for s in self.strata if not s.sent)
        value = "unknown" if isnan(self.recall.value) else f"{self.recall.value:.0%}"
        said = [
            f"Recall {value}, {self.recall.low:.0%} to {self.recall.high:.0%} with "
            f"{self.recall.level:.0%} confidence: about {self.missed.value:.0f} of {unsent} unsent "
            f"conversations needed a handoff ({self.missed.low:.0f} to {self.missed.high:.0f}), "
            f"from {found} found in {sum(s.read for s in self.strata if not s.sent)} reviews."
        ]
        if not found:
            said.append(
                "No miss was found. That does not show that there is none: the lower limit says "
                "how many there may be."
            )
        if drawn > read:
            said.append(
                f"{drawn - read} of {drawn} drawn conversations were not read. They are taken to "
                "be like the read ones of their stratum; if every unread one that was not sent "
                f"were a miss, recall would be {self.recall_if_unread_missed:.0%}."
            )
        return tuple(said)

    def frame(self) -> pd.DataFrame:
        """Return one row a stratum."""
        import pandas as pd

        rows = [
            {
                "stratum": s.name,
                "conversations": s.size,
                "drawn": s.drawn,
                "read": s.read,
                "needed a handoff": s.needed,
                "each stands for": round(s.weight, 1),
                "needed in all": round(s.needed * s.weight, 1),
            }
            for s in self.strata
        ]
        return pd.DataFrame(rows).set_index("stratum")

    def plot(self, *, width: int = WIDE) -> Picture:
        """Return caught and missed with their limits."""
        from handoff_eval.evaluation.audit.plot import audit_plot

        return audit_plot(self, width=width)

    def measured(self) -> dict[str, Estimate | float]:
        """Return recall and precision of the period, and what was caught and missed."""
        names = ("recall", "precision", "caught", "missed")
        return {name: getattr(self, name) for name in names}

    def to_dict(self) -> dict[str, Any]:
        """Return the estimates and the counts of each stratum."""
        error, worst = self.missed_standard_error, self.recall_if_unread_missed
        return {
            "design": self.design.value,
            "recall": self.recall.to_dict(),
            "missed": self.missed.to_dict(),
            "caught": self.caught.to_dict(),
            "precision": self.precision.to_dict(),
            "missed_standard_error": None if isnan(error) else error,
            "recall_if_unread_missed": None if isnan(worst) else worst,
            "strata": [
                {
                    "name": s.name,
                    "sent": s.sent,
                    "size": s.size,
                    "drawn": s.drawn,
                    "read": s.read,
                    "needed": s.needed,
                    "weight": s.weight,
                }
                for s in self.strata
            ],
        }


def estimate_recall(
    plan: AuditPlan, needed: Mapping[str, bool], *, level: float = LEVEL
) -> AuditEstimate:
    """Return recall in the period of a plan, from what reviewers answered.

    A drawn conversation without an answer is non-response: the rows read in its stratum stand
    for it, which holds when reading doesn't depend on the answer.

    Parameters
    ----------
    plan : AuditPlan
    needed : mapping of str to bool
        By conversation id, whether it needed a handoff; ids that weren't drawn are ignored, since
        their probability is unknown.
    level : float
        Two-sided coverage; it is halved between caught and missed where both are estimated.

    Raises
    ------
    DataError
        When nothing of a stratum was read.
    """
    strata = _counts(plan, needed)
    unsent = [s for s in strata if not s.sent]
    sent = next((s for s in strata if s.sent), None)
    reviews = sum(s.read for s in strata)
    census = sent is None or sent.read == sent.size
    side = level if census else 1 - (1 - level) / 2
    total = sum(s.weight * s.needed for s in unsent)
    squares = sum(s.weight**2 * s.needed for s in unsent)
    low, high = gamma_limits(total, squares, max(s.weight for s in unsent), level=side)
    size = sum(s.size for s in unsent)
    missed = Estimate(
        total, float(low), min(float(high), size), sum(s.read for s in unsent), "gamma limits", side
    )
    caught, precision = _caught(sent, side)
    unread = sum((s.needed + s.drawn - s.read) * s.weight * s.read / s.drawn for s in unsent)
    return AuditEstimate(
        recall=Estimate(
            _ratio(caught.value, total),
            _ratio(caught.low, missed.high, empty=0.0),
            _ratio(caught.high, missed.low, empty=1.0),
            reviews,
            "gamma limits",
            level,
        ),
        missed=missed,
        caught=caught,
        precision=precision,
        missed_standard_error=sqrt(sum(_variance(s, plan.design) for s in unsent)),
        recall_if_unread_missed=_ratio(caught.value, unread),
        design=plan.design,
        strata=strata,
    )


def gamma_limits(
    total: ArrayLike, squares: ArrayLike, largest: ArrayLike, *, level: float = LEVEL
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return two-sided limits for a weighted sum of Poisson counts (Fay and Feuer 1997).

    With y = `total`, v = `squares` and w = `largest`, the lower limit is the tail quantile of a
    gamma of mean y and variance v, the upper one that of mean y + w and variance v + w^2; with no
    count they are 0 and w ln(1 / tail).

    Parameters
    ----------
    total, squares : array_like
        Sums of the weights of what was found, and of their squares.
    largest : array_like
        The largest weight any row has, found or not.
    level : float
        Two-sided coverage.
    """
    from scipy.stats import gamma

    y, v, w = (np.asarray(values, dtype=np.float64) for values in (total, squares, largest))
    tail = (1 - level) / 2
    some = np.where(y > 0, y, 1.0)
    spread = np.where(y > 0, v, 1.0)
    low = np.where(y > 0, gamma.ppf(tail, some**2 / spread, scale=spread / some), 0.0)
    mean, variance = y + w, v + w**2
    high = gamma.ppf(1 - tail, mean**2 / variance, scale=variance / mean)
    return low, np.asarray(high)


def _counts(plan: AuditPlan, needed: Mapping[str, bool]) -> tuple[StratumCount, ...]:
    counts = []
    for stratum in plan.strata:
        drawn = [row.conversation_id for row in plan.rows if row.stratum == stratum.name]
        answers = [needed[i] for i in drawn if i in needed]
        if not answers:
            raise DataError(
                f"Expected answers for the stratum {stratum.name!r}; none of its {len(drawn)} "
                f"drawn conversations was read, so nothing is known of {stratum.size}. Read some."
            )
        weight = len(drawn) / len(answers) / stratum.probability
        counts.append(
            StratumCount(
                name=stratum.name,
                sent=stratum.sent,
                size=stratum.size,
                drawn=len(drawn),
                read=len(answers),
                needed=sum(answers),
                weight=weight,
            )
        )
    return tuple(counts)


def _caught(sent: StratumCount | None, level: float) -> tuple[Estimate, Estimate]:
    if sent is None:
        nothing = Estimate(float("nan"), float("nan"), float("nan"), 0, "nothing was sent", level)
        return Estimate(0.0, 0.0, 0.0, 0, "nothing was sent", level), nothing
    share = sent.needed / sent.read
    low, high = clopper_pearson(sent.needed, sent.read, level=level)
    precision = Estimate(share, low, high, sent.read, "exact binomial", level)
    if sent.read == sent.size:
        counted = float(sent.needed)
        return Estimate(counted, counted, counted, sent.read, "counted", level), precision
    return precision.scaled(sent.size), precision


def _variance(stratum: StratumCount, design: Design) -> float:
    """Return the variance of a stratum's total (Sarndal, Swensson and Wretman 1992, ch. 2-3)."""
    n, weight = stratum.read, stratum.weight
    if design is Design.POISSON:
        return stratum.needed * weight * (weight - 1)
    if n == stratum.size:
        return 0.0
    if n < 2:
        return float("nan")
    share = stratum.needed / n
    within = n / (n - 1) * share * (1 - share)
    return stratum.size**2 * (1 - n / stratum.size) * within / n


def _ratio(caught: float, missed: float, *, empty: float = float("nan")) -> float:
    return caught / (caught + missed) if caught + missed > 0 else empty
