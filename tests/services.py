"""A real service process on loopback, that can be asked, stopped and killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from handoff_eval.conversation import Split
from handoff_eval.evaluation.operating_point import OperatingPoint
from handoff_eval.production.bundle import write_bundle
from handoff_eval.trigger import Trigger

ROOT = Path(__file__).parent.parent
TOKEN = "a-token-of-this-test-0123456789"
HANDOFF = """
[[handoff]]
name = "support"
recipients = ["team@example.com"]
sender = "handoff@example.com"
"""


def write_service(folder: Path, trigger: Trigger, threshold: float) -> None:
    """Write a bundle, a handoff file and a token file that a service can be started with."""
    point = OperatingPoint(trigger.name, threshold, Split.TUNE, None, "For a test.")
    write_bundle(trigger, point, handoff="support", instruction="when", to=folder / "bundle")
    (folder / "handoff.toml").write_text(HANDOFF)
    (folder / "tokens").write_text(TOKEN + "\n")


@dataclass
class Service:
    """One process of `handoff-eval serve`, with a client that has its token."""

    process: subprocess.Popen[bytes]
    url: str
    log: Path

    @classmethod
    def start(cls, folder: Path, *options: str, state: str | None = None) -> Service:
        """Start it on a free port and wait until it listens."""
        log = folder / "service.log"
        before = log.stat().st_size if log.exists() else 0
        command = [
            *(sys.executable, "-m", "handoff_eval.cli.main", "serve", str(folder / "bundle")),
            *("--handoff", str(folder / "handoff.toml"), "--port", "0"),
            *("--token-file", str(folder / "tokens")),
            *("--state", state or str(folder / "state.db"), *options),
        ]
        with log.open("ab") as stream:
            process = subprocess.Popen(
                command,
                stdout=subprocess.DEVNULL,
                stderr=stream,
                cwd=folder,
                env={**os.environ, "PYTHONPATH": str(ROOT)},
            )
        while process.poll() is None:
            for line in log.read_bytes()[before:].splitlines(keepends=True):
                if line.endswith(b"\n") and b'"listening"' in line:
                    facts = json.loads(line)
                    return cls(process, f"http://{facts['host']}:{facts['port']}", log)
        raise AssertionError(log.read_text())

    def client(self, token: str | None = TOKEN) -> httpx.Client:
        """Return a client with a token."""
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        return httpx.Client(base_url=self.url, headers=headers, timeout=20, trust_env=False)

    def end(self, number: int = signal.SIGTERM) -> int:
        """Send a signal and return how it ended."""
        self.process.send_signal(number)
        return self.process.wait(30)

    def events(self) -> list[dict[str, Any]]:
        """Return the log's lines."""
        return [json.loads(line) for line in self.log.read_text().splitlines()]


def turn(role: str, text: str, **fields: object) -> dict[str, object]:
    """Return the body of a turn."""
    return {"role": role, "text": text, **fields}


def put_turns(client: httpx.Client, name: str, bodies: Sequence[dict[str, object]]) -> list[Any]:
    """Add turns one after the other and return the answers, which must be 200."""
    answers = []
    for number, body in enumerate(bodies):
        answer = client.put(f"/v1/conversations/{name}/turns/{number}", json=body)
        assert answer.status_code == 200, answer.text
        answers.append(answer.json())
    return answers
