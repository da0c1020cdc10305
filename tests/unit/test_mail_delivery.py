"""What a server's answer means, over real sockets against a server that answers by script."""

from __future__ import annotations

import base64
import random
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, suppress
from io import BufferedReader
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handoff_eval.errors import DeliveryError, SettingsError
from handoff_eval.mail.delivery import Delivery, Outcome, SmtpSettings, SmtpTransport
from handoff_eval.mail.entries import Status
from handoff_eval.mail.sqlite_outbox import SqliteOutbox
from handoff_eval.mail.worker import Flushed, RetryPolicy, Worker
from tests.faults.certificate import Certificate, make_certificate
from tests.outboxes import email

CONTENT = b"From: handoff@example.com\r\nSubject: Refund\r\n\r\n.Please call.\r\n"
CLOSE = b""
"""A reply that is no reply: the server closes the connection."""

GARBLED = b"garbled"
"""To STARTTLS: a yes, and then no handshake."""

Answer = bytes | Callable[[str], bytes]


class ScriptedServer:
    """An SMTP server that answers each verb as told, else as a well-behaved one would.

    `END` is the answer to the end of the data; `GREETING` the first line.
    """

    def __init__(
        self,
        answers: dict[str, Answer] | None = None,
        *,
        extensions: Sequence[str] = (),
        certificate: Certificate | None = None,
        tls_from_the_start: bool = False,
    ) -> None:
        self.answers = {} if answers is None else answers
        self.said: list[str] = []
        self.received: list[bytes] = []
        self.connections = 0
        self._extensions = [*extensions, *(["STARTTLS"] if certificate else [])]
        self._certificate = certificate
        self._tls_from_the_start = tls_from_the_start
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._serve)

    def __enter__(self) -> ScriptedServer:
        self._thread.start()
        return self

    def __exit__(self, *details: object) -> None:
        self._closing.set()
        with socket.create_connection(("127.0.0.1", self.port)):
            self._thread.join()
        self._listening.close()

    def _serve(self) -> None:
        while True:
            connection, _ = self._listening.accept()
            with connection:
                if self._closing.is_set():
                    return
                self.connections += 1
                with suppress(OSError, EOFError):
                    self._talk(connection)

    def _talk(self, connection: socket.socket) -> None:
        connection.settimeout(5)
        with ExitStack() as open_files:
            if self._tls_from_the_start:
                connection = open_files.enter_context(self._wrap(connection))
            self._say(connection, "GREETING", b"220 ready")
            reader = open_files.enter_context(connection.makefile("rb"))
            while True:
                line = self._line(reader).decode()
                verb = line.split(" ")[0].upper()
                line = verb + line[len(verb) :]
                self.said.append(line)
                if verb == "EHLO":
                    lines = ["hello", *self._extensions]
                    marks = ["-"] * (len(lines) - 1) + [" "]
                    default = "\r\n".join(f"250{m}{x}" for m, x in zip(marks, lines, strict=True))
                    self._say(connection, verb, default.encode())
                elif verb == "DATA":
                    if self._say(connection, verb, b"354 go on").startswith(b"354"):
                        self._receive(connection, reader)
                elif verb == "STARTTLS" and self.answers.get(verb, GARBLED) is GARBLED:
                    connection.sendall(b"220 go on\r\n")
                    if verb in self.answers:
                        connection.recv(1000)
                        connection.sendall(b"this is not the hello of a TLS server\r\n")
                        return
                    connection = open_files.enter_context(self._wrap(connection))
                    reader = open_files.enter_context(connection.makefile("rb"))
                elif verb == "AUTH":
                    self._say(connection, verb, b"235 welcome")
                elif verb == "QUIT":
                    self._say(connection, verb, b"221 bye")
                    return
                else:
                    self._say(connection, line if line in self.answers else verb, b"250 ok")

    def _receive(self, connection: socket.socket, reader: BufferedReader) -> None:
        content = b""
        while not content.endswith(b"\r\n.\r\n"):
            content += self._line(reader) + b"\r\n"
        self.received.append(content[:-3].replace(b"\r\n..", b"\r\n."))
        self._say(connection, "END", b"250 kept")

    def _wrap(self, connection: socket.socket) -> socket.socket:
        assert self._certificate is not None
        return self._certificate.server_context().wrap_socket(connection, server_side=True)

    def _say(self, connection: socket.socket, verb: str, default: bytes) -> bytes:
        answer = self.answers.get(verb, default)
        said = answer(verb) if callable(answer) else answer
        if said == CLOSE:
            raise EOFError
        connection.sendall(said + b"\r\n")
        return said

    def _line(self, reader: BufferedReader) -> bytes:
        line = reader.readline()
        if not line:
            raise EOFError
        return line.removesuffix(b"\r\n")


