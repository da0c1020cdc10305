"""SMTP delivery: where mail is handed over, and what the server's answer means.

Every answer falls into one of three outcomes. *Delivered*: the server took responsibility.
*Retry*: it may take it later (4xx, a lost connection, a time-out, an answer out of form, a failure
of TLS or login). *Refused*: it never will (5xx about this sender, address or content).
"""

from __future__ import annotations

import re
import smtplib
import socket
import ssl
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

from handoff_eval.errors import SettingsError
from handoff_eval.mail.wire import one_line

_PORTS = {"none": 25, "starttls": 587, "tls": 465}
# 530, 534, 535 and 538 speak of how we came, not of the message: a wrong password must not turn
# a whole queue into dead letters.
_ABOUT_LOGIN = frozenset({530, 534, 535, 538})
_TIMEOUT = 60.0
_GOODBYE_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class SmtpSettings:
    """A mail server and how to speak to it.

    Parameters
    ----------
    host, port : str, int
        Where it listens; the usual ports are 25, 587 with STARTTLS and 465 with TLS.
    security : str
        `none`, `starttls` (refused when the server doesn't offer it) or `tls` from the first byte.
    user, password : str, optional
        ASCII; sent only over TLS, or to this very machine.
    timeout : float
        Seconds to wait for one reply. A short one makes second copies: a server that took the
        message but answers late looks like one that did not.
    ca_file : Path, optional
        PEM file of the authorities to trust instead of the system's.
    """

    host: str
    port: int
    security: str = "none"
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    timeout: float = _TIMEOUT
    ca_file: Path | None = None

    def __post_init__(self) -> None:
        if self.security not in _PORTS:
            raise SettingsError(
                f"Expected security to be none, starttls or tls; got {self.security!r}."
            )
        if not _is_host(self.host):
            raise SettingsError(f"Expected the name or address of a host; got {self.host!r}.")
        if not 0 < self.port < 65536:
            raise SettingsError(f"Expected a port between 1 and 65535; got {self.port!r}.")
        if not 0 < self.timeout < float("inf"):
            raise SettingsError(f"Expected timeout to be seconds above 0; got {self.timeout!r}.")
        if (self.user is None) != (self.password is None):
            raise SettingsError("Expected a user and a password, or neither; got only one of them.")
        if self.user is not None and not f"{self.user}{self.password}".isascii():
            raise SettingsError("Expected user and password in ASCII; got other characters.")
        if self.user is not None and self.security == "none" and not _is_loopback(self.host):
            raise SettingsError(
                f"Expected TLS where a password is sent; got security none for {self.host!r}. "
                "Add ?starttls=1 to the URL, or use smtps://."
            )

    @classmethod
    def from_url(cls, url: str) -> SmtpSettings:
        """Read `smtp://user:password@host:587?starttls=1`, or `smtps://` for TLS from the start.

        User and password are percent-encoded; `timeout=SECONDS` and `ca_file=PATH` may follow.

        Raises
        ------
        SettingsError
            When the URL is not of that form; the password is not repeated in the message.
        """
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            raise SettingsError(_expected_url("one whose host or port can't be read")) from None
        options = dict(parse_qsl(parts.query, keep_blank_values=True))
        unknown = sorted(set(options) - {"starttls", "timeout", "ca_file"})
        if parts.scheme not in ("smtp", "smtps"):
            raise SettingsError(_expected_url(f"the scheme {parts.scheme!r}"))
        if not parts.hostname or parts.path.strip("/") or parts.fragment or unknown:
            raise SettingsError(
                _expected_url(f"the option {unknown[0]!r}" if unknown else "no host, or a path")
            )
        starttls = options.get("starttls", "0")
        if starttls not in ("0", "1") or (starttls == "1" and parts.scheme == "smtps"):
            raise SettingsError(_expected_url(f"starttls={starttls} with {parts.scheme}://"))
        security = "tls" if parts.scheme == "smtps" else "starttls" if starttls == "1" else "none"
        try:
            timeout = float(options.get("timeout", _TIMEOUT))
        except ValueError:
            raise SettingsError(_expected_url(f"timeout={options['timeout']!r}")) from None
        return cls(
            host=parts.hostname,
            port=_PORTS[security] if port is None else port,
            security=security,
            user=None if parts.username is None else unquote(parts.username),
            password=None if parts.password is None else unquote(parts.password),
            timeout=timeout,
            ca_file=Path(options["ca_file"]) if "ca_file" in options else None,
        )


