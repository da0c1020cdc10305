"""What a log holds and the conversations behind it, whichever command wrote the log.

`decide` and `score` know neither times nor what was said: both come from the transcripts that
were decided. The state of a service has them itself, as long as it keeps the texts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from handoff_eval.conversation import Conversation, Customer, Role, Turn
from handoff_eval.decision import Decision
from handoff_eval.errors import DataError
from handoff_eval.mail.outbox import is_postgres, open_outbox
from handoff_eval.mail.traffic import SILENCE, moment_of, started
from handoff_eval.production.drift.log import LogRow, is_sqlite, moment, read_log
from handoff_eval.transcripts.read import iter_conversations
from handoff_eval.transcripts.refusals import FieldError, shown
from handoff_eval.transcripts.write import TRANSCRIPTS


@dataclass(frozen=True, slots=True)
class Logged:
    """The decisions of one handoff with what was said.

    Attributes
    ----------
    rows : tuple of LogRow
        Oldest first.
    conversations : mapping of str to Conversation
        By id; those whose texts are no longer kept are left out.
    """

    rows: tuple[LogRow, ...]
    conversations: Mapping[str, Conversation]


def read_logged(
    where: str, *, handoff: str | None = None, transcripts: Path | None = None
) -> Logged:
    """Return a log with its conversations.

    Parameters
    ----------
    where : str
        A service's state (SQLite file or PostgreSQL URL), or JSON lines of `decide`, of `score` or
        of whole rows.
    handoff : str, optional
        Which one, where the log has several.
    transcripts : Path, optional
        A dataset folder or a file of transcripts; the state's own texts when None.

    Raises
    ------
    DataError
        When something can't be read, or lines without times have no transcripts beside them.
    """
    conversations: dict[str, Conversation] = {}
    state = is_postgres(where) or is_sqlite(Path(where))
    if transcripts is not None:
        path = transcripts / TRANSCRIPTS if transcripts.is_dir() else transcripts
        for item in iter_conversations(path):
            if isinstance(item, Conversation):
                conversations.setdefault(item.id, item)
    elif state:
        conversations = _stored_conversations(where)
    rows = read_log(where, handoff=handoff, complete=lambda line: with_times(line, conversations))
    ids = {row.conversation_id for row in rows}
    return Logged(tuple(rows), {key: c for key, c in conversations.items() if key in ids})


def with_times(line: dict[str, Any], conversations: Mapping[str, Conversation]) -> dict[str, Any]:
    """Return a line of `decide` or `score` as a row of the log; others as they are.

    Raises
    ------
    FieldError
        When its conversation is not among those given, or has no time.
    """
    if "started_at" in line or not isinstance(line.get("fired"), bool):
        return line
    conversation = conversations.get(str(line.get("conversation_id")))
    begun = None if conversation is None else started(conversation)
    if conversation is None or begun is None:
        where = "not among the transcripts" if conversation is None else "without a time there"
        raise FieldError(
            "conversation_id",
            "one whose transcript says when it began (give --transcripts)",
            f"{shown(line.get('conversation_id'))}, {where}",
        )
    decision = Decision(
        conversation_id=conversation.id,
        handoff=str(line.get("handoff")),
        fired=line["fired"],
        turns=min(int(line.get("turns") or len(conversation.turns)), len(conversation.turns)),
        closed=bool(line.get("closed")),
        score=float(line["score"]),
        threshold=float(line.get("threshold") or 0.0),
    )
    last = max((turn.at for turn in conversation.turns if turn.at is not None), default=begun)
    fired_at = moment_of(decision, conversation, begun=begun) if decision.fired else None
    return {
        **line,
        "started_at": begun.isoformat(),
        "closed_at": (max(last, begun) + SILENCE).isoformat(),
        "fired_at": fired_at and fired_at.isoformat(),
        "peak": max([decision.score, *line.get("scores", ())]),
        "route": "email" if decision.fired else None,
    }


def _stored_conversations(where: str) -> dict[str, Conversation]:
    outbox = open_outbox(where)
    try:
        with outbox.reading() as run:
            if not outbox.has_table(run, "turns"):
                raise DataError("Expected the state of 'handoff-eval serve'; got an outbox alone.")
            turns: dict[str, list[Turn]] = {}
            for row in run(
                "SELECT conversation_id, role, text, at FROM turns"
                " ORDER BY conversation_id, number",
                {},
            ).fetchall():
                said = Turn(Role(row["role"]), row["text"], moment(row["at"]))
                turns.setdefault(row["conversation_id"], []).append(said)
            heads = run(
                "SELECT conversation_id, customer_id, customer_email, channel, started_at"
                " FROM conversations",
                {},
            ).fetchall()
    finally:
        outbox.close()
    return {
        row["conversation_id"]: Conversation(
            id=row["conversation_id"],
            turns=tuple(turns[row["conversation_id"]]),
            started_at=moment(row["started_at"]),
            customer=Customer(row["customer_id"], row["customer_email"]),
            channel=row["channel"],
        )
        for row in heads
        if row["conversation_id"] in turns
    }
