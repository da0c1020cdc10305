"""Transcripts played as live traffic: in time order, on a simulated clock, day by day."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import pytest

from handoff_eval.conversation import Conversation, Customer, Reason, Role, Turn
from handoff_eval.decision import Decision
from handoff_eval.handoff import Handoff
from handoff_eval.handoff_rules import Cap, LiveSide
from handoff_eval.hours import BusinessHours
from handoff_eval.mail.delivery import Delivery, SmtpSettings, SmtpTransport
from handoff_eval.mail.entries import OutboxEntry
from handoff_eval.mail.sink import MailSink
from handoff_eval.mail.sqlite_outbox import SqliteOutbox
from handoff_eval.mail.traffic import (
    Fire,
    RehearsedDesk,
    SimulatedClock,
    day_by_day,
    moment_of,
    place,
    play,
)
from handoff_eval.mail.worker import Worker
from handoff_eval.trigger import Explanation

HOURS = BusinessHours.from_table({"timezone": "Europe/Berlin", "weekdays": "09:00-17:00"})
TEAM = Handoff("support", ("team@example.com",), sender="handoff@example.com", hours=HOURS)
MONDAY = datetime(2026, 3, 2, 9, tzinfo=UTC)


def fire(number: int, at: datetime, reason: Reason = Reason.UNRESOLVED) -> Fire:
    """Return a fire of conversation c-<number>."""
    conversation = Conversation(
        f"c-{number}",
        (Turn(Role.CUSTOMER, f"help {number}"),),
        started_at=at,
        customer=Customer(f"u-{number}", f"u{number}@example.org"),
    )
    explanation = Explanation(reason, 0)
    decision = Decision(conversation.id, "support", True, 1, False, 0.9, 0.5, explanation)
    return Fire(conversation, decision, at)


def played(
    tmp_path: Path, handoff: Handoff, fires: Sequence[Fire], *, accepts: bool = True
) -> tuple[tuple[OutboxEntry, ...], list[float], int]:
    """Play into a mailbox; return the outbox's entries, the pauses and the emails caught."""
    clock = SimulatedClock(MONDAY)
    outbox = SqliteOutbox(tmp_path / "outbox.db", clock=clock)
    pauses: list[float] = []
    with MailSink(tmp_path / "mailbox") as sink:
        worker = Worker(
            outbox,
            SmtpTransport(SmtpSettings.from_url(sink.url)),
            live={handoff.name: RehearsedDesk(accepts=accepts)},
        )
        play(outbox, handoff, fires, worker=worker, clock=clock, pause=pauses.append)
        caught = len(sink.messages())
    entries = outbox.entries()
    outbox.close()
    return entries, pauses, caught


def test_every_fire_arrives_at_its_own_time(tmp_path: Path) -> None:
    """Whatever order they are given in, emails are stored and sent in the time of the play."""
    times = [MONDAY + timedelta(hours=hours) for hours in (30, 1, 5)]
    entries, pauses, caught = played(tmp_path, TEAM, [fire(i, at) for i, at in enumerate(times)])

    assert [entry.conversation_id for entry in entries] == ["c-1", "c-2", "c-0"]
    assert [entry.created_at for entry in entries] == sorted(times)
    assert [entry.sent_at for entry in entries] == sorted(times)
    assert caught == 3
    assert sum(pauses) == pytest.approx(30 * 3600)


def test_cap_digest_and_live_side_follow_the_simulated_clock(tmp_path: Path) -> None:
    """Live in hours, email after them, digest at its hour: the day's row says how many of each."""
    handoff = replace(
        TEAM,
        live=LiveSide("zendesk", "https://acme.zendesk.com"),
        cap=Cap(1, time(23, 0)),
    )
    evening = MONDAY.replace(hour=18)
    fires = [
        fire(0, MONDAY),
        fire(1, evening),
        fire(2, evening + timedelta(minutes=1)),
        fire(3, evening + timedelta(minutes=2)),
        fire(4, evening + timedelta(minutes=3), Reason.COMPLAINT),
    ]
    entries, _, caught = played(tmp_path, handoff, fires)
    (day,) = day_by_day(entries, [MONDAY] * 7, HOURS.timezone)

    assert (day.day, day.conversations, day.handoffs, day.live) == (date(2026, 3, 2), 7, 5, 1)
    assert (day.emails, day.digests, day.in_digests) == (2, 1, 2)
    assert (day.received, day.undelivered, caught) == (3, 0, 3)


