"""Sparse word features: TF-IDF of words and word pairs, the customer's apart from the agent's.

numpy only; scikit-learn learns the vocabulary in the workbench (`learn_words`).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from handoff_eval.conversation import LabeledConversation, Role, Turn
from handoff_eval.triggers.feature_maps import Block

MIN_CUSTOMERS = 2
"""A term said by fewer, or to fewer, is left out: it may be what names one person."""

_WORD = re.compile(r"\w\w+")

Counts = Mapping[int, int]
"""How often each column's term was said; at most as long as the vocabulary."""


def terms(text: str) -> list[str]:
    """Return the words of a turn in lower case, each of two letters at least, and their pairs."""
    words = _WORD.findall(text.lower())
    return [*words, *(f"{a} {b}" for a, b in pairwise(words))]


@dataclass(frozen=True)
class Vocabulary:
    """The terms of one side of the conversation, sorted, with their inverse frequencies."""

    terms: tuple[str, ...]
    idf: NDArray[np.float32]

    @cached_property
    def column(self) -> dict[str, int]:
        """The place of each term."""
        return {term: i for i, term in enumerate(self.terms)}


class WordFeatures:
    """Rows of (1 + log count) * idf, scaled to unit length a side of the conversation.

    Parameters
    ----------
    customer, agent : Vocabulary
        Terms of the customer's turns, and of everybody else's but the system's.
    """

    def __init__(self, customer: Vocabulary, agent: Vocabulary) -> None:
        self.customer, self.agent = customer, agent
        self._idf = np.concatenate([customer.idf, agent.idf]).astype(np.float32)
        digest = hashlib.sha256("\0".join((*customer.terms, "", *agent.terms)).encode())
        digest.update(self._idf.tobytes())
        self.description = f"{len(self._idf)} words and pairs ({digest.hexdigest()[:12]})"
        self.blocks: tuple[Block, ...] = (Block("words", len(self._idf)),)

    def encode(self, turns: Sequence[Turn]) -> list[Counts]:
        """Return the counts of one turn each."""
        return [self._counts(turn) for turn in turns]

    def start(self) -> Counts:
        """Return no counts."""
        return {}

    def update(self, state: Counts, observation: Counts) -> Counts:
        """Return the counts with one turn more."""
        merged = dict(state)
        for column, count in observation.items():
            merged[column] = merged.get(column, 0) + count
        return merged

    def rows(self, states: Sequence[Counts], closed: Sequence[bool]) -> NDArray[np.float32]:  # noqa: ARG002 - protocol
        """Return one row a state; a side that has said nothing known is zero."""
        rows = np.zeros((len(states), len(self._idf)), dtype=np.float32)
        for row, state in zip(rows, states, strict=True):
            columns = np.fromiter(sorted(state), dtype=np.int64, count=len(state))
            counts = np.array([state[column] for column in columns], dtype=np.float32)
            row[columns] = (1 + np.log(counts)) * self._idf[columns]
        split = len(self.customer.terms)
        for side in (rows[:, :split], rows[:, split:]):
            norms = np.linalg.norm(side, axis=1, keepdims=True)
            side /= np.where(norms > 0, norms, 1)
        return rows

    def _counts(self, turn: Turn) -> Counts:
        if turn.role is Role.SYSTEM:
            return {}
        is_customer = turn.role is Role.CUSTOMER
        column = (self.customer if is_customer else self.agent).column
        shift = 0 if is_customer else len(self.customer.terms)
        counts: dict[int, int] = {}
        for term in terms(turn.text):
            if (place := column.get(term)) is not None:
                counts[place + shift] = counts.get(place + shift, 0) + 1
        return counts


def learn_words(labeled: Sequence[LabeledConversation]) -> WordFeatures:
    """Return the word features of some conversations; their labels are not looked at.

    The inverse frequency of a term is that of scikit-learn's `TfidfVectorizer` over whole
    conversations, so that a long one counts once.
    """
    return WordFeatures(*(_vocabulary(labeled, customer=side) for side in (True, False)))


def _vocabulary(labeled: Sequence[LabeledConversation], *, customer: bool) -> Vocabulary:
    from sklearn.feature_extraction.text import TfidfVectorizer

    said = [
        [
            term
            for turn in item.conversation.turns
            if turn.role is not Role.SYSTEM and (turn.role is Role.CUSTOMER) is customer
            for term in terms(turn.text)
        ]
        for item in labeled
    ]
    seen: dict[str, set[str]] = {}
    for item, document in zip(labeled, said, strict=True):
        for term in document:
            seen.setdefault(term, set()).add(item.conversation.group)
    frequent = sorted(term for term, customers in seen.items() if len(customers) >= MIN_CUSTOMERS)
    if not frequent:
        return Vocabulary((), np.zeros(0, np.float32))
    vectorizer = TfidfVectorizer(analyzer=list, vocabulary=frequent).fit(said)
    return Vocabulary(tuple(frequent), vectorizer.idf_.astype(np.float32))