class Outcome(StrEnum):
    """What became of one attempt."""

    DELIVERED = "delivered"
    RETRY = "retry"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Delivery:
    """The server's answer for each address; together they are all that were asked for.

    Where a server takes some addresses and not others, those it took have the email, and it
    would be wrong to send them another. So an attempt asks again only for the *deferred* ones
    (4xx), and an address *refused* for good (5xx) makes a dead letter only when nobody has the
    email: a team of which one mailbox is gone has been reached, and the refusal stays on record.

    Parameters
    ----------
    delivered : tuple of str
        Addresses the server took responsibility for.
    deferred, refused : mapping of str to str
        The other addresses, with the server's words.
    """

    delivered: tuple[str, ...] = ()
    deferred: Mapping[str, str] = field(default_factory=dict)
    refused: Mapping[str, str] = field(default_factory=dict)

    @property
    def outcome(self) -> Outcome:
        """`retry` while any address is deferred, else `delivered` when anyone has it."""
        if self.deferred:
            return Outcome.RETRY
        return Outcome.DELIVERED if self.delivered else Outcome.REFUSED

    @property
    def words(self) -> str:
        """The server's words about the addresses that don't have it, empty when all do."""
        answers = {**self.deferred, **self.refused}
        if not self.delivered and len(set(answers.values())) == 1:
            return next(iter(answers.values()))
        return "; ".join(f"{address}: {words}" for address, words in answers.items())


class SmtpTransport:
    """A connection to one server, kept open between messages; for one thread.

    Parameters
    ----------
    settings : SmtpSettings
        The server; the connection is opened at the first delivery.

    Raises
    ------
    SettingsError
        When `ca_file` can't be read.
    """

    def __init__(self, settings: SmtpSettings) -> None:
        self._settings = settings
        self._connection: smtplib.SMTP | None = None
        self._expired = threading.Event()
        self._context: ssl.SSLContext | None = None
        try:
            if settings.security != "none":
                self._context = ssl.create_default_context(cafile=settings.ca_file)
        except (OSError, ssl.SSLError) as error:
            raise SettingsError(
                f"Expected ca_file to be a PEM file of certificates; got {settings.ca_file}: "
                f"{error}."
            ) from None

    def deliver(
        self, content: bytes, *, sender: str, recipients: Sequence[str], within: float
    ) -> Delivery:
        """Hand one message over and return the server's answer for each recipient.

        Parameters
        ----------
        content : bytes
            The message, CRLF line ends.
        within : float
            Seconds after which the connection is cut whatever the server does, so that the
            sender's lease outlives the attempt even where a server drips its replies.
        """
        self._expired.clear()
        limit = threading.Timer(within, self._expire)
        limit.daemon = True
        limit.start()
        try:
            connection = self._open()
        except (OSError, smtplib.SMTPException, ValueError) as error:
            self._drop()
            return Delivery(deferred=dict.fromkeys(recipients, _words(error)))
        else:
            return self._hand_over(connection, content, sender, recipients)
        finally:
            limit.cancel()
            limit.join()
            if self._expired.is_set():
                self._drop()

    def close(self) -> None:
        """Say goodbye to the server, waiting at most two seconds for its answer."""
        connection, self._connection = self._connection, None
        if connection is None:
            return
        try:
            if connection.sock is not None:
                connection.sock.settimeout(_GOODBYE_SECONDS)
                connection.quit()
        except (OSError, smtplib.SMTPException):
            pass
        finally:
            connection.close()

    def _open(self) -> smtplib.SMTP:
        if self._connection is not None:
            try:
                if self._connection.rset()[0] == 250:
                    return self._connection
            except (OSError, smtplib.SMTPException):
                pass
            self._drop()
        settings = self._settings
        connection: smtplib.SMTP
        if settings.security == "tls":
            connection = smtplib.SMTP_SSL(timeout=settings.timeout, context=self._context)
        else:
            connection = smtplib.SMTP(timeout=settings.timeout)
        # smtplib checks the certificate against this name, and takes it from its constructor
        # only, which would connect before the time limit can reach the socket.
        connection._host = settings.host  # type: ignore[attr-defined]
        self._connection = connection
        code, words = connection.connect(settings.host, settings.port)
        if code != 220:
            raise smtplib.SMTPConnectError(code, words)
        if settings.security == "starttls":
            connection.starttls(context=self._context)
        connection.ehlo_or_helo_if_needed()
        if settings.user is not None and settings.password is not None:
            connection.login(settings.user, settings.password)
        if self._expired.is_set():
            raise TimeoutError("the time limit passed while connecting")
        return connection

    def _hand_over(
        self, connection: smtplib.SMTP, content: bytes, sender: str, recipients: Sequence[str]
    ) -> Delivery:
        options = [f"SIZE={len(content)}"] if connection.has_extn("size") else []
        if not (content.isascii() and sender.isascii() and "".join(recipients).isascii()):
            if not connection.has_extn("smtputf8"):
                words = "the server takes no address outside ASCII (it doesn't offer SMTPUTF8)"
                return Delivery(refused=dict.fromkeys(recipients, words))
            options += ["SMTPUTF8", "BODY=8BITMIME"]
        try:
            answers = _transaction(connection, content, sender, recipients, options)
        except (OSError, smtplib.SMTPException, ValueError) as error:
            self._drop()
            return Delivery(deferred=dict.fromkeys(recipients, _words(error)))
        if any(code != 250 and not _is_refusal(code) for code, _ in answers.values()):
            self._drop()
        return Delivery(
            delivered=tuple(a for a, (code, _) in answers.items() if code == 250),
            deferred={
                address: _reply(code, words)
                for address, (code, words) in answers.items()
                if code != 250 and not _is_final(code)
            },
            refused={
                address: _reply(code, words)
                for address, (code, words) in answers.items()
                if _is_final(code)
            },
        )

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _expire(self) -> None:
        self._expired.set()
        connection = self._connection
        opened = None if connection is None else connection.sock
        if opened is not None:
            with suppress(OSError):
                # An SSL socket's own shutdown would leave the blocked reader in plain text.
                socket.socket.shutdown(opened, socket.SHUT_RDWR)


