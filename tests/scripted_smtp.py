"""An SMTP server that answers by script, over real sockets."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from io import BufferedReader

from tests.faults.certificate import Certificate

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
