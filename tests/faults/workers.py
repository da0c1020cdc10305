"""Real worker processes that can be started quickly and killed at any instant.

`python -m tests.faults.workers SETTINGS.json` imports the worker once; each line on its standard
input is a server's URL, for which it forks a worker that prints its process id. Forking makes a
new process without paying for the imports again, so that hundreds can be killed in a minute.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
import traceback
from pathlib import Path
from typing import Any

from handoff_eval.mail.delivery import Delivery, SmtpSettings, SmtpTransport
from handoff_eval.mail.entries import Lease
from handoff_eval.mail.outbox import open_outbox
from handoff_eval.mail.worker import RetryPolicy, Worker

POLICY = RetryPolicy(base=0.05, cap=0.5, max_attempts=500)


def work(settings: dict[str, Any], url: str) -> None:
    """Be one worker until SIGTERM, writing each attempt to this process's own journal."""
    journal = os.open(
        Path(settings["folder"]) / f"worker-{os.getpid()}.jsonl",
        os.O_CREAT | os.O_APPEND | os.O_WRONLY,
        0o600,
    )

    def write(fields: dict[str, object]) -> None:
        os.write(journal, json.dumps(fields).encode() + b"\n")

    def note(lease: Lease, answer: Delivery) -> None:
        write(
            {
                "message_id": lease.message_id,
                "outcome": answer.outcome,
                "words": answer.words,
                "at": time.time(),
            }
        )

    outbox = open_outbox(settings["outbox"])
    worker = Worker(
        outbox,
        SmtpTransport(SmtpSettings.from_url(url)),
        policy=POLICY,
        lease=settings["lease"],
        poll=0.1,
        on_attempt=note,
    )
    signal.signal(signal.SIGTERM, lambda *_: worker.stop())
    print(os.getpid(), flush=True)
    worker.run()
    outbox.close()
    write({"outcome": "stopped"})


def main(settings: dict[str, Any]) -> None:
    """Fork a worker for each URL on standard input."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    for line in sys.stdin:
        if os.fork() == 0:
            status = 1
            try:
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                work(settings, line.strip())
                status = 0
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(status)


if __name__ == "__main__":
    main(json.loads(Path(sys.argv[1]).read_text()))
