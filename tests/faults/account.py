"""The account of a campaign: every email followed through three journals.

What the server kept, what each worker was answered and what the outbox says are written by
processes that don't trust each other. A second copy is accounted for only by an event that put it
in the window between the server taking the message and our commit: the worker that held it was
killed, or the server's reply never reached us.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from handoff_eval.mail.entries import Status
from handoff_eval.mail.outbox import Outbox
from tests.faults.emails import expected_end


@dataclass(frozen=True, slots=True)
class Hold:
    """An email that was in the hands of a worker when it was killed, in seconds since 1970."""

    message_id: str
    killed_at: float


@dataclass(frozen=True, slots=True)
class Account:
    """What became of the emails of a campaign; the last four must be empty.

    Parameters
    ----------
    attempts : int
        Attempts that ended; those of killed workers are not among them.
    interrupted : int
        Emails that were in a worker's hands when it was killed.
    faults : Counter
        How often the server misbehaved, by fault.
    after_kill, after_lost_reply, after_late_reply : int
        Copies beyond the first, by what put them in the window: the worker that held the email
        was killed, the server kept it and gave no readable reply, or its reply came after our
        time-out because the machine was busy.
    lost : tuple of str
        Emails that the server never kept and that are no dead letters either.
    unaccounted : tuple of str
        Copies beyond the first that nothing explains, or that follow our commit.
    altered : tuple of str
        Copies whose bytes are not those that were enqueued first.
    misjudged : tuple of str
        Emails whose status, open addresses or words are not what they had to be.
    """

    messages: int
    attempts: int
    interrupted: int
    faults: Counter[str]
    sent: int
    dead: int
    kept_once: int
    kept_again: int
    after_kill: int
    after_lost_reply: int
    after_late_reply: int
    lost: tuple[str, ...]
    unaccounted: tuple[str, ...]
    altered: tuple[str, ...]
    misjudged: tuple[str, ...]


def read_journal(path: Path) -> list[dict[str, Any]]:
    """Return the complete lines of a journal; a kill may have cut the last one."""
    lines = path.read_text(encoding="utf-8").split("\n")[:-1]
    return [json.loads(line) for line in lines]


def account_for(folder: Path, outbox: Outbox, *, messages: int, holds: Sequence[Hold]) -> Account:
    """Follow each of the campaign's emails, and return the account."""
    server = read_journal(folder / "server.jsonl")
    attempts: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for path in folder.glob("worker-*.jsonl"):
        for line in read_journal(path):
            if "message_id" in line:
                attempts[line["message_id"]].append(line)
    copies: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for line in server:
        if line["event"] == "kept":
            copies[line["message_id"]].append(line)
    kills: dict[str, list[float]] = defaultdict(list)
    for hold in holds:
        kills[hold.message_id].append(hold.killed_at)
    entries = {entry.message_id: entry for entry in outbox.entries()}
    causes = Counter[str]()
    lost, unaccounted, altered, misjudged = [], [], [], []
    for number in range(messages):
        expected = expected_end(number)
        name = expected.message_id
        entry, kept = entries.get(name), copies[name]
        if entry is None or (not kept and entry.status is not Status.DEAD):
            lost.append(name)
            continue
        if expected.differs_from(entry) or (kept and expected.status is Status.DEAD):
            misjudged.append(f"{name}: {entry}")
        altered += [name for copy in kept if copy["sha256"] != expected.sha256]
        for copy, later in pairwise(kept):
            cause = cause_of(copy, later["at"], attempts[name], kills[name])
            causes[cause] += 1
            if cause == "unaccounted":
                unaccounted.append(f"{name}: {kept} {attempts[name]}")
    return Account(
        messages=messages,
        attempts=sum(map(len, attempts.values())),
        interrupted=len(holds),
        faults=Counter(line["fault"] for line in server if line["event"] == "fault"),
        sent=sum(entry.status is Status.SENT for entry in entries.values()),
        dead=sum(entry.status is Status.DEAD for entry in entries.values()),
        kept_once=sum(len(kept) == 1 for kept in copies.values()),
        kept_again=sum(len(kept) > 1 for kept in copies.values()),
        after_kill=causes["kill"],
        after_lost_reply=causes["lost reply"],
        after_late_reply=causes["late reply"],
        lost=tuple(lost),
        unaccounted=tuple(unaccounted),
        altered=tuple(altered),
        misjudged=tuple(misjudged),
    )


def cause_of(
    copy: dict[str, Any], next_at: float, attempts: list[dict[str, Any]], kills: list[float]
) -> str:
    """Return what put a second copy in the window after `copy`; a kill is used up by it."""
    ended = [attempt for attempt in attempts if copy["at"] < attempt["at"] < next_at]
    if any(attempt["outcome"] == "delivered" for attempt in ended):
        return "unaccounted"
    if not copy["replied"]:
        return "lost reply"
    if any("timed out" in attempt["words"] for attempt in ended):
        return "late reply"
    # The system may hand on what a process wrote after the process is gone, so the server can
    # have kept the copy a moment after the kill.
    for killed_at in kills:
        if killed_at < next_at:
            kills.remove(killed_at)
            return "kill"
    return "unaccounted"
