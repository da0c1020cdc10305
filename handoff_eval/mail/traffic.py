"""Decisions played as live traffic, in their own time, through routing, outbox and worker.

The clock is simulated: business hours, caps, digests, back-off and the warning about volume see
the time of the conversations, whatever the speed of the play.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from handoff_eval.conversation import Conversation
from handoff_eval.decision import Decision
from handoff_eval.handoff import Handoff
from handoff_eval.hours import day_of
from handoff_eval.mail.brief import Brief
from handoff_eval.mail.dispatch import hand_over, zone_of
from handoff_eval.mail.entries import Channel, Kind, OutboxEntry, Status
from handoff_eval.mail.live import LiveAnswer
from handoff_eval.mail.outbox import Outbox
from handoff_eval.mail.volume import warn_of_volume
from handoff_eval.mail.worker import Worker

TURN_SECONDS = 30
"""Between two turns that have no time of their own."""
SILENCE = timedelta(minutes=10)
"""After the last turn, when a conversation counts as closed."""
_LONGEST_WAIT = timedelta(days=4)


class SimulatedClock:
    """Seconds since 1970 that pass only when they are told to."""

    def __init__(self, start: datetime) -> None:
        self.now = start.timestamp()

    def __call__(self) -> float:
        """Return the time of the play."""
        return self.now

    @property
    def moment(self) -> datetime:
        """The time of the play, in UTC."""
        return datetime.fromtimestamp(self.now, UTC)


class RehearsedDesk:
    """Stands in for the help desk in a play, so that nobody's help desk is filled by one.

    Parameters
    ----------
    accepts : bool
        Whether it takes what it is given; what it refuses goes by email.
    """

    def __init__(self, *, accepts: bool) -> None:
        self._accepts = accepts

    def open(self, brief: Brief) -> LiveAnswer:
        """Take it, or not."""
        if self._accepts:
            return LiveAnswer(reference=f"played, nobody was called ({brief.key[:8]})")
        return LiveAnswer(words="refused in this play")

    def close(self) -> None:
        """Do nothing: there is no connection."""


@dataclass(frozen=True, slots=True)
class Fire:
    """A decision that fired and the moment it did."""

    conversation: Conversation
    decision: Decision
    at: datetime


@dataclass(frozen=True, slots=True)
class Day:
    """What a team would have received on one day of its zone.

    Attributes
    ----------
    conversations : int
        Begun on that day, handed over or not.
    handoffs : int
        Fired on that day.
    live : int
        Of these, taken by the live side.
    emails, digests, notices : int
        Arrived on that day: emails on their own, digests, warnings about volume.
    in_digests : int
        Conversations that those digests list.
    received : int
        Emails of any kind that arrived.
    undelivered : int
        Of the day's handoffs, those that nobody has at the end of the play.
    """

    day: date
    conversations: int
    handoffs: int
    live: int
    emails: int
    digests: int
    in_digests: int
    notices: int
    received: int
    undelivered: int

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {**asdict(self), "day": self.day.isoformat()}


def started(conversation: Conversation) -> datetime | None:
    """Return when a conversation began, by itself or by its first turn; None where unknown."""
    at = conversation.started_at or next((t.at for t in conversation.turns if t.at), None)
    return None if at is None else _aware(at)


def place(
    conversations: Iterable[Conversation], *, start: datetime, per_day: float
) -> dict[str, datetime]:
    """Return when each conversation begins; those without a time come evenly from `start` on."""
    begun: dict[str, datetime] = {}
    placed = 0
    for conversation in conversations:
        at = started(conversation)
        if at is None:
            at = start + timedelta(days=(placed + 0.5) / per_day)
            placed += 1
        begun[conversation.id] = at
    return begun


def moment_of(decision: Decision, conversation: Conversation, *, begun: datetime) -> datetime:
    """Return when a decision is taken: with its last visible turn, or when silence closes it."""
    at = begun
    for index, turn in enumerate(conversation.turns[: decision.turns]):
        if turn.at is not None:
            at = max(at, _aware(turn.at))
        elif index:
            at += timedelta(seconds=TURN_SECONDS)
    return at + SILENCE if decision.closed else at


def play(
    outbox: Outbox,
    handoff: Handoff,
    fires: Sequence[Fire],
    *,
    worker: Worker,
    clock: SimulatedClock,
    pause: Callable[[float], None] = lambda _seconds: None,
) -> None:
    """Hand over every fire at its time and send what is due meanwhile; then what still waits.

    Parameters
    ----------
    outbox : Outbox
        On `clock`.
    handoff : Handoff
    fires : sequence of Fire
    worker : Worker
        Of that outbox.
    clock : SimulatedClock
    pause : callable
        Called with the seconds that pass in the play before each step; sleeps to slow it down.
    """
    zone = zone_of(handoff)

    def advance(to: datetime) -> None:
        while clock.moment < to:
            wait = outbox.seconds_to_next(with_digests=True)
            _, midnight = day_of(clock.moment, zone)
            stops = [to, midnight]
            if wait:
                # A float of seconds loses what is beyond microseconds, so step over the mark.
                stops.append(clock.moment + timedelta(seconds=wait, microseconds=1))
            stop = min(stops, key=lambda moment: moment.timestamp())
            pause(stop.timestamp() - clock.now)
            clock.now = stop.timestamp()
            if stop == midnight:
                warn_of_volume(outbox, handoff, at=clock.moment, zone=zone)
            drain()

    def drain() -> None:
        while worker.step():
            pass

    for fire in sorted(fires, key=lambda fire: (fire.at.timestamp(), fire.conversation.id)):
        advance(fire.at)
        hand_over(outbox, handoff, fire.conversation, fire.decision, at=clock.moment)
        drain()
    end = clock.moment + _LONGEST_WAIT
    while outbox.seconds_to_next(with_digests=True) is not None and clock.moment < end:
        advance(clock.moment + timedelta(hours=1))
    worker.close()


def day_by_day(
    entries: Sequence[OutboxEntry], begun: Iterable[datetime], zone: ZoneInfo
) -> tuple[Day, ...]:
    """Return what arrived on each day from the first conversation to the last email."""
    first_days = [moment.astimezone(zone).date() for moment in begun]
    listed: dict[str, int] = {}
    for entry in entries:
        if entry.digest is not None:
            listed[entry.digest] = listed.get(entry.digest, 0) + 1
    moments = [moment for entry in entries for moment in (entry.created_at, entry.sent_at)]
    days = {*first_days, *(_day(moment, zone) for moment in moments)}
    known = sorted(day for day in days if day is not None)
    rows = []
    for number in range((known[-1] - known[0]).days + 1) if known else ():
        day = known[0] + timedelta(days=number)
        fired = [e for e in entries if e.kind is Kind.EMAIL and _day(e.created_at, zone) == day]
        arrived = [
            e
            for e in entries
            if e.channel is Channel.EMAIL and e.digest is None and _day(e.sent_at, zone) == day
        ]
        digests = [e for e in arrived if e.kind is Kind.DIGEST]
        rows.append(
            Day(
                day=day,
                conversations=first_days.count(day),
                handoffs=len(fired),
                live=sum(e.channel is Channel.LIVE and e.status is Status.SENT for e in fired),
                emails=sum(e.kind is Kind.EMAIL for e in arrived),
                digests=len(digests),
                in_digests=sum(listed.get(e.message_id, 0) for e in digests),
                notices=sum(e.kind is Kind.NOTICE for e in arrived),
                received=len(arrived),
                undelivered=sum(e.status is not Status.SENT for e in fired),
            )
        )
    return tuple(rows)


def _aware(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _day(moment: datetime | None, zone: ZoneInfo) -> date | None:
    return None if moment is None else moment.astimezone(zone).date()
