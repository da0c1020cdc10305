"""Why a budget can't be certified, by how much, and the cheapest ways out, with numbers.

Each number comes from running the two exact tests again with one thing changed. More labels are
imagined to score like the present ones, so those numbers are "about"; the other two are what the
present data show.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import ceil, floor, isinf

import numpy as np

from handoff_eval.evaluation.operating_point import Shortfall, WayOut
from handoff_eval.evaluation.promise.evidence import (
    Evidence,
    Verdict,
    try_promises,
    with_positives,
    with_volume,
)
from handoff_eval.handoff import Budget

MOST = 64
"""More than so many times the present labels is no way out."""
LEAST = 0.5
"""Nor is less than this share of the recall that was wanted."""


def explain_shortfall(
    verdict: Verdict,
    evidence: Evidence,
    budget: Budget,
    gather: Callable[[Budget], Evidence],
    *,
    prevalence: float,
    risk: float,
) -> Shortfall:
    """Return why `verdict` certifies nothing, and what would help.

    Parameters
    ----------
    verdict : Verdict
        Of the tests on `evidence`.
    evidence : Evidence
    budget : Budget
    gather : callable
        Gives the evidence for another budget on the same data.
    prevalence : float
        Deployment prevalence.
    risk : float
        Of both tests together.
    """
    if evidence.on_negatives and evidence.max_share <= 0:
        side = "volume"
        sentence = (
            f"A budget of {budget.email_rate:.1%} of conversations leaves no room above the "
            f"prevalence of {prevalence:.1%}: the needed handoffs alone would fill it."
        )
    elif verdict.misses < 0:
        side, sentence = "recall", _too_few_positives(evidence, budget)
    elif verdict.fires < 0:
        side, sentence = "volume", _too_few_units(evidence)
    else:
        side, sentence = "both", _no_threshold(verdict, evidence, budget)
    ways = (
        *_more_labels(evidence, budget, risk),
        *_more_emails(budget, gather, risk),
        *_less_recall(evidence, budget, risk),
    )
    return Shortfall(side, sentence, ways)


def _too_few_positives(evidence: Evidence, budget: Budget) -> str:
    what = "customers in need" if budget.customers else "positives"
    return (
        f"{len(evidence.positives)} {what} in tune are too few to show a recall of "
        f"{budget.min_recall:.0%} even with no miss."
    )


def _too_few_units(evidence: Evidence) -> str:
    if evidence.on_negatives:
        return (
            f"{len(evidence.volume)} negatives in tune are too few to show a false positive rate "
            f"of at most {evidence.max_share:.1%} even if none fires."
        )
    return (
        f"{len(evidence.volume)} {_unit(evidence)} of traffic are too few to show a share of at "
        f"most {evidence.max_share:.1%} even if none counts."
    )


def _no_threshold(verdict: Verdict, evidence: Evidence, budget: Budget) -> str:
    unit = "negatives" if evidence.on_negatives else _unit(evidence)
    m, n = len(evidence.volume), len(evidence.positives)
    if isinf(verdict.lowest):
        missed, above = n, "no threshold, since emails were already sent in too many,"
    else:
        missed = int(np.sum(evidence.positives <= verdict.lowest))
        above = f"thresholds above {verdict.lowest:.4f}"
    fired = int(np.sum(evidence.volume >= verdict.highest))
    return (
        f"No threshold keeps both promises: {above} keep the volume but miss at least {missed} of "
        f"{n} positives where a recall of {budget.min_recall:.0%} allows {verdict.misses}; those "
        f"up to {verdict.highest:.4f} keep the recall, but {fired} of {m} {unit} fire where "
        f"{verdict.fires} are allowed."
    )


def _unit(evidence: Evidence) -> str:
    return "days" if "days to come" in evidence.assumption else "conversations"


def _more_labels(evidence: Evidence, budget: Budget, risk: float) -> tuple[WayOut, ...]:
    """Return the smallest number of positives that would do, else of the volume's units."""
    n, m = len(evidence.positives), len(evidence.volume)

    def enough_positives(k: int) -> bool:
        return try_promises(with_positives(evidence, k), budget.min_recall, risk).certified

    def enough_units(k: int) -> bool:
        return try_promises(with_volume(evidence, k), budget.min_recall, risk).certified

    found = _smallest(enough_positives, n) if n else None
    if found is not None:
        sentence = f"label about {found - n} more positives ({found} in all)"
        return (WayOut("positives", n, found, sentence),)
    found = _smallest(enough_units, m) if m else None
    if found is None:
        return ()
    if evidence.on_negatives:
        sentence = f"label about {found - m} more negatives ({found} in all)"
    else:
        sentence = f"give about {found - m} more {_unit(evidence)} of traffic ({found} in all)"
    return (WayOut("volume_units", m, found, sentence),)


def _more_emails(
    budget: Budget, gather: Callable[[Budget], Evidence], risk: float
) -> tuple[WayOut, ...]:
    """Return the fewest whole emails a day that would do."""
    now = budget.max_emails_per_day

    def enough(emails: int) -> bool:
        larger = replace(budget, max_emails_per_day=float(emails))
        return try_promises(gather(larger), budget.min_recall, risk).certified

    low, high = floor(now), floor(budget.conversations_per_day)
    if high <= low or not enough(high):
        return ()
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return (WayOut("emails_per_day", now, high, f"read {high} emails a day instead of {now:g}"),)


def _less_recall(evidence: Evidence, budget: Budget, risk: float) -> tuple[WayOut, ...]:
    """Return the highest recall, in tenths of a percent, that the same data would show."""
    low, high = ceil(1000 * LEAST * budget.min_recall), ceil(1000 * budget.min_recall)

    def enough(thousandths: int) -> bool:
        return try_promises(evidence, thousandths / 1000, risk).certified

    if not enough(low):
        return ()
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if enough(middle) else (low, middle)
    sentence = f"promise a recall of {low / 1000:.1%} instead of {budget.min_recall:.0%}"
    return (WayOut("recall", budget.min_recall, low / 1000, sentence),)


def _smallest(enough: Callable[[int], bool], now: int) -> int | None:
    low, high = now, 2 * now
    while not enough(high):
        low, high = high, 2 * high
        if high > MOST * now:
            return None
    while high - low > max(1, low // 200):
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high
