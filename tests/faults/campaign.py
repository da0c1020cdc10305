"""A campaign: emails, workers, a server that misbehaves, and kills at random moments."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from handoff_eval.mail.entries import Status
from handoff_eval.mail.outbox import Outbox, open_outbox
from tests.faults.account import Account, Hold, account_for, read_journal
from tests.faults.certificate import make_certificate
from tests.faults.emails import make_email

ROOT = Path(__file__).resolve().parents[2]
MEAN_SECONDS_BETWEEN_KILLS = 0.25


@dataclass(frozen=True, slots=True)
class Campaign:
    """How a campaign went; `unclean` names workers that did not end well when asked to."""

    account: Account
    workers: int
    killed: int
    unclean: tuple[int, ...]
    seconds: float


def run_campaign(
    messages: int,
    *,
    workers: int = 8,
    seed: int = 1,
    patience: float = 1.0,
    lease: float = 9.0,
    database: str | None = None,
) -> Campaign:
    """Send `messages` emails through faults and kills, and return how it went.

    Parameters
    ----------
    messages : int
        Emails with keys of their own; each tenth is offered a second time with other text.
    workers : int
        Processes that send at once; a killed one is replaced.
    seed : int
        Of the faults and the kills. Timing is real, so that two runs differ in detail.
    patience : float
        Seconds a worker waits for one reply.
    lease : float
        Seconds after which the email of a killed worker is due again.
    database : str, optional
        URL of an empty PostgreSQL database for the outbox; SQLite when None.
    """
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="mail-faults-") as name, ExitStack() as running:
        folder = Path(name)
        make_certificate(folder)
        where = database or str(folder / "outbox.db")
        outbox = open_outbox(where)
        running.callback(outbox.close)
        urls = running.enter_context(_server(folder, seed=seed, patience=patience))
        start = running.enter_context(_nursery(folder, where, lease=lease))
        producer = threading.Thread(target=_enqueue, args=(where, messages))
        producer.start()
        alive: list[int] = []
        running.callback(_put_down, alive)
        alive += [start(urls[number % len(urls)]) for number in range(workers)]
        holds: list[Hold] = []
        killed = 0
        rng = random.Random(seed)
        while producer.is_alive() or outbox.seconds_to_next() is not None:
            time.sleep(rng.uniform(0, 2 * MEAN_SECONDS_BETWEEN_KILLS))
            holds += _kill(alive.pop(rng.randrange(workers)), outbox)
            killed += 1
            alive.append(start(urls[killed % len(urls)]))
        producer.join()
        stopped = tuple(alive)
        for worker in stopped:
            os.kill(worker, signal.SIGTERM)
        for worker in stopped:
            _wait_until_gone(worker)
        alive.clear()
        return Campaign(
            account=account_for(folder, outbox, messages=messages, holds=holds),
            workers=workers,
            killed=killed,
            unclean=tuple(worker for worker in stopped if not _stopped_well(folder, worker)),
            seconds=time.monotonic() - begun,
        )


def _enqueue(where: str, messages: int) -> None:
    outbox = open_outbox(where)
    for number in range(messages):
        key = {"handoff": "support", "conversation_id": f"c-{number}"}
        outbox.enqueue(make_email(number), **key)
        if number % 10 == 0:
            outbox.enqueue(make_email(number, text="second"), **key)
    outbox.close()


def _kill(worker: int, outbox: Outbox) -> list[Hold]:
    """Kill a worker and return what it held; its lease names its process."""
    os.kill(worker, signal.SIGKILL)
    killed_at = time.time()
    _wait_until_gone(worker)
    return [
        Hold(entry.message_id, killed_at)
        for entry in outbox.entries(status=Status.SENDING)
        if f":{worker}:" in (entry.worker or "")
    ]


def _put_down(workers: list[int]) -> None:
    for worker in workers:
        with suppress(ProcessLookupError):
            os.kill(worker, signal.SIGKILL)


def _wait_until_gone(process: int) -> None:
    while True:
        try:
            os.kill(process, 0)
        except ProcessLookupError:
            return
        time.sleep(0.002)


def _stopped_well(folder: Path, worker: int) -> bool:
    lines = read_journal(folder / f"worker-{worker}.jsonl")
    return bool(lines) and lines[-1] == {"outcome": "stopped"}


@contextmanager
def _server(folder: Path, *, seed: int, patience: float) -> Iterator[list[str]]:
    words = ["tests.faults.server", str(folder), str(seed), str(patience)]
    with _module(words, folder / "server.err") as process:
        assert process.stdout is not None
        plain, starttls = json.loads(process.stdout.readline())
        yield [
            f"smtp://127.0.0.1:{plain}?timeout={patience}",
            f"smtp://127.0.0.1:{plain}?timeout={patience}",
            f"smtp://127.0.0.1:{starttls}?timeout={patience}&starttls=1"
            f"&ca_file={folder / 'certificate.pem'}",
        ]


@contextmanager
def _nursery(folder: Path, where: str, *, lease: float) -> Iterator[Callable[[str], int]]:
    settings = folder / "settings.json"
    settings.write_text(json.dumps({"folder": str(folder), "outbox": where, "lease": lease}))
    with _module(["tests.faults.workers", str(settings)], folder / "workers.err") as process:

        def start(url: str) -> int:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(url + "\n")
            process.stdin.flush()
            return int(process.stdout.readline())

        yield start


@contextmanager
def _module(words: list[str], errors: Path) -> Iterator[subprocess.Popen[str]]:
    with (
        errors.open("w") as stderr,
        subprocess.Popen(
            [sys.executable, "-m", *words],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
        ) as process,
    ):
        yield process
        assert process.stdin is not None
        process.stdin.close()
        process.wait(timeout=30)
