"""What a trained head sees of a conversation: an encoding of the turns, folded into a fixed state.

numpy only, since the bundle folds with the same code. The state is a vector of constant length,
so a decision costs the same after three turns and after three hundred.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from handoff_eval.conversation import Role, Turn

Vector = NDArray[np.float32]

REMEMBERED = 4
"""Customer turns compared with a new one to notice a repeated question."""

_ASK = re.compile(
    r"\b(email|e-mail|mail|call|ring|phone|write|contact|reach|text)\b.{0,12}\bme\b"
    r"|\b(human|person|someone|somebody|manager|supervisor|colleague|complaint)\b",
    re.IGNORECASE,
)
_UNABLE = re.compile(
    r"\b(sorry|unfortunately|apolog\w+|unable|can(no|')t|not able|not possible|don't have)\b",
    re.IGNORECASE,
)
_FAILED = re.compile(
    r"\b(still|again|already|doesn'?t|didn'?t|not working|same|never ?mind|nothing|forget it)\b",
    re.IGNORECASE,
)
_THANKS = re.compile(
    r"\b(thanks?|thank you|cheers|perfect|great|brilliant|works?|sorted|ok(ay)?)\b", re.I
)

SIGNALS = (
    "customer_turns",
    "agent_turns",
    "words_now",
    "asks_now",
    "asks",
    "failed_now",
    "failed",
    "agent_unable_now",
    "agent_unable",
    "thanks_now",
    "question_now",
    "repeats_now",
    "repeats",
    "agent_repeats",
    "customer_had_last_word",
    "closed",
)


@dataclass(frozen=True, slots=True)
class Observation:
    """One turn as the fold sees it: role, unit vector, word count and cue matches."""

    customer: bool
    spoken: bool
    vector: Vector
    words: float
    asks: float
    failed: float
    unable: float
    thanks: float
    question: float


@dataclass(frozen=True, slots=True)
class State:
    """The conversation so far.

    Attributes
    ----------
    customer_sum, last_customer, last_agent : float32 arrays, shape (dimension,)
        Sum of the customer's turn vectors, and the latest vector of either side.
    remembered : float32 array, shape (REMEMBERED, dimension)
        Latest customer vectors, oldest first.
    signals : float64 array, shape (len(SIGNALS),)
        Counts and maxima so far; `closed` stays 0 until scoring.
    """

    customer_sum: Vector
    last_customer: Vector
    last_agent: Vector
    remembered: Vector
    signals: NDArray[np.float64]


def observe(turns: Sequence[Turn], vectors: Vector) -> list[Observation]:
    """Return one observation a turn from the turns and their unit vectors."""
    return [
        Observation(
            customer=turn.role is Role.CUSTOMER,
            spoken=turn.role is not Role.SYSTEM,
            vector=vector,
            words=float(len(turn.text.split())),
            asks=float(bool(_ASK.search(turn.text))),
            failed=float(bool(_FAILED.search(turn.text))),
            unable=float(bool(_UNABLE.search(turn.text))),
            thanks=float(bool(_THANKS.search(turn.text))),
            question=float("?" in turn.text),
        )
        for turn, vector in zip(turns, vectors, strict=True)
    ]


def start(dimension: int) -> State:
    """Return the state before the first turn."""
    zero = np.zeros(dimension, dtype=np.float32)
    return State(
        zero,
        zero,
        zero,
        np.zeros((REMEMBERED, dimension), dtype=np.float32),
        np.zeros(len(SIGNALS)),
    )


def update(state: State, seen: Observation) -> State:
    """Return the state after one more turn; system turns (tool calls, results) change nothing."""
    if not seen.spoken:
        return state
    return _customer(state, seen) if seen.customer else _agent(state, seen)


def feature_names(dimension: int) -> list[str]:
    """Return the name of every column of `features`."""
    blocks = ("customer_mean", "last_customer", "last_agent")
    return [*(f"{block}_{i}" for block in blocks for i in range(dimension)), *SIGNALS]


def features(states: Sequence[State], closed: Sequence[bool]) -> NDArray[np.float32]:
    """Return one row a state, shape (len(states), 3 * dimension + len(SIGNALS)), float32."""
    rows = []
    for state, ended in zip(states, closed, strict=True):
        signals = np.minimum(state.signals, 30.0)
        signals = np.log1p(signals).astype(np.float32)
        signals[_INDEX["closed"]] = float(ended)
        turns = max(1.0, state.signals[_INDEX["customer_turns"]])
        rows.append(
            np.concatenate(
                [state.customer_sum / turns, state.last_customer, state.last_agent, signals]
            )
        )
    return np.asarray(rows, dtype=np.float32)


_INDEX = {name: i for i, name in enumerate(SIGNALS)}


def _customer(state: State, seen: Observation) -> State:
    repeats = max(0.0, float((state.remembered @ seen.vector).max()))
    signals = state.signals.copy()
    signals[_INDEX["customer_turns"]] += 1
    signals[_INDEX["words_now"]] = seen.words
    signals[_INDEX["asks_now"]] = seen.asks
    signals[_INDEX["asks"]] += seen.asks
    signals[_INDEX["failed_now"]] = seen.failed
    signals[_INDEX["failed"]] += seen.failed
    signals[_INDEX["thanks_now"]] = seen.thanks
    signals[_INDEX["question_now"]] = seen.question
    signals[_INDEX["repeats_now"]] = repeats
    signals[_INDEX["repeats"]] = max(signals[_INDEX["repeats"]], repeats)
    signals[_INDEX["customer_had_last_word"]] = 1
    return State(
        customer_sum=state.customer_sum + seen.vector,
        last_customer=seen.vector,
        last_agent=state.last_agent,
        remembered=np.concatenate([state.remembered[1:], seen.vector[None]]),
        signals=signals,
    )


def _agent(state: State, seen: Observation) -> State:
    signals = state.signals.copy()
    signals[_INDEX["agent_turns"]] += 1
    signals[_INDEX["agent_unable_now"]] = seen.unable
    signals[_INDEX["agent_unable"]] += seen.unable
    signals[_INDEX["agent_repeats"]] = max(
        signals[_INDEX["agent_repeats"]], float(state.last_agent @ seen.vector)
    )
    signals[_INDEX["customer_had_last_word"]] = 0
    return State(
        customer_sum=state.customer_sum,
        last_customer=state.last_customer,
        last_agent=seen.vector,
        remembered=state.remembered,
        signals=signals,
    )
