"""What every summariser gives: quoted lines, facts, and a model's own sentences marked as such."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from handoff_eval.conversation import Reason, Role, Turn
from handoff_eval.decision import Decision
from handoff_eval.summaries.facts import Fact
from handoff_eval.summaries.selection import Mood
from handoff_eval.summaries.sentences import Line


@dataclass(frozen=True, slots=True)
class Written:
    """A sentence in a model's own words about what somebody said.

    Attributes
    ----------
    text : str
        One line.
    speaker : Role
        Whose words or deeds it reports, as its own subject says.
    """

    text: str
    speaker: Role


@dataclass(frozen=True, slots=True)
class Statement:
    """One sentence of a summary, the way all of them are judged.

    Attributes
    ----------
    text : str
    turn : int or None
        The turn it quotes; None where the words are the summariser's own.
    speaker : Role or None
        Who is said to have said or done it; None where the sentence names nobody.
    """

    text: str
    turn: int | None = None
    speaker: Role | None = None


@dataclass(frozen=True, slots=True)
class Summary:
    """What the team needs to answer; a section that doesn't apply is empty.

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
    overview : tuple of Line
        The sentences that say most, in order, where a summariser sorts them into no sections.
    written : tuple of Written
        A language model's sentences; each was checked against the turns.
    note : str
        What a reader must know of how it was made, such as why a model's text was not used.
    fell_back : bool
        Whether another summariser had to stand in, for the reason in the note.
    """

    subject: str
    issue: tuple[Line, ...] = ()
    asked: tuple[Line, ...] = ()
    tried: tuple[Line, ...] = ()
    open_questions: tuple[Line, ...] = ()
    facts: tuple[Fact, ...] = ()
    moods: tuple[Mood, ...] = ()
    deadline: Fact | None = None
    reason: Reason | None = None
    overview: tuple[Line, ...] = ()
    written: tuple[Written, ...] = ()
    note: str = ""
    fell_back: bool = False

    def lines(self) -> tuple[Line, ...]:
        """Return every quoted line, section by section."""
        moods = tuple(mood.line for mood in self.moods)
        sections = (self.overview, self.issue, self.asked, self.tried, self.open_questions, moods)
        return tuple(line for section in sections for line in section)

    def statements(self, turns: Sequence[Turn]) -> tuple[Statement, ...]:
        """Return every sentence with its turn, or without one where a model wrote it.

        A line that stands in two sections is one statement.

        Parameters
        ----------
        turns : sequence of Turn
            The turns that were summarised.
        """
        quoted = dict.fromkeys((line.text, line.turn) for line in self.lines())
        quoted |= dict.fromkeys((fact.text, fact.turn) for fact in self.facts)
        return (
            *(Statement(sentence.text, None, sentence.speaker) for sentence in self.written),
            *(Statement(text, turn, turns[turn].role) for text, turn in quoted),
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the summary as JSON values, every quoted line with its turn."""
        sections = ("overview", "issue", "asked", "tried", "open_questions")
        return {
            "subject": self.subject,
            "written": [{"text": s.text, "speaker": s.speaker.value} for s in self.written],
            **{
                name: [{"text": line.text, "turn": line.turn} for line in getattr(self, name)]
                for name in sections
            },
            "facts": [
                {"kind": f.kind.value, "text": f.text, "label": f.label, "turn": f.turn}
                for f in self.facts
            ],
            "moods": [
                {"signal": m.signal.value, "text": m.line.text, "turn": m.line.turn}
                for m in self.moods
            ],
            "deadline": None if self.deadline is None else self.deadline.text,
            "reason": None if self.reason is None else self.reason.value,
            "note": self.note,
            "fell_back": self.fell_back,
        }


class Summarizer(Protocol):
    """Says what a conversation comes to; the same turns and decision give the same summary.

    Attributes
    ----------
    name : str
        `structured`, `extractive` or `llm`.
    description : str
        One line that tells two versions apart.
    """

    @property
    def name(self) -> str: ...  # noqa: D102 - documented as an attribute

    @property
    def description(self) -> str: ...  # noqa: D102 - documented as an attribute

    def summarize(self, turns: Sequence[Turn], *, decision: Decision) -> Summary:
        """Return the summary of the turns that were visible at the decision.

        Parameters
        ----------
        turns : sequence of Turn
            The conversation; only the first `decision.turns` are read.
        decision : Decision
            Says which turn is the evidence and why it fired.
        """
        ...
