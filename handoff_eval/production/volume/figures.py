"""What the emails of a period come to: by day, reason and topic, needless, unanswered, missed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from statistics import median
from typing import Any
from zoneinfo import ZoneInfo

from handoff_eval.conversation import Label
from handoff_eval.encoders.base import Encoder
from handoff_eval.evaluation.intervals import Estimate, clopper_pearson
from handoff_eval.handoff import Handoff
from handoff_eval.mail.entries import Kind, OutboxEntry, Status
from handoff_eval.production.drift.log import LogRow
from handoff_eval.production.feedback.logged import Logged
from handoff_eval.production.volume.themes import Question, find_questions, name_topics
from handoff_eval.production.volume.waiting import Waiting, find_waiting

OUTSTANDING = 1.5
"""A day with so many times the emails of a usual day is worth a sentence."""


@dataclass(frozen=True, slots=True)
class DayVolume:
    """One finished day: its emails, and what those that were read turned out to be."""

    date: date
    emails: int
    needed: int
    needless: int


@dataclass(frozen=True, slots=True)
class Group:
    """Emails with one reason or topic."""

    name: str
    emails: int
    needed: int
    needless: int

    @property
    def read(self) -> int:
        """How many somebody has read."""
        return self.needed + self.needless


@dataclass(frozen=True, slots=True)
class Busiest:
    """A day far above the usual one, and the topic that swelled most on it."""

    day: DayVolume
    usual: float
    topic: str
    of_topic: int


@dataclass(frozen=True, slots=True)
class Volume:
    """The figures of a period.

    Attributes
    ----------
    conversations : int
        Begun in the period.
    days : tuple of DayVolume
        Each finished day from the first to the last of the period.
    reasons, topics : tuple of Group
        Most emails first.
    precision : Estimate or None
        Share of the read emails that were needed; None where none was read.
    questions : tuple of Question
        The needless emails, most first.
    waiting : tuple of Waiting
        Oldest first.
    answers_known : bool
        Whether anybody has ever said that a customer was answered.
    undelivered : int
        Emails that the mail server refused for good.
    busiest : Busiest or None
    """

    conversations: int
    days: tuple[DayVolume, ...]
    reasons: tuple[Group, ...]
    topics: tuple[Group, ...]
    precision: Estimate | None
    questions: tuple[Question, ...]
    waiting: tuple[Waiting, ...]
    answers_known: bool
    undelivered: int
    busiest: Busiest | None

    @property
    def emails(self) -> int:
        """All emails of the period."""
        return sum(day.emails for day in self.days)

    @property
    def per_day(self) -> float:
        """Emails on a day of the period, on average; NaN without any day."""
        return self.emails / len(self.days) if self.days else float("nan")

    def to_dict(self) -> dict[str, Any]:
        """Return the figures as JSON values, without anything that customers wrote."""
        return {
            "conversations": self.conversations,
            "emails": self.emails,
            "days": [
                {
                    "date": day.date.isoformat(),
                    "emails": day.emails,
                    "needed": day.needed,
                    "needless": day.needless,
                }
                for day in self.days
            ],
            "reasons": [
                {"reason": g.name, "emails": g.emails, "needed": g.needed, "needless": g.needless}
                for g in self.reasons
            ],
            "precision": None if self.precision is None else self.precision.to_dict(),
            "needless": [list(question.ids) for question in self.questions],
            "unanswered": [one.conversation_id for one in self.waiting],
            "undelivered": self.undelivered,
        }


def count_volume(
    logged: Logged,
    *,
    handoff: Handoff,
    zone: ZoneInfo,
    now: datetime,
    days: int,
    labels: Mapping[str, Label],
    answered: Collection[str],
    entries: Sequence[OutboxEntry] | None,
    encoder: Encoder,
) -> Volume:
    """Return the figures of the last `days` finished days of a log.

    Parameters
    ----------
    logged : Logged
        Its rows carry what reviewers said (`with_reviews`).
    handoff : Handoff
        For the hours in which answers fall due.
    zone : ZoneInfo
        In which the days begin.
    now : datetime
        Its day is not over.
    days : int
        At most so many finished days, up to the last.
    labels : mapping of str to Label
        Of record, by conversation id, for their notes.
    answered : collection of str
        Ids of conversations whose customer had an answer.
    entries : sequence of OutboxEntry, optional
        What became of the emails.
    encoder : Encoder
        Groups emails by topic.
    """
    today = now.astimezone(zone).date()
    start = today - timedelta(days=days)
    begun = [row for row in logged.rows if start <= row.started_at.astimezone(zone).date() < today]
    sent = [
        row
        for row in logged.rows
        if row.fired_at is not None and start <= row.fired_at.astimezone(zone).date() < today
    ]
    per_day = _days(sent, begun, zone)
    topic_of, names = name_topics(sent, begun, logged.conversations, encoder)
    topics = _groups(sent, lambda row: topic_of.get(row.conversation_id))
    return Volume(
        conversations=len(begun),
        days=per_day,
        reasons=_groups(sent, lambda row: (row.reason or "no reason given").replace("_", " ")),
        topics=tuple(Group(names[int(g.name)], g.emails, g.needed, g.needless) for g in topics),
        precision=_precision(sent),
        questions=find_questions(sent, begun, logged.conversations, labels, encoder),
        waiting=find_waiting(logged, handoff, now=now, answered=answered, entries=entries),
        answers_known=bool(answered),
        undelivered=sum(
            entry.status is Status.DEAD and entry.kind is Kind.EMAIL for entry in entries or ()
        ),
        busiest=_busiest(per_day, sent, zone, topic_of, names),
    )


def _days(sent: Sequence[LogRow], begun: Sequence[LogRow], zone: ZoneInfo) -> tuple[DayVolume, ...]:
    seen = [_day(row, zone) for row in sent] + [
        row.started_at.astimezone(zone).date() for row in begun
    ]
    if not seen:
        return ()
    first, last = min(seen), max(seen)
    emails, needed, needless = Counter[date](), Counter[date](), Counter[date]()
    for row in sent:
        day = _day(row, zone)
        emails[day] += 1
        needed[day] += row.needed is True
        needless[day] += row.needed is False
    return tuple(
        DayVolume(day, emails[day], needed[day], needless[day])
        for day in (first + timedelta(days=n) for n in range((last - first).days + 1))
    )


def _day(row: LogRow, zone: ZoneInfo) -> date:
    assert row.fired_at is not None  # noqa: S101 - asked of sent ones
    return row.fired_at.astimezone(zone).date()


def _groups(sent: Sequence[LogRow], name_of: Any) -> tuple[Group, ...]:
    members: dict[str, list[LogRow]] = {}
    for row in sent:
        if (name := name_of(row)) is not None:
            members.setdefault(str(name), []).append(row)
    groups = [
        Group(
            name,
            len(rows),
            sum(row.needed is True for row in rows),
            sum(row.needed is False for row in rows),
        )
        for name, rows in members.items()
    ]
    return tuple(sorted(groups, key=lambda group: (-group.emails, group.name)))


def _precision(sent: Sequence[LogRow]) -> Estimate | None:
    read = [row for row in sent if row.needed is not None]
    if not read:
        return None
    needed = sum(row.needed is True for row in read)
    low, high = clopper_pearson(needed, len(read))
    return Estimate(needed / len(read), low, high, len(read), "exact binomial")


def _busiest(
    days: Sequence[DayVolume],
    sent: Sequence[LogRow],
    zone: ZoneInfo,
    topic_of: Mapping[str, int],
    names: Sequence[str],
) -> Busiest | None:
    if len(days) < 3:
        return None
    top = max(days, key=lambda day: day.emails)
    usual = median(day.emails for day in days if day is not top)
    if top.emails < max(OUTSTANDING * usual, usual + 5):
        return None
    there, elsewhere = Counter[int](), Counter[int]()
    for row in sent:
        if row.conversation_id in topic_of:
            topic = topic_of[row.conversation_id]
            (there if _day(row, zone) == top.date else elsewhere)[topic] += 1
    if not there:
        return Busiest(top, usual, "", 0)
    swelled = max(there, key=lambda topic: there[topic] - elsewhere[topic] / (len(days) - 1))
    return Busiest(top, usual, names[swelled], there[swelled])
