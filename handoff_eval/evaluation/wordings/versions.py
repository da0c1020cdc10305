"""Two versions of an instruction side by side: the words, the decisions, the figures."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass, replace
from html import escape
from typing import TYPE_CHECKING, Any, ClassVar

from handoff_eval.conversation import Split
from handoff_eval.errors import LeakageError
from handoff_eval.evaluation.comparison.paired import PairedDifference, paired_difference
from handoff_eval.evaluation.look import WIDE
from handoff_eval.evaluation.operating_point import OperatingPoint
from handoff_eval.evaluation.promise.budget import choose_operating_point
from handoff_eval.evaluation.result import Result
from handoff_eval.evaluation.threshold_difference import (
    Flip,
    ThresholdDifference,
    flips,
    threshold_difference,
)
from handoff_eval.evaluation.wordings.scores import Wordings
from handoff_eval.handoff import Budget

if TYPE_CHECKING:
    import pandas as pd

    from handoff_eval.evaluation.intervals import Estimate
    from handoff_eval.evaluation.look import Picture

_WORD = re.compile(r"\w+(?:['’-]\w+)*\s*|\W\s*")
BEFORE, AFTER = "the version before", "the version after"


@dataclass(frozen=True, slots=True)
class Change:
    """A stretch of words: `kind` is `same`, `removed` or `added`."""

    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class VersionComparison(Result):
    """What `compare_versions` found on one split.

    Attributes
    ----------
    trigger : str
        Name of the trigger that read both.
    before, after : str
        The two texts.
    changes : tuple of Change
        The second text word by word against the first.
    split : Split
    conversations, positives : int
    budget : Budget
    prevalence : float
    points : tuple of OperatingPoint
        Of each version, chosen on tune by the same rule.
    at_volume : PairedDifference
        Recall of the second minus recall of the first at the budget's volume.
    at_thresholds : ThresholdDifference
        Second minus first, each at its own operating point.
    flips : tuple of Flip
        Conversations that only one of them emails there, the widest apart first.
    """

    caption: ClassVar[str] = "Conversations that only one of the two emails, to be read."

    trigger: str
    before: str
    after: str
    changes: tuple[Change, ...]
    split: Split
    conversations: int
    positives: int
    budget: Budget
    prevalence: float
    points: tuple[OperatingPoint, OperatingPoint]
    at_volume: PairedDifference
    at_thresholds: ThresholdDifference
    flips: tuple[Flip, ...]

    @property
    def verdict(self) -> str:
        """One sentence on whether the second version is better."""
        return self.at_volume.verdict

    def sentences(self) -> tuple[str, ...]:
        """Return whether the second is better, and what changes at each one's threshold."""
        emails = self.at_thresholds.email_rate.scaled(self.budget.conversations_per_day)
        right = sum(flip.better for flip in self.flips)
        return (
            self.verdict,
            f"At the thresholds chosen on tune, the version after starts "
            f"{self.at_thresholds.started} emails and stops {self.at_thresholds.stopped} on "
            f"{self.conversations} conversations of {self.split.value}; {right} of these "
            f"{len(self.flips)} changes are right. In emails a day that is {emails.short}, in "
            f"recall {self.at_thresholds.recall}.",
        )

    def plot(self, *, width: int = WIDE) -> Picture:
        """Return the emails that start and stop, needed and needless."""
        from handoff_eval.evaluation.wordings.versions_plot import versions_plot

        return versions_plot(self, width=width)

    def measured(self) -> dict[str, Estimate | float]:
        """Return the differences at equal volume and at each one's threshold."""
        return {
            "recall_difference_at_volume": self.at_volume.difference,
            "recall_difference_at_thresholds": self.at_thresholds.recall,
            "email_rate_difference": self.at_thresholds.email_rate,
            "flips": float(len(self.flips)),
        }

    def frame(self) -> pd.DataFrame:
        """Return one row a flipped conversation, to be read."""
        import pandas as pd

        columns = ["conversation", "email", "needed", "better", "score before", "score after"]
        rows = [
            {
                "conversation": flip.item.conversation.id,
                "email": "started" if flip.started else "stopped",
                "needed": flip.item.label.handoff,
                "better": flip.better,
                "score before": round(flip.before, 4),
                "score after": round(flip.after, 4),
            }
            for flip in self.flips
        ]
        return pd.DataFrame(rows, columns=columns).set_index("conversation")

    def to_dict(self) -> dict[str, Any]:
        """Return everything but the transcripts as JSON values."""
        emails = self.at_thresholds.email_rate.scaled(self.budget.conversations_per_day)
        return {
            "trigger": self.trigger,
            "before": self.before,
            "after": self.after,
            "changes": [{"kind": c.kind, "text": c.text} for c in self.changes],
            "split": self.split.value,
            "conversations": self.conversations,
            "positives": self.positives,
            "prevalence": self.prevalence,
            "operating_points": [point.to_dict() for point in self.points],
            "recall_difference_at_volume": {
                "email_rate": self.at_volume.email_rate,
                **self.at_volume.difference.to_dict(),
                "p_value": self.at_volume.p_value,
            },
            "recall_difference_at_thresholds": self.at_thresholds.recall.to_dict(),
            "emails_per_day_difference": emails.to_dict(),
            "verdict": self.verdict,
            "flips": [flip.to_dict() for flip in self.flips],
        }

    def diff_text(self) -> str:
        """Return the change of words as text: `[-removed-]`, `{+added+}`."""
        marks = {"same": "{}", "removed": "[-{}-]", "added": "{{+{}+}}"}
        return "".join(marks[change.kind].format(change.text) for change in self.changes)

    def _repr_html_(self) -> str:
        tags = {"same": "{}", "removed": "<del>{}</del>", "added": "<ins>{}</ins>"}
        words = "".join(tags[change.kind].format(escape(change.text)) for change in self.changes)
        return f"<p>{words}</p><p>{escape(self.verdict)}</p>{self.frame().to_html()}"


