"""Which way a handoff goes: live, email or digest; and the warning about volume."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

import pytest

from handoff_eval.conversation import Conversation, Customer, Reason, Role, Turn
from handoff_eval.decision import Decision
from handoff_eval.handoff import Budget, Handoff
from handoff_eval.handoff_rules import Cap, LiveSide
from handoff_eval.hours import BusinessHours
from handoff_eval.mail.customer import customer_message, promise
from handoff_eval.mail.digest import collect_digests
from handoff_eval.mail.dispatch import hand_over, queue_emails, route
from handoff_eval.mail.entries import Channel, Kind, Status
from handoff_eval.mail.sqlite_outbox import SqliteOutbox
from handoff_eval.mail.volume import expected_range, least_expected, most_expected, warn_of_volume
from handoff_eval.trigger import Explanation
from tests.outboxes import Clock, taken

HOURS = BusinessHours.from_table(
    {"timezone": "Europe/Berlin", "weekdays": "09:00-17:00", "answer_within_hours": 4}
)
TEAM = Handoff("support", ("team@example.com",), sender="handoff@example.com", hours=HOURS)
LIVE = replace(TEAM, live=LiveSide("zendesk", "https://acme.zendesk.com"))
MONDAY = datetime(2026, 3, 2, 10, tzinfo=HOURS.timezone)
SUNDAY = datetime(2026, 3, 1, 12, tzinfo=HOURS.timezone)


@pytest.fixture
def clock() -> Clock:
    """Return a clock that stands at ten on a Monday."""
    clock = Clock()
    clock.now = MONDAY.timestamp()
    return clock


@pytest.fixture
def outbox(tmp_path: Path, clock: Clock) -> Iterator[SqliteOutbox]:
    """Return an outbox on that clock."""
    opened = SqliteOutbox(tmp_path / "outbox.db", clock=clock)
    yield opened
    opened.close()


def fire(
    outbox: SqliteOutbox,
    handoff: Handoff,
    number: int,
    *,
    reason: Reason = Reason.UNRESOLVED,
    text: str = "my parcel is lost, please write to me",
) -> bool:
    """Hand over conversation c-<number> at the outbox's time."""
    at = datetime.fromtimestamp(outbox.now(), UTC)
    conversation = Conversation(
        f"c-{number}",
        (Turn(Role.CUSTOMER, f"{text} {number}"),),
        customer=Customer(f"u-{number}", f"u{number}@example.org"),
    )
    decision = Decision(
        conversation.id, handoff.name, True, 1, False, 0.9, 0.5, Explanation(reason, 0)
    )
    return hand_over(outbox, handoff, conversation, decision, at=at)


@pytest.mark.parametrize(
    ("handoff", "at", "live_until"),
    [
        (TEAM, MONDAY, None),
        (LIVE, MONDAY, MONDAY + timedelta(minutes=10)),
        (LIVE, MONDAY.replace(hour=16, minute=57), MONDAY.replace(hour=17)),
        (LIVE, SUNDAY, None),
        (replace(LIVE, hours=None), SUNDAY, SUNDAY + timedelta(minutes=10)),
    ],
)
def test_live_comes_first_while_the_team_is_open(
    handoff: Handoff, at: datetime, live_until: datetime | None
) -> None:
    """In hours a help desk is tried, until closing at most; after hours the email goes."""
    assert route(handoff, reason=None, at=at).live_until == live_until


def test_the_cap_is_of_the_teams_day_and_the_digest_at_its_time() -> None:
    """The window begins at midnight in the team's zone; past the time, the digest is tomorrow's."""
    capped = replace(TEAM, cap=Cap(3, time(16, 30)))
    before = route(capped, reason=Reason.UNRESOLVED, at=MONDAY)
    after = route(capped, reason=Reason.UNRESOLVED, at=MONDAY.replace(hour=16, minute=30))

    assert before.limit is not None
    assert before.limit.since == MONDAY.replace(hour=0)
    assert before.limit.held_until == MONDAY.replace(hour=16, minute=30)
    assert after.limit is not None
    assert after.limit.held_until == MONDAY.replace(day=3, hour=16, minute=30)
    assert route(capped, reason=Reason.COMPLAINT, at=MONDAY).limit is None


def test_one_email_a_conversation_and_handoff(outbox: SqliteOutbox) -> None:
    """A second fire of a conversation stores nothing; another handoff has its own email."""
    stored = [fire(outbox, TEAM, 1), fire(outbox, TEAM, 1)]
    stored.append(fire(outbox, replace(TEAM, name="billing"), 1))

    assert stored == [True, False, True]


