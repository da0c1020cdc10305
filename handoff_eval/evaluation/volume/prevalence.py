"""How many deployed conversations need a handoff, estimated from unlabelled traffic.

Two ways, which lean on the same assumption: that traffic differs from the labelled sample in the
share of positives alone (label shift). Where they disagree it does not hold, and the tool says so.

* Saerens, Latinne and Decaestecker (Neural Computation 14 (2002) 21-41): the EM estimate from
  posteriors calibrated on the labels, one a conversation. Calibration is by bins of the highest
  score, fitted on held-out labels, so the maximum over prefixes does no harm.
* Rogan and Gladen (American Journal of Epidemiology 107 (1978) 71-76): (q - F) / (T - F) from the
  share q of traffic at or above a threshold fixed beforehand, and T and F on the labels there.

Both intervals resample the customers of the labels and of the traffic, apart from each other; a
bootstrap of the traffic alone covers about half of what it says.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isnan
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from handoff_eval.evaluation.intervals import Estimate, cluster_weights, percentile_estimate
from handoff_eval.evaluation.look import WIDE
from handoff_eval.evaluation.result import Result
from handoff_eval.evaluation.scored import ScoredSplit
from handoff_eval.evaluation.traffic import ScoredTraffic

if TYPE_CHECKING:
    import pandas as pd

    from handoff_eval.evaluation.look import Picture

Array = NDArray[np.float64]

FIXED_THRESHOLD = 0.5
"""Where Rogan and Gladen's estimate is made: before any label is seen."""
LEAST_INFORMATIVE = 0.2
"""The lower limit of T - F must exceed this, else their ratio has hardly a denominator."""
POSITIVES_A_BIN, MOST_BINS = 8, 10
OTHER_SHARES = (0.25, 0.5, 0.75)
"""Shares of the labels at whose scores the estimate is repeated, as a check of label shift."""


@dataclass(frozen=True, slots=True)
class PrevalenceEstimate(Result):
    """The share of traffic in need, both ways.

    Attributes
    ----------
    trigger : str
        Whose scores were used.
    em : Estimate
        n is the number of traffic conversations.
    rogan_gladen : Estimate or None
        None where the trigger tells too little at the fixed threshold.
    threshold : float
        That threshold.
    labels : int
        Labelled conversations behind the calibration.
    warning : str
        Empty where both ways, and other thresholds, agree within their error.
    """

    caption: ClassVar[str] = "Share of the traffic that needs a handoff, each way."

    trigger: str
    em: Estimate
    rogan_gladen: Estimate | None
    threshold: float
    labels: int
    warning: str

    def __str__(self) -> str:
        text = (
            f"{_percent(self.em)} of {self.em.n} traffic conversations need a handoff, by the "
            f"scores of {self.trigger} calibrated on {self.labels} labels (EM)"
        )
        if self.rogan_gladen is not None:
            text += f"; {_percent(self.rogan_gladen)} by Rogan and Gladen at {self.threshold:g}"
        return f"{text}. {self.warning}".rstrip()

    def frame(self) -> pd.DataFrame:
        """Return one row a way: the estimate with its limits and n."""
        import pandas as pd

        rows = [{"way": "Saerens EM", **self.em.to_dict()}]
        if self.rogan_gladen is not None:
            rows.append({"way": "Rogan-Gladen", **self.rogan_gladen.to_dict()})
        return pd.DataFrame(rows).set_index("way")

    def sentences(self) -> tuple[str, ...]:
        """Return both estimates and the warning, in words."""
        return (str(self),)

    def plot(self, *, width: int = WIDE) -> Picture:
        """Return both estimates with their limits."""
        from handoff_eval.evaluation.volume.prevalence_plot import prevalence_plot

        return prevalence_plot(self, width=width)

    def measured(self) -> dict[str, Estimate | float]:
        """Return both estimates."""
        other = {} if self.rogan_gladen is None else {"rogan_gladen": self.rogan_gladen}
        return {"em": self.em, **other}

    def to_dict(self) -> dict[str, Any]:
        """Return the estimates as JSON values."""
        other = self.rogan_gladen
        return {
            "trigger": self.trigger,
            "em": self.em.to_dict(),
            "rogan_gladen": None if other is None else other.to_dict(),
            "threshold": self.threshold,
            "labels": self.labels,
            "warning": self.warning,
        }


