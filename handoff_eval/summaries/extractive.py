"""The sentences nearest to what everything else says, no two of them alike, each with its turn.

Centrality is the stationary distribution of a random walk over sentence similarities (LexRank;
Erkan and Radev, JAIR 22 (2004) 457-479) that restarts at sentences by who speaks and where they
stand. Redundancy is held down by maximal marginal relevance (Carbonell and Goldstein, SIGIR 1998).
Needs numpy and an encoder; the values below are the usual ones and were tuned on nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from handoff_eval.conversation import Role, Turn
from handoff_eval.decision import Decision
from handoff_eval.encoders.base import Encoder
from handoff_eval.summaries import cues
from handoff_eval.summaries.reading import LINE, Reading
from handoff_eval.summaries.selection import find_asks
from handoff_eval.summaries.sentences import Line, Sentence, shorten
from handoff_eval.summaries.structured import frame_summary
from handoff_eval.summaries.summary import Summary

DAMPING = 0.85
RELEVANCE = 0.7
"""Weight of centrality against likeness to what is chosen already."""

MOST = 6
"""Sentences chosen at most."""

MAX_SENTENCES = 400
"""Sentences compared; of more, the beginning and the end."""

_STEPS = 60
_RESTART = {Role.CUSTOMER: 2.0, Role.AGENT: 1.0, Role.HUMAN: 1.0}
_FOCUS = 2.0
"""How much likelier a walk restarts in the turn that the decision is about."""


class ExtractiveSummarizer:
    """Quotes the most central sentences, the customer's before the agent's.

    Parameters
    ----------
    encoder : Encoder
        Gives the sentence vectors.
    """

    name = "extractive"

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder
        self.description = f"the {MOST} most central sentences by {encoder.revision}"

    def summarize(self, turns: Sequence[Turn], *, decision: Decision) -> Summary:
        """Return the central sentences of the turns that were visible at the decision.

        The turn that the decision is about always gives one, where it says anything.

        Parameters
        ----------
        turns : sequence of Turn
            The conversation; only the first `decision.turns` are read.
        decision : Decision
            Says which turn is the evidence and why it fired.
        """
        text = Reading.of(turns[: decision.turns], decision.explanation)
        sentences = list(text.by(Role.CUSTOMER, Role.AGENT, Role.HUMAN))
        if len(sentences) > MAX_SENTENCES:
            half = MAX_SENTENCES // 2
            sentences = [*sentences[:half], *sentences[-half:]]
        frame = frame_summary(text, find_asks(text))
        if not sentences:
            return frame
        vectors = self._encoder.encode([sentence.text for sentence in sentences])
        likeness = np.clip(vectors.astype(np.float64) @ vectors.T.astype(np.float64), 0.0, 1.0)
        focus = np.array([sentence.turn == text.focus for sentence in sentences])
        restart = np.array([_RESTART[sentence.role] for sentence in sentences])
        scores = centrality(likeness, np.where(focus, _FOCUS * restart, restart))
        first = int(np.argmax(np.where(focus, scores, -1.0))) if focus.any() else None
        chosen = marginal_relevance(scores, likeness, most=MOST, first=first)
        return replace(frame, overview=tuple(_quote(sentences[i]) for i in sorted(chosen)))


def centrality(likeness: NDArray[np.float64], restart: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return each sentence's share of a random walk, the largest scaled to 1.

    Parameters
    ----------
    likeness : float array, shape (n, n)
        Similarities in [0, 1].
    restart : float array, shape (n,)
        Positive weights of where the walk starts anew, with probability 1 - `DAMPING`.

    Returns
    -------
    float array, shape (n,)
        Rounded to nine digits, so that the order doesn't hang on the last bit of an encoder.
    """
    n = len(likeness)
    others = likeness * (1.0 - np.eye(n))
    totals = others.sum(axis=1, keepdims=True)
    start = restart / restart.sum()
    step = np.where(totals > 0, others / np.where(totals > 0, totals, 1.0), start)
    share = start
    for _ in range(_STEPS):
        share = (1 - DAMPING) * start + DAMPING * (share @ step)
    scaled: NDArray[np.float64] = np.round(share / share.max(), 9)
    return scaled


def marginal_relevance(
    scores: NDArray[np.float64],
    likeness: NDArray[np.float64],
    *,
    most: int,
    first: int | None = None,
) -> list[int]:
    """Return the places chosen one by one: central, and unlike what was chosen before.

    Parameters
    ----------
    scores : float array, shape (n,)
        In [0, 1].
    likeness : float array, shape (n, n)
    most : int
        How many at most.
    first : int, optional
        Chosen before all others.
    """
    chosen = [int(np.argmax(scores)) if first is None else first]
    while len(chosen) < min(most, len(scores)):
        redundant = np.round(likeness[:, chosen].max(axis=1), 6)
        worth = RELEVANCE * scores - (1 - RELEVANCE) * redundant
        worth[chosen] = -np.inf
        chosen.append(int(np.argmax(worth)))
    return chosen


def _quote(sentence: Sentence) -> Line:
    place = cues.ask_position(sentence.text)
    return Line(shorten(sentence.text, LINE, focus=place), sentence.turn)
