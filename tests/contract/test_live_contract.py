"""What every help desk client does: a clear acceptance has a reference, all else is a refusal."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from handoff_eval.errors import SettingsError
from handoff_eval.handoff_rules import LiveSide
from handoff_eval.mail.brief import Brief
from handoff_eval.mail.delivery import SmtpSettings, SmtpTransport
from handoff_eval.mail.entries import Channel, Status
from handoff_eval.mail.intercom import IntercomDesk
from handoff_eval.mail.live import Desk, open_live
from handoff_eval.mail.sink import MailSink
from handoff_eval.mail.sqlite_outbox import SqliteOutbox
from handoff_eval.mail.worker import Worker
from handoff_eval.mail.zendesk import ZendeskDesk
from tests.desks import TOKEN, USER, DeskServer, Intercom, Zendesk, serving
from tests.outboxes import Clock, put

BRIEF = Brief(
    key="ab12",
    handoff="support",
    conversation_id="c-1",
    subject="Refund for order 4417",
    address="ana@example.org",
    customer_id="u-1",
    reason="Only a person may grant or judge this.",
    lines=("Asks: Customer: “I want my money back” (turn 1)",),
    transcript="[1] Customer\n  | I want my money back\n",
)


@dataclass
class Case:
    """A server, its client and the clock that the client keeps its pauses by."""

    server: DeskServer
    desk: Desk
    clock: Clock


@pytest.fixture(params=["intercom", "zendesk"])
def case(request: pytest.FixtureRequest) -> Iterator[Case]:
    """Return each help desk in turn."""
    with serving(Intercom if request.param == "intercom" else Zendesk) as server:
        side = LiveSide(request.param, server.url, timeout=0.3)
        desk = (
            IntercomDesk(side, token=TOKEN)
            if request.param == "intercom"
            else ZendeskDesk(side, user=USER, token=TOKEN)
        )
        clock = Clock()
        desk._clock = clock
        yield Case(server, desk, clock)
        desk.close()


def test_a_handoff_is_taken_and_named(case: Case) -> None:
    """The answer names it, and the other side has subject, words and transcript."""
    answer = case.desk.open(BRIEF)
    (taken,) = case.server.taken
    text = str(taken)

    assert answer.accepted
    assert answer.reference is not None
    assert answer.reference.startswith(("intercom conversation 36", "zendesk ticket 35436"))
    for words in ("Refund for order 4417", "Asks: Customer: “I want my money back”", "  | I want"):
        assert words in text


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("500", "500"),
        ("drop", "RemoteProtocolError"),
        ("slow", "ReadTimeout"),
        ("drip", "takes too long"),
        ("not json", "no JSON object"),
        ("no reference", "names no"),
        ("redirect", "302"),
    ],
)
def test_every_failure_is_a_refusal_in_words(case: Case, fault: str, words: str) -> None:
    """Nothing but a clear acceptance counts, no exception leaves, and the next handoff goes."""
    case.server.faults = [fault]
    refused = case.desk.open(BRIEF)
    again = case.desk.open(BRIEF)

    assert not refused.accepted
    assert words in refused.words
    assert again.accepted


def test_a_rate_limit_is_kept(case: Case) -> None:
    """After a 429 nothing is asked until the time that the other side named."""
    case.clock.now = time.time()
    case.server.faults = ["429"]
    first = case.desk.open(BRIEF)
    asked = len(case.server.requests)
    second = case.desk.open(BRIEF)
    case.clock.now += 31
    third = case.desk.open(BRIEF)

    assert "429" in first.words
    assert "asked for a pause" in second.words
    assert len(case.server.requests) > asked
    assert third.accepted


def test_a_wrong_login_is_told_without_the_secret(case: Case) -> None:
    """The refusal holds the other side's words and not ours."""
    case.desk._headers["Authorization"] = "Bearer wrong-secret"
    answer = case.desk.open(BRIEF)

    assert "401" in answer.words
    assert "wrong-secret" not in answer.words


def test_a_transcript_too_long_is_left_to_the_email(case: Case) -> None:
    """Nothing is cut: what doesn't fit one message is refused before it is sent."""
    answer = case.desk.open(replace(BRIEF, transcript="x" * 100_000))

    assert "too long" in answer.words
    assert case.server.taken == []


def test_a_hostile_subject_stays_in_its_field(case: Case) -> None:
    """Quotes, line ends and markup of a customer change no field of the request."""
    hostile = 'x", "public": true, "tags": ["vip"]} \r\n<script>'
    case.desk.open(replace(BRIEF, subject=hostile))
    (taken,) = case.server.taken

    if "comment" in taken:
        assert taken["subject"] == hostile
        assert taken["comment"]["public"] is False
        assert taken["tags"] == ["ai_handoff"]
    else:
        assert set(taken) == {"from", "body"}


