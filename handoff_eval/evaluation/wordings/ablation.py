"""What each clause of an instruction is worth: the instruction with it, against without it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from handoff_eval.conversation import Split
from handoff_eval.errors import DataError, LeakageError
from handoff_eval.evaluation.comparison.paired import holm, paired_difference
from handoff_eval.evaluation.intervals import Estimate
from handoff_eval.evaluation.look import WIDE
from handoff_eval.evaluation.operating_point import OperatingPoint
from handoff_eval.evaluation.promise.budget import choose_operating_point
from handoff_eval.evaluation.result import Result
from handoff_eval.evaluation.threshold_difference import threshold_difference
from handoff_eval.evaluation.wordings.scores import Wordings
from handoff_eval.handoff import Budget
from handoff_eval.instructions.clauses import Clause, parse_instruction
from handoff_eval.instructions.edits import drop_clause
from handoff_eval.instructions.sentence import PieceKind

if TYPE_CHECKING:
    import pandas as pd

    from handoff_eval.evaluation.look import Picture


@dataclass(frozen=True, slots=True)
class Contribution:
    """One clause: the instruction with it minus the instruction without it.

    Attributes
    ----------
    clause : Clause
    without : str
        The instruction that it was compared with.
    recall_at_volume : Estimate
        In recall, when both send the budget's share of emails.
    p_adjusted : float
        Two-sided, corrected for the number of clauses (Holm).
    recall_at_threshold, emails_per_day : Estimate
        In recall and in emails a day, when the threshold stays where it was.
    started, stopped : int
        Conversations that get an email because of the clause, and that get none because of it.
    """

    clause: Clause
    without: str
    recall_at_volume: Estimate
    p_adjusted: float
    recall_at_threshold: Estimate
    emails_per_day: Estimate
    started: int
    stopped: int

    @property
    def verdict(self) -> str:
        """One sentence on what was shown of recall at the same volume, and of volume."""
        recall = f"no effect on recall is shown with {self.recall_at_threshold.n} positives"
        if self.p_adjusted < 0.05:
            raises = self.recall_at_volume.value > 0
            recall = f"it {'raises' if raises else 'lowers'} recall at the same volume"
        emails = self.emails_per_day
        if emails.low > 0 or emails.high < 0:
            does = "adds" if emails.value > 0 else "saves"
            return f"It {does} {abs(emails.value):.1f} emails a day at the threshold; {recall}."
        return f"No effect on emails at the threshold is shown; {recall}."

    def to_dict(self) -> dict[str, Any]:
        """Return the contribution as JSON values."""
        return {
            "kind": self.clause.kind.value,
            "clause": self.clause.text,
            "without": self.without,
            "recall_at_volume": self.recall_at_volume.to_dict(),
            "p_adjusted": self.p_adjusted,
            "recall_at_threshold": self.recall_at_threshold.to_dict(),
            "emails_per_day": self.emails_per_day.to_dict(),
            "started": self.started,
            "stopped": self.stopped,
            "verdict": self.verdict,
        }


@dataclass(frozen=True, slots=True)
class Ablation(Result):
    """Every clause's contribution, as `ablate` found it on one split.

    Attributes
    ----------
    trigger : str
        Name of the trigger that read the instruction.
    instruction : str
    split : Split
        Train to learn from it, test to report it; the threshold comes from tune.
    conversations, positives : int
    budget : Budget
    prevalence : float
    point : OperatingPoint
        Of the whole instruction.
    contributions : tuple of Contribution
        In the order of the clauses.
    kept : tuple of Clause
        Clauses that can't be dropped, since no cue would be left.
    """

    caption: ClassVar[str] = (
        "The instruction with each clause minus the instruction without it, with 95% intervals by "
        "customer."
    )

    trigger: str
    instruction: str
    split: Split
    conversations: int
    positives: int
    budget: Budget
    prevalence: float
    point: OperatingPoint
    contributions: tuple[Contribution, ...]
    kept: tuple[Clause, ...]

    def sentences(self) -> tuple[str, ...]:
        """Return what was shown of each clause."""
        return tuple(f"“{c.clause.text}”: {c.verdict}" for c in self.contributions)

    def frame(self) -> pd.DataFrame:
        """Return one row a clause: contributions with intervals, and what was shown."""
        import pandas as pd

        rows = [
            {
                "clause": c.clause.text,
                "kind": c.clause.kind.value,
                "n": self.conversations,
                "positives": self.positives,
                "recall at equal volume": c.recall_at_volume.short,
                "p (Holm)": round(c.p_adjusted, 4),
                "recall at the threshold": c.recall_at_threshold.short,
                "emails a day": c.emails_per_day.short,
                "emails started": c.started,
                "emails stopped": c.stopped,
                "verdict": c.verdict,
            }
            for c in self.contributions
        ]
        return pd.DataFrame(rows).set_index("clause")

    def plot(self, *, width: int = WIDE) -> Picture:
        """Return each clause's contribution to recall and to volume as a picture."""
        from handoff_eval.evaluation.wordings.clause_plot import clause_plot

        return clause_plot(self, width=width)

    def measured(self) -> dict[str, Estimate | float]:
        """Return what each clause adds; a clause is numbered as it stands in the instruction."""
        found: dict[str, Estimate | float] = {}
        for number, c in enumerate(self.contributions, 1):
            found |= {
                f"clause_{number}/recall_at_volume": c.recall_at_volume,
                f"clause_{number}/recall_at_threshold": c.recall_at_threshold,
                f"clause_{number}/emails_per_day": c.emails_per_day,
                f"clause_{number}/p_adjusted": c.p_adjusted,
            }
        return found

    def to_dict(self) -> dict[str, Any]:
        """Return the ablation as JSON values."""
        return {
            "trigger": self.trigger,
            "instruction": self.instruction,
            "split": self.split.value,
            "conversations": self.conversations,
            "positives": self.positives,
            "max_emails_per_day": self.budget.max_emails_per_day,
            "conversations_per_day": self.budget.conversations_per_day,
            "prevalence": self.prevalence,
            "operating_point": self.point.to_dict(),
            "contributions": [c.to_dict() for c in self.contributions],
            "kept": [clause.text for clause in self.kept],
        }