def after(seconds: float, reply: bytes) -> Callable[[str], bytes]:
    """Return an answer that comes late."""

    def late(_verb: str) -> bytes:
        time.sleep(seconds)
        return reply

    return late


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


@given(attempts=st.integers(1, 10_000), seed=st.integers())
def test_back_off_stays_between_zero_and_the_cap(attempts: int, seed: int) -> None:
    """The wait is within [0, min(cap, base * 2^(n-1))] for any number of attempts."""
    delay = RetryPolicy(base=2, cap=60).delay(attempts, rng=random.Random(seed))

    # After 1, 2, 3, 4, 5 attempts: 2, 4, 8, 16, 32 seconds; from the 6th on 64 > 60.
    assert 0 <= delay <= ([2, 4, 8, 16, 32][attempts - 1] if attempts <= 5 else 60)


def test_back_off_is_spread_over_the_whole_range() -> None:
    """Jitter is full: the mean of many waits is half the largest."""
    rng = random.Random(7)
    waits = [RetryPolicy(base=8, cap=60).delay(2, rng=rng) for _ in range(4000)]

    # Uniform on [0, 16]: mean 8, standard error 16 / sqrt(12 * 4000) = .07.
    assert abs(sum(waits) / len(waits) - 8) < 0.3
    assert max(waits) > 15.5


@pytest.mark.parametrize(
    "values", [{"base": 0}, {"base": 9, "cap": 3}, {"cap": float("inf")}, {"max_attempts": 0}]
)
def test_a_policy_that_never_ends_is_refused(values: dict[str, float]) -> None:
    """Base, cap and the number of attempts must make sense together."""
    with pytest.raises(SettingsError, match="at least one attempt"):
        RetryPolicy(**values)  # type: ignore[arg-type]


class StubTransport:
    """Answers in turn, and keeps what it was asked."""

    def __init__(self, *answers: Delivery | Callable[[], Delivery]) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[str, ...]] = []
        self.closed = 0

    def deliver(
        self,
        content: bytes,  # noqa: ARG002
        *,
        sender: str,  # noqa: ARG002
        recipients: Sequence[str],
        within: float,  # noqa: ARG002
    ) -> Delivery:
        """Return the next answer."""
        self.asked.append(tuple(recipients))
        answer = self.answers.pop(0)
        return answer if isinstance(answer, Delivery) else answer()

    def close(self) -> None:
        """Count."""
        self.closed += 1


FAST = RetryPolicy(base=0.001, cap=0.001, max_attempts=3)
A, B = "a@example.com", "b@example.com"


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[SqliteOutbox]:
    """Return an outbox with one email to two addresses."""
    opened = SqliteOutbox(tmp_path / "outbox.db")
    opened.enqueue(email(to=f"{A}, {B}"), handoff="support", conversation_id="c-1")
    yield opened
    opened.close()


