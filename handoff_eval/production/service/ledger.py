"""Where a service keeps conversations, turns and decisions: in the outbox's own database.

That is what lets a decision and the email it leads to be one transaction. Writes say which number
of turns they follow, so that of two processes with the same conversation one has to look again.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from handoff_eval.conversation import Conversation, Customer, Role, Turn
from handoff_eval.errors import SettingsError
from handoff_eval.mail.outbox import Outbox
from handoff_eval.mail.store import Run
from handoff_eval.production.service.steps import Step
from handoff_eval.production.service.tables import FORMAT, SCHEMA


class StaleError(Exception):
    """Another process was first; nothing was written."""


@dataclass(frozen=True, slots=True)
class Settled:
    """How one handoff stands in one conversation, as a row of `decisions`.

    Attributes
    ----------
    bundle : str
        Fingerprint of the bundle that decided.
    standing : str or None
        What `Decider.save` gave; None once the conversation is closed.
    fired_turns : int or None
        Turns visible at the fire; None while it hasn't fired.
    fired_at : float or None
        Seconds since 1970.
    score : float or None
        At the fire.
    route : str or None
        `email` or `live`, as it was sent off.
    """

    handoff: str
    bundle: str
    standing: str | None
    peak: float
    threshold: float
    fired_turns: int | None = None
    fired_at: float | None = None
    score: float | None = None
    reason: str | None = None
    evidence_turn: int | None = None
    clause: str | None = None
    route: str | None = None


@dataclass(frozen=True, slots=True)
class Known:
    """What is stored of one conversation, without its turns."""

    conversation_id: str
    customer: Customer
    channel: str | None
    turns: int
    started_at: float
    closed_at: float | None
    close_answer: dict[str, Any] | None
    settled: Mapping[str, Settled] = field(default_factory=dict)


class Ledger:
    """The service's tables in an outbox's database, made where they are missing.

    Parameters
    ----------
    outbox : Outbox

    Raises
    ------
    SettingsError
        When they are there in a layout of another number.
    """

    def __init__(self, outbox: Outbox) -> None:
        self.outbox = outbox
        with outbox.together(lock="service tables") as run:
            if not outbox.has_table(run, "service_format"):
                for statement in SCHEMA:
                    run(statement, {})
            (row,) = run("SELECT number FROM service_format", {}).fetchall()
            if row["number"] != FORMAT:
                raise SettingsError(
                    f"Expected the service's tables to be of format {FORMAT}; got "
                    f"{row['number']}. Use the version of handoff-eval that wrote them."
                )

    def load(self, ids: Sequence[str]) -> dict[str, Known]:
        """Return what is known of these conversations; unknown ones are left out."""
        if not ids:
            return {}
        names = {f"c{i}": name for i, name in enumerate(dict.fromkeys(ids))}
        within = f"conversation_id IN ({', '.join(f':{name}' for name in names)})"
        with self.outbox.reading() as run:
            rows = run(f"SELECT * FROM conversations WHERE {within}", names).fetchall()  # noqa: S608 - names are ours
            decisions = run(
                f"SELECT conversation_id, {', '.join(Settled.__slots__)}"  # noqa: S608 - names are ours
                f" FROM decisions WHERE {within}",
                names,
            ).fetchall()
        settled: dict[str, dict[str, Settled]] = {}
        for decision in map(dict, decisions):
            of = settled.setdefault(decision.pop("conversation_id"), {})
            of[decision["handoff"]] = Settled(**decision)
        return {
            row["conversation_id"]: Known(
                conversation_id=row["conversation_id"],
                customer=Customer(row["customer_id"], row["customer_email"]),
                channel=row["channel"],
                turns=row["turns"],
                started_at=row["started_at"],
                closed_at=row["closed_at"],
                close_answer=row["close_answer"] and json.loads(row["close_answer"]),
                settled=settled.get(row["conversation_id"], {}),
            )
            for row in rows
        }

    def accepted(self, conversation_id: str, number: int) -> tuple[str, dict[str, Any]] | None:
        """Return digest and answer of a turn that was accepted; None where it is not kept."""
        with self.outbox.reading() as run:
            rows = run(
                "SELECT digest, answer FROM turns WHERE conversation_id = :id AND number = :number",
                {"id": conversation_id, "number": number},
            ).fetchall()
        return (rows[0]["digest"], json.loads(rows[0]["answer"])) if rows else None

    def turns(self, conversation_id: str) -> tuple[Turn, ...]:
        """Return the turns accepted so far."""
        with self.outbox.reading() as run:
            rows = run(
                "SELECT role, text, at FROM turns WHERE conversation_id = :id ORDER BY number",
                {"id": conversation_id},
            ).fetchall()
        return tuple(
            Turn(
                Role(row["role"]),
                row["text"],
                None if row["at"] is None else datetime.fromtimestamp(row["at"], UTC),
            )
            for row in rows
        )

    def conversation(self, known: Known, turns: tuple[Turn, ...]) -> Conversation:
        """Return a conversation as the mail is made of it."""
        return Conversation(
            id=known.conversation_id,
            turns=turns,
            started_at=datetime.fromtimestamp(known.started_at, UTC),
            customer=known.customer,
            channel=known.channel,
        )

    def store(
        self,
        run: Run,
        step: Step,
        *,
        known: Known,
        now: float,
        answer: Mapping[str, Any],
        settled: Iterable[Settled],
    ) -> None:
        """Write one accepted step; `known` says what it follows on.

        Raises
        ------
        StaleError
            When the conversation has moved on since `known` was loaded.
        """
        key = {"id": step.conversation_id}
        words = json.dumps(answer)
        who = {
            "customer_id": known.customer.id,
            "customer_email": known.customer.email,
            "channel": known.channel,
        }
        if step.turn is None:
            changed = run(
                "UPDATE conversations SET closed_at = :now, close_answer = :answer"
                " WHERE conversation_id = :id AND turns = :before AND closed_at IS NULL",
                {**key, "now": now, "answer": words, "before": known.turns},
            ).rowcount
        elif known.turns == 0:
            changed = run(
                "INSERT INTO conversations (conversation_id, customer_id, customer_email, channel,"
                " turns, started_at, seen_at) VALUES (:id, :customer_id, :customer_email,"
                " :channel, 1, :started_at, :now) ON CONFLICT (conversation_id) DO NOTHING",
                {**key, **who, "started_at": known.started_at, "now": now},
            ).rowcount
        else:
            changed = run(
                "UPDATE conversations SET turns = turns + 1, seen_at = :now,"
                " customer_id = :customer_id, customer_email = :customer_email,"
                " channel = :channel"
                " WHERE conversation_id = :id AND turns = :before AND closed_at IS NULL",
                {**key, **who, "now": now, "before": known.turns},
            ).rowcount
        if changed != 1:
            raise StaleError
        if step.turn is not None:
            run(
                "INSERT INTO turns (conversation_id, number, role, text, at, digest, answer)"
                " VALUES (:id, :number, :role, :text, :at, :digest, :answer)",
                {
                    **key,
                    "number": step.number,
                    "role": step.turn.role.value,
                    "text": step.turn.text,
                    "at": step.turn.at and step.turn.at.timestamp(),
                    "digest": step.digest,
                    "answer": words,
                },
            )
        for one in settled:
            run(_SETTLE, {**key, **{name: getattr(one, name) for name in Settled.__slots__}})

    def silent(self, *, before: float, at_most: int = 500) -> list[tuple[str, int]]:
        """Return open conversations without a turn since `before`, and their numbers of turns."""
        with self.outbox.reading() as run:
            rows = run(
                "SELECT conversation_id, turns FROM conversations"
                " WHERE closed_at IS NULL AND seen_at < :before ORDER BY seen_at LIMIT :most",
                {"before": before, "most": at_most},
            ).fetchall()
        return [(row["conversation_id"], row["turns"]) for row in rows]

    def drop_texts(self, *, closed_before: float) -> int:
        """Remove what was said in conversations closed that long ago; their decisions stay."""
        old = (
            " WHERE conversation_id IN (SELECT conversation_id FROM conversations"
            " WHERE closed_at < :before)"
        )
        with self.outbox.together() as run:
            removed = run(f"DELETE FROM turns{old}", {"before": closed_before}).rowcount  # noqa: S608 - ours
            run(
                "UPDATE conversations SET close_answer = NULL"
                " WHERE closed_at < :before AND close_answer IS NOT NULL",
                {"before": closed_before},
            )
        return int(removed)

    def open_conversations(self) -> int:
        """Return how many conversations go on."""
        with self.outbox.reading() as run:
            (row,) = run(
                "SELECT count(*) AS n FROM conversations WHERE closed_at IS NULL", {}
            ).fetchall()
        return int(row["n"])

    def review(
        self, conversation_id: str, handoff: str, *, needed: bool, probability: float
    ) -> bool:
        """Record whether a person who read it says that it needed a handoff; False if unknown.

        Parameters
        ----------
        conversation_id, handoff : str
        needed : bool
        probability : float
            With which it had been drawn to be read; 1 for an email, which is always read.
        """
        with self.outbox.together() as run:
            changed = run(
                "UPDATE decisions SET needed = :needed, audit_probability = :probability"
                " WHERE conversation_id = :id AND handoff = :handoff",
                {
                    "needed": int(needed),
                    "probability": probability,
                    "id": conversation_id,
                    "handoff": handoff,
                },
            ).rowcount
        return bool(changed == 1)


_NAMES = ("conversation_id", *Settled.__slots__)
_KEPT = {"handoff"}
_SETTLE = (
    f"INSERT INTO decisions ({', '.join(_NAMES)})"  # noqa: S608 - names are ours
    f" VALUES (:id, {', '.join(f':{name}' for name in Settled.__slots__)})"
    " ON CONFLICT (conversation_id, handoff) DO UPDATE SET "
    + ", ".join(f"{name} = excluded.{name}" for name in Settled.__slots__ if name not in _KEPT)
)
