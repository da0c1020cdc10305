"""What a server's answer means, over real sockets against a server that answers by script."""

from __future__ import annotations

import base64
import socket
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from handoff_eval.errors import SettingsError
from handoff_eval.mail.delivery import Delivery, Outcome, SmtpSettings, SmtpTransport
from tests.faults.certificate import Certificate, make_certificate
from tests.scripted_smtp import CLOSE, GARBLED, Answer, ScriptedServer, after

CONTENT = b"From: handoff@example.com\r\nSubject: Refund\r\n\r\n.Please call.\r\n"


def deliver(
    server: ScriptedServer,
    *,
    to: Sequence[str] = ("a@example.com",),
    within: float = 20.0,
    content: bytes = CONTENT,
    **options: object,
) -> Delivery:
    """Deliver once on a new connection."""
    values = {"timeout": 5.0, **options}
    transport = SmtpTransport(SmtpSettings("127.0.0.1", server.port, **values))  # type: ignore[arg-type]
    try:
        return transport.deliver(
            content, sender="handoff@example.com", recipients=to, within=within
        )
    finally:
        transport.close()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    """Return a certificate for 127.0.0.1."""
    return make_certificate(tmp_path_factory.mktemp("tls"))


def test_a_delivered_message_arrives_byte_for_byte() -> None:
    """The content comes out of the wire as it went in, leading dots included."""
    with ScriptedServer() as server:
        answer = deliver(server)

    assert answer == Delivery(delivered=("a@example.com",))
    assert answer.outcome is Outcome.DELIVERED
    assert answer.words == ""
    assert server.received == [CONTENT]


@pytest.mark.parametrize(
    ("answers", "outcome", "words"),
    [
        ({"GREETING": b"421 too busy"}, "retry", "421 too busy"),
        ({"GREETING": b"554 no mail service here"}, "retry", "554 no mail service here"),
        ({"GREETING": b"\x00\xffgarbage"}, "retry", "an answer out of form: "),
        ({"GREETING": CLOSE}, "retry", "Connection unexpectedly closed"),
        ({"GREETING": b"220-" + b"x" * 9000}, "retry", "Line too long"),
        ({"EHLO": b"500 what", "HELO": b"500 what"}, "retry", "500 what"),
        ({"MAIL": b"451 later"}, "retry", "451 later"),
        ({"MAIL": b"421 closing"}, "retry", "421 closing"),
        ({"MAIL": b"530 authentication required"}, "retry", "530 authentication required"),
        ({"MAIL": b"550 sender unknown"}, "refused", "550 sender unknown"),
        ({"MAIL": b"552-too\r\n552 big"}, "refused", "552 too big"),
        ({"RCPT": b"450 greylisted"}, "retry", "450 greylisted"),
        ({"RCPT": b"421 closing"}, "retry", "421 closing"),
        ({"RCPT": b"550 no such \x1b[31muser"}, "refused", "550 no such [31muser"),
        ({"RCPT": CLOSE}, "retry", "Connection unexpectedly closed"),
        ({"DATA": b"451 later"}, "retry", "451 later"),
        ({"DATA": b"250 ok"}, "retry", "an answer out of form: 'ok'"),
        ({"DATA": b"554 no"}, "refused", "554 no"),
        ({"END": b"451 disk full"}, "retry", "451 disk full"),
        ({"END": b"554 spam"}, "refused", "554 spam"),
        ({"END": b"yes, fine"}, "retry", "an answer out of form: 'fine'"),
        ({"END": b"999 yes"}, "retry", "999 yes"),
        ({"END": CLOSE}, "retry", "Connection unexpectedly closed"),
    ],
)
def test_the_answer_decides_the_outcome(
    answers: dict[str, Answer], outcome: str, words: str
) -> None:
    """4xx, lost connections, garbage and failed logins are retried; a 5xx about the mail is not."""
    with ScriptedServer(answers) as server:
        answer = deliver(server)

    assert answer.outcome == outcome
    assert words in answer.words


