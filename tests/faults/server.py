"""A mail server that misbehaves on purpose, and keeps a journal of what it really did.

It runs as a process of its own: `python -m tests.faults.server FOLDER SEED PATIENCE`, where
PATIENCE is the client's time-out in seconds. It prints the ports (plain, STARTTLS) as a JSON line
and ends when its standard input does.
"""

from __future__ import annotations

import asyncio
import json
import logging
import random
import re
import ssl
import sys
import time
from hashlib import sha256
from pathlib import Path
from typing import Any, TextIO

from aiosmtpd.smtp import SMTP

from tests.faults.certificate import Certificate
from tests.faults.emails import NO_SUCH_USER, REFUSED_CONTENT

GREETING_FAULTS = ("421 at the greeting", "garbage greeting", "drop at the greeting", "silence")
TLS_FAULTS = ("454 to STARTTLS", "garbled handshake", "drop in the handshake")
MAIL_FAULTS = (
    "421 to MAIL",
    "451 to MAIL",
    "garbage reply to MAIL",
    "half-open at MAIL",
    "451 to RCPT",
    "drop after DATA",
    "451 after the data",
    "slow reply",
    "drop before the reply, not kept",
    "drop before the reply, kept",
    "garbage reply after the data, kept",
    "half-open after the data, kept",
)
GREETING_RATE = 0.10
TLS_RATE = 0.15
MAIL_RATE = 0.16


_MESSAGE_ID = re.compile(rb"^Message-ID: *(<[^>]+>)", re.IGNORECASE | re.MULTILINE)


class Mischief:
    """Draws the faults, and writes the journal: one JSON object a line."""

    def __init__(self, journal: TextIO, *, seed: int, patience: float) -> None:
        self._journal = journal
        self._rng = random.Random(seed)
        self.patience = patience

    def draw(self, faults: tuple[str, ...], rate: float) -> str | None:
        """Return a fault with probability `rate`, and write it down."""
        if self._rng.random() >= rate:
            return None
        fault = self._rng.choice(faults)
        self.write(event="fault", fault=fault)
        return fault

    def write(self, **fields: object) -> None:
        """Append to the journal at once."""
        self._journal.write(json.dumps(fields) + "\n")
        self._journal.flush()


class FaultySMTP(SMTP):  # type: ignore[misc]
    """The protocol, with faults at the greeting, in STARTTLS and within DATA."""

    def __init__(self, handler: FaultyHandler, **options: Any) -> None:
        super().__init__(handler, hostname="localhost", **options)
        self._mischief = handler.mischief

    async def _handle_client(self) -> None:
        fault = self._mischief.draw(GREETING_FAULTS, GREETING_RATE)
        if fault is None:
            await super()._handle_client()
            return
        if fault == "421 at the greeting":
            await self.push("421 4.3.2 Too busy")
        elif fault == "garbage greeting":
            self._writer.write(b"\x15\x03\x01 HTTP/1.1 400 Bad Request\r\n")
            await self._writer.drain()
        elif fault == "silence":
            await asyncio.sleep(2 * self._mischief.patience)
        self.abort()

    async def smtp_STARTTLS(self, arg: str) -> None:  # noqa: N802
        """Answer STARTTLS, sometimes without meaning it."""
        fault = self._mischief.draw(TLS_FAULTS, TLS_RATE)
        if fault is None:
            await super().smtp_STARTTLS(arg)
        elif fault == "454 to STARTTLS":
            await self.push("454 4.7.0 TLS not available for now")
        else:
            await self.push("220 Ready to start TLS")
            await self._reader.read(50)
            if fault == "garbled handshake":
                self._writer.write(b"this is not the hello of a TLS server\r\n")
                await self._writer.drain()
            self.abort()

    async def smtp_DATA(self, arg: str) -> None:  # noqa: N802
        """Take the data, sometimes hanging up in the middle."""
        assert self.envelope is not None
        if self.envelope.rcpt_tos and getattr(self.envelope, "fault", None) == "drop after DATA":
            await self.push("354 Go on")
            await self._reader.read(200)
            self.abort()
            return
        await super().smtp_DATA(arg)

    def abort(self) -> None:
        """Cut the connection with no goodbye."""
        if self.transport is not None:
            self.transport.abort()