def test_a_help_desk_that_refuses_costs_no_handoff(tmp_path: Path) -> None:
    """What the live side does not take arrives as an email."""
    handoff = replace(TEAM, live=LiveSide("intercom", "https://api.intercom.io"))
    entries, _, caught = played(tmp_path, handoff, [fire(0, MONDAY)], accepts=False)
    (day,) = day_by_day(entries, [MONDAY], HOURS.timezone)

    assert (day.live, day.emails, day.undelivered, caught) == (0, 1, 0, 1)


def test_days_are_those_of_the_teams_zone(tmp_path: Path) -> None:
    """23:30 UTC is the next day in Berlin, and silent days between have their row."""
    late = MONDAY.replace(hour=23, minute=30)
    entries, _, _ = played(tmp_path, TEAM, [fire(0, late), fire(1, late + timedelta(days=2))])
    days = day_by_day(entries, [late], HOURS.timezone)

    assert [(day.day.day, day.handoffs) for day in days] == [(3, 1), (4, 0), (5, 1)]


class DownFor:
    """A server that is away for some attempts."""

    def __init__(self, attempts: int) -> None:
        self.left = attempts

    def deliver(
        self,
        content: bytes,  # noqa: ARG002
        *,
        sender: str,  # noqa: ARG002
        recipients: Sequence[str],
        within: float,  # noqa: ARG002
    ) -> Delivery:
        """Refuse for now, then take it."""
        self.left -= 1
        if self.left >= 0:
            return Delivery(deferred=dict.fromkeys(recipients, "451 later"))
        return Delivery(delivered=tuple(recipients))

    def close(self) -> None:
        """Do nothing."""


def test_back_off_passes_in_simulated_time(tmp_path: Path) -> None:
    """An email that was deferred is sent later in the play, not later on the wall."""
    clock = SimulatedClock(MONDAY)
    outbox = SqliteOutbox(tmp_path / "outbox.db", clock=clock)
    worker = Worker(outbox, DownFor(6), seed=1)
    play(outbox, TEAM, [fire(0, MONDAY)], worker=worker, clock=clock)
    (entry,) = outbox.entries()
    outbox.close()

    assert entry.attempts == 7
    assert entry.sent_at is not None
    assert timedelta(seconds=5) < entry.sent_at - MONDAY < timedelta(hours=1)


def test_conversations_without_a_time_come_evenly() -> None:
    """Those that have one keep it; the rest is spread from the start at the stated rate."""
    timed = fire(0, MONDAY).conversation
    bare = [Conversation(f"b-{i}", timed.turns) for i in range(3)]
    by_turn = Conversation("t", (Turn(Role.CUSTOMER, "x", MONDAY.replace(tzinfo=None)),))
    start = datetime(2026, 1, 5, tzinfo=UTC)
    begun = place([timed, *bare, by_turn], start=start, per_day=4)

    # Four a day: the middles of quarters of a day, 3, 9 and 15 hours after midnight.
    assert begun["c-0"] == begun["t"] == MONDAY
    assert [(begun[f"b-{i}"] - start).total_seconds() / 3600 for i in range(3)] == [3, 9, 15]


@pytest.mark.parametrize(
    ("turns", "closed", "minutes"),
    [(1, False, 0.0), (2, False, 2.0), (3, False, 2.5), (3, True, 12.5)],
)
def test_a_decision_comes_with_its_last_visible_turn(
    turns: int, closed: bool, minutes: float
) -> None:
    """A turn without a time follows half a minute later, and a close ten minutes of silence."""
    conversation = Conversation(
        "c",
        (
            Turn(Role.CUSTOMER, "a"),
            Turn(Role.AGENT, "b", MONDAY + timedelta(minutes=2)),
            Turn(Role.CUSTOMER, "c"),
        ),
        started_at=MONDAY,
    )
    decision = Decision("c", "support", True, turns, closed, 0.9, 0.5)

    at = moment_of(decision, conversation, begun=MONDAY)

    assert (at - MONDAY).total_seconds() / 60 == minutes
