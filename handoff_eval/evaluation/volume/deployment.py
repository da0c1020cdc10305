"""The prevalence that volume and precision are stated at, beside that of the sample."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from handoff_eval.conversation import LabeledConversation
from handoff_eval.evaluation.intervals import Estimate, proportion_estimate
from handoff_eval.evaluation.metrics import average_precision
from handoff_eval.evaluation.scored import ScoredSplit
from handoff_eval.evaluation.traffic import ScoredTraffic
from handoff_eval.evaluation.volume.prevalence import PrevalenceEstimate, estimate_prevalence
from handoff_eval.handoff import Budget


@dataclass(frozen=True, slots=True)
class Prevalence:
    """Share of conversations that need a handoff, deployed and in the sample.

    Attributes
    ----------
    deployed : float
        What every volume and precision is stated at.
    origin : str
        `given`, `estimated` from traffic, or `sample` where nothing else was known.
    tune, test : Estimate
        Of the labelled conversations, by inverse weighting where they were drawn unequally.
    estimate : PrevalenceEstimate or None
        From traffic, where there is some, whether it is used or not.
    missing : str
        Why traffic that was given tells no prevalence; empty otherwise.
    """

    deployed: float
    origin: str
    tune: Estimate
    test: Estimate
    estimate: PrevalenceEstimate | None
    missing: str = ""

    @property
    def note(self) -> str:
        """Where the deployed prevalence comes from, beside the sample's."""
        sample = f"tune split: {self.tune.value:.1%}, test split: {self.test.value:.1%}"
        if self.origin == "given":
            text = f"given: {self.deployed:.1%} ({sample})"
        elif self.origin == "estimated":
            text = f"estimated: {self.deployed:.1%} ({sample})"
        else:
            text = (
                f"not given: the tune split's own {self.deployed:.1%} stands in, which real "
                f"traffic hardly has ({sample})"
            )
        if self.estimate is None:
            return f"{text}; {self.missing}" if self.missing else text
        text += f"; {self.estimate}".rstrip(".")
        em = self.estimate.em
        if self.origin == "given" and not em.low <= self.deployed <= em.high:
            text += f". What was given lies outside that, so check it: {self.deployed:.1%}"
        return text

    def to_dict(self) -> dict[str, Any]:
        """Return all of it as JSON values."""
        return {
            "deployment": self.deployed,
            "origin": self.origin,
            "sample": {"tune": self.tune.to_dict(), "test": self.test.to_dict()},
            "estimate": None if self.estimate is None else self.estimate.to_dict(),
            "note": self.note,
        }


def find_prevalence(
    budget: Budget,
    arms: Sequence[tuple[ScoredSplit, ScoredSplit, ScoredTraffic | None]],
    *,
    seed: int = 0,
) -> Prevalence:
    """Return the deployed prevalence: the given one, else an estimate from traffic, else tune's.

    Parameters
    ----------
    budget : Budget
    arms : sequence of (tune, test, traffic)
        At least one. The estimate uses the arm that orders tune best among those with traffic.
    seed : int
        Of the resampling.
    """
    whole = max(arms, key=lambda arm: len(arm[0].peak))
    tune, test = (_share(split, seed) for split in whole[:2])
    with_traffic = [(held, traffic) for held, _, traffic in arms if traffic is not None]
    estimate, missing = None, ""
    if with_traffic:
        held, traffic = max(with_traffic, key=lambda arm: _order(arm[0]))
        emailed = int(np.isinf(traffic.peak).sum())
        if emailed:
            missing = (
                f"traffic tells none, since {emailed} of its {len(traffic.peak)} conversations "
                "were emailed and may end there"
            )
        else:
            estimate = estimate_prevalence(held, traffic, seed=seed)
    if budget.prevalence is not None:
        return Prevalence(budget.prevalence, "given", tune, test, estimate, missing)
    if estimate is not None and 0 < estimate.em.value < 1:
        return Prevalence(estimate.em.value, "estimated", tune, test, estimate)
    return Prevalence(tune.value, "sample", tune, test, estimate, missing)


def deployment_prevalence(budget: Budget, tune: Sequence[LabeledConversation]) -> float:
    """Return the given prevalence, else the share of tune, where nothing is scored yet."""
    if budget.prevalence is not None:
        return budget.prevalence
    weights = [item.weight for item in tune]
    return float(np.average([item.label.handoff for item in tune], weights=weights))


def _share(split: ScoredSplit, seed: int) -> Estimate:
    weights = split.resampled(seed=seed)
    return proportion_estimate(split.positive, split.groups, weights, weight=split.weight)


def _order(split: ScoredSplit) -> float:
    return float(average_precision(split.peak, split.positive, split.weight))
