"""The arms side by side: what `compare` returns, prints, logs and reports."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from handoff_eval.evaluation.comparison.llm_use import LlmUse
from handoff_eval.evaluation.comparison.paired import PairedDifference
from handoff_eval.evaluation.intervals import Estimate
from handoff_eval.evaluation.operating_point import OperatingPoint
from handoff_eval.evaluation.scored import Measures, Ranking, ScoredSplit
from handoff_eval.evaluation.traffic import ScoredTraffic
from handoff_eval.evaluation.volume.deployment import Prevalence
from handoff_eval.handoff import Budget

if TYPE_CHECKING:
    import pandas as pd

    from handoff_eval.evaluation.look import Picture


_NOT_ASKED = {"asked of a model": "none", "tokens": "none", "cost of 1,000 conversations": "none"}


@dataclass(frozen=True, slots=True)
class ArmResult:
    """What was found for one arm.

    `measures`, `ranking` and costs are of test alone. `sampled` says that the arm was asked on a
    draw of the conversations, so that it can't be chosen and its counts are smaller. `llm` says
    what a language model was asked and what that cost; None where none was. `traffic` is None
    where there was none, or the arm didn't score it.
    """

    name: str
    description: str
    point: OperatingPoint
    ranking: Ranking
    measures: Measures
    implied_cost_ratio: Estimate
    expected_cost: Estimate | None
    tune: ScoredSplit
    test: ScoredSplit
    sampled: bool
    milliseconds_per_decision: float
    llm: LlmUse | None = None
    traffic: ScoredTraffic | None = None

    def estimates(self) -> list[tuple[str, Estimate]]:
        """Return name and estimate of every measure and ranking, in the order of the table."""
        return [
            *self.measures.items(),
            ("average_precision", self.ranking.average_precision),
            ("average_precision_deployed", self.ranking.average_precision_deployed),
            ("average_precision_on_time", self.ranking.average_precision_on_time),
            ("implied_cost_ratio", self.implied_cost_ratio),
            *([] if self.expected_cost is None else [("expected_cost", self.expected_cost)]),
        ]


@dataclass(frozen=True, slots=True)
class Comparison:
    """The arms side by side: what `compare` returns, prints, logs and reports.

    Attributes
    ----------
    dataset, digest : str
        Name and fingerprint of the data.
    counts : dict
        For each split: conversations, positives, customers.
    budget : Budget
        As stated.
    deployment : Prevalence
        What volume and precision are stated at, beside the sample's own.
    traffic : str or None
        Name and fingerprint of the unlabelled traffic, where there was some.
    arms : tuple of ArmResult
    pairs : tuple of PairedDifference
        Each pair of arms at the budget's volume.
    chosen : str or None
        Name of the arm to export; None when no arm scored all of tune.
    """

    dataset: str
    digest: str
    counts: dict[str, dict[str, int]]
    budget: Budget
    deployment: Prevalence
    traffic: str | None
    arms: tuple[ArmResult, ...]
    pairs: tuple[PairedDifference, ...]
    chosen: str | None

    @property
    def prevalence(self) -> float:
        """Deployment prevalence, at which volume and precision are stated."""
        return self.deployment.deployed

    @property
    def prevalence_note(self) -> str:
        """Where it comes from, beside the sample's own."""
        return self.deployment.note

    def arm(self, name: str) -> ArmResult:
        """Return the result of one arm."""
        return next(arm for arm in self.arms if arm.name == name)

    def pair(self, first: str, second: str) -> PairedDifference:
        """Return how much more the first of two arms catches at equal volume."""
        for pair in self.pairs:
            if {pair.first, pair.second} == {first, second}:
                return pair if pair.first == first else pair.reversed()
        raise KeyError(f"{first} and {second}")

    def frame(self) -> pd.DataFrame:
        """Return one row an arm, every metric as a value with its interval and n."""
        import pandas as pd

        rows = []
        for arm in self.arms:
            row: dict[str, Any] = {"arm": arm.name, "n": len(arm.test.peak)}
            row["positives"] = int(arm.test.positive.sum())
            row["prevalence_in_sample"] = self.deployment.test.short
            row["prevalence_deployed"] = f"{self.prevalence:.2f} ({self.deployment.origin})"
            for name, estimate in arm.estimates():
                row[name] = estimate.short
            if any(other.llm for other in self.arms):
                row |= _NOT_ASKED if arm.llm is None else arm.llm.cells()
            row["threshold"] = round(arm.point.threshold, 4)
            row["certified"] = "yes" if arm.point.certificate else "no"
            rows.append(row)
        return pd.DataFrame(rows).set_index("arm")

    def pairs_frame(self) -> pd.DataFrame:
        """Return one row a pair: the difference in recall at equal volume, with its p-value."""
        import pandas as pd

        return pd.DataFrame(
            [
                {
                    "pair": f"{pair.first} - {pair.second}",
                    "n": pair.difference.n,
                    "positives": pair.positives,
                    "recall difference": pair.difference.short,
                    "p (Holm)": round(pair.p_adjusted, 4),
                    "verdict": pair.verdict,
                }
                for pair in self.pairs
            ]
        ).set_index("pair")

    def plot(self) -> Picture:
        """Return recall against emails a day for every arm, with the budget drawn in."""
        from handoff_eval.evaluation.comparison.plots import volume_recall_plot

        return volume_recall_plot(self)

    def _repr_html_(self) -> str:
        html: str = self.frame().T.to_html()
        return html

    def to_json(self) -> str:
        """Return `to_dict` as indented JSON."""
        return json.dumps(self.to_dict(), indent=2, allow_nan=False)

    def to_dict(self) -> dict[str, Any]:
        """Return everything but the scores as JSON values."""
        return {
            "dataset": self.dataset,
            "digest": self.digest,
            "counts": self.counts,
            "budget": {
                "max_emails_per_day": self.budget.max_emails_per_day,
                "min_recall": self.budget.min_recall,
                "conversations_per_day": self.budget.conversations_per_day,
                "confidence": self.budget.confidence,
                "max_days_above": self.budget.max_days_above,
                "customers": self.budget.customers,
                "on_time_within": self.budget.on_time_within,
                "needless_email_cost": self.budget.needless_email_cost,
                "lost_customer_cost": self.budget.lost_customer_cost,
            },
            "prevalence": self.deployment.to_dict(),
            "traffic": self.traffic,
            "chosen": self.chosen,
            "arms": [
                {
                    "name": arm.name,
                    "description": arm.description,
                    "sampled": arm.sampled,
                    "n": len(arm.test.peak),
                    "positives": int(arm.test.positive.sum()),
                    "operating_point": arm.point.to_dict(),
                    "milliseconds_per_decision": arm.milliseconds_per_decision,
                    "llm": None if arm.llm is None else arm.llm.to_dict(),
                    "metrics": {name: e.to_dict() for name, e in arm.estimates()},
                }
                for arm in self.arms
            ],
            "pairs": [
                {
                    "first": pair.first,
                    "second": pair.second,
                    "email_rate": pair.email_rate,
                    "recall_difference": pair.difference.to_dict(),
                    "positives": pair.positives,
                    "discordance": pair.discordance,
                    "smallest_difference": pair.smallest_difference,
                    "positives_needed": pair.positives_needed,
                    "p_value": pair.p_value,
                    "p_adjusted": pair.p_adjusted,
                    "verdict": pair.verdict,
                }
                for pair in self.pairs
            ],
        }
