"""Latency of the service under a steady load, measured from when each turn was due.

    handoff-eval compare datasets/support_handoff --handoff datasets/support_handoff/handoff.toml
    handoff-eval export RUN --arm keyword --to out/load/keyword
    python benchmarks/service_load.py out/load/keyword --rate 50 100 200 400

A real process on loopback with its state in an SQLite file (or --state URL), flushed to the disk
before each answer. Turns are due at random (Poisson) moments, whether earlier ones were answered
or not, so that a slow answer can't hide the ones behind it. The client shares the machine's cores.
"Load" is the machine's of the last minute: far above its cores, others were at work.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np

from handoff_eval.transcripts.read import read_dataset

ROOT = Path(__file__).resolve().parent.parent
CONNECTIONS = 64


def start(
    bundle: Path, handoff: Path, state: str, log: Path
) -> tuple[subprocess.Popen[bytes], str]:
    """Start a service on a free port; return it and its address."""
    command = [sys.executable, "-m", "handoff_eval.cli.main", "serve", str(bundle.resolve())]
    command += ["--handoff", str(handoff.resolve()), "--port", "0", "--state", state]
    with log.open("wb") as stream:
        process = subprocess.Popen(
            command, stderr=stream, env={**os.environ, "PYTHONPATH": str(ROOT)}
        )
    while process.poll() is None:
        for line in log.read_bytes().splitlines():
            if b'"listening"' in line and line.endswith(b"}"):
                facts = json.loads(line)
                return process, f"http://{facts['host']}:{facts['port']}"
        time.sleep(0.05)
    raise SystemExit(log.read_text())


def cpu_seconds(pid: int) -> float:
    """Return what a process has used of the processors so far; Linux only."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def put(
    free: asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]], path: str, body: bytes
) -> int:
    """Send one request over a connection that is kept, and return the status."""
    reader, writer = await free.get()
    try:
        writer.write(
            b"PUT %b HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
            b"content-length: %d\r\n\r\n%b" % (path.encode(), len(body), body)
        )
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        await reader.readexactly(length)
        return int(head.split(b" ", 2)[1])
    finally:
        free.put_nowait((reader, writer))


async def load(
    url: str, talks: Sequence[Sequence[tuple[str, str]]], *, rate: float, seconds: float, seed: int
) -> tuple[np.ndarray, dict[int, int]]:
    """Send turns at a rate; return seconds from due to answered, and how often each status."""
    rng = np.random.default_rng(seed)
    where = urlsplit(url)
    free: asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = asyncio.Queue()
    for _ in range(CONNECTIONS):
        free.put_nowait(await asyncio.open_connection(where.hostname, where.port))
    due = np.cumsum(rng.exponential(1 / rate, size=int(rate * seconds)))
    # So many conversations at once that one's next turn comes seconds after its last.
    open_talks = max(1, int(rate * 5))
    cursors = [(f"r{rate:g}-{i}", talks[i % len(talks)], 0) for i in range(open_talks)]
    took: list[float] = []
    statuses: dict[int, int] = {}
    begun = asyncio.get_running_loop().time()
    tasks = []

    async def one(path: str, body: bytes, at: float) -> None:
        status = await put(free, path, body)
        took.append(asyncio.get_running_loop().time() - at)
        statuses[status] = statuses.get(status, 0) + 1

    for number, moment in enumerate(due.tolist()):
        at = begun + moment
        wait = at - asyncio.get_running_loop().time()
        if wait > 0:
            await asyncio.sleep(wait)
        slot = number % open_talks
        name, turns, place = cursors[slot]
        role, text = turns[place]
        # No text comes twice, else the encoder would know it.
        body = json.dumps({"role": role, "text": f"{text} ({name})"}).encode()
        path = f"/v1/conversations/{name}/turns/{place}"
        tasks.append(asyncio.create_task(one(path, body, at)))
        cursors[slot] = (name, turns, place + 1)
        if place + 1 == len(turns):
            cursors[slot] = (f"{name}x", talks[(slot + number) % len(talks)], 0)
    await asyncio.gather(*tasks)
    while not free.empty():
        free.get_nowait()[1].close()
    return np.array(took), statuses


def main() -> None:
    """Print one row a rate."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bundle", type=Path)
    parser.add_argument(
        "--handoff", type=Path, default=ROOT / "datasets/support_handoff/handoff.toml"
    )
    parser.add_argument("--dataset", type=Path, default=ROOT / "datasets/support_handoff")
    parser.add_argument("--rate", type=float, nargs="+", default=[50, 100, 200, 400])
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--state", help="default: an SQLite file of its own")
    arguments = parser.parse_args()
    talks = [
        [(turn.role.value, turn.text) for turn in conversation.turns]
        for conversation in read_dataset(arguments.dataset).conversations
    ]
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        state = arguments.state or str(Path(folder) / "state.db")
        process, url = start(arguments.bundle, arguments.handoff, state, log)
        try:
            asyncio.run(load(url, talks, rate=20, seconds=3, seed=0))  # warm-up
            print(
                "| turns/s | p50 ms | p90 ms | p99 ms | max ms | not 200 | CPU ms a turn | load |"
            )
            print("| ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
            for rate in arguments.rate:
                used = cpu_seconds(process.pid)
                took, statuses = asyncio.run(
                    load(url, talks, rate=rate, seconds=arguments.seconds, seed=1)
                )
                used = cpu_seconds(process.pid) - used
                p50, p90, p99 = np.percentile(took, [50, 90, 99]) * 1000
                print(
                    f"| {rate:g} | {p50:.1f} | {p90:.1f} | {p99:.1f} | {took.max() * 1000:.0f} | "
                    f"{len(took) - statuses.get(200, 0)} | {used * 1000 / len(took):.2f} | "
                    f"{os.getloadavg()[0]:.1f} |",
                    flush=True,
                )
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(60)


if __name__ == "__main__":
    main()
