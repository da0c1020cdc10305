"""Does the promise still hold? Every test over the decision log, and a verdict in a sentence.

A day counts once it is over and all its conversations are closed. The tests on volume and on
audited recall speak about the promise itself: an alarm there ends it. Scores and prevalence are
what the promise leans on: an alarm there puts it at risk.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import numpy as np

from handoff_eval.production.drift.conformal import conformal_martingale, conformal_p_values
from handoff_eval.production.drift.log import LogRow
from handoff_eval.production.drift.sequential import (
    ALPHA,
    Evidence,
    e_detector,
    e_process,
    recall_excess,
    volume_excess,
)

if TYPE_CHECKING:
    from handoff_eval.production.drift.trends import Trend


class Verdict(StrEnum):
    """What is left of the promise."""

    HOLDS = "holds"
    AT_RISK = "at risk"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class Promise:
    """What is watched.

    Attributes
    ----------
    max_email_rate : float
        Emails a conversation.
    min_recall : float
    prevalence : float or None
        That the promise leans on.
    source : str
        `certificate` or `budget`, which nobody has proved.
    """

    max_email_rate: float
    min_recall: float
    prevalence: float | None
    source: str


@dataclass(frozen=True, slots=True)
class Test:
    """One test and how it stands.

    Attributes
    ----------
    name : str
    says : Verdict
        What an alarm of this test makes of the promise.
    evidence : Evidence or None
        None where the log can't say.
    units : tuple of date
        The day of each value.
    words : str
        What was seen, or what is missing.
    """

    name: str
    says: Verdict
    evidence: Evidence | None
    units: tuple[date, ...]
    words: str

    @property
    def alarm(self) -> date | None:
        """The day of the first alarm."""
        if self.evidence is None or not self.evidence.values.size:
            return None
        at = int(self.evidence.alarm)
        return None if at < 0 else self.units[at]

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON values."""
        evidence, alarm = self.evidence, self.alarm
        return {
            "name": self.name,
            "available": evidence is not None,
            "alarm": alarm and alarm.isoformat(),
            "an_alarm_means": self.says.value,
            "value": None if evidence is None else evidence.last,
            "limit": None if evidence is None else evidence.limit,
            "error": None if evidence is None else evidence.meaning,
            "n": len(self.units),
            "words": self.words,
        }


@dataclass(frozen=True, slots=True)
class Day:
    """One finished day of the log."""

    date: date
    conversations: int
    emails: int
    mean_peak: float


@dataclass(frozen=True, slots=True)
class Watch:
    """The days, the tests and the verdict, and what is shown beside them."""

    promise: Promise
    days: tuple[Day, ...]
    tests: tuple[Test, ...]
    open_days: int
    trends: tuple[Trend, ...] = ()

    @property
    def verdict(self) -> Verdict:
        """The worst that any alarm says."""
        said = [test.says for test in self.tests if test.alarm is not None]
        order = list(Verdict)
        return max(said, key=order.index, default=Verdict.HOLDS)

    @property
    def alarms(self) -> tuple[Test, ...]:
        """The tests that raised one, the gravest first."""
        order = list(Verdict)
        raised = [test for test in self.tests if test.alarm is not None]
        return tuple(sorted(raised, key=lambda test: -order.index(test.says)))

    def sentence(self) -> str:
        """Return the verdict in words."""
        what = f"The {self.promise.source}"
        blind = [test.name for test in self.tests if test.evidence is None]
        if self.verdict is Verdict.HOLDS:
            said = f"{what} holds as far as {len(self.days)} days show"
        else:
            first = self.alarms[0]
            gone = "has expired" if self.promise.source == "certificate" else "is not kept"
            state = gone if self.verdict is Verdict.EXPIRED else "is at risk"
            said = f"{what} {state}: {first.words} (alarm on {first.alarm})"
        return f"{said}; the log can't say: {', '.join(blind)}." if blind else f"{said}."

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {
            "verdict": self.verdict.value,
            "sentence": self.sentence(),
            "promise": {
                "source": self.promise.source,
                "max_email_rate": self.promise.max_email_rate,
                "min_recall": self.promise.min_recall,
                "prevalence": self.promise.prevalence,
            },
            "days": len(self.days),
            "days_not_over": self.open_days,
            "conversations": sum(day.conversations for day in self.days),
            "emails": sum(day.emails for day in self.days),
            "tests": [test.to_dict() for test in self.tests],
            "trends": [trend.to_dict() for trend in self.trends],
        }


def watch(
    rows: Sequence[LogRow],
    promise: Promise,
    *,
    zone: ZoneInfo,
    now: datetime,
    audit_floor: float | None = None,
    more: Sequence[Test] = (),
    trends: Sequence[Trend] = (),
) -> Watch:
    """Return what the log says of a promise.

    Parameters
    ----------
    rows : sequence of LogRow
        Of one handoff.
    promise : Promise
    zone : ZoneInfo
        In which the days begin.
    now : datetime
        With a time zone; its day and later ones are not over.
    audit_floor : float, optional
        Smallest probability with which the audit plan draws an unsent conversation; the smallest
        in the log where None.
    more : sequence of Test
        Further ones, such as `novelty.novelty_test`.
    trends : sequence of Trend
        What is shown beside the tests.
    """
    begun = {row.started_at.astimezone(zone).date() for row in rows}
    over = finished_days(rows, zone=zone, today=now.astimezone(zone).date())
    days = tuple(
        Day(day, len(of), sum(r.fired for r in of), float(np.mean([r.peak for r in of])))
        for day, of in over.items()
    )
    audited = {day: of for day, of in over.items() if _is_audited(of)}
    floor = audit_floor or min(
        (row.audit_probability or 1.0 for of in audited.values() for row in of), default=1.0
    )
    tests = (
        *_volume(days, promise),
        _scores(days),
        _recall(audited, promise, floor),
        _prevalence(audited, promise, floor),
        *more,
    )
    return Watch(promise, days, tests, len(begun) - len(over), tuple(trends))