def ablate(
    instruction: str,
    wordings: Wordings,
    budget: Budget,
    *,
    prevalence: float,
    split: Split = Split.TRAIN,
    seed: int = 0,
) -> Ablation:
    """Measure the contribution of every clause.

    Each clause is dropped in turn and the shorter instruction compared with the whole one, on the
    same conversations with the same customer weights: once at the budget's volume, each with the
    threshold that sends so much, and once at the threshold of the whole instruction, which was
    chosen on tune. A trigger that only reads its instruction has learnt from no split, so train
    is as good as any to learn what a clause does; test is for the report.

    Parameters
    ----------
    instruction : str
    wordings : Wordings
        Scores of the trigger under any wording.
    budget : Budget
    prevalence : float
        Of the deployment, for volume.
    split : Split
    seed : int
        Of the bootstrap and of the draws in the exact tests.

    Raises
    ------
    LeakageError
        On tune, where the threshold was chosen.
    DataError
        When no clause can be dropped.
    """
    if split is Split.TUNE:
        raise LeakageError(
            "Expected to measure clauses on train, or on test for a report; got 'tune', where the "
            "threshold is chosen. Take another split."
        )
    parsed = parse_instruction(instruction)
    droppable = [
        i
        for i, clause in enumerate(parsed.clauses)
        if clause.kind is not PieceKind.CUE or len(parsed.cues) > 1
    ]
    if not droppable:
        raise DataError(
            f"Expected an instruction of several clauses; got {len(parsed.clauses)}, and without "
            "its only cue nothing would be looked for. Part it, or add clauses."
        )
    point = choose_operating_point(
        wordings.scored(instruction, Split.TUNE),
        budget,
        prevalence=prevalence,
        tries=1,
        dataset_digest=wordings.dataset.digest,
        seed=seed,
    )
    whole = wordings.scored(instruction, split)
    found = []
    for index in droppable:
        without = drop_clause(parsed, index).apply(instruction)
        part = wordings.scored(without, split)
        paired = paired_difference(
            whole, part, email_rate=budget.email_rate, prevalence=prevalence, seed=seed
        )
        frozen = threshold_difference(
            part,
            whole,
            thresholds=(point.threshold, point.threshold),
            prevalence=prevalence,
            seed=seed,
        )
        found.append((parsed.clauses[index], without, paired, frozen))
    adjusted = holm([paired.p_value for _, _, paired, _ in found])
    return Ablation(
        trigger=whole.replay.trigger,
        instruction=instruction,
        split=split,
        conversations=len(whole.peak),
        positives=int(whole.positive.sum()),
        budget=budget,
        prevalence=prevalence,
        point=point,
        contributions=tuple(
            Contribution(
                clause=clause,
                without=without,
                recall_at_volume=paired.difference,
                p_adjusted=p,
                recall_at_threshold=frozen.recall,
                emails_per_day=frozen.email_rate.scaled(budget.conversations_per_day),
                started=frozen.started,
                stopped=frozen.stopped,
            )
            for (clause, without, paired, frozen), p in zip(found, adjusted, strict=True)
        ),
        kept=_undroppable(parsed.clauses, droppable),
    )


def _undroppable(clauses: Sequence[Clause], droppable: Sequence[int]) -> tuple[Clause, ...]:
    return tuple(clause for i, clause in enumerate(clauses) if i not in droppable)
