"""What the emails are about, and which questions the agent should have answered itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from handoff_eval.conversation import Conversation, Label, LabeledConversation
from handoff_eval.encoders.base import Encoder
from handoff_eval.evaluation.findings.mistakes import Mistake
from handoff_eval.evaluation.findings.topics import Topic, group_by_topic
from handoff_eval.production.drift.log import LogRow
from handoff_eval.transcripts.mask import masked

MOST_GROUPED = 1500
"""Emails that topics are made of, the latest ones: grouping grows with the square."""
BACKGROUND = 400
"""Unsent conversations that topics are told from."""


@dataclass(frozen=True, slots=True)
class Question:
    """Needless emails about one thing, which the agent should have known or done.

    Attributes
    ----------
    name : str
    ids : tuple of str
    examples : tuple of str
        What customers said, contacts masked.
    notes : tuple of str
        What reviewers say that the agent should have known.
    """

    name: str
    ids: tuple[str, ...]
    examples: tuple[str, ...]
    notes: tuple[str, ...]


def _mistake(row: LogRow, conversation: Conversation, label: Label | None = None) -> Mistake:
    """Return an email in the form in which topics are made of them."""
    turns = min(row.turns or len(conversation.turns), len(conversation.turns))
    return Mistake(
        item=LabeledConversation(conversation, label or Label(conversation.id, handoff=False)),
        score=row.peak,
        turn=turns - 1,
        closed=False,
        fired=True,
    )


def _background(
    begun: Sequence[LogRow], conversations: Mapping[str, Conversation]
) -> list[Conversation]:
    unsent = [
        r.conversation_id for r in begun if not r.fired and r.conversation_id in conversations
    ]
    step = max(1, len(unsent) // BACKGROUND)
    return [conversations[key] for key in unsent[::step]]


def name_topics(
    sent: Sequence[LogRow],
    begun: Sequence[LogRow],
    conversations: Mapping[str, Conversation],
    encoder: Encoder,
) -> tuple[dict[str, int], list[str]]:
    """Return the number of each email's topic, and the topics' names."""
    known = [row for row in sent if row.conversation_id in conversations][-MOST_GROUPED:]
    mistakes = [_mistake(row, conversations[row.conversation_id]) for row in known]
    found = group_by_topic(
        mistakes, encoder, _background(begun, conversations), kind="emails"
    ).topics
    numbers = {
        mistake.item.conversation.id: number
        for number, topic in enumerate(found)
        for mistake in topic.mistakes
    }
    return numbers, [masked(topic.name) for topic in found]


def find_questions(
    sent: Sequence[LogRow],
    begun: Sequence[LogRow],
    conversations: Mapping[str, Conversation],
    labels: Mapping[str, Label],
    encoder: Encoder,
) -> tuple[Question, ...]:
    """Return the needless emails by what the agent should have known, most first."""
    needless = [
        _mistake(row, conversations[row.conversation_id], labels.get(row.conversation_id))
        for row in sent
        if row.needed is False and row.conversation_id in conversations
    ]
    found = group_by_topic(
        needless[-MOST_GROUPED:],
        encoder,
        _background(begun, conversations),
        kind="needless emails",
    )
    return tuple(_question(topic) for topic in found.topics)


def _question(topic: Topic) -> Question:
    notes = [mistake.item.label.note for mistake in topic.mistakes]
    return Question(
        name=masked(topic.name),
        ids=tuple(mistake.item.conversation.id for mistake in topic.mistakes),
        examples=topic.examples,
        notes=tuple(dict.fromkeys(masked(note) for note in notes if note)),
    )
