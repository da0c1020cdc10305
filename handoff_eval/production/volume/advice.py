"""The figures of a period in words: a headline, what there is to say, what to do this week."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from math import isnan

from handoff_eval.evaluation.audit.estimate import AuditEstimate
from handoff_eval.evaluation.intervals import Estimate
from handoff_eval.handoff import Budget
from handoff_eval.production.drift.watch import Verdict, Watch
from handoff_eval.production.volume.figures import Volume
from handoff_eval.production.volume.waiting import Waiting

ACTIONS = 3
MOSTLY = 0.8
"""With less of the emails read than this, reading them is worth a sentence."""


def title(volume: Volume, budget: Budget | None) -> str:
    """Return the headline: emails a day, against the budget where there is one."""
    if not volume.days:
        return "No finished day in the log yet"
    per_day = f"{volume.per_day:.1f} emails a day"
    if budget is None:
        return f"{per_day}, and no budget to hold them against"
    most = budget.max_emails_per_day
    if volume.per_day > most:
        return f"{per_day}, {volume.per_day - most:.1f} more than the {most:g} you planned"
    return f"{per_day}, within the {most:g} you planned"


def sentences(
    volume: Volume, budget: Budget | None, audit: AuditEstimate | None, watch: Watch | None
) -> Iterator[str]:
    """Yield what a team lead asks first, each in a sentence."""
    if volume.days:
        first, last = volume.days[0].date, volume.days[-1].date
        yield (
            f"{_count(volume.emails, 'email')} from {_count(volume.conversations, 'conversation')}"
            f" in {_count(len(volume.days), 'day')}, {first:%-d %B} to {last:%-d %B %Y}."
        )
        if budget is not None:
            above = sum(day.emails > budget.max_emails_per_day for day in volume.days)
            yield f"{above or 'None'} of these days had more than {budget.max_emails_per_day:g}."
    if (busy := volume.busiest) is not None:
        about = f" {busy.of_topic} of them were about {busy.topic}." if busy.topic else ""
        yield (
            f"{busy.day.date:%A %-d %B} had {busy.day.emails} emails, against {busy.usual:g} on "
            f"a usual day.{about}"
        )
    if volume.precision is not None:
        yield f"{_share(volume.precision)} of the emails that somebody read were needed."
    if audit is not None:
        yield f"{_missed(audit)} needed a person and got no email."
    if watch is not None:
        yield watch.sentence()


def this_week(
    volume: Volume,
    budget: Budget | None,
    audit: AuditEstimate | None,
    watch: Watch | None,
    *,
    now: datetime,
) -> tuple[str, ...]:
    """Return the three things most worth doing, the most pressing first."""
    found = [
        *_pressing(volume, watch, now),
        *_to_teach(volume, budget),
        *_to_find_out(volume, audit),
        *_always(volume),
    ]
    return tuple(found[:ACTIONS])


def _pressing(volume: Volume, watch: Watch | None, now: datetime) -> Iterator[str]:
    if volume.undelivered:
        yield (
            f"Find out why {_count(volume.undelivered, 'email')} could not be delivered: "
            "'handoff-eval outbox' names them and what the mail server said."
        )
    if overdue := [one for one in volume.waiting if one.overdue]:
        yield (
            f"Answer {overdue[0].conversation_id} first: it has waited for "
            f"{_age(overdue[0], now)}, and {_count(len(overdue), 'customer')} "
            f"{'has' if len(overdue) == 1 else 'have'} waited longer than they were told."
        )
    elif volume.answers_known and volume.waiting:
        yield (
            f"Answer {volume.waiting[0].conversation_id} first: it has waited for "
            f"{_age(volume.waiting[0], now)}, the longest of {len(volume.waiting)}."
        )
    if watch is not None and watch.verdict is Verdict.EXPIRED:
        yield (
            "Have the threshold chosen anew on recent conversations: until then nothing is "
            "promised of how many emails come or how many customers are missed."
        )
    if watch is not None and watch.verdict is Verdict.AT_RISK:
        yield (
            f"Look at what came since {watch.alarms[0].alarm:%-d %B}: {watch.alarms[0].name} has "
            "changed, and the promise leans on it."
        )


def _to_teach(volume: Volume, budget: Budget | None) -> Iterator[str]:
    for number, question in enumerate(volume.questions[:2]):
        all_needless = sum(len(one.ids) for one in volume.questions)
        over = budget is not None and volume.per_day > budget.max_emails_per_day
        why = " That alone brings you nearer to your budget." if over and not number else ""
        yield (
            f"Teach your agent to answer what comes under “{question.name}”: "
            f"{len(question.ids)} of {_count(all_needless, 'needless email')}, such as "
            f"{', '.join(question.ids[:3])}.{why}"
        )


def _to_find_out(volume: Volume, audit: AuditEstimate | None) -> Iterator[str]:
    read = 0 if volume.precision is None else volume.precision.n
    if read < MOSTLY * volume.emails:
        yield (
            f"Mark the {volume.emails - read} emails that nobody has judged yet, with "
            "'handoff-eval review': each takes a minute, and only then is it known how many were "
            "needless and why."
        )
    if audit is None:
        yield (
            "Review a sample of conversations that sent no email: 'handoff-eval audit plan' draws "
            "it. Customers who were missed are found there and nowhere else."
        )
    elif audit.recall.high - audit.recall.low > 0.3:
        yield (
            f"Review more conversations that sent no email: {audit.recall.n} reviews leave the "
            f"share of customers caught anywhere from {audit.recall.low:.0%} to "
            f"{audit.recall.high:.0%}."
        )


def _always(volume: Volume) -> Iterator[str]:
    if volume.topics:
        top = volume.topics[0]
        yield (
            f"Read five of the {top.emails} emails about {top.name}, your largest topic, and ask "
            "whether the agent could have solved them."
        )
    yield (
        "Save the reviews as labels, with 'handoff-eval labels collect': the next threshold is "
        "then chosen from your own traffic."
    )
    yield "Look at this page again in a week: one more week makes every interval narrower."
    yield "Tell the team where this page is, so that each can mark the emails they answer."


def _share(estimate: Estimate) -> str:
    return (
        f"{estimate.value:.0%} ({estimate.low:.0%} to {estimate.high:.0%}, "
        f"{estimate.level:.0%} confidence, n {estimate.n})"
    )


def _missed(audit: AuditEstimate) -> str:
    missed = audit.missed
    if isnan(missed.value):
        return "An unknown number of conversations"
    return (
        f"About {missed.value:.0f} conversations of the audit's period "
        f"({missed.low:.0f} to {missed.high:.0f}, {missed.level:.1%} confidence, from {missed.n} "
        "reviews)"
    )


def _age(one: Waiting, now: datetime) -> str:
    hours = (now - one.since).total_seconds() / 3600
    return _count(round(hours), "hour") if hours < 48 else _count(round(hours / 24), "day")


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
