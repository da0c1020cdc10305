"""One process of the service: HTTP, the decider's thread, the mail worker, the housekeeping."""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime

import uvicorn
from fastapi import FastAPI

from handoff_eval.errors import DeliveryError, SettingsError
from handoff_eval.mail.delivery import SmtpSettings, SmtpTransport
from handoff_eval.mail.dispatch import zone_of
from handoff_eval.mail.live import open_live_sides
from handoff_eval.mail.outbox import open_outbox
from handoff_eval.mail.volume import warn_of_volume
from handoff_eval.mail.worker import Worker
from handoff_eval.production.service.app import build_app
from handoff_eval.production.service.batches import Batches
from handoff_eval.production.service.engine import Engine, Lane
from handoff_eval.production.service.guard import Guard
from handoff_eval.production.service.ledger import Ledger
from handoff_eval.production.service.observe import Metrics
from handoff_eval.production.service.steps import Step

_LOGGER = logging.getLogger("handoff_eval.service")
_HOUR = 3600.0
_GRACE = 20


@dataclass(frozen=True, slots=True)
class ServiceSettings:
    """How a service is run.

    Parameters
    ----------
    host, port : str, int
        Port 0 takes a free one, which the log tells.
    state : str
        SQLite file or PostgreSQL URL of state, decision log and outbox.
    tokens : tuple of str
        Empty lets everybody in who reaches the port.
    smtp : SmtpSettings, optional
        None leaves the sending to `handoff-eval outbox flush`, or to another process.
    idle_seconds : float
        A conversation without a turn for so long is closed.
    keep_days : float
        What was said is removed so long after the close.
    max_body : int
        Bytes.
    log_text : bool
        Write what was said into the log.
    """

    host: str
    port: int
    state: str
    tokens: tuple[str, ...]
    smtp: SmtpSettings | None = None
    idle_seconds: float = 600.0
    keep_days: float = 30.0
    max_body: int = 512 * 1024
    log_text: bool = False

    def __post_init__(self) -> None:
        if not self.tokens and self.host not in {"127.0.0.1", "::1", "localhost"}:
            raise SettingsError(
                f"Expected --token-file where others can reach the port; got none for "
                f"{self.host}. Make one: python3 -c 'import secrets; print(secrets.token_hex(32))'."
            )
        for name in ("idle_seconds", "keep_days", "max_body"):
            if not getattr(self, name) > 0:
                raise SettingsError(f"Expected {name} above 0; got {getattr(self, name)!r}.")
        if not 0 <= self.port < 65536:
            raise SettingsError(f"Expected a port from 0 to 65535; got {self.port}.")


def serve(lanes: Sequence[Lane], settings: ServiceSettings) -> None:
    """Serve until SIGTERM or SIGINT, then finish what was accepted.

    Raises
    ------
    SettingsError
        When the state can't be opened, or the port is taken.
    """
    metrics = Metrics()
    outbox = open_outbox(settings.state)
    try:
        ledger = Ledger(outbox)
        batches = Batches(Engine(ledger, lanes), on_batch=metrics.batches.observe)
        sender = Sender(lanes, settings) if settings.smtp is not None else None

        @asynccontextmanager
        async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
            batches.start()
            chores = asyncio.create_task(_housekeeping(batches, ledger, lanes, settings))
            if sender is not None:
                sender.start()
            yield
            chores.cancel()
            await batches.stop()
            if sender is not None:
                await asyncio.to_thread(sender.stop)
            _LOGGER.info("stopped")

        def ready() -> str | None:
            if not batches.running or (sender is not None and not sender.running):
                return "Expected decider and mail worker to run; one has ended. Start anew."
            ledger.open_conversations()
            return None

        app = build_app(
            batches=batches,
            ledger=ledger,
            metrics=metrics,
            ready=ready,
            lifespan=lifespan,
            log_text=settings.log_text,
        )
        guarded = Guard(app, tokens=settings.tokens, max_body=settings.max_body, metrics=metrics)
        _run(guarded, settings)
    finally:
        outbox.close()


class Sender:
    """The outbox's worker on a thread of its own, with its own connection."""

    def __init__(self, lanes: Sequence[Lane], settings: ServiceSettings) -> None:
        assert settings.smtp is not None  # noqa: S101 - the caller has looked
        self._outbox = open_outbox(settings.state)
        self._worker = Worker(
            self._outbox,
            SmtpTransport(settings.smtp),
            live=open_live_sides([lane.handoff for lane in lanes]),
        )
        self._thread = threading.Thread(target=self._worker.run, name="mail", daemon=True)

    @property
    def running(self) -> bool:
        """Whether emails are being sent."""
        return self._thread.is_alive()

    def start(self) -> None:
        """Begin to send."""
        self._thread.start()

    def stop(self) -> None:
        """End after the email in hand; one that takes too long comes back when its lease ends."""
        self._worker.stop()
        self._thread.join(_GRACE)
        if not self._thread.is_alive():
            self._outbox.close()


def _run(app: Guard, settings: ServiceSettings) -> None:
    try:
        family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
        listener = socket.create_server((settings.host, settings.port), family=family, backlog=2048)
    except OSError as error:
        raise SettingsError(
            f"Expected to listen on {settings.host}:{settings.port}; got: {error.strerror}."
        ) from None
    with listener:
        config = uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=_GRACE,
            lifespan="on",
        )
        host, port = listener.getsockname()[:2]
        _LOGGER.info("listening", extra={"facts": {"host": host, "port": port}})
        # uvicorn ends well at these and then raises them once more, for whoever was there before.
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: None)
        uvicorn.Server(config).run(sockets=[listener])


async def _housekeeping(
    batches: Batches, ledger: Ledger, lanes: Sequence[Lane], settings: ServiceSettings
) -> None:
    """Close what fell silent, remove old texts, and look at the volume once an hour."""
    next_hour = 0.0
    while True:
        now = datetime.now(UTC)
        with suppress(DeliveryError):  # the next round comes soon
            silent = await asyncio.to_thread(
                ledger.silent, before=now.timestamp() - settings.idle_seconds
            )
            for conversation_id, turns in silent:
                # Refused when a turn came meanwhile: then it isn't silent.
                await batches.take(Step(conversation_id, turns, None))
            if now.timestamp() >= next_hour:
                next_hour = now.timestamp() + _HOUR
                await asyncio.to_thread(_hourly, ledger, lanes, settings, now)
        await asyncio.sleep(min(5.0, settings.idle_seconds / 4))


def _hourly(
    ledger: Ledger, lanes: Sequence[Lane], settings: ServiceSettings, now: datetime
) -> None:
    ledger.drop_texts(closed_before=now.timestamp() - settings.keep_days * 86_400)
    for lane in lanes:
        warn_of_volume(ledger.outbox, lane.handoff, at=now, zone=zone_of(lane.handoff))
