"""What a service tells of itself: JSON lines with ids and numbers, and Prometheus metrics.

Neither holds what anybody said, unless texts are asked for.
"""

from __future__ import annotations

import json
import logging
import traceback
from datetime import UTC, datetime

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from handoff_eval.mail.outbox import Outbox
from handoff_eval.production.service.ledger import Ledger

_SECONDS = (0.002, 0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.2, 0.5, 1, 2, 5, 10)
_PLACES = 8
_SIZES = (1, 2, 4, 8, 16, 32, 64)


class JsonLines(logging.Formatter):
    """One JSON object a record: time, level, event, and the facts given with it.

    A traceback keeps its places in the code and the kind of error; the words of an error may
    quote a customer and are left out.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        line = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": record.getMessage(),
            **getattr(record, "facts", {}),
        }
        if record.exc_info:
            line["traceback"] = [
                f"{frame.filename}:{frame.lineno} {frame.name}"
                for frame in traceback.extract_tb(record.exc_info[2])[-_PLACES:]
            ]
        return json.dumps(line)


class Metrics:
    """The service's metrics, in a registry of their own."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self.requests = Histogram(
            "handoff_request_seconds",
            "Time from the first byte to the answer",
            ["route", "status"],
            buckets=_SECONDS,
            registry=self._registry,
        )
        self.steps = Counter(
            "handoff_steps", "Steps accepted, repeats left out", ["kind"], registry=self._registry
        )
        self.fires = Counter(
            "handoff_fires", "Handoffs fired", ["handoff"], registry=self._registry
        )
        self.scores = Histogram(
            "handoff_score",
            "Scores at decision points",
            ["handoff"],
            buckets=[i / 10 for i in range(1, 11)],
            registry=self._registry,
        )
        self.batches = Histogram(
            "handoff_batch_steps",
            "Steps decided together",
            buckets=_SIZES,
            registry=self._registry,
        )
        self._outbox = Gauge(
            "handoff_outbox_emails",
            "Emails in the outbox by status",
            ["status"],
            registry=self._registry,
        )
        self._open = Gauge(
            "handoff_open_conversations", "Conversations that go on", registry=self._registry
        )

    def render(self, ledger: Ledger, outbox: Outbox) -> bytes:
        """Return all metrics in Prometheus' text format."""
        for status, count in outbox.counts().items():
            self._outbox.labels(status.value).set(count)
        self._open.set(ledger.open_conversations())
        return generate_latest(self._registry)


def log_to(stream: logging.Handler, *, level: int = logging.INFO) -> None:
    """Send this process's log there as JSON lines."""
    stream.setFormatter(JsonLines())
    root = logging.getLogger()
    root.handlers[:] = [stream]
    root.setLevel(level)
    logging.getLogger("uvicorn.access").disabled = True
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
