"""A local mailbox: an SMTP server on loopback that keeps every message as an `.eml` file."""

from __future__ import annotations

import asyncio
import os
import re
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from email.errors import MessageError
from email.header import decode_header, make_header
from email.message import Message
from email.parser import BytesHeaderParser
from email.policy import compat32
from hashlib import sha256
from pathlib import Path
from types import TracebackType
from typing import Any

from handoff_eval.errors import MissingExtraError, SettingsError
from handoff_eval.mail.wire import one_line

LOOPBACK = "127.0.0.1"
_NAME = re.compile(r"(\d{6,})-[0-9a-f]{12}\.eml")
_LARGEST = 64 * 1024 * 1024
_HEADER_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True)
class CaughtEmail:
    """One message of a mailbox; texts are single printable lines.

    Parameters
    ----------
    number : int
        Its place in the order of arrival, from 1.
    size : int
        Octets.
    """

    path: Path
    number: int
    message_id: str
    sender: str
    recipients: str
    subject: str
    size: int
    arrived_at: datetime


class MailSink:
    """A mail server that accepts everything and delivers nothing; use it as a context manager.

    Parameters
    ----------
    folder : Path
        Where the messages go, made when missing; numbers go on after those that are there.
    port : int
        0 takes a free one.
    host : str
        Address to listen on; in a container others have to reach it.
    on_arrival : callable, optional
        Called with each message once its file is there, on the server's thread.

    Attributes
    ----------
    port : int
        The port it listens on.
    count : int
        Messages accepted since it started.
    """

    def __init__(
        self,
        folder: Path,
        *,
        port: int = 0,
        host: str = LOOPBACK,
        on_arrival: Callable[[CaughtEmail], None] | None = None,
    ) -> None:
        self.folder = folder
        self.port = port
        self._host = host
        self.count = 0
        self._on_arrival = on_arrival
        self._number = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        """The server as a worker's settings take it."""
        return f"smtp://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Listen, on a thread of its own.

        Raises
        ------
        SettingsError
            When the port is taken or the folder can't be made.
        MissingExtraError
            When aiosmtpd is not installed.
        """
        try:
            from aiosmtpd.smtp import SMTP
        except ImportError:
            raise MissingExtraError(
                "Expected aiosmtpd, which the local mailbox needs, to be installed; it is not. "
                "Run: pip install 'handoff-eval[bench]'"
            ) from None
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise SettingsError(
                f"Expected a folder at {self.folder}; got: {error.strerror}."
            ) from None
        self._number = max((caught.number for caught in read_mailbox(self.folder)), default=0)
        listening = _listen(self._host, self.port)
        self.port = listening.getsockname()[1]
        ready = threading.Event()
        self._thread = threading.Thread(
            target=lambda: asyncio.run(self._serve(SMTP, listening, ready)),
            name="mail-sink",
            daemon=True,
        )
        self._thread.start()
        ready.wait()

    def stop(self) -> None:
        """Stop listening and cut the connections that are open."""
        if self._thread is not None and self._loop is not None and self._stop is not None:
            self._loop.call_soon_threadsafe(self._stop.set)
            self._thread.join()
        self._thread = self._loop = self._stop = None

    def messages(self) -> tuple[CaughtEmail, ...]:
        """Return the mailbox's messages in the order of arrival, earlier runs included."""
        return read_mailbox(self.folder)

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802
        """Keep one message; aiosmtpd calls this by its name.

        Returns
        -------
        str
            The reply: 250 once the file is there, 451 when it can't be written.
        """
        try:
            caught = self._keep(envelope.original_content)
        except OSError as error:
            return f"451 4.3.0 The message can't be kept: {error.strerror}"
        if self._on_arrival is not None:
            self._on_arrival(caught)
        return f"250 2.0.0 Kept as {caught.path.name}"

    def __enter__(self) -> MailSink:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def _keep(self, content: bytes) -> CaughtEmail:
        message_id = _headers(content[:_HEADER_BYTES]).get("message-id", "")
        digest = sha256(str(message_id).encode("utf-8", "surrogateescape")).hexdigest()[:12]
        part = self.folder / f".{os.getpid()}-{threading.get_ident()}.part"
        part.write_bytes(content)
        try:
            while True:
                self._number += 1
                path = self.folder / f"{self._number:06d}-{digest}.eml"
                # A link refuses a name that is taken, where a rename would replace a message
                # that another sink on this folder has kept.
                with suppress(FileExistsError):
                    path.hardlink_to(part)
                    break
        finally:
            part.unlink()
        self.count += 1
        return _read(path, self._number)

    async def _serve(
        self, protocol: Callable[..., Any], listening: socket.socket, ready: threading.Event
    ) -> None:
        loop = self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        connections: list[Any] = []

        def connect() -> Any:
            connections[:] = [one for one in connections if one.transport is not None]
            connections.append(
                protocol(
                    self,
                    data_size_limit=_LARGEST,
                    enable_SMTPUTF8=True,
                    hostname="localhost",
                    ident="handoff-eval mailbox",
                    loop=loop,
                )
            )
            return connections[-1]

        server = await loop.create_server(connect, sock=listening)
        ready.set()
        await self._stop.wait()
        server.close()
        # From Python 3.12 on, wait_closed waits for every client to leave.
        for connection in connections:
            if connection.transport is not None:
                connection.transport.abort()
        await server.wait_closed()


def read_mailbox(folder: Path) -> tuple[CaughtEmail, ...]:
    """Return the messages that sinks kept in a folder, in the order of arrival."""
    named = ((path, _NAME.fullmatch(path.name)) for path in folder.glob("*.eml"))
    found = [_read(path, int(match[1])) for path, match in named if match]
    return tuple(sorted(found, key=lambda caught: (caught.number, caught.path.name)))


def _listen(host: str, port: int) -> socket.socket:
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
    except (OSError, OverflowError) as error:
        listening.close()
        raise SettingsError(
            f"Expected a free port on {host}; port {port} can't be used ({error}). "
            "Choose another, or 0 for any that is free."
        ) from None
    return listening


def _read(path: Path, number: int) -> CaughtEmail:
    with path.open("rb") as opened:
        headers = _headers(opened.read(_HEADER_BYTES))
    details = path.stat()
    return CaughtEmail(
        path=path,
        number=number,
        message_id=one_line(str(headers.get("message-id", ""))),
        sender=_decoded(headers, "from"),
        recipients=_decoded(headers, "to"),
        subject=_decoded(headers, "subject"),
        size=details.st_size,
        arrived_at=datetime.fromtimestamp(details.st_mtime, UTC),
    )


def _headers(content: bytes) -> Message:
    return BytesHeaderParser(policy=compat32).parsebytes(content)


def _decoded(headers: Message, name: str) -> str:
    value = str(headers.get(name, ""))
    with suppress(MessageError, LookupError, ValueError):
        value = str(make_header(decode_header(value)))
    return one_line(value)
