"""Budget in, threshold out: the interval of thresholds that keeps both promises, or why not.

The tests are in `exact`, what they are run on in `evidence`, and the ways out in `ways_out`.
docs/statistics.md says in plain words what is promised.
"""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from handoff_eval.conversation import Split
from handoff_eval.errors import LeakageError
from handoff_eval.evaluation.certificate import Certificate, RecallPromise, VolumePromise
from handoff_eval.evaluation.exact import MIN_GAP
from handoff_eval.evaluation.metrics import email_rate
from handoff_eval.evaluation.operating_point import OperatingPoint
from handoff_eval.evaluation.promise.evidence import Evidence, Verdict, gather, try_promises
from handoff_eval.evaluation.promise.ways_out import explain_shortfall
from handoff_eval.evaluation.scored import ScoredSplit
from handoff_eval.evaluation.traffic import ScoredTraffic
from handoff_eval.handoff import Budget

Array = NDArray[np.float64]


def choose_operating_point(
    scored: ScoredSplit,
    budget: Budget,
    *,
    prevalence: float,
    tries: int,
    dataset_digest: str,
    traffic: ScoredTraffic | None = None,
    seed: int = 0,
    now: datetime | None = None,
) -> OperatingPoint:
    """Choose the threshold on tune: certified where both promises can be proved, else a best guess.

    Among certified thresholds the lowest is taken, which catches most within the volume the team
    stated. Where none is certified it is the lowest whose estimated volume fits the budget, and
    the shortfall says what is missing.

    Parameters
    ----------
    scored : ScoredSplit
        The trigger on tune.
    budget : Budget
        What the team can bear.
    prevalence : float
        Deployment prevalence; without traffic the volume test leans on it.
    tries : int
        Number of triggers among which one will be chosen on the same data; divides the risk.
    dataset_digest : str
        Kept in the certificate.
    traffic : ScoredTraffic, optional
        The same trigger on unlabelled traffic, which shows the volume without any prevalence.
    seed : int
        Draws the conversation of a customer who has several.
    now : datetime, optional
        Time of issue, with its zone; the present when None.

    Raises
    ------
    LeakageError
        When the split is not tune.
    DataError
        When the budget asks for a promise these data can't carry (`evidence.gather`).
    """
    if scored.split is not Split.TUNE:
        raise LeakageError(
            f"Expected to choose a threshold on the tune split; got {scored.split.value!r}. "
            "Train scores flatter the trigger, and test is for reporting."
        )

    def gather_for(other: Budget) -> Evidence:
        return gather(scored, other, prevalence=prevalence, traffic=traffic, seed=seed)

    name, risk = scored.replay.trigger, (1 - budget.confidence) / tries
    evidence = gather_for(budget)
    verdict = try_promises(evidence, budget.min_recall, risk)
    if verdict.certified:
        certificate = Certificate(
            trigger=name,
            threshold=verdict.threshold,
            lowest=verdict.lowest,
            highest=verdict.highest,
            confidence=budget.confidence,
            tries=tries,
            recall=_recall_promise(budget, evidence, verdict),
            volume=_volume_promise(budget, evidence, verdict, prevalence),
            dataset_digest=dataset_digest,
            seed=seed,
            issued_at=now or datetime.now(UTC),
        )
        note = f"Certified. {certificate}"
        return OperatingPoint(name, verdict.threshold, Split.TUNE, certificate, note)
    shortfall = explain_shortfall(
        verdict, evidence, budget, gather_for, prevalence=prevalence, risk=risk
    )
    threshold = _best_guess(scored, traffic, budget.email_rate, prevalence)
    note = f"Chosen, not certified. {shortfall}"
    return OperatingPoint(name, threshold, Split.TUNE, None, note, shortfall)


def _recall_promise(budget: Budget, evidence: Evidence, verdict: Verdict) -> RecallPromise:
    return RecallPromise(
        min_recall=budget.min_recall,
        customers=budget.customers,
        on_time_within=budget.on_time_within,
        units=len(evidence.positives),
        allowed=verdict.misses,
        risk=verdict.recall_risk,
    )


def _volume_promise(
    budget: Budget, evidence: Evidence, verdict: Verdict, prevalence: float
) -> VolumePromise:
    return VolumePromise(
        max_emails_per_day=budget.max_emails_per_day,
        conversations_per_day=budget.conversations_per_day,
        max_days_above=budget.max_days_above,
        prevalence=prevalence if evidence.on_negatives else None,
        max_share=evidence.max_share,
        units=len(evidence.volume),
        allowed=verdict.fires,
        risk=verdict.volume_risk,
        source=evidence.source,
        assumption=evidence.assumption,
    )


def _best_guess(
    scored: ScoredSplit, traffic: ScoredTraffic | None, max_rate: float, prevalence: float
) -> float:
    """Return the lowest midpoint whose estimated volume fits, at worst one above every score."""
    seen = scored.peak if traffic is None else np.concatenate([scored.peak, traffic.peak])
    edges = np.unique(np.concatenate([[0.0], seen[np.isfinite(seen)]]))
    gaps = np.array([(a + b) / 2 for a, b in pairwise(edges) if b - a >= MIN_GAP])
    if traffic is not None:
        rates = _share_at(traffic.peak, np.ones(len(traffic.peak)), gaps)
    else:
        yes = scored.positive
        recall = _share_at(scored.peak[yes], scored.weight[yes], gaps)
        fpr = _share_at(scored.peak[~yes], scored.weight[~yes], gaps)
        rates = email_rate(recall, fpr, prevalence)
    fits = np.flatnonzero(rates <= max_rate)
    return float(gaps[fits[0]]) if len(fits) else float(edges[-1]) + MIN_GAP


def _share_at(peak: Array, weight: Array, thresholds: Array) -> Array:
    """Return the share of weight at or above each of the ascending thresholds."""
    order = np.argsort(peak)
    below = np.append(0.0, np.cumsum(weight[order]))
    share: Array = 1 - below[np.searchsorted(peak[order], thresholds)] / below[-1]
    return share