@pytest.mark.parametrize("verb", ["GREETING", "EHLO", "MAIL", "DATA", "END"])
def test_a_server_that_goes_silent_is_left_after_the_timeout(verb: str) -> None:
    """A half-open connection ends in a retry after the time-out, wherever it stalls."""
    with ScriptedServer({verb: after(1.0, CLOSE)}) as server:
        begun = time.monotonic()
        answer = deliver(server, timeout=0.2)
        took = time.monotonic() - begun

    assert answer.outcome is Outcome.RETRY
    assert "timed out" in answer.words
    assert took < 0.9


def test_a_server_that_drips_is_cut_at_the_limit() -> None:
    """Replies that never end can't hold an attempt beyond its limit, whatever the time-out."""
    stop = threading.Event()

    def drip(_verb: str) -> bytes:
        stop.wait(1.5)
        return b"250 at last"

    with ScriptedServer({"RCPT": drip}) as server:
        begun = time.monotonic()
        answer = deliver(server, timeout=5, within=0.3)
        took = time.monotonic() - begun
        stop.set()

    assert answer.outcome is Outcome.RETRY
    assert took < 1.0
    assert server.received == []


def test_nobody_listening_is_a_retry() -> None:
    """A refused connection is retried with the system's words."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    transport = SmtpTransport(SmtpSettings("127.0.0.1", port))
    answer = transport.deliver(CONTENT, sender="a@b.example", recipients=["c@d.example"], within=5)

    assert answer.outcome is Outcome.RETRY
    assert "refused" in answer.words


def test_some_addresses_refused_leaves_the_others_delivered() -> None:
    """Those taken have it, 4xx ones are asked again, 5xx ones are on record with the words."""
    answers: dict[str, Answer] = {
        "RCPT TO:<b@example.com>": b"450 greylisted",
        "RCPT TO:<c@example.com>": b"550 gone",
    }
    with ScriptedServer(answers) as server:
        answer = deliver(server, to=["a@example.com", "b@example.com", "c@example.com"])

    assert answer == Delivery(
        delivered=("a@example.com",),
        deferred={"b@example.com": "450 greylisted"},
        refused={"c@example.com": "550 gone"},
    )
    assert answer.outcome is Outcome.RETRY
    assert answer.words == "b@example.com: 450 greylisted; c@example.com: 550 gone"


def test_a_refused_address_stays_refused_when_the_data_is_deferred() -> None:
    """The answer to the data is for the addresses that were taken, and only for those."""
    answers: dict[str, Answer] = {"RCPT TO:<b@example.com>": b"550 gone", "END": b"451 later"}
    with ScriptedServer(answers) as server:
        answer = deliver(server, to=["a@example.com", "b@example.com"])

    assert answer.deferred == {"a@example.com": "451 later"}
    assert answer.refused == {"b@example.com": "550 gone"}


def test_one_connection_serves_many_messages() -> None:
    """The connection is kept while it works, also after a refusal, and ended with QUIT."""
    replies = iter([b"250 ok", b"550 gone", b"250 ok"])
    with ScriptedServer({"RCPT": lambda _verb: next(replies)}) as server:
        transport = SmtpTransport(SmtpSettings("127.0.0.1", server.port, timeout=5))
        outcomes = [
            transport.deliver(CONTENT, sender="a@b.example", recipients=["c@d.example"], within=9)
            for _ in range(3)
        ]
        transport.close()

    assert [answer.outcome for answer in outcomes] == ["delivered", "refused", "delivered"]
    assert server.connections == 1
    assert server.said[-1] == "QUIT"


def test_a_connection_that_died_while_idle_is_replaced() -> None:
    """A server that hung up between two messages costs no attempt."""
    answers: dict[str, Answer] = {}
    with ScriptedServer(answers) as server:
        transport = SmtpTransport(SmtpSettings("127.0.0.1", server.port, timeout=5))
        first = transport.deliver(
            CONTENT, sender="a@b.example", recipients=["c@d.example"], within=9
        )
        answers["RSET"] = b"421 idle for too long"
        second = transport.deliver(
            CONTENT, sender="a@b.example", recipients=["c@d.example"], within=9
        )
        transport.close()

    assert (first.outcome, second.outcome) == ("delivered", "delivered")
    assert server.connections == 2


def test_a_server_that_said_421_is_left_at_once() -> None:
    """After 421 the connection is not asked anything more, for nobody may answer there."""
    replies = iter([b"421 closing", b"250 ok"])
    with ScriptedServer({"MAIL": lambda _verb: next(replies)}) as server:
        transport = SmtpTransport(SmtpSettings("127.0.0.1", server.port, timeout=5))
        for _ in range(2):
            transport.deliver(CONTENT, sender="a@b.example", recipients=["c@d.example"], within=9)
        transport.close()

    assert server.connections == 2
    assert "RSET" not in server.said


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_tls_carries_the_login_and_the_message(security: str, certificate: Certificate) -> None:
    """With STARTTLS and with TLS from the start, login and mail go over the encrypted line."""
    with ScriptedServer(
        extensions=["AUTH PLAIN"], certificate=certificate, tls_from_the_start=security == "tls"
    ) as server:
        answer = deliver(
            server,
            security=security,
            ca_file=certificate.certificate,
            user="ana",
            password="s3cret",
        )

    token = base64.b64encode(b"\0ana\0s3cret").decode()
    assert answer.outcome is Outcome.DELIVERED
    assert f"AUTH PLAIN {token}" in server.said
    assert (server.said[1] == "STARTTLS") is (security == "starttls")


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_a_certificate_nobody_vouches_for_stops_the_message(
    security: str, certificate: Certificate
) -> None:
    """An unknown authority is a retry with the reason, and nothing is sent."""
    with ScriptedServer(certificate=certificate, tls_from_the_start=security == "tls") as server:
        answer = deliver(server, security=security, user="ana", password="s3cret")

    assert answer.outcome is Outcome.RETRY
    assert "certificate verify failed" in answer.words
    assert not any(line.upper().startswith(("AUTH", "MAIL")) for line in server.said)


def test_a_certificate_for_another_host_stops_the_message(tmp_path: Path) -> None:
    """A certificate that is valid, but not for this host, is not taken."""
    other = make_certificate(tmp_path, host="192.0.2.1")
    with ScriptedServer(certificate=other) as server:
        answer = deliver(server, security="starttls", ca_file=other.certificate)

    assert answer.outcome is Outcome.RETRY
    assert "certificate is not valid for '127.0.0.1'" in answer.words


@pytest.mark.parametrize(
    ("answers", "extensions", "words"),
    [
        ({}, [], "STARTTLS extension not supported"),
        ({"STARTTLS": b"454 TLS not available"}, ["STARTTLS"], "454 TLS not available"),
        ({"STARTTLS": GARBLED}, ["STARTTLS"], "[SSL"),
        ({"STARTTLS": CLOSE}, ["STARTTLS"], "Connection unexpectedly closed"),
    ],
)
def test_mail_never_falls_back_to_plain_text(
    answers: dict[str, Answer], extensions: list[str], words: str
) -> None:
    """Where STARTTLS is asked for and fails in any way, the message is not sent."""
    with ScriptedServer(answers, extensions=extensions) as server:
        answer = deliver(server, security="starttls")

    assert answer.outcome is Outcome.RETRY
    assert answer.words.startswith(words)
    assert not any(line.upper().startswith("MAIL") for line in server.said)


@pytest.mark.parametrize("reply", [b"535 wrong password", b"334 !!not base64", b"nonsense"])
def test_a_failed_login_is_about_us_and_not_about_the_mail(reply: bytes) -> None:
    """A wrong password is retried, so that it can't turn a queue into dead letters."""
    with ScriptedServer({"AUTH": reply}, extensions=["AUTH PLAIN"]) as server:
        answer = deliver(server, user="ana", password="wrong")

    assert answer.outcome is Outcome.RETRY
    assert server.received == []


