"""What reviewers and summaries show week by week, each with its limits: to look at, not to alarm.

A week with few reviews has wide limits, and many weeks are looked at together, so a single one
outside of the others proves nothing; the tests of `watch` are the ones with a stated error.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from handoff_eval.conversation import Conversation, Reason
from handoff_eval.decision import Decision
from handoff_eval.evaluation.audit.estimate import gamma_limits
from handoff_eval.evaluation.intervals import LEVEL, Estimate, clopper_pearson
from handoff_eval.production.drift.log import LogRow
from handoff_eval.summaries.metrics import score_summary
from handoff_eval.summaries.structured import StructuredSummarizer
from handoff_eval.trigger import Explanation

MOST_SUMMARIES = 50
"""Emails of a week whose summaries are checked, spread evenly over it."""
WEEKS = 26
"""The latest ones, which are measured."""


@dataclass(frozen=True, slots=True)
class Trend:
    """One share, week by week.

    Attributes
    ----------
    name : str
    weeks : tuple of (date, Estimate)
        The Monday of each week that can say something, and the share there.
    missing : str
        What would be needed, where no week can say anything.
    """

    name: str
    weeks: tuple[tuple[date, Estimate], ...]
    missing: str

    @property
    def words(self) -> str:
        """The last week against the first, or what is missing."""
        if not self.weeks:
            return f"{self.name}: not known, {self.missing}"
        said = [
            f"{estimate.value:.0%} ({estimate.low:.0%} to {estimate.high:.0%}, n {estimate.n}) in "
            f"the week of {week}"
            for week, estimate in (self.weeks[0], self.weeks[-1])
        ]
        return f"{self.name}: {said[0]}" + (f", {said[1]}" if len(self.weeks) > 1 else "")

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {
            "name": self.name,
            "weeks": [{"week": week.isoformat(), **e.to_dict()} for week, e in self.weeks],
            "missing": self.missing if not self.weeks else None,
        }


def find_trends(
    rows: Sequence[LogRow], conversations: Mapping[str, Conversation], *, zone: ZoneInfo
) -> tuple[Trend, ...]:
    """Return reviewed precision, audited recall and faults of summaries, week by week.

    Parameters
    ----------
    rows : sequence of LogRow
        Of one handoff, with what reviewers said.
    conversations : mapping of str to Conversation
        By id, for the summaries.
    zone : ZoneInfo
        In which the weeks begin, on Mondays.
    """
    weeks: dict[date, list[LogRow]] = {}
    for row in rows:
        day = row.started_at.astimezone(zone).date()
        weeks.setdefault(day - timedelta(days=day.weekday()), []).append(row)

    def trend(
        name: str, measure: Callable[[Sequence[LogRow]], Estimate | None], missing: str
    ) -> Trend:
        found = ((week, measure(weeks[week])) for week in sorted(weeks)[-WEEKS:])
        return Trend(name, tuple((w, e) for w, e in found if e is not None), missing)

    return (
        trend("reviewed precision", reviewed_precision, "no email was reviewed"),
        trend(
            "audited recall", audited_recall, "no week has reviews of emails and of a drawn sample"
        ),
        trend(
            "faulty summaries",
            lambda of: faulty_summaries(of, conversations),
            "the log has no texts; give --transcripts",
        ),
    )


def reviewed_precision(rows: Sequence[LogRow]) -> Estimate | None:
    """Return the share of the reviewed emails that were needed; None where none was reviewed."""
    said = [row.needed for row in rows if row.fired and row.needed is not None]
    return _share(sum(said), len(said)) if said else None


def audited_recall(rows: Sequence[LogRow]) -> Estimate | None:
    """Return recall by inverse weighting; None where emails or a whole stratum were not read.

    The missed total has gamma limits (Fay and Feuer 1997) as in `evaluation.audit`, the caught
    one exact ones where not all emails were read; the risk is halved between the two. Rows drawn
    at the same probability are one stratum, whose read rows stand for the unread.
    """
    emails = [row for row in rows if row.fired]
    read = [row for row in emails if row.needed is not None]
    drawn = [row for row in rows if not row.fired and row.audit_probability is not None]
    if not drawn or (emails and not read):
        return None
    total = squares = largest = 0.0
    reviews = len(read)
    for probability in {row.audit_probability or 1.0 for row in drawn}:
        stratum = [row for row in drawn if row.audit_probability == probability]
        said = [row.needed for row in stratum if row.needed is not None]
        if not said:
            return None
        weight = len(stratum) / len(said) / probability
        total += weight * sum(said)
        squares += weight**2 * sum(said)
        largest = max(largest, weight)
        reviews += len(said)
    side = 1 - (1 - LEVEL) / 2
    low, high = (float(limit) for limit in gamma_limits(total, squares, largest, level=side))
    needed = sum(row.needed is True for row in read)
    caught = least = most = float(needed)
    if len(read) < len(emails):
        limits = clopper_pearson(needed, len(read), level=side)
        caught = needed / len(read) * len(emails)
        least, most = (limit * len(emails) for limit in limits)
    if caught + total == 0:
        return None
    return Estimate(
        caught / (caught + total),
        least / (least + high),
        most / (most + low) if most + low > 0 else 1.0,
        reviews,
        "gamma limits",
    )


def faulty_summaries(
    rows: Sequence[LogRow], conversations: Mapping[str, Conversation]
) -> Estimate | None:
    """Return the share of summaries with anything invented, swapped or unsupported.

    The structured summary is made again from what was visible at the fire; None without texts.
    """
    known = [row for row in rows if row.fired and row.conversation_id in conversations]
    step = max(1, len(known) // MOST_SUMMARIES)
    faults = [_is_faulty(row, conversations[row.conversation_id]) for row in known[::step]]
    return _share(sum(faults), len(faults)) if faults else None


def _is_faulty(row: LogRow, conversation: Conversation) -> bool:
    turns = conversation.turns[: row.turns or len(conversation.turns)]
    decision = Decision(
        conversation_id=row.conversation_id,
        handoff=row.handoff,
        fired=True,
        turns=len(turns),
        closed=False,
        score=row.peak,
        threshold=row.peak,
        explanation=Explanation(Reason(row.reason) if row.reason in set(Reason) else None),
    )
    summary = StructuredSummarizer().summarize(turns, decision=decision)
    score = score_summary(summary.statements(turns), turns=turns, facts=(), subject=summary.subject)
    return bool(score.invented or score.swapped or score.unsupported)


def _share(some: int, n: int) -> Estimate:
    low, high = clopper_pearson(some, n)
    return Estimate(some / n, low, high, n, "exact binomial")