def test_a_deferred_email_is_sent_later(outbox: SqliteOutbox) -> None:
    """A retry keeps the email, and the attempt that works makes it sent."""
    transport = StubTransport(Delivery(deferred={A: "451", B: "451"}), Delivery(delivered=(A, B)))
    done = Worker(outbox, transport, policy=FAST).flush(within=30)
    (entry,) = outbox.entries()

    assert done == Flushed(sent=1, dead=0, waiting=0)
    assert (entry.status, entry.attempts, entry.pending) == (Status.SENT, 2, ())
    assert entry.last_error is None
    assert transport.closed >= 1


def test_a_refused_email_is_dead_at_once_with_the_servers_words(outbox: SqliteOutbox) -> None:
    """No attempt is wasted on a server that said never."""
    transport = StubTransport(Delivery(refused={A: "550 gone", B: "550 gone"}))
    done = Worker(outbox, transport, policy=FAST).flush(within=30)
    (entry,) = outbox.entries()

    assert done == Flushed(sent=0, dead=1, waiting=0)
    assert (entry.status, entry.attempts, entry.last_error) == (Status.DEAD, 1, "550 gone")


def test_the_last_attempt_makes_a_dead_letter(outbox: SqliteOutbox) -> None:
    """After max_attempts retries the email is a dead letter with the last words."""
    transport = StubTransport(*(Delivery(deferred={A: f"45{i}", B: f"45{i}"}) for i in range(3)))
    Worker(outbox, transport, policy=FAST).flush(within=30)
    (entry,) = outbox.entries()

    assert (entry.status, entry.attempts, entry.last_error) == (Status.DEAD, 3, "452")


def test_only_those_without_it_are_asked_again(outbox: SqliteOutbox) -> None:
    """An address that has the email is never sent another."""
    transport = StubTransport(
        Delivery(delivered=(A,), deferred={B: "450"}), Delivery(delivered=(B,))
    )
    Worker(outbox, transport, policy=FAST).flush(within=30)
    (entry,) = outbox.entries()

    assert transport.asked == [(A, B), (B,)]
    assert (entry.status, entry.pending) == (Status.SENT, ())


def test_an_email_somebody_has_is_sent_and_the_refusal_on_record(outbox: SqliteOutbox) -> None:
    """One dead mailbox of a team does not make a dead letter of an email the team has."""
    transport = StubTransport(
        Delivery(delivered=(A,), deferred={B: "450"}), Delivery(refused={B: "550 gone"})
    )
    done = Worker(outbox, transport, policy=FAST).flush(within=30)
    (entry,) = outbox.entries()

    assert done == Flushed(sent=1, dead=0, waiting=0)
    assert (entry.status, entry.pending, entry.last_error) == (Status.SENT, (B,), "550 gone")


def test_an_email_that_kills_its_workers_ends_as_a_dead_letter(outbox: SqliteOutbox) -> None:
    """Attempts count when they begin, so a crash loop ends."""
    for name in ("w1", "w2", "w3"):
        outbox.take(name, seconds=0)
    transport = StubTransport()
    Worker(outbox, transport, policy=FAST).flush(within=30)
    (entry,) = outbox.entries()

    assert transport.asked == []
    assert (entry.status, entry.last_error) == (
        Status.DEAD,
        "the worker died during the last attempt",
    )


def test_a_flush_ends_in_time_and_says_what_waits(outbox: SqliteOutbox) -> None:
    """An email in back-off is counted as waiting when the time is over."""
    transport = StubTransport(Delivery(deferred={A: "451", B: "451"}))
    policy = RetryPolicy(base=3600, cap=3600)
    done = Worker(outbox, transport, policy=policy, seed=1).flush(within=0.2)

    assert done == Flushed(sent=0, dead=0, waiting=1)