def estimate_prevalence(
    scored: ScoredSplit,
    traffic: ScoredTraffic,
    *,
    threshold: float = FIXED_THRESHOLD,
    seed: int = 0,
) -> PrevalenceEstimate:
    """Estimate the prevalence of traffic from labels that the trigger did not learn from.

    Parameters
    ----------
    scored : ScoredSplit
        Held-out labels: tune.
    traffic : ScoredTraffic
        The same trigger on unlabelled conversations.
    threshold : float
        Of Rogan and Gladen's estimate; fix it before looking, and not at the tuned one.
    seed : int
        Of the resampling.
    """
    name, positive = scored.replay.trigger, scored.positive
    cuts = _cuts(scored.peak, int(positive.sum()))
    # Row 0 is the sample itself, the others its replicates; labels and traffic are apart.
    labels = np.concatenate([scored.weight[None], scored.resampled(seed=seed)])
    days = np.concatenate(
        [np.ones((1, len(traffic.peak))), cluster_weights(traffic.groups, seed=seed + 1)]
    )
    mixed = _binned(traffic.peak, cuts, days)
    high = _binned(scored.peak, cuts, labels * positive)
    low = _binned(scored.peak, cuts, labels * ~positive)
    em_all = em_prevalence(_density(high), _density(low), mixed)
    em = _estimate(em_all, len(traffic.peak))

    def rogan_gladen_at(cut: float) -> tuple[Array, Array]:
        fired = (scored.peak >= cut).astype(np.float64)
        with np.errstate(invalid="ignore", divide="ignore"):
            tpr = (labels * positive) @ fired / (labels @ positive)
            fpr = (labels * ~positive) @ fired / (labels @ ~positive)
            q = days @ (traffic.peak >= cut) / days.sum(axis=1)
        return rogan_gladen(q, tpr, fpr), tpr - fpr

    fixed, telling = rogan_gladen_at(threshold)
    if not _informative(telling):
        warning = (
            f"{name} tells too little at {threshold:g} for a second estimate to check the first."
        )
        return PrevalenceEstimate(name, em, None, threshold, len(positive), warning)
    others = [em_all]
    for share in OTHER_SHARES:
        other, telling_there = rogan_gladen_at(float(np.quantile(scored.peak, 1 - share)))
        if _informative(telling_there):
            others.append(other)
    return PrevalenceEstimate(
        name,
        em,
        _estimate(fixed, len(traffic.peak)),
        threshold,
        len(positive),
        _disagreement(fixed, others),
    )


def em_prevalence(high: Array, low: Array, mixed: Array) -> Array:
    """Return the share p that makes p high + (1 - p) low most likely to give `mixed`, shape (B,).

    This is the fixed point of Saerens's EM: with calibrated posteriors c under a training
    prevalence p0, c / p0 is proportional to `high` and (1 - c) / (1 - p0) to `low`. The
    likelihood is concave in p, so the point is found by bisecting its slope.

    Parameters
    ----------
    high, low : float array, shape (B, k)
        Density of the positives' and of the negatives' scores over k bins, all above 0.
    mixed : float array, shape (B, k)
        Counts of the traffic in the bins.
    """
    left, right = np.zeros(len(high)), np.ones(len(high))
    for _ in range(50):
        p = (left + right) / 2
        density = p[:, None] * high + (1 - p[:, None]) * low
        rising = (mixed * (high - low) / density).sum(axis=1) > 0
        left, right = np.where(rising, p, left), np.where(rising, right, p)
    share: Array = (left + right) / 2
    return share


def rogan_gladen(q: Array, tpr: Array, fpr: Array) -> Array:
    """Return (q - F) / (T - F), clipped to [0, 1]: the prevalence behind a share q that fires."""
    with np.errstate(invalid="ignore", divide="ignore"):
        share: Array = np.clip((q - fpr) / (tpr - fpr), 0, 1)
    return share


def _cuts(scores: Array, positives: int) -> Array:
    bins = int(np.clip(positives // POSITIVES_A_BIN, 2, MOST_BINS))
    return np.unique(np.quantile(scores, np.arange(1, bins) / bins))


def _binned(scores: Array, cuts: Array, weights: Array) -> Array:
    bins = np.searchsorted(cuts, scores, side="right")
    return weights @ np.eye(len(cuts) + 1)[bins]


def _density(counts: Array) -> Array:
    """Return shares with half a conversation added to each bin, so that none is impossible."""
    added = counts + 0.5
    shares: Array = added / added.sum(axis=1, keepdims=True)
    return shares


def _estimate(values: Array, n: int) -> Estimate:
    return percentile_estimate(float(values[0]), values[1:], n)


def _informative(telling: Array) -> bool:
    return bool(np.nanpercentile(telling[1:], 2.5) > LEAST_INFORMATIVE)


def _disagreement(fixed: Array, others: list[Array]) -> str:
    """Return a warning where an estimate differs from the fixed one by more than its error."""
    tail = 100 * 0.05 / 2 / len(others)
    for other in others:
        low, high = np.nanpercentile(other[1:] - fixed[1:], [tail, 100 - tail])
        if low > 0 or high < 0:
            return (
                "The estimates disagree by more than their error: traffic differs from the labels "
                "in more than the share of positives, so neither can be trusted. Label a sample "
                "of traffic."
            )
    return ""


def _percent(estimate: Estimate) -> str:
    if isnan(estimate.low):
        return f"{estimate.value:.1%}"
    return f"{estimate.value:.1%} [{estimate.low:.1%}, {estimate.high:.1%}]"
