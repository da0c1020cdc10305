"""What a judgement of summaries gives: one row a summariser, one row a summary, a picture."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from handoff_eval.conversation import ReferenceKind
from handoff_eval.evaluation.intervals import Estimate
from handoff_eval.summaries.metrics import SummaryScore

if TYPE_CHECKING:
    import pandas as pd

    from handoff_eval.evaluation.look import Picture


@dataclass(frozen=True, slots=True)
class Judged:
    """One summary of one conversation with what was counted in it.

    Attributes
    ----------
    summarizer, conversation_id, group : str
        `group` is the customer, the unit of resampling.
    score : SummaryScore
    note : str
        What the summary says of how it was made.
    fell_back : bool
        Whether another summariser had to stand in.
    weight : float
        How many conversations it stands for.
    """

    summarizer: str
    conversation_id: str
    group: str
    score: SummaryScore
    note: str = ""
    fell_back: bool = False
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class Quality:
    """The metrics of one summariser over all its summaries.

    Attributes
    ----------
    summarizer, description : str
    coverage : Estimate
        Mean share of the needed facts that a summary says.
    coverage_by_kind : dict of ReferenceKind to Estimate
        Share of the needed facts of one kind, over all summaries.
    copy_precision : Estimate
        Share of stated numbers, names, days, addresses and links that somebody wrote.
    role_swaps : Estimate
        Share of sentences that give one side the other's words.
    unsupported : Estimate
        Share of sentences that no turn bears out.
    flawless : Estimate
        Share of summaries with nothing invented, swapped or unsupported.
    compression : Estimate
        Words of the summary to a word of the transcript; above 1 it is longer.
    reading_seconds : Estimate
        Mean time to read a summary.
    rouge_1 : Estimate
        Mean likeness in wording; a side column.
    fallbacks : int
        Summaries in which the structured one had to stand in.
    """

    summarizer: str
    description: str
    coverage: Estimate
    coverage_by_kind: dict[ReferenceKind, Estimate]
    copy_precision: Estimate
    role_swaps: Estimate
    unsupported: Estimate
    flawless: Estimate
    compression: Estimate
    reading_seconds: Estimate
    rouge_1: Estimate
    fallbacks: int

    def estimates(self) -> Iterator[tuple[str, Estimate]]:
        """Yield each metric with its name, coverage by kind at the end."""
        for name in (
            "coverage",
            "copy_precision",
            "role_swaps",
            "unsupported",
            "flawless",
            "compression",
            "reading_seconds",
            "rouge_1",
        ):
            yield name, getattr(self, name)
        for kind, estimate in self.coverage_by_kind.items():
            yield f"coverage/{kind.value}", estimate


@dataclass(frozen=True, slots=True)
class QualityReport:
    """Summarisers side by side on the same conversations.

    Attributes
    ----------
    dataset, digest : str
        What was summarised.
    facts : str
        Where the facts that coverage counts come from.
    judged : tuple of Judged
        One a summary, summariser by summariser.
    qualities : tuple of Quality
        One a summariser.
    """

    dataset: str
    digest: str
    facts: str
    judged: tuple[Judged, ...]
    qualities: tuple[Quality, ...]

    def frame(self) -> pd.DataFrame:
        """Return one row a summariser, every metric as a value with its interval.

        A metric that rests on fewer summaries than the row's n has its own n beside it.
        """
        import pandas as pd

        rows = []
        for quality in self.qualities:
            n = sum(one.summarizer == quality.summarizer for one in self.judged)
            row: dict[str, Any] = {"summarizer": quality.summarizer, "n": n}
            row |= {
                name: estimate.short if estimate.n == n else str(estimate)
                for name, estimate in quality.estimates()
            }
            rows.append({**row, "fallbacks": quality.fallbacks})
        return pd.DataFrame(rows).set_index("summarizer")

    def summaries_frame(self) -> pd.DataFrame:
        """Return one row a summary, with what it lacks and what is wrong with it."""
        import pandas as pd

        return pd.DataFrame(
            [
                {
                    "summarizer": one.summarizer,
                    "conversation": one.conversation_id,
                    "coverage": one.score.coverage,
                    "needed": one.score.needed.total(),
                    "missing": "; ".join(fact.text for fact in one.score.missing),
                    "claims": one.score.claims,
                    "invented": "; ".join(claim.text for claim in one.score.invented),
                    "sentences": one.score.sentences,
                    "swapped": len(one.score.swapped),
                    "unsupported": len(one.score.unsupported),
                    "words": one.score.words,
                    "transcript words": one.score.transcript_words,
                    "reading seconds": round(one.score.reading_seconds, 1),
                    "rouge 1": one.score.rouge_1,
                    "note": one.note,
                }
                for one in self.judged
            ]
        )

    def plot(self) -> Picture:
        """Draw the shares of every summariser with their intervals.

        Raises
        ------
        MissingExtraError
            When altair or vl-convert is not installed.
        """
        from handoff_eval.summaries.picture import quality_plot

        return quality_plot(self)

    def to_dict(self) -> dict[str, Any]:
        """Return the metrics as JSON values; nothing of what customers wrote."""
        return {
            "dataset": self.dataset,
            "digest": self.digest,
            "facts": self.facts,
            "summarizers": [
                {
                    "name": quality.summarizer,
                    "description": quality.description,
                    "fallbacks": quality.fallbacks,
                    "metrics": {name: e.to_dict() for name, e in quality.estimates()},
                }
                for quality in self.qualities
            ],
        }

    def _repr_html_(self) -> str:
        table: str = self.frame().T.to_html()
        return f"{table}<p>Facts {self.facts}; 95 % intervals by customer.</p>"
