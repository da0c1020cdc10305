"""List, retry or send the emails that wait in an outbox."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from handoff_eval.mail.entries import OutboxEntry
    from handoff_eval.mail.outbox import Outbox

SMTP_VARIABLE = "HANDOFF_EVAL_SMTP"
OUTBOX_VARIABLE = "HANDOFF_EVAL_OUTBOX"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the actions of `outbox` and their options."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    listing = actions.add_parser("list", help="print every email and where it stands")
    listing.add_argument(
        "--status", choices=["queued", "sending", "held", "sent", "dead"], help="only these"
    )
    retry = actions.add_parser("retry", help="make dead letters and waiting emails due now")
    retry.add_argument(
        "conversations",
        nargs="*",
        metavar="CONVERSATION",
        help="only the emails of these conversations (default: all)",
    )
    flush = actions.add_parser("flush", help="send until nothing waits; exits 1 if something does")
    flush.add_argument(
        "--smtp",
        metavar="URL",
        help="smtp://user:password@host:587?starttls=1 or smtps://… "
        f"(default: the environment's {SMTP_VARIABLE}, which keeps a password off the screen)",
    )
    flush.add_argument(
        "--within",
        type=float,
        default=60.0,
        metavar="SECONDS",
        help="begin no attempt after this long (default: %(default)s)",
    )
    flush.add_argument(
        "--handoff",
        type=Path,
        metavar="FILE",
        help="its live sides are tried first; without it live handoffs become emails",
    )
    for action in (listing, retry, flush):
        action.add_argument(
            "--outbox",
            default=os.environ.get(OUTBOX_VARIABLE),
            required=OUTBOX_VARIABLE not in os.environ,
            metavar="FILE|URL",
            help="an SQLite file, or postgresql://user:password@host/database "
            f"(default: the environment's {OUTBOX_VARIABLE})",
        )
        action.add_argument("--json", action="store_true", help="print JSON")


def run(arguments: argparse.Namespace) -> int:
    """Do one action; 1 when a flush left something unsent.

    Raises
    ------
    SettingsError
        When there is no such outbox, or no usable mail server was named.
    """
    from handoff_eval.errors import SettingsError
    from handoff_eval.mail.outbox import is_postgres, open_outbox

    if not is_postgres(arguments.outbox) and not Path(arguments.outbox).is_file():
        raise SettingsError(
            f"Expected an outbox at {arguments.outbox}; there is no such file. "
            "It is made when the first email is queued."
        )
    outbox = open_outbox(arguments.outbox)
    try:
        if arguments.action == "list":
            return _list(outbox, status=arguments.status, as_json=arguments.json)
        if arguments.action == "retry":
            return _retry(outbox, arguments.conversations, as_json=arguments.json)
        return _flush(outbox, arguments)
    finally:
        outbox.close()


def _list(outbox: Outbox, *, status: str | None, as_json: bool) -> int:
    import json
    import sys

    from handoff_eval.mail.entries import Status

    entries = outbox.entries(status=None if status is None else Status(status))
    if as_json:
        print(json.dumps([_as_dict(entry) for entry in entries], indent=2))
        return 0
    for entry in entries:
        print(_line(entry))
    counts = ", ".join(f"{count} {name}" for name, count in outbox.counts().items())
    print(counts, file=sys.stderr)
    return 0


def _retry(outbox: Outbox, conversations: Sequence[str], *, as_json: bool) -> int:
    import json

    due = outbox.requeue(conversation_ids=conversations or None)
    print(json.dumps({"due": due}) if as_json else f"{due} due now")
    return 0


def _flush(outbox: Outbox, arguments: argparse.Namespace) -> int:
    import json
    import signal
    import sys

    from handoff_eval.errors import SettingsError
    from handoff_eval.mail.delivery import SmtpSettings, SmtpTransport
    from handoff_eval.mail.worker import Worker

    url = arguments.smtp or os.environ.get(SMTP_VARIABLE)
    if not url:
        raise SettingsError(
            f"Expected a mail server in --smtp or {SMTP_VARIABLE}; got none. "
            "For a try: run 'handoff-eval mailbox' and name smtp://127.0.0.1:2525."
        )
    live = None
    if arguments.handoff is not None:
        from handoff_eval.handoff import read_handoffs
        from handoff_eval.mail.live import open_live_sides

        live = open_live_sides(read_handoffs(arguments.handoff))
    worker = Worker(outbox, SmtpTransport(SmtpSettings.from_url(url)), live=live)
    before = {
        number: signal.signal(number, lambda *_: worker.stop())
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        done = worker.flush(within=arguments.within)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if arguments.json:
        print(json.dumps({"sent": done.sent, "dead": done.dead, "waiting": done.waiting}))
    else:
        print(f"{done.sent} sent, {done.dead} dead, {done.waiting} still waiting")
    if done.dead or done.waiting:
        print("see 'handoff-eval outbox list' for the server's words", file=sys.stderr)
    return 1 if done.dead or done.waiting else 0


def _line(entry: OutboxEntry) -> str:
    from handoff_eval.mail.wire import one_line

    when = {
        "queued": f"due {_time(entry.next_attempt_at)}",
        "sending": f"leased until {_time(entry.leased_until)}",
        "held": f"for the digest of {_time(entry.next_attempt_at)}",
        "sent": f"sent {_time(entry.sent_at)}",
        "dead": f"stored {_time(entry.created_at)}",
    }[entry.status.value]
    parts = [
        when,
        f"{entry.attempts} attempts",
        f"{entry.handoff} / {entry.conversation_id}",
        ", ".join(entry.recipients),
        entry.reference or "",
        entry.last_error or "",
    ]
    return "  ".join([f"{entry.status.value:7}", *(one_line(part) for part in parts if part)])


def _as_dict(entry: OutboxEntry) -> dict[str, object]:
    from dataclasses import asdict

    return {
        name: _time(value) if isinstance(value, datetime) else value
        for name, value in asdict(entry).items()
    }


def _time(moment: datetime | None) -> str:
    return "" if moment is None else moment.isoformat(timespec="seconds")