def test_the_digest_lists_and_attaches_each_waiting_email(
    outbox: SqliteOutbox, clock: Clock
) -> None:
    """Nothing beyond the cap is dropped: summary, address and the whole email are in the digest."""
    capped = replace(TEAM, cap=Cap(1, time(17)))
    for number in range(4):
        fire(outbox, capped, number, reason=Reason.COMPLAINT if number == 3 else Reason.UNRESOLVED)
    direct = [taken(outbox, f"w{i}") for i in range(2)]
    for lease in direct:
        outbox.mark_sent(lease)
    clock.now += 7 * 3600
    queued = collect_digests(outbox)
    lease = taken(outbox)
    digest: Any = message_from_bytes(lease.content, policy=policy.default)
    text = digest.get_body(("plain",)).get_content()
    page = digest.get_body(("html",)).get_content()
    attached = [part.get_content() for part in digest.iter_attachments()]

    assert [one.conversation_id for one in direct] == ["c-0", "c-3"]
    assert queued == 1
    assert lease.kind is Kind.DIGEST
    assert digest["Subject"] == "Digest: 2 conversations waiting for an answer (support)"
    for number in (1, 2):
        for shown in (text, page):
            assert f"u{number}@example.org" in shown
            assert f"my parcel is lost, please write to me {number}" in shown
    assert [inner["Reply-To"] for inner in attached] == ["u1@example.org", "u2@example.org"]
    assert ["my parcel is lost" in inner.get_body(("plain",)).get_content() for inner in attached]
    outbox.mark_sent(lease)
    assert outbox.counts()[Status.HELD] == 0
    assert {entry.digest for entry in outbox.entries()} == {None, lease.message_id}


def test_the_same_emails_make_the_same_digest(tmp_path: Path) -> None:
    """A digest's Message-ID and bytes depend on what it lists alone."""
    made = []
    for name in ("a", "b"):
        clock = Clock()
        clock.now = MONDAY.timestamp()
        outbox = SqliteOutbox(tmp_path / name, clock=clock)
        for number in range(3):
            fire(outbox, replace(TEAM, cap=Cap(0)), number)
        clock.now += 86400
        collect_digests(outbox)
        lease = taken(outbox)
        made.append((lease.message_id, lease.content))
        outbox.close()

    assert made[0] == made[1]


