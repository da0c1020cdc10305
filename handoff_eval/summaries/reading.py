"""A conversation read once: its sentences, facts and the turn that matters most."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from handoff_eval.conversation import Reason, Role, Turn
from handoff_eval.summaries import cues
from handoff_eval.summaries.facts import MAX_TURN, Fact, FactKind, find_facts
from handoff_eval.summaries.sentences import Line, Sentence, one_line, shorten, split, words
from handoff_eval.trigger import Explanation

LINE = 240
"""Most characters of a quoted line."""

FOCUS_LINE = 480
"""The same for the turn that the decision is about, which is worth reading whole."""

_HEAD, _TAIL = 40, 160
"""Turns of a very long conversation that are read: its opening and what led to the decision."""


@dataclass(frozen=True)
class Reading:
    """The visible turns with what every section of the summary asks of them.

    Attributes
    ----------
    turns : tuple of Turn
    sentences : tuple of tuple of Sentence
        By turn; turns in the middle of a very long conversation have none.
    facts : tuple of Fact
    focus : int
        The customer's turn that the decision is about; -1 when the customer said nothing.
    reason : Reason or None
        Why the decision fired.
    """

    turns: tuple[Turn, ...]
    sentences: tuple[tuple[Sentence, ...], ...]
    facts: tuple[Fact, ...]
    focus: int
    reason: Reason | None

    @classmethod
    def of(cls, turns: Sequence[Turn], explanation: Explanation) -> Reading:
        """Read `turns`, all of them visible at the decision."""
        blank = Turn(Role.SYSTEM, "")
        last = len(turns) - _TAIL
        read = [t if i < _HEAD or i >= last else blank for i, t in enumerate(turns)]
        sentences = tuple(split(turn, index) for index, turn in enumerate(read))
        return cls(
            turns=tuple(turns),
            sentences=sentences,
            facts=find_facts(read),
            focus=_focus(sentences, turns, explanation.evidence_turn),
            reason=explanation.reason,
        )

    @property
    def about_evidence(self) -> bool:
        """Whether the matter is what the focus turn says, rather than how it all began."""
        return self.reason in (Reason.HUMAN_REVIEW, Reason.COMPLAINT, Reason.OTHER)

    @property
    def asked_in_focus(self) -> bool:
        """Whether the reason itself says that the focus turn asks for something."""
        return self.reason in (Reason.FOLLOW_UP_REQUESTED, Reason.HUMAN_REQUESTED)

    def by(self, *roles: Role) -> Iterator[Sentence]:
        """Return the sentences of these roles that say something, in order."""
        for sentences in self.sentences:
            for sentence in sentences:
                if sentence.role in roles and not cues.is_filler(sentence.text):
                    yield sentence

    @cached_property
    def opening(self) -> int:
        """The customer's first turn that says more than a word or a number; -1 for none."""
        said = [s for s in self.by(Role.CUSTOMER) if not cues.STEERING.search(s.text)]
        return next((s.turn for s in said if len(words(s.text)) > 1), said[0].turn if said else -1)

    @cached_property
    def focus_words(self) -> frozenset[str]:
        """Content words of the focus turn."""
        return words(self.turns[self.focus].text) if self.focus >= 0 else frozenset()

    def same_run(self, first: int, second: int) -> bool:
        """Tell whether no staff spoke between two turns."""
        between = self.turns[min(first, second) : max(first, second)]
        return not any(turn.role in (Role.AGENT, Role.HUMAN) for turn in between)

    def begins(self, turn: int) -> bool:
        """Tell whether a customer's turn belongs to how they first put the matter."""
        return self.opening <= turn and self.same_run(self.opening, turn)

    def quote(
        self, sentence: Sentence, *, limit: int = LINE, barred: Collection[Sentence] = ()
    ) -> Line:
        """Return the sentence with as many neighbours of its turn as fit, as one line."""
        window = self.window(sentence, limit=limit, barred=barred)
        if len(window) > 1:
            whole = one_line(self.turns[sentence.turn].text[:MAX_TURN])
            return Line(whole[window[0].start : window[-1].end], sentence.turn)
        return Line(
            shorten(sentence.text, limit, focus=cues.ask_position(sentence.text)), sentence.turn
        )

    def window(
        self, sentence: Sentence, *, limit: int = LINE, barred: Collection[Sentence] = ()
    ) -> list[Sentence]:
        """Return the sentence and the neighbours in its turn that fit into `limit` characters."""
        turn = self.sentences[sentence.turn]
        first = last = sentence.place
        room = limit - len(sentence.text)
        grown = True
        while grown:
            grown = False
            for place in (first - 1, last + 1):
                if not 0 <= place < len(turn) or turn[place] in barred:
                    continue
                neighbour = turn[place]
                if cues.is_filler(neighbour.text) or len(neighbour.text) + 1 > room:
                    continue
                first, last = min(first, place), max(last, place)
                room -= len(neighbour.text) + 1
                grown = True
        return list(turn[first : last + 1])

    def distinct_facts(self) -> tuple[Fact, ...]:
        """Return each fact once, in the customer's spelling first; dates of others are left out."""
        kept: dict[tuple[FactKind, str], Fact] = {}
        for fact in self.facts:
            theirs = self.turns[fact.turn].role is Role.CUSTOMER
            if not theirs and fact.kind in (FactKind.DATE, FactKind.DEADLINE):
                continue
            key = (fact.kind, re.sub(r"[\s#,]", "", fact.text).casefold())
            other = kept.get(key)
            if other is None or (theirs and self.turns[other.turn].role is not Role.CUSTOMER):
                label = fact.label or (other.label if other else "")
                kept[key] = Fact(fact.kind, fact.text, fact.turn, fact.start, fact.end, label)
        return tuple(sorted(kept.values(), key=lambda fact: (fact.turn, fact.start)))


def _focus(
    sentences: tuple[tuple[Sentence, ...], ...], turns: Sequence[Turn], evidence: int | None
) -> int:
    said = [
        index
        for index, turn in enumerate(turns)
        if turn.role is Role.CUSTOMER and any(not cues.is_filler(s.text) for s in sentences[index])
    ]
    if evidence is not None and 0 <= evidence < len(turns):
        answer = [i for i in said if i > evidence and any(_matters(s.text) for s in sentences[i])]
        if turns[evidence].role is not Role.CUSTOMER and answer:
            return answer[0]
        said = [index for index in said if index <= evidence] or said
    else:
        said = [i for i in said if any(_matters(s.text) for s in sentences[i])] or said
    return said[-1] if said else -1


def _matters(text: str) -> bool:
    """Tell a sentence about the need from the small talk a conversation may end on."""
    trouble = cues.PROBLEM.search(text) is not None or cues.ask_strength(text) > 0
    return trouble and cues.CLOSING.search(text) is None
