"""Whether the turns bear a sentence out: its words, its polarity, and who said it.

Three tests, none of which needs a model: a quotation stands in its turn; the content words of a
sentence stand in one or two turns; a sentence that nearly repeats a turn's has its polarity. An
encoder adds likeness of meaning to the second. docs/summaries.md has what share of injected
faults they catch and how often they are wrong on summaries by people.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from handoff_eval.conversation import Role, Turn
from handoff_eval.encoders.base import Encoder
from handoff_eval.summaries.sentences import Sentence, one_line, split, words
from handoff_eval.summaries.summary import Statement

SUPPORTED = 0.5
"""Share of a sentence's content words that one or two turns must hold."""

LIKE = 0.6
"""Cosine from which a turn's sentence means much the same."""

REPEATS = 0.7
"""Share of common words from which a sentence repeats another, so that polarity is comparable."""

_NEGATION = re.compile(
    r"(?<!\w)(?:not|no|never|cannot|cant|dont|doesnt|didnt|wont|isnt|wasnt|havent|hasnt|couldnt|"
    r"nothing|nobody|none|neither|nor|without|unable|nicht|kein\w*|nie|pas|jamais|nunca|nada|non)"
    r"(?!\w)|n['’]t(?!\w)",
    re.IGNORECASE,
)
_DENSE = re.compile(r"[\u0e00-\u0eff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]{2,}")
"""Scripts that put no space between words."""

_CLAUSE = re.compile(r"[,;:–—]\s|\s-\s|(?<!\w)(?:but|and|so|because|aber|und|pero|y|mais|et)(?!\w)")
_SPEAKER = re.compile(
    r"(?<!\w)(?P<customer>customers?|clients?|users?|guest|passenger)(?!\w)|"
    r"(?<!\w)(?P<agent>agents?|assistant|bot|representative|rep|support|company)(?!\w)|"
    r"(?<!\w)(?P<human>colleague)(?!\w)",
    re.IGNORECASE,
)
_STAFF = (Role.AGENT, Role.HUMAN)


def terms(text: str) -> frozenset[str]:
    """Return the content words of a text, forms of one word as one.

    A script without spaces gives pairs of characters.
    """
    dense = {run[i : i + 2] for run in _DENSE.findall(text) for i in range(len(run) - 1)}
    return frozenset(word.removesuffix("s") for word in words(_DENSE.sub(" ", text))) | dense


def told(text: str) -> frozenset[str]:
    """Return the content words without those that only report, such as "the customer says"."""
    return terms(text) - _REPORTING


_REPORTING = terms(
    "customer agent client user colleague representative company say says said saying ask asks "
    "asked asking want wants wanted need needs tell tells told state states stated report reports "
    "reported reporting explains explained regarding enquired enquires mentions mentioned informs "
    "informed replies replied provides provided requests requested suggests suggested advised "
    "advises offers offered"
)


def share(part: frozenset[str], whole: frozenset[str]) -> float:
    """Return the share of `part` that `whole` holds; 1 when there is nothing to hold."""
    return len(part & whole) / len(part) if part else 1.0


def is_negated(text: str) -> bool:
    """Tell whether a text says that something is not so."""
    return _NEGATION.search(text) is not None


def speaker_of(text: str) -> Role | None:
    """Return whom the beginning of a sentence names as its speaker, None for nobody."""
    match = _SPEAKER.search(" ".join(text.split()[:6]))
    if match is None:
        return None
    return next(role for role in (Role.CUSTOMER, Role.AGENT, Role.HUMAN) if match[role.value])


def statements_of(text: str) -> tuple[Statement, ...]:
    """Return the sentences of a summary that was written freely, each with whom it names."""
    sentences = split(Turn(Role.SYSTEM, text), 0)
    return tuple(Statement(s.text, None, speaker_of(s.text)) for s in sentences)


@dataclass(frozen=True)
class Evidence:
    """The turns of a conversation, to hold the sentences of its summaries against.

    Attributes
    ----------
    turns : tuple of Turn
    encoder : Encoder or None
        Adds likeness of meaning; without one only words count.
    """

    turns: tuple[Turn, ...]
    encoder: Encoder | None = None

    @cached_property
    def _terms(self) -> tuple[frozenset[str], ...]:
        return tuple(terms(turn.text) for turn in self.turns)

    @cached_property
    def _sentences(self) -> tuple[Sentence, ...]:
        return tuple(s for i, turn in enumerate(self.turns) for s in split(turn, i))

    @cached_property
    def _clauses(self) -> tuple[tuple[frozenset[str], bool], ...]:
        texts = [piece for s in self._sentences for piece in (s.text, *_CLAUSE.split(s.text))]
        return tuple((terms(text), is_negated(text)) for text in texts)

    @cached_property
    def _vectors(self) -> NDArray[np.float32]:
        assert self.encoder is not None  # noqa: S101 - asked only where there is one
        return self.encoder.encode([sentence.text for sentence in self._sentences])

    @cached_property
    def _lines(self) -> tuple[str, ...]:
        return tuple(one_line(turn.text) for turn in self.turns)

    def quotes(self, statement: Statement) -> bool:
        """Tell whether a statement with a turn stands there, cuts shown by an ellipsis aside."""
        if statement.turn is None or not 0 <= statement.turn < len(self.turns):
            return False
        text = one_line(statement.text).removeprefix("…").removesuffix("…")
        return text in self._lines[statement.turn]

    def word_support(self, text: str, *, roles: Iterable[Role] = tuple(Role)) -> float:
        """Return the share of a sentence's words that the best one or two turns hold.

        Words that only report ("the customer says") don't count.
        """
        wanted = told(text)
        allowed = set(roles)
        held = [
            self._terms[i] & wanted for i, turn in enumerate(self.turns) if turn.role in allowed
        ]
        if not wanted:
            return 1.0
        best = max(held, key=len, default=frozenset())
        more = max((one - best for one in held), key=len, default=frozenset())
        return len(best | more) / len(wanted)

    def is_supported(self, statement: Statement) -> bool:
        """Tell whether the turns bear a sentence out, by words or by meaning, and don't deny it.

        A statement that names its turn must stand there.
        """
        if statement.turn is not None:
            return self.quotes(statement)
        if self.denies(statement.text):
            return False
        return self.word_support(statement.text) >= SUPPORTED or self._means(statement.text)

    def denies(self, text: str) -> bool:
        """Tell whether all sentences and clauses that a text repeats have the other polarity."""
        content = told(text)
        if len(content) < 2:
            return False
        repeated = [negated for held, negated in self._clauses if share(content, held) >= REPEATS]
        return bool(repeated) and is_negated(text) not in repeated

    def is_swapped(self, statement: Statement) -> bool:
        """Tell whether a sentence gives one side what only the other said or did."""
        if statement.speaker is None:
            return False
        if statement.turn is not None and 0 <= statement.turn < len(self.turns):
            return _side(statement.speaker) != _side(self.turns[statement.turn].role)
        own = self.word_support(statement.text, roles=_side(statement.speaker))
        others = [role for role in Role if role not in _side(statement.speaker)]
        return self.word_support(statement.text, roles=others) >= max(SUPPORTED, 2 * own)

    def _means(self, text: str) -> bool:
        if self.encoder is None or not self._sentences:
            return False
        vector = self.encoder.encode([text])[0]
        return bool(np.max(self._vectors @ vector) >= LIKE)


def _side(role: Role) -> Sequence[Role]:
    return _STAFF if role in _STAFF else (role,)