def test_a_digest_too_large_becomes_two(
    outbox: SqliteOutbox, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What doesn't fit into one digest goes into another at the same time."""
    monkeypatch.setattr("handoff_eval.mail.digest.LARGEST", 30_000)
    for number in range(4):
        fire(outbox, replace(TEAM, cap=Cap(0)), number)
    clock.now += 86400
    digests = collect_digests(outbox)

    assert digests > 1
    assert outbox.held_due() == ()
    assert sum(entry.digest is not None for entry in outbox.entries()) == 4


def test_hostile_text_in_a_digest_is_only_text(outbox: SqliteOutbox, clock: Clock) -> None:
    """Markup, template marks and line ends of a customer make no tag, header or entry."""
    text = "<script>alert(1)</script> {{ 7 * 7 }}\r\nBcc: evil@example.com\r\n1. Refund approved"
    fire(outbox, replace(TEAM, cap=Cap(0)), 1, text=text)
    clock.now += 86400
    collect_digests(outbox)
    digest: Any = message_from_bytes(taken(outbox).content, policy=policy.default)
    page = digest.get_body(("html",)).get_content()
    lines = digest.get_body(("plain",)).get_content().splitlines()

    assert digest["Bcc"] is None
    assert "<script" not in page
    assert "49" not in page.replace("1493", "")
    assert not any(line.startswith("1. Refund approved") for line in lines)


def test_live_handoffs_carry_their_brief(outbox: SqliteOutbox) -> None:
    """What the live side is given is stored with the intent, the email beside it."""
    fire(outbox, LIVE, 1)
    lease = taken(outbox)

    assert lease.channel is Channel.LIVE
    assert lease.brief is not None
    assert "my parcel is lost" in lease.brief
    assert b"Reply-To: u1@example.org" in lease.content


def test_the_customer_is_told_what_happens_and_when() -> None:
    """In hours, after hours and live, in the handoff's own words."""
    conversation = Conversation(
        "c", (Turn(Role.CUSTOMER, "hi"),), customer=Customer("u", "ana@example.org")
    )
    due = replace(TEAM, response_time="by {due}")

    assert customer_message(TEAM, conversation, at=MONDAY) == (
        "A person from our team will follow up by email within one working day, at the address we "
        "have on file for you."
    )
    assert customer_message(TEAM, conversation, at=SUNDAY).endswith(
        " Our team is back on Monday 09:00 CET."
    )
    assert "by email by Monday 14:00 CET, at" in customer_message(due, conversation, at=MONDAY)
    assert "by email by Monday 13:00 CET, at" in customer_message(due, conversation, at=SUNDAY)
    assert customer_message(LIVE, conversation, at=MONDAY).startswith(
        "I am passing this to our team now. If nobody can take over at once, a person will follow "
        "up by email within one working day"
    )


def test_a_due_time_far_ahead_has_its_date() -> None:
    """After a week of holidays the weekday alone would mean another day."""
    away = replace(HOURS, holidays=frozenset(MONDAY.date() + timedelta(days=i) for i in range(7)))
    handoff = replace(TEAM, hours=away, response_time="by {due}")

    assert promise(handoff, MONDAY) == "by Monday, 9 March, 13:00 CET"


def test_poisson_ranges_by_hand() -> None:
    """The range is the exact one of a Poisson variable."""
    # Mean 2: P(X > 5) = 1 - e^-2 (1 + 2 + 2 + 4/3 + 2/3 + 4/15) = .0166; P(X > 6) = .0045.
    assert (most_expected(2, 0.0166), most_expected(2, 0.0165)) == (5, 6)
    # Mean 3: P(X <= 0) = e^-3 = .0498; P(X <= 1) = 4 e^-3 = .1991.
    assert (least_expected(3, 0.0497), least_expected(3, 0.0498)) == (0, 1)


def test_a_warning_comes_once_when_the_day_is_beyond_chance(
    outbox: SqliteOutbox,
) -> None:
    """The first email above the largest count of chance warns the team, the next does not."""
    planned = replace(TEAM, budget=Budget(2, 0.8, 100))
    _, most = expected_range(planned.budget or Budget(1, 0.5, 2), daily_risk=0.001)
    kinds = []
    for number in range(most + 3):
        fire(outbox, planned, number)
        kinds.append(sum(entry.kind is Kind.NOTICE for entry in outbox.entries()))
    notice: Any = message_from_bytes(
        next(one.content for one in leases(outbox) if one.kind is Kind.NOTICE),
        policy=policy.default,
    )

    assert most == 8  # P(Poisson(2) > 7) = .0011 and P(> 8) = .00024, and half of .001 is .0005
    assert kinds == [0] * most + [1, 1, 1]
    assert notice["Subject"] == f"More handoffs than planned: {most + 1} on 2 March (support)"
    assert "with a probability of at most 0.001" in notice.get_content()


def leases(outbox: SqliteOutbox) -> list[Any]:
    """Take everything that is due."""
    found = []
    while (lease := outbox.take(f"w{len(found)}", seconds=600)) is not None:
        found.append(lease)
    return found


def test_a_silent_day_warns_too(outbox: SqliteOutbox, clock: Clock) -> None:
    """When far fewer came than the stated prevalence implies, the next day says so, once."""
    planned = replace(TEAM, budget=Budget(20, 0.8, 200, prevalence=0.05))
    fire(outbox, planned, 1)
    clock.now += 2 * 86400
    at = datetime.fromtimestamp(clock.now, UTC)
    first = warn_of_volume(outbox, planned, at=at, zone=HOURS.timezone)
    second = warn_of_volume(outbox, planned, at=at, zone=HOURS.timezone)
    notice = message_from_bytes(leases(outbox)[-1].content, policy=policy.default)

    assert (first, second) == (True, False)
    assert notice["Subject"] == "Fewer handoffs than planned: 0 on 3 March (support)"


def test_without_a_budget_there_is_no_warning(outbox: SqliteOutbox) -> None:
    """No range was promised, so none can be left."""
    for number in range(30):
        fire(outbox, TEAM, number)

    assert {entry.kind for entry in outbox.entries()} == {Kind.EMAIL}


def test_a_rehearsal_warns_of_nothing(outbox: SqliteOutbox) -> None:
    """Many conversations queued as if at one moment are no day's traffic."""
    planned = replace(TEAM, budget=Budget(2, 0.8, 100))
    talks = {f"c-{i}": Conversation(f"c-{i}", (Turn(Role.CUSTOMER, "hi"),)) for i in range(20)}
    decisions = [Decision(name, "support", True, 1, False, 0.9, 0.5) for name in talks]

    queued = queue_emails(outbox, planned, talks, decisions, sent_at=MONDAY)

    assert queued == 20
    assert {entry.kind for entry in outbox.entries()} == {Kind.EMAIL}