def _transaction(
    connection: smtplib.SMTP,
    content: bytes,
    sender: str,
    recipients: Sequence[str],
    options: Sequence[str],
) -> dict[str, tuple[int, bytes]]:
    answer = connection.mail(sender, options)
    if answer[0] != 250:
        return dict.fromkeys(recipients, answer)
    answers: dict[str, tuple[int, bytes]] = {}
    for address in recipients:
        answer = answers[address] = connection.rcpt(address)
        if answer[0] == 421:
            return dict.fromkeys(recipients, answer)
    taken = [address for address, (code, _) in answers.items() if code in (250, 251)]
    if taken:
        try:
            answer = connection.data(content)
        except smtplib.SMTPDataError as error:
            # A 250 in place of the 354 would read as delivered though nothing was handed over.
            code = error.smtp_code if _is_refusal(error.smtp_code) else -1
            answer = (code, _bytes(error.smtp_error))
        answers.update(dict.fromkeys(taken, answer))
    return answers


def _is_refusal(code: int) -> bool:
    return 400 <= code <= 599 and code != 421


def _is_final(code: int) -> bool:
    return 500 <= code <= 599 and code not in _ABOUT_LOGIN


def _reply(code: int, words: bytes) -> str:
    text = one_line(words.decode("utf-8", "replace"))
    return f"{code} {text}" if code > 0 else f"an answer out of form: {text!r}"


def _words(error: Exception) -> str:
    if isinstance(error, smtplib.SMTPResponseException):
        return _reply(error.smtp_code, _bytes(error.smtp_error))
    return one_line(str(error)) or type(error).__name__


def _bytes(words: bytes | str) -> bytes:
    return words if isinstance(words, bytes) else words.encode("utf-8", "replace")


def _expected_url(got: str) -> str:
    return (
        "Expected a mail server as smtp://user:password@host:587?starttls=1 or smtps://host, with "
        f"the options starttls, timeout and ca_file; got {got}."
    )


def _is_host(host: str) -> bool:
    try:
        return bool(host) and bool(host.encode("idna")) and not re.search(r"[\s/@\x00-\x20]", host)
    except UnicodeError:
        return False


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
