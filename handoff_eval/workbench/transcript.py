"""One conversation as a widget shows it: decision points, scores, the fire, the label, evidence."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any

from handoff_eval.conversation import Conversation, LabeledConversation, Role
from handoff_eval.trigger import Explanation, Trigger
from handoff_eval.workbench.static import Child, Element, element, table

SPEAKERS = {
    Role.CUSTOMER: "Customer",
    Role.AGENT: "Agent",
    Role.HUMAN: "Human",
    Role.SYSTEM: "System",
}


class Outcome(StrEnum):
    """What became of a conversation at a threshold."""

    CAUGHT = "caught"
    MISSED = "missed handoff"
    NEEDLESS = "needless email"
    QUIET = "rightly quiet"


def outcome_of(*, needed: bool, fired: bool) -> Outcome:
    """Return the outcome of a labelled conversation."""
    if needed:
        return Outcome.CAUGHT if fired else Outcome.MISSED
    return Outcome.NEEDLESS if fired else Outcome.QUIET


def turns_of(conversation: Conversation) -> dict[str, Any]:
    """Return what was said, by whom and when, as JSON values."""
    return {
        "id": conversation.id,
        "started_at": _time(conversation.started_at),
        "channel": conversation.channel,
        "turns": [
            {"role": turn.role.value, "text": turn.text, "at": _time(turn.at)}
            for turn in conversation.turns
        ],
    }


def transcript_of(
    item: Conversation | LabeledConversation,
    *,
    scores: Sequence[float] | None = None,
    threshold: float | None = None,
    before: Sequence[float] | None = None,
    trigger: Trigger | None = None,
) -> dict[str, Any]:
    """Return all that is shown of one conversation, as JSON values.

    Parameters
    ----------
    item : Conversation or LabeledConversation
    scores : sequence of float, optional
        One a decision point.
    threshold : float, optional
        The first score at or above it fires.
    before : sequence of float, optional
        Scores of another wording at the same points, to compare with.
    trigger : Trigger, optional
        Says which turn a fire rests on.
    """
    conversation = item if isinstance(item, Conversation) else item.conversation
    points = conversation.decision_points()
    fire = None
    if scores is not None and threshold is not None:
        fire = next((i for i, score in enumerate(scores) if score >= threshold), None)
    why = Explanation()
    if fire is not None and trigger is not None:
        at = points[fire]
        why = trigger.explain(conversation.turns[: at.turns], closed=at.closed)
    label = None
    if isinstance(item, LabeledConversation):
        label = {
            "handoff": item.label.handoff,
            "at_turn": item.label.at_turn,
            "due": item.due,
            "reasons": [reason.value for reason in item.label.reasons],
            "note": item.label.note or "",
        }
    return {
        **turns_of(conversation),
        "points": [
            {
                "turns": point.turns,
                "closed": point.closed,
                "score": None if scores is None else round(float(scores[i]), 4),
                "before": None if before is None else round(float(before[i]), 4),
            }
            for i, point in enumerate(points)
        ],
        "threshold": threshold,
        "fire": fire,
        "evidence": why.evidence_turn,
        "reason": None if why.reason is None else why.reason.value,
        "clause": why.clause,
        "label": label,
    }


def sentence_on(shown: dict[str, Any]) -> str:
    """Return what happened and what should have, in a sentence or two, for `transcript_of`."""
    words = []
    fire, label, points = shown["fire"], shown["label"], shown["points"]
    if shown["threshold"] is not None and points[0]["score"] is not None:
        if fire is None:
            highest = max(point["score"] for point in points)
            words.append(
                f"No email: the highest score is {highest:.3f}, the threshold "
                f"{shown['threshold']:.3f}."
            )
        else:
            at = points[fire]
            where = "at the close" if at["closed"] else f"after turn {at['turns']}"
            words.append(
                f"Email {where}: score {at['score']:.3f}, threshold {shown['threshold']:.3f}."
            )
    if label is not None:
        words.append(_label_words(label, fire))
    return " ".join(words)


def _label_words(label: dict[str, Any], fire: int | None) -> str:
    if not label["handoff"]:
        return "Labelled: no handoff."
    where = "at the close" if label["at_turn"] is None else f"after turn {label['at_turn'] + 1}"
    why = ", ".join(reason.replace("_", " ") for reason in label["reasons"])
    words = f"Labelled: handoff {where}" + (f" ({why})." if why else ".")
    if fire is None:
        return words
    away = fire - label["due"]
    points = f"{abs(away)} decision point{'' if abs(away) == 1 else 's'}"
    if away == 0:
        return f"{words} On time."
    return f"{words} {points} {'late' if away > 0 else 'early'}."


def transcript_table(shown: dict[str, Any]) -> Element:
    """Return the conversation as a table: turn, speaker, text, score after it, what is marked."""
    rows: list[list[Child]] = []
    points = {p["turns"]: i for i, p in enumerate(shown["points"]) if not p["closed"]}
    for index, turn in enumerate(shown["turns"]):
        point = points.get(index + 1)
        marks = marks_on(shown, index, point)
        rows.append(
            [
                str(index + 1),
                SPEAKERS[Role(turn["role"])],
                element("span", turn["text"], style="white-space:pre-wrap"),
                _score(shown, point),
                element("b", "; ".join(marks)),
            ]
        )
    close = len(shown["points"]) - 1
    rows.append(
        [
            "",
            "Close",
            "",
            _score(shown, close),
            element("b", "; ".join(marks_on(shown, None, close))),
        ]
    )
    return table(["turn", "who", "text", "score", "marks"], rows)


def marks_on(shown: dict[str, Any], turn: int | None, point: int | None) -> list[str]:
    """Return what is marked at a turn, or at the close where turn is None."""
    marks = []
    label = shown["label"]
    if label is not None and label["handoff"] and label["at_turn"] == turn:
        marks.append("handoff warranted from here")
    if turn is not None and shown["evidence"] == turn:
        marks.append("evidence")
    if point is not None and shown["fire"] == point:
        marks.append("email sent")
    return marks


def _score(shown: dict[str, Any], point: int | None) -> str:
    score = None if point is None else shown["points"][point]["score"]
    return "" if score is None else f"{score:.3f}"


def _time(time: datetime | None) -> str | None:
    return None if time is None else time.strftime("%Y-%m-%d %H:%M")
