"""May the candidate replace the baseline? Two triggers as they are, each at its own threshold.

Unlike a comparison at equal volume this takes both thresholds as given, so both volumes stand
beside the recalls: a candidate that catches more by sending twice as many emails has not got
better. It passes only when a loss beyond the margins is ruled out, not when none was shown.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from handoff_eval.errors import DataError
from handoff_eval.evaluation.gate.verdict import GateReport
from handoff_eval.evaluation.intervals import effective_customers, weight_blocks
from handoff_eval.evaluation.metrics import at_prevalence

Flags = NDArray[np.bool_]
Array = NDArray[np.float64]

RISK = 0.05
"""Of each one-sided limit: the chance to pass a candidate whose loss is just the margin."""
RECALL_MARGIN, VOLUME_MARGIN = 0.05, 0.10


def gate(
    baseline: Flags,
    candidate: Flags,
    *,
    positive: Flags,
    groups: Sequence[str],
    prevalence: float | None = None,
    weight: Array | None = None,
    recall_margin: float = RECALL_MARGIN,
    volume_margin: float = VOLUME_MARGIN,
    seed: int = 0,
) -> GateReport:
    """Judge a candidate against a baseline on the same labelled conversations.

    Parameters
    ----------
    baseline, candidate : bool array, shape (n,)
        Whether each sends the email of a conversation.
    positive : bool array, shape (n,)
        Needs a handoff.
    groups : sequence of str, length n
        The customer of each.
    prevalence : float, optional
        Of the deployment, at which volume is stated; the sample's own when None.
    weight : float array, shape (n,), optional
        What each conversation stands for; None where all stand for the same.
    recall_margin : float
        Most that recall may fall, in (0, 1).
    volume_margin : float
        Most that the emails may grow, as a share of the baseline's, above 0.
    seed : int
        Of the resampling of customers, for the volume.

    Raises
    ------
    DataError
        When there is no positive or no negative.
    """
    if not positive.any() or positive.all():
        raise DataError(
            "Expected conversations with and without a needed handoff to judge a candidate; got "
            f"{int(positive.sum())} positives of {len(positive)}. Label more of the test split."
        )
    weight = np.ones(len(positive)) if weight is None else weight
    share = float(np.average(positive, weights=weight))
    p = share if prevalence is None else prevalence
    once = at_prevalence(positive, weight, p)
    volumes = float(once @ baseline), float(once @ candidate)
    of_need = weight * positive / (weight * positive).sum()
    recalls = float(of_need @ baseline), float(of_need @ candidate)
    lost, gained = baseline & ~candidate, candidate & ~baseline
    in_need = [group for group, yes in zip(groups, positive, strict=True) if yes]
    customers = effective_customers(in_need, weight[positive])
    drop = largest_difference(float(of_need @ lost), float(of_need @ gained), customers)
    growth = _largest_growth(baseline, candidate, positive, groups, weight, p, volumes, seed=seed)
    if recalls[0] - recalls[1] > recall_margin or _growth(*volumes) > volume_margin:
        verdict = "fail"
    elif drop > recall_margin or growth > volume_margin:
        verdict = "too few"
    else:
        verdict = "pass"
    counts = int((lost & positive).sum()), int((gained & positive).sum())
    return GateReport(
        verdict=verdict,
        recall=recalls,
        volume=volumes,
        largest_drop=drop,
        largest_growth=growth,
        lost=counts[0],
        gained=counts[1],
        p_value=mcnemar(*counts),
        positives=int(positive.sum()),
        conversations=len(positive),
        customers_in_need=len(set(in_need)),
        prevalence=p,
        recall_margin=recall_margin,
        volume_margin=volume_margin,
    )


def largest_difference(lost: float, gained: float, n: float, *, risk: float = RISK) -> float:
    """Return the upper one-sided limit of a paired difference lost - gained of two shares.

    Tango's score limit (Statistics in Medicine 17 (1998) 891-908): the difference d at which
    (x - y - n d) / sqrt(n (2 q + d (1 - d))) = -z, x and y being the discordant counts and q the
    share of y that is most likely under d. With no discordant pair it is z^2 / (n + z^2), where a
    Wald limit or a bootstrap would be 0.

    Parameters
    ----------
    lost, gained : float
        Shares of the n pairs that are discordant either way.
    n : float
        Number of independent pairs; customers where a customer has several.
    risk : float
        That the true difference is larger.
    """
    z = NormalDist().inv_cdf(1 - risk)
    x, y = n * lost, n * gained

    def score(d: float) -> float:
        a, b, c = 2 * n, -x - y + (2 * n - x + y) * d, -y * d * (1 - d)
        q = (sqrt(max(b * b - 4 * a * c, 0.0)) - b) / (2 * a)
        spread = n * (2 * q + d * (1 - d))
        return (x - y - n * d) / sqrt(spread) if spread > 0 else 0.0

    low, high = lost - gained, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if score(middle) > -z else (low, middle)
    return high


def mcnemar(lost: int, gained: int) -> float:
    """Return the exact two-sided p of equal recall (McNemar, Psychometrika 12 (1947) 153-157).

    For two frozen triggers: it asks whether these thresholds catch the same share, whatever they
    send, and says nothing of which trigger ranks better.
    """
    from scipy.stats import binomtest

    return float(binomtest(lost, lost + gained).pvalue) if lost + gained else 1.0


def _largest_growth(
    baseline: Flags,
    candidate: Flags,
    positive: Flags,
    groups: Sequence[str],
    weight: Array,
    prevalence: float,
    volumes: tuple[float, float],
    *,
    seed: int,
) -> float:
    """Return the upper limit of the growth in emails, over resampled customers.

    Where hardly a negative is discordant the bootstrap sees too little, so the limit is at least
    that of no discordance among the negatives' customers (`largest_difference`).
    """
    ratios = []
    for block in weight_blocks(groups, seed=seed):
        rows = at_prevalence(positive, block * weight, prevalence)
        ratios.append(_growths(rows @ baseline, rows @ candidate))
    found = np.concatenate(ratios)
    found = found[~np.isnan(found)]
    limit = float(np.quantile(found, 1 - RISK)) if len(found) else float("inf")
    others = [group for group, yes in zip(groups, positive, strict=True) if not yes]
    unseen = largest_difference(0.0, 0.0, effective_customers(others, weight[~positive]))
    if volumes[0] == 0:
        return limit
    return max(limit, (volumes[1] - volumes[0] + (1 - prevalence) * unseen) / volumes[0])


def _growth(before: float, after: float) -> float:
    return float(_growths(np.array([before]), np.array([after]))[0])


def _growths(before: Array, after: Array) -> Array:
    with np.errstate(invalid="ignore", divide="ignore"):
        growth: Array = np.where((before == 0) & (after == 0), 0.0, after / before - 1)
    return growth