class FaultyHandler:
    """What the server does with mail; the names are aiosmtpd's."""

    def __init__(self, mischief: Mischief) -> None:
        self.mischief = mischief

    async def handle_MAIL(  # noqa: N802
        self, server: FaultySMTP, _session: Any, envelope: Any, address: str, _options: Any
    ) -> str:
        """Draw the fault of this transaction, and begin it."""
        fault = envelope.fault = self.mischief.draw(MAIL_FAULTS, MAIL_RATE)
        if fault == "421 to MAIL":
            await server.push("421 4.3.2 Closing down")
            server.abort()
        elif fault == "451 to MAIL":
            return "451 4.3.0 Come back later"
        elif fault == "garbage reply to MAIL":
            return "%%% ~~~"
        elif fault == "half-open at MAIL":
            await asyncio.sleep(2 * self.mischief.patience)
        envelope.mail_from = address
        return "250 OK"

    async def handle_RCPT(  # noqa: N802
        self, _server: FaultySMTP, _session: Any, envelope: Any, address: str, _options: Any
    ) -> str:
        """Take every address but those of people who are gone."""
        if address.startswith("gone"):
            return NO_SUCH_USER
        if envelope.fault == "451 to RCPT":
            return "451 4.2.0 Greylisted"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(  # noqa: N802
        self, server: FaultySMTP, _session: Any, envelope: Any
    ) -> str:
        """Keep the message or not, and answer or not."""
        fault = envelope.fault
        if b"\r\nX-Policy: refuse\r\n" in envelope.original_content:
            return REFUSED_CONTENT
        if fault == "451 after the data":
            return "451 4.3.1 Disk full"
        if fault == "drop before the reply, not kept":
            server.abort()
            return ""
        if fault == "slow reply":
            await asyncio.sleep(0.4 * self.mischief.patience)
        silent = fault is not None and fault.endswith(", kept")
        self._keep(envelope, replied=not silent)
        if fault == "drop before the reply, kept":
            server.abort()
        elif fault == "garbage reply after the data, kept":
            return "\x00\x01 certainly \x02"
        elif fault == "half-open after the data, kept":
            await asyncio.sleep(2 * self.mischief.patience)
            server.abort()
        return "250 2.0.0 Kept"

    def _keep(self, envelope: Any, *, replied: bool) -> None:
        found = _MESSAGE_ID.search(envelope.original_content)
        self.mischief.write(
            event="kept",
            message_id=found[1].decode() if found else None,
            sha256=sha256(envelope.original_content).hexdigest(),
            recipients=envelope.rcpt_tos,
            replied=replied,
            at=time.time(),
        )


async def serve(folder: Path, *, seed: int, patience: float) -> None:
    """Serve on two free ports of 127.0.0.1 until standard input ends."""
    loop = asyncio.get_running_loop()
    context: ssl.SSLContext = Certificate.of(folder).server_context()
    with (folder / "server.jsonl").open("a", encoding="utf-8") as journal:
        handler = FaultyHandler(Mischief(journal, seed=seed, patience=patience))
        servers = [
            await loop.create_server(
                lambda options=options: FaultySMTP(handler, loop=loop, **options),  # type: ignore[misc]
                *("127.0.0.1", 0),
            )
            for options in ({}, {"tls_context": context, "require_starttls": True})
        ]
        print(json.dumps([s.sockets[0].getsockname()[1] for s in servers]), flush=True)
        await loop.run_in_executor(None, sys.stdin.read)
        for server in servers:
            server.close()


if __name__ == "__main__":
    logging.getLogger("mail.log").setLevel(logging.CRITICAL)
    asyncio.run(serve(Path(sys.argv[1]), seed=int(sys.argv[2]), patience=float(sys.argv[3])))
