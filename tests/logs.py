"""A decision log of a few days with the conversations behind it, as `score` would write it."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from handoff_eval.conversation import Conversation
from handoff_eval.transcripts.write import write_conversations
from tests.builders import talk

START = datetime(2026, 3, 2, 10, tzinfo=UTC)
NOW = START + timedelta(days=7)
HOSTILE = "<script>alert(1)</script> {{ 7 * 7 }} ${x} ana@example.org"


def conversations(*, days: int = 7, per_day: int = 10) -> list[Conversation]:
    """Return conversations, `per_day` of each day, the first two of each day in need."""
    found = []
    for day in range(days):
        for number in range(per_day):
            said = "where is my parcel" if number else "please call me"
            found.append(
                replace(
                    talk(
                        f"C: {said} {day} {HOSTILE if number < 3 else number}",
                        "A: Please look into your account.",
                        f"C: I did and it does not help {HOSTILE if number < 3 else number}",
                        "A: Someone will write to you.",
                        id=f"c-{day}-{number}",
                        customer=f"u-{day}-{number}",
                    ),
                    started_at=START + timedelta(days=day, minutes=number),
                )
            )
    return found


def write_log(folder: Path, *, days: int = 7, per_day: int = 10, fired: int = 3) -> None:
    """Write `transcripts.jsonl` and `decisions.jsonl`; the first `fired` of each day are sent."""
    talks = conversations(days=days, per_day=per_day)
    write_conversations(talks, folder / "transcripts.jsonl")
    lines = []
    for number, conversation in enumerate(talks):
        sent = number % per_day < fired
        score = 0.9 if sent else 0.1 + 0.001 * number
        lines.append(
            {
                "line": number + 1,
                "conversation_id": conversation.id,
                "handoff": "support",
                "fired": sent,
                "turns": 3 if sent else 4,
                "closed": not sent,
                "score": score,
                "threshold": 0.5,
                "reason": "unresolved" if sent else None,
                "evidence_turn": None,
                "clause": None,
                "scores": [0.05, score, score / 2],
            }
        )
    lines.append({"line": len(lines) + 1, "refused": "transcripts.jsonl:9: broken"})
    (folder / "decisions.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
