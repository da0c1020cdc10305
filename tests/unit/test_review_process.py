"""The review page as a process: several people at once, killed in the middle, nothing lost."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path

import httpx
import pytest

from tests.logs import write_log
from tests.services import ROOT

pytestmark = pytest.mark.medium

EMAILS = 60


def start(folder: Path) -> tuple[subprocess.Popen[bytes], str]:
    """Start the command on a free port and return it with the address it prints."""
    command = [sys.executable, "-m", "handoff_eval.cli.main", "review"]
    command += [str(folder / "decisions.jsonl"), "--transcripts", str(folder), "--port", "0"]
    command += ["--reviews", str(folder / "reviews")]
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert process.stdout is not None
    return process, process.stdout.readline().decode().strip()


class Reviewer(threading.Thread):
    """A person who marks what comes until the page is gone or done; remembers what was accepted.

    After the first mark each waits for the others', so that nobody does all of it alone.
    """

    def __init__(self, address: str, name: str, everyone: threading.Barrier) -> None:
        super().__init__(daemon=True)
        self.address, self.who, self.everyone = address, name, everyone
        self.accepted: list[str] = []

    def run(self) -> None:
        base = self.address.split("/?")[0]
        with httpx.Client(base_url=base, follow_redirects=True, trust_env=False) as client:
            try:
                client.get(self.address)
                page = self._send(client, client.get("/name"), name=self.who)
                while page.url.path.startswith("/review/"):
                    shown = re.search(r"· (c-\d+-\d+)</p>", page.text)
                    assert shown is not None
                    page = self._send(client, page, needed="no", note=f"by {self.who}")
                    assert page.status_code == 200
                    self.accepted.append(shown[1])
                    if len(self.accepted) == 1:
                        self.everyone.wait(60)
            except httpx.TransportError:
                return

    def _send(self, client: httpx.Client, page: httpx.Response, **fields: str) -> httpx.Response:
        token = re.search(r'name="form" value="([0-9a-f]+)"', page.text)
        assert token is not None
        return client.post(page.url.path, data={"form": token[1], **fields})


def people_at(address: str, *names: str) -> list[Reviewer]:
    """Start as many people at once."""
    everyone = threading.Barrier(len(names))
    people = [Reviewer(address, name, everyone) for name in names]
    for one in people:
        one.start()
    return people


def marks(folder: Path) -> list[tuple[str, str]]:
    lines = (folder / "reviews" / "labels.jsonl").read_text().splitlines()
    return [(d["conversation_id"], d["annotator"]) for d in map(json.loads, lines)]


def test_two_people_at_once_and_a_kill_lose_no_mark(tmp_path: Path) -> None:
    """Every accepted mark is there after SIGKILL, each once, and the rest is done afterwards."""
    write_log(tmp_path, days=6, per_day=12, fired=10)
    process, address = start(tmp_path)
    people = people_at(address, "ana", "ben")
    while sum(len(one.accepted) for one in people) < EMAILS // 3:
        assert any(one.is_alive() for one in people)
    process.send_signal(signal.SIGKILL)
    process.wait(30)
    assert process.stdout is not None
    process.stdout.close()
    for one in people:
        one.join(30)
    accepted = {(key, one.who) for one in people for key in one.accepted}
    kept = marks(tmp_path)

    assert accepted <= set(kept)
    # One mark each may have been stored whose answer never arrived.
    assert len(set(kept) - accepted) <= 2
    assert len(kept) == len(set(kept))

    process, address = start(tmp_path)
    people = people_at(address, "ana", "ben", "cleo")
    for one in people:
        one.join(60)
    process.terminate()
    process.wait(30)
    assert process.stdout is not None
    process.stdout.close()

    assert len(marks(tmp_path)) == EMAILS
    assert len({key for key, _ in marks(tmp_path)}) == EMAILS
    assert all(one.accepted for one in people)
