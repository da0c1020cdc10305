"""The summary a person can answer from: what they want, what was tried, what is asked of the team.

Nothing is written that nobody said: every line quotes one turn. Sentences are chosen by what they
do (ask, report a failure, propose a step), where they stand (the opening, the evidence of the
decision, the end) and how much they say that no chosen line says yet. Standard library only;
the same turns give the same summary.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from handoff_eval.conversation import Turn
from handoff_eval.decision import Decision
from handoff_eval.summaries.reading import Reading
from handoff_eval.summaries.selection import (
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
from handoff_eval.summaries.summary import Summary


class StructuredSummarizer:
    """Sorts quoted sentences into what is asked, what it is about, what was tried, what is open."""

    name = "structured"
    description = "quoted sentences in sections, by rules"

    def summarize(self, turns: Sequence[Turn], *, decision: Decision) -> Summary:
        """Return the structured summary of the turns that were visible at the decision.

        Parameters
        ----------
        turns : sequence of Turn
            The conversation; only the first `decision.turns` are read.
        decision : Decision
            Says which turn is the evidence and why it fired.
        """
        text = Reading.of(turns[: decision.turns], decision.explanation)
        asked = find_asks(text)
        issue = find_issue(text, asked)
        return replace(
            frame_summary(text, asked),
            issue=issue or asked,
            asked=asked,
            tried=find_tried(text, (*asked, *issue)),
            open_questions=find_open_questions(text, (*asked, *issue)),
        )


def frame_summary(text: Reading, asked: Sequence[Line]) -> Summary:
    """Return what stands around the sentences of every summary: subject, facts, moods, deadline.

    Parameters
    ----------
    text : Reading
    asked : sequence of Line
        From `find_asks`.
    """
    facts = text.distinct_facts()
    deadline = find_deadline(text, asked)
    moods = find_moods(text)
    topic = find_topic(text)
    head = name_ask(
        " ".join(line.text for line in asked),
        topic=topic,
        reason=text.reason,
        signals=[mood.signal for mood in moods if mood.line.turn == text.focus],
    )
    if says_the_ask(head):
        topic = find_topic(text, besides_the_ask=True)
    return Summary(
        subject=compose_subject(head, topic=topic, facts=facts, deadline=deadline),
        facts=facts,
        moods=moods,
        deadline=deadline,
        reason=text.reason,
    )