def test_a_stopped_worker_finishes_the_email_in_its_hands(outbox: SqliteOutbox) -> None:
    """Stopping in the middle of an attempt records it, and takes no other email."""
    outbox.enqueue(email(2), handoff="support", conversation_id="c-2")

    def stop_midway() -> Delivery:
        worker.stop()
        return Delivery(delivered=(A, B))

    transport = StubTransport(stop_midway)
    worker = Worker(outbox, transport, policy=FAST)
    worker.run()

    assert [e.status for e in outbox.entries()] == [Status.SENT, Status.QUEUED]
    assert transport.closed == 1


def test_a_waiting_worker_stops_at_once(tmp_path: Path) -> None:
    """A worker with nothing to do doesn't sleep through a stop."""
    outbox = SqliteOutbox(tmp_path / "outbox.db")
    worker = Worker(outbox, StubTransport(), poll=60)
    thread = threading.Thread(target=worker.run)
    thread.start()
    time.sleep(0.05)
    begun = time.monotonic()
    worker.stop()
    thread.join(timeout=10)
    took = time.monotonic() - begun
    outbox.close()

    assert not thread.is_alive()
    assert took < 5


def test_every_attempt_is_reported(outbox: SqliteOutbox) -> None:
    """A listener sees each lease with its answer, in order."""
    seen: list[tuple[str, Outcome]] = []
    transport = StubTransport(Delivery(deferred={A: "451", B: "451"}), Delivery(delivered=(A, B)))
    Worker(
        outbox,
        transport,
        policy=FAST,
        on_attempt=lambda lease, answer: seen.append((lease.conversation_id, answer.outcome)),
    ).flush(within=30)

    assert seen == [("c-1", Outcome.RETRY), ("c-1", Outcome.DELIVERED)]


def test_a_lease_must_have_a_length(outbox: SqliteOutbox) -> None:
    """A lease of no seconds would hand every email to every worker."""
    with pytest.raises(SettingsError, match="Expected lease to be seconds above 0; got 0"):
        Worker(outbox, StubTransport(), lease=0)


def test_every_copy_has_the_same_message_id(tmp_path: Path) -> None:
    """When the reply to an accepted message is lost, the second copy is the same bytes."""
    outbox = SqliteOutbox(tmp_path / "outbox.db")
    outbox.enqueue(email(), handoff="support", conversation_id="c-1")
    late = iter([after(0.5, b"250 kept"), after(0, b"250 kept")])
    with ScriptedServer({"END": lambda verb: next(late)(verb)}) as server:
        transport = SmtpTransport(SmtpSettings("127.0.0.1", server.port, timeout=0.2))
        done = Worker(outbox, transport, policy=FAST).flush(within=30)
    outbox.close()

    assert done.sent == 1
    assert len(server.received) == 2
    assert server.received[0] == server.received[1]
    assert b"Message-ID: <1@example.com>" in server.received[0]


def test_a_store_that_fails_for_a_moment_makes_no_second_copy(
    outbox: SqliteOutbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the server took is recorded as soon as the store works again."""
    record, failures = outbox.mark_sent, [DeliveryError("the database restarts")] * 2

    def flaky(*values: Any, **options: Any) -> None:
        if failures:
            raise failures.pop()
        record(*values, **options)

    monkeypatch.setattr(outbox, "mark_sent", flaky)
    transport = StubTransport(Delivery(delivered=(A, B)))
    done = Worker(outbox, transport, lease=3.0).flush(within=10)

    assert done.sent == 1
    assert outbox.entries()[0].attempts == 1


def test_a_worker_outlives_a_store_that_fails(
    outbox: SqliteOutbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A failure while looking for work is told, and the worker goes on."""
    take, failures = outbox.take, [DeliveryError("the database restarts")]

    def flaky(*values: Any, **options: Any) -> Any:
        if failures:
            raise failures.pop()
        return take(*values, **options)

    monkeypatch.setattr(outbox, "take", flaky)
    transport = StubTransport(Delivery(delivered=(A, B)))
    worker = Worker(outbox, transport, poll=0.01, on_attempt=lambda *_: worker.stop())
    worker.run()

    assert outbox.entries()[0].status is Status.SENT