def test_zendesk_makes_one_ticket_of_a_repeated_request() -> None:
    """A worker that died after the ticket was made gets the same ticket again."""
    with serving(Zendesk) as server:
        desk = ZendeskDesk(LiveSide("zendesk", server.url, timeout=0.3), user=USER, token=TOKEN)
        server.faults = ["drop after taking"]
        lost = desk.open(BRIEF)
        again = desk.open(BRIEF)
        desk.close()

    assert not lost.accepted
    assert again.reference == "zendesk ticket 35436"
    assert len(server.taken) == 1
    assert server.taken[0]["requester"] == {"name": "u-1", "email": "ana@example.org"}


def test_intercom_finds_the_contact_it_knows() -> None:
    """A known customer is not made a second time; one with neither id nor address is refused."""
    with serving(Intercom) as server:
        desk = IntercomDesk(LiveSide("intercom", server.url), token=TOKEN)
        desk.open(BRIEF)
        desk.open(replace(BRIEF, customer_id=None))
        nobody = desk.open(replace(BRIEF, customer_id=None, address=None))
        desk.close()

    assert len(server.contacts) == 1
    assert server.taken[0]["from"] == {"type": "user", "id": "contact-0"}
    assert "neither an id nor an address" in nobody.words


@pytest.mark.parametrize("fault", [None, "500", "429", "drop after taking"])
def test_a_worker_hands_over_live_or_sends_the_email(tmp_path: Path, fault: str | None) -> None:
    """Accepted, no email is sent; refused in any way, the email arrives."""
    outbox = SqliteOutbox(tmp_path / "outbox.db")
    with serving(Zendesk) as server, MailSink(tmp_path / "mailbox") as sink:
        server.faults = [fault] if fault else []
        until = datetime.now(UTC) + timedelta(minutes=1)
        put(outbox, 1, live_until=until, brief=BRIEF.to_json())
        live = ZendeskDesk(LiveSide("zendesk", server.url, timeout=0.3), user=USER, token=TOKEN)
        done = Worker(
            outbox,
            SmtpTransport(SmtpSettings.from_url(sink.url)),
            live={"support": live} if live else None,
        ).flush()
        emails = len(sink.messages())
    (entry,) = outbox.entries()
    outbox.close()

    assert (done.sent, done.waiting) == (1, 0)
    assert entry.status is Status.SENT
    assert (entry.channel, emails) == ((Channel.EMAIL, 1) if fault else (Channel.LIVE, 0))


@pytest.mark.parametrize("minutes", [-1, 1])
def test_without_a_live_side_or_too_late_the_email_goes(tmp_path: Path, minutes: int) -> None:
    """A live handoff whose time is over, or that no client is set up for, is an email."""
    outbox = SqliteOutbox(tmp_path / "outbox.db")
    with serving(Zendesk) as server, MailSink(tmp_path / "mailbox") as sink:
        until = datetime.now(UTC) + timedelta(minutes=minutes)
        put(outbox, 1, live_until=until, brief=BRIEF.to_json())
        side = LiveSide("zendesk", server.url)
        live = ZendeskDesk(side, user=USER, token=TOKEN) if minutes < 0 else None
        Worker(
            outbox,
            SmtpTransport(SmtpSettings.from_url(sink.url)),
            live={"support": live} if live else None,
        ).flush()
        emails = len(sink.messages())
    outbox.close()

    assert (emails, server.requests) == (1, [])


def test_each_handoff_has_its_own_help_desk(tmp_path: Path) -> None:
    """What has no desk by its name goes by email, whatever desks others have."""
    outbox = SqliteOutbox(tmp_path / "outbox.db")
    with serving(Zendesk) as server, MailSink(tmp_path / "mailbox") as sink:
        until = datetime.now(UTC) + timedelta(minutes=1)
        put(outbox, 1, live_until=until, brief=BRIEF.to_json())
        desk = ZendeskDesk(LiveSide("zendesk", server.url), user=USER, token=TOKEN)
        smtp = SmtpTransport(SmtpSettings.from_url(sink.url))
        Worker(outbox, smtp, live={"sales": desk}).flush()
        emails = len(sink.messages())
    outbox.close()

    assert (emails, server.requests) == (1, [])


def test_the_login_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """A missing token or user is told; with both a client is made."""
    side = LiveSide("zendesk", "https://acme.zendesk.com")
    monkeypatch.delenv("HANDOFF_EVAL_LIVE_TOKEN", raising=False)
    monkeypatch.delenv("HANDOFF_EVAL_LIVE_USER", raising=False)

    with pytest.raises(SettingsError, match="HANDOFF_EVAL_LIVE_TOKEN to hold the token"):
        open_live(side)
    monkeypatch.setenv("HANDOFF_EVAL_LIVE_TOKEN", TOKEN)
    with pytest.raises(SettingsError, match="HANDOFF_EVAL_LIVE_USER"):
        open_live(side)
    monkeypatch.setenv("HANDOFF_EVAL_LIVE_USER", USER)
    assert isinstance(open_live(side), ZendeskDesk)
    assert isinstance(open_live(replace(side, service="intercom")), IntercomDesk)
