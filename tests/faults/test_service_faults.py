"""A service killed again and again under load: no accepted turn is lost, no email sent twice."""

from __future__ import annotations

import signal
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from handoff_eval.mail.delivery import SmtpSettings, SmtpTransport
from handoff_eval.mail.entries import Kind, Status
from handoff_eval.mail.outbox import open_outbox
from handoff_eval.mail.sink import MailSink
from handoff_eval.mail.sqlite_outbox import SqliteOutbox
from handoff_eval.mail.worker import Worker
from handoff_eval.production.service.ledger import Ledger
from handoff_eval.triggers.keyword import KeywordTrigger, default_rules
from tests.services import TOKEN, Service, turn, write_service

THREADS = 8


@dataclass
class Clients:
    """Clients that send each turn until it is accepted, and note every answer."""

    url: str = ""
    accepted: dict[tuple[str, int], dict[str, Any]] = field(default_factory=dict)
    changed: list[tuple[str, int]] = field(default_factory=list)
    failures: Counter[str] = field(default_factory=Counter)

    def converse(self, name: str) -> None:
        """Send one conversation, repeating what was not answered."""
        bodies = [
            turn("customer", f"where is my parcel {name}"),
            turn("agent", "it is on its way"),
            turn("customer", "let me talk to a human" if int(name[2:]) % 2 else "thank you"),
        ]
        with httpx.Client(headers={"Authorization": f"Bearer {TOKEN}"}, trust_env=False) as client:
            for number, body in enumerate(bodies):
                self._insist(client, name, number, body)
            for number in range(len(bodies)):  # and again, as a client that lost the answer would
                self._insist(client, name, number, bodies[number])

    def _insist(self, client: httpx.Client, name: str, number: int, body: dict[str, Any]) -> None:
        end = time.monotonic() + 60
        while time.monotonic() < end:
            try:
                url = f"{self.url}/v1/conversations/{name}/turns/{number}"
                answer = client.put(url, json=body, timeout=5)
            except httpx.HTTPError as error:
                self.failures[type(error).__name__] += 1
                time.sleep(0.05)
                continue
            if answer.status_code == 503:
                self.failures["503"] += 1
                continue
            assert answer.status_code == 200, answer.text
            first = self.accepted.setdefault((name, number), answer.json())
            if first != answer.json():
                self.changed.append((name, number))
            return
        raise AssertionError(f"{name} {number} was never accepted")


def run_under_kills(folder: Path, state: str, *, talks: int, kills: int, smtp: str) -> Clients:
    """Send conversations to a service that is killed meanwhile, and return what was answered."""
    write_service(folder, KeywordTrigger(default_rules()), 0.4)
    service = Service.start(folder, "--smtp", smtp, state=state)
    clients = Clients(service.url)
    done = threading.Event()

    def converse_all() -> None:
        try:
            with ThreadPoolExecutor(THREADS) as pool:
                list(pool.map(clients.converse, (f"c-{i}" for i in range(talks))))
        finally:
            done.set()

    load = threading.Thread(target=converse_all)
    load.start()
    for _ in range(kills):
        before = len(clients.accepted)
        # Killed in the middle of work: after so many turns more, at no chosen instant.
        while len(clients.accepted) < before + talks * 3 // (2 * kills) and not done.is_set():
            time.sleep(0.002)
        service.end(signal.SIGKILL)
        service = Service.start(folder, "--smtp", smtp, state=state)
        clients.url = service.url
    load.join()
    assert service.end() == 0
    return clients


@pytest.mark.parametrize(
    ("kind", "talks", "kills"),
    [
        pytest.param("sqlite", 120, 3, marks=pytest.mark.medium),
        pytest.param("sqlite", 1500, 12, marks=pytest.mark.faults),
        pytest.param("postgres", 600, 6, marks=pytest.mark.faults),
    ],
)
def test_kills_under_load_lose_no_turn_and_double_no_email(
    tmp_path: Path, request: pytest.FixtureRequest, kind: str, talks: int, kills: int
) -> None:
    """Every 200 is kept with its answer, and each fired conversation has one email."""
    postgres = kind == "postgres"
    state = request.getfixturevalue("postgres_url") if postgres else str(tmp_path / "state.db")
    with MailSink(tmp_path / "mailbox") as sink:
        clients = run_under_kills(tmp_path, state, talks=talks, kills=kills, smtp=sink.url)
        outbox = open_outbox(state)
        in_hand = [e for e in outbox.entries() if e.status is Status.SENDING]
        # What a killed worker had in its hands comes back when its lease ends.
        later = expired(outbox, state)
        Worker(later, SmtpTransport(SmtpSettings.from_url(sink.url))).flush(within=60)
        entries = [e for e in later.entries() if e.kind is Kind.EMAIL]
        copies = Counter(caught.message_id for caught in sink.messages())
    known = Ledger(outbox).load([f"c-{i}" for i in range(talks)])

    assert clients.failures.total() > 0
    assert clients.changed == []
    assert len(clients.accepted) == 3 * talks
    assert {name: one.turns for name, one in known.items()} == {f"c-{i}": 3 for i in range(talks)}
    assert {e.conversation_id for e in entries} == {f"c-{i}" for i in range(1, talks, 2)}
    assert {e.status for e in entries} == {Status.SENT}
    assert set(copies) == {e.message_id for e in entries}
    # Law 9: a copy can only be of an email that was in a killed worker's hands.
    assert {m for m, n in copies.items() if n > 1} <= {e.message_id for e in in_hand}
    assert copies.total() <= len(entries) + kills
    outbox.close()
    later.close()


def expired(outbox: Any, state: str) -> Any:
    """Return the same outbox an hour later."""
    from handoff_eval.mail.postgres_outbox import PostgresOutbox

    kind = SqliteOutbox if isinstance(outbox, SqliteOutbox) else PostgresOutbox
    where: Any = Path(state) if kind is SqliteOutbox else state
    return kind(where, clock=lambda: time.time() + 3600)
