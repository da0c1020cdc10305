"""The summary a person can answer from: what they want, what was tried, what is asked of the team.

Nothing is written that nobody said: every line quotes one turn. Sentences are chosen by what they
do (ask, report a failure, propose a step), where they stand (the opening, the evidence of the
decision, the end) and how much they say that no chosen line says yet. Standard library only;
the same turns give the same summary.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from handoff_eval.conversation import Reason, Turn
from handoff_eval.decision import Decision
from handoff_eval.summaries.facts import Fact
from handoff_eval.summaries.reading import Reading
from handoff_eval.summaries.selection import (
    Mood,
    find_asks,
    find_deadline,
    find_issue,
    find_moods,
    find_open_questions,
    find_topic,
    find_tried,
)
from handoff_eval.summaries.sentences import Line
from handoff_eval.summaries.subject import compose_subject, name_ask, says_the_ask

__all__ = ["Line", "Mood", "Summary", "summarize"]


@dataclass(frozen=True, slots=True)
class Summary:
    """What the team needs to answer.

    Attributes
    ----------
    subject : str
        One line of at most 90 characters that says the ask.
    issue : tuple of Line
        What it is about, in the customer's words.
    asked : tuple of Line
        What is asked of the team; empty when nothing was asked in words.
    tried : tuple of Line
        What the agent proposed or refused and what the customer reported back, in order.
    open_questions : tuple of Line
        Questions that nobody answered, the customer's and the agent's.
    facts : tuple of Fact
        Identifiers, amounts, dates, addresses, telephone numbers and links, each once.
    moods : tuple of Mood
        Sentiment and urgency, the gravest first; empty for a calm conversation.
    deadline : Fact or None
        When the customer needs it.
    reason : Reason or None
        Why the handoff fired, from the decision.
    """

    subject: str
    issue: tuple[Line, ...]
    asked: tuple[Line, ...]
    tried: tuple[Line, ...]
    open_questions: tuple[Line, ...]
    facts: tuple[Fact, ...]
    moods: tuple[Mood, ...]
    deadline: Fact | None
    reason: Reason | None

    def lines(self) -> tuple[Line, ...]:
        """Return every quoted line, section by section."""
        moods = tuple(mood.line for mood in self.moods)
        return (*self.issue, *self.asked, *self.tried, *self.open_questions, *moods)


def summarize(turns: Sequence[Turn], *, decision: Decision) -> Summary:
    """Return the structured summary of the turns that were visible at the decision.

    Parameters
    ----------
    turns : sequence of Turn
        The conversation; only the first `decision.turns` are read.
    decision : Decision
        Says which turn is the evidence and why it fired.
    """
    explanation = decision.explanation
    text = Reading.of(turns[: decision.turns], explanation)
    asked = find_asks(text)
    issue = find_issue(text, asked)
    facts = text.distinct_facts()
    deadline = find_deadline(text, asked)
    moods = find_moods(text)
    topic = find_topic(text)
    head = name_ask(
        " ".join(line.text for line in asked),
        topic=topic,
        reason=explanation.reason,
        signals=[mood.signal for mood in moods if mood.line.turn == text.focus],
    )
    if says_the_ask(head):
        topic = find_topic(text, besides_the_ask=True)
    return Summary(
        subject=compose_subject(head, topic=topic, facts=facts, deadline=deadline),
        issue=issue or asked,
        asked=asked,
        tried=find_tried(text, (*asked, *issue)),
        open_questions=find_open_questions(text, (*asked, *issue)),
        facts=facts,
        moods=moods,
        deadline=deadline,
        reason=explanation.reason,
    )