def finished_days(
    rows: Iterable[LogRow], *, zone: ZoneInfo, today: date
) -> dict[date, list[LogRow]]:
    """Return the rows of each day before today all of whose conversations are closed, in order."""
    by_day: dict[date, list[LogRow]] = {}
    for row in rows:
        by_day.setdefault(row.started_at.astimezone(zone).date(), []).append(row)
    return {
        day: of
        for day, of in sorted(by_day.items())
        if day < today and all(row.closed_at is not None for row in of)
    }


def _is_audited(rows: Iterable[LogRow]) -> bool:
    """Whether a day can be used for recall: all emails were read, and all that was drawn."""
    rows = list(rows)
    drawn = [row for row in rows if not row.fired and row.audit_probability is not None]
    read = [row for row in rows if row.fired or row.audit_probability is not None]
    return bool(drawn) and all(row.needed is not None for row in read)


def _volume(days: Sequence[Day], promise: Promise) -> list[Test]:
    bound, dates = promise.max_email_rate, tuple(day.date for day in days)
    emails, conversations = (
        np.array([getattr(day, name) for day in days], dtype=float)
        for name in ("emails", "conversations")
    )
    excess = volume_excess(emails, conversations, bound)
    share = emails.sum() / conversations.sum() if days else float("nan")
    words = f"{share:.1%} of {conversations.sum():.0f} conversations emailed, {bound:.1%} allowed"
    process, detector = e_process(excess, -bound), e_detector(excess, -bound)
    return [
        Test("volume, whole time", Verdict.EXPIRED, process, dates, words),
        # Its false alarms come by design, once in a mean run length; so it warns.
        Test("volume, recent change", Verdict.AT_RISK, detector, dates, words),
    ]


def _scores(days: Sequence[Day]) -> Test:
    means = np.array([day.mean_peak for day in days])
    evidence = conformal_martingale(conformal_p_values(means))
    half = len(days) // 2
    words = (
        f"mean highest score {means[:half].mean():.3f} in the first half of the days, "
        f"{means[half:].mean():.3f} in the second"
        if half
        else "too few days to compare"
    )
    return Test("scores", Verdict.AT_RISK, evidence, tuple(d.date for d in days), words)


_NOT_AUDITED = "no day on which all emails and a drawn sample of the unsent were reviewed"


def _recall(audited: dict[date, list[LogRow]], promise: Promise, floor: float) -> Test:
    read = [(day, row) for day, of in audited.items() for row in of if row.needed is not None]
    if not read:
        return Test("audited recall", Verdict.EXPIRED, None, (), _NOT_AUDITED)
    needed = np.array([bool(row.needed) for _, row in read], dtype=float)
    sent = np.array([row.fired for _, row in read])
    weights = np.array([1.0 if r.fired else 1 / (r.audit_probability or 1.0) for _, r in read])
    excess = recall_excess(needed * ~sent, needed, weights, promise.min_recall)
    evidence = e_process(excess, -(1 - promise.min_recall) / floor)
    total = float((weights * needed).sum())
    caught = float((weights * needed * sent).sum())
    words = (
        f"recall about {caught / total:.0%} from {len(read)} reviews, "
        f"{promise.min_recall:.0%} promised; {int((needed * sent).sum())} of {int(sent.sum())} "
        "emails that were read were needed"
        if total
        else f"none of {len(read)} reviewed conversations needed a handoff"
    )
    return Test("audited recall", Verdict.EXPIRED, evidence, tuple(d for d, _ in read), words)


def _prevalence(audited: dict[date, list[LogRow]], promise: Promise, floor: float) -> Test:
    """Test both directions at half the risk each, by days, as conversations of one share shocks."""
    stated = promise.prevalence
    if stated is None or not audited:
        words = _NOT_AUDITED if stated is not None else "the promise states no prevalence"
        return Test("prevalence", Verdict.AT_RISK, None, (), words)
    found = np.array([np.mean([_weight(row) for row in of]) for of in audited.values()])
    rise = e_process(found - stated, -stated, alpha=ALPHA / 2)
    fall = e_process(stated - found, stated - 1 / floor, alpha=ALPHA / 2)
    evidence = Evidence(
        np.maximum(rise.values, fall.values),
        rise.limit,
        f"ever a false alarm: probability at most {ALPHA:g}, half a direction",
    )
    words = f"{found.mean():.1%} in need by {len(found)} audited days, {stated:.1%} stated"
    return Test("prevalence", Verdict.AT_RISK, evidence, tuple(audited), words)


def _weight(row: LogRow) -> float:
    if not row.needed:
        return 0.0
    return 1.0 if row.fired else 1 / (row.audit_probability or 1.0)