def test_an_address_outside_ascii_needs_a_server_that_takes_it() -> None:
    """With SMTPUTF8 it is delivered; without, refused in a sentence and not mangled."""
    to = ["støtte@example.com"]
    with ScriptedServer(extensions=["SMTPUTF8", "8BITMIME"]) as server:
        taken = deliver(server, to=to)
    with ScriptedServer() as old:
        refused = deliver(old, to=to)

    assert taken.outcome is Outcome.DELIVERED
    assert "MAIL FROM:<handoff@example.com> SMTPUTF8 BODY=8BITMIME" in server.said
    assert refused.outcome is Outcome.REFUSED
    assert "SMTPUTF8" in refused.words


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("smtp://mail.example.com", SmtpSettings("mail.example.com", 25)),
        ("smtp://mail.example.com?starttls=1", SmtpSettings("mail.example.com", 587, "starttls")),
        ("smtps://mail.example.com/", SmtpSettings("mail.example.com", 465, "tls")),
        ("smtp://[::1]:2525?timeout=5", SmtpSettings("::1", 2525, timeout=5.0)),
        (
            "smtps://ana%40example.com:p%2Fw%3A@mail.example.com:4650?ca_file=/etc/ca.pem",
            SmtpSettings(
                *("mail.example.com", 4650, "tls", "ana@example.com", "p/w:"),
                ca_file=Path("/etc/ca.pem"),
            ),
        ),
    ],
)
def test_a_url_says_where_and_how(url: str, expected: SmtpSettings) -> None:
    """Scheme, port, login and options are read from one URL, percent-encoding undone."""
    assert SmtpSettings.from_url(url) == expected


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("http://mail.example.com", "got the scheme 'http'"),
        ("mail.example.com", "got the scheme ''"),
        ("smtp://", "got no host, or a path"),
        ("smtp://mail.example.com/inbox", "got no host, or a path"),
        ("smtp://mail.example.com:99999", "port can't be read"),
        ("smtp://[::1", "port can't be read"),
        ("smtp://mail.example.com?tls=1", "got the option 'tls'"),
        ("smtp://mail.example.com?starttls=yes", "got starttls=yes"),
        ("smtps://mail.example.com?starttls=1", "got starttls=1 with smtps"),
        ("smtp://mail.example.com?timeout=soon", "got timeout='soon'"),
        ("smtp://mail.example.com?timeout=nan", "Expected timeout to be seconds above 0"),
        ("smtp://mail.example.com:0", "Expected a port between 1 and 65535"),
        ("smtps://ana@mail.example.com", "Expected a user and a password, or neither"),
        ("smtps://ana:gehe%C3%AFm@mail.example.com", "in ASCII"),
        ("smtp://ana:s3cret@mail.example.com", "Expected TLS where a password is sent"),
        ("smtp://" + "a" * 70 + ".example.com", "Expected the name or address of a host"),
    ],
)
def test_a_url_that_cannot_be_used_is_told_without_its_password(url: str, message: str) -> None:
    """Each mistake has its sentence, and no sentence repeats the password."""
    with pytest.raises(SettingsError, match=message) as raised:
        SmtpSettings.from_url(url)
    assert "s3cret" not in str(raised.value)


def test_settings_do_not_show_the_password() -> None:
    """The password is left out where settings are printed."""
    settings = SmtpSettings("127.0.0.1", 25, user="ana", password="s3cret")

    assert "s3cret" not in repr(settings)


def test_security_and_authorities_are_checked(tmp_path: Path) -> None:
    """An unknown kind of security, or a file of authorities that isn't one, is refused."""
    with pytest.raises(SettingsError, match="none, starttls or tls; got 'ssl'"):
        SmtpSettings("127.0.0.1", 25, "ssl")
    with pytest.raises(SettingsError, match="Expected ca_file to be a PEM file"):
        SmtpTransport(SmtpSettings("127.0.0.1", 25, "tls", ca_file=tmp_path / "missing.pem"))
