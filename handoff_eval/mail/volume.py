"""A warning to the team when the day's volume has left the range that was certified.

The certificate bounds the mean number of emails a day from above by the budget, and, while
prevalence and recall are as stated, needed handoffs alone bound it from below by prevalence *
recall * conversations. A day's count outside of what a Poisson variable with that mean shows, at
half of `daily_risk` a side, is reported. So a day within the range gives a false warning with a
probability of at most `daily_risk` where conversations come independently of each other; days
that swing more than that (a campaign, an outage) raise it, which is why one warning says "look"
and not "wrong".
"""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from email.message import EmailMessage
from email.policy import SMTP
from zoneinfo import ZoneInfo

from handoff_eval.handoff import Budget, Handoff
from handoff_eval.hours import day_of
from handoff_eval.mail.headers import email_key, set_team_headers
from handoff_eval.mail.outbox import Outbox


def most_expected(mean: float, risk: float) -> int:
    """Return the largest count of a Poisson variable that is not beyond chance.

    It is min{x : P(Poisson(mean) > x) <= risk}.
    """
    count, term = 0, math.exp(-mean)
    below = term
    while 1 - below > risk:
        count += 1
        term *= mean / count
        below += term
    return count


def least_expected(mean: float, risk: float) -> int:
    """Return the smallest count that is not below chance: min{x : P(Poisson(mean) <= x) > risk}."""
    count, term = 0, math.exp(-mean)
    below = term
    while below <= risk:
        count += 1
        term *= mean / count
        below += term
    return count


def expected_range(budget: Budget, *, daily_risk: float) -> tuple[int, int]:
    """Return the smallest and largest daily count that don't speak against the budget."""
    least = 0
    if budget.prevalence is not None:
        needed = budget.prevalence * budget.min_recall * budget.conversations_per_day
        least = least_expected(needed, daily_risk / 2)
    return least, most_expected(budget.max_emails_per_day, daily_risk / 2)


def warn_of_volume(outbox: Outbox, handoff: Handoff, *, at: datetime, zone: ZoneInfo) -> bool:
    """Queue a warning where today's count is too high or yesterday's too low; whether it did.

    To be called after each handoff and once a day; a handoff without a budget has no range.
    Yesterday is judged only if the outbox knew of an earlier day.

    Parameters
    ----------
    outbox : Outbox
    handoff : Handoff
    at : datetime
        Now, with a time zone.
    zone : ZoneInfo
        In which the days begin.
    """
    if handoff.budget is None:
        return False
    least, most = expected_range(handoff.budget, daily_risk=handoff.warning.daily_risk)
    today, _ = day_of(at, zone)
    yesterday, _ = day_of(today - timedelta(hours=1), zone)
    count = outbox.handed_over(handoff.name, since=today, until=at + timedelta(microseconds=1))
    if count > most:
        return _warn(outbox, handoff, day=today, count=count, least=least, most=most, at=at)
    long_ago = datetime.fromtimestamp(0, zone)
    if least and outbox.handed_over(handoff.name, since=long_ago, until=yesterday):
        count = outbox.handed_over(handoff.name, since=yesterday, until=today)
        if count < least:
            return _warn(outbox, handoff, day=yesterday, count=count, least=least, most=most, at=at)
    return False


def _warn(
    outbox: Outbox,
    handoff: Handoff,
    *,
    day: datetime,
    count: int,
    least: int,
    most: int,
    at: datetime,
) -> bool:
    budget, warning = handoff.budget, handoff.warning
    assert budget is not None  # noqa: S101 - the caller has looked
    high = count > most
    about = f"volume {day.date().isoformat()} {'high' if high else 'low'}"
    key = email_key(handoff.name, "notice", about)
    message = EmailMessage(policy=SMTP)
    set_team_headers(
        message,
        handoff=handoff.name,
        sender=handoff.sender,
        recipients=handoff.recipients,
        subject=f"{'More' if high else 'Fewer'} handoffs than planned: {count} on "
        f"{day.day} {day:%B} ({handoff.name})",
        sent_at=at,
        key=key,
    )
    bound = (
        f"The budget is {budget.max_emails_per_day:g} a day; up to {most} on a day are chance."
        if high
        else f"At least {least} a day were to be expected from the stated prevalence "
        f"({budget.prevalence:.1%} of {budget.conversations_per_day:g} conversations) and recall."
    )
    advice = (
        "Look at what came: a new kind of question, or a trigger that has become too loose."
        if high
        else "Customers who need a person may be missed: look at conversations that sent no email."
    )
    message.set_content(
        f"{count} handoffs{' so far' if high else ''} on {day:%A}, {day.day} {day:%B %Y} "
        f"({day:%Z}).\n\n{bound}\n{advice}\n\n"
        f"A day within the range gives such a warning with a probability of at most "
        f"{warning.daily_risk:g} if conversations come independently of each other; you get at "
        f"most one in {warning.every_days} days.\n"
    )
    quiet_since = at - timedelta(days=warning.every_days)
    return outbox.enqueue_notice(
        message, handoff=handoff.name, about=about, quiet_since=quiet_since
    )
