"""What a wording is worth on a set of conversations: recall at the volume the team can read."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from handoff_eval.evaluation.metrics import at_prevalence, recall_at_volume, volume_recall_curve
from handoff_eval.evaluation.scored import ScoredSplit
from handoff_eval.handoff import Budget


@dataclass(frozen=True, slots=True)
class Objective:
    """A budget at a deployment prevalence, by which whole sets of decisions are judged.

    No figure of it is an average over conversations: which ones are emailed depends on all the
    others, so a wording can't be judged one conversation at a time.

    Attributes
    ----------
    budget : Budget
    prevalence : float
        Of the deployment.
    """

    budget: Budget
    prevalence: float

    def recall(self, scored: ScoredSplit) -> float:
        """Return the recall when the budget's share of the conversations is emailed."""
        weights = at_prevalence(scored.positive, scored.weight, self.prevalence)
        return float(
            recall_at_volume(scored.peak, scored.positive, weights, self.budget.email_rate)
        )

    def emails_at_floor(self, scored: ScoredSplit) -> float:
        """Return the emails a day at which the budget's smallest recall is reached."""
        weights = at_prevalence(scored.positive, scored.weight, self.prevalence)
        _, volumes, recalls = volume_recall_curve(scored.peak, scored.positive, weights)
        # A recall that several thresholds share is reached at the first of them.
        volume = np.interp(
            self.budget.min_recall - 1e-9, np.append(0.0, recalls), np.append(0.0, volumes)
        )
        return float(volume) * self.budget.conversations_per_day

    def cut(self, scored: ScoredSplit) -> float:
        """Return the lowest score that may fire without more emails than the budget's share."""
        weights = at_prevalence(scored.positive, scored.weight, self.prevalence)
        thresholds, volumes, _ = volume_recall_curve(scored.peak, scored.positive, weights)
        within = thresholds[volumes <= self.budget.email_rate + 1e-12]
        return float(within[-1]) if len(within) else float(np.nextafter(thresholds[0], 2.0))