def compare_versions(
    before: str,
    after: str,
    wordings: Wordings,
    budget: Budget,
    *,
    prevalence: float,
    split: Split = Split.TRAIN,
    seed: int = 0,
) -> VersionComparison:
    """Compare two wordings of an instruction under the same trigger.

    Each gets its threshold on tune by the same rule, the risk shared by the two. On train the
    flipped conversations may be read and written for; on test they are a report, and an
    instruction changed after reading them must not be reported there again.

    Raises
    ------
    LeakageError
        On tune, where the thresholds were chosen.
    """
    if split is Split.TUNE:
        raise LeakageError(
            "Expected to compare versions on train, or on test for a report; got 'tune', where "
            "the thresholds are chosen. Take another split."
        )
    first, second = (
        choose_operating_point(
            wordings.scored(text, Split.TUNE),
            budget,
            prevalence=prevalence,
            tries=2,
            dataset_digest=wordings.dataset.digest,
            seed=seed,
        )
        for text in (before, after)
    )
    thresholds = (first.threshold, second.threshold)
    old, new = wordings.scored(before, split), wordings.scored(after, split)
    return VersionComparison(
        trigger=old.replay.trigger,
        before=before,
        after=after,
        changes=word_changes(before, after),
        split=split,
        conversations=len(old.peak),
        positives=int(old.positive.sum()),
        budget=budget,
        prevalence=prevalence,
        points=(first, second),
        at_volume=replace(
            paired_difference(
                new, old, email_rate=budget.email_rate, prevalence=prevalence, seed=seed
            ),
            first=AFTER,
            second=BEFORE,
        ),
        at_thresholds=threshold_difference(
            old, new, thresholds=thresholds, prevalence=prevalence, seed=seed
        ),
        flips=flips(old, new, wordings.items(split), thresholds=thresholds),
    )


def word_changes(before: str, after: str) -> tuple[Change, ...]:
    """Return the second text against the first, word by word; spaces go with the word before."""
    old, new = _WORD.findall(before), _WORD.findall(after)
    changes = []
    matcher = difflib.SequenceMatcher(None, old, new, autojunk=False)
    for kind, a, b, c, d in matcher.get_opcodes():
        if kind == "equal":
            changes.append(Change("same", "".join(old[a:b])))
            continue
        if b > a:
            changes.append(Change("removed", "".join(old[a:b])))
        if d > c:
            changes.append(Change("added", "".join(new[c:d])))
    return tuple(changes)
