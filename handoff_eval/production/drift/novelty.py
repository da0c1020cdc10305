"""Whether customers come with topics that were not there when the promise was made.

Half of the conversations known then say what is known; the other half says how new a known
conversation looks against it. A day's mean newness is then ranked among days of that second half
and the days before, which needs no reference that is taken for the truth (`conformal`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from statistics import median
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from handoff_eval.conversation import Conversation, Role
from handoff_eval.encoders.base import Encoder
from handoff_eval.production.drift.conformal import RISES, conformal_martingale, conformal_p_values
from handoff_eval.production.drift.log import LogRow
from handoff_eval.production.drift.sequential import Evidence
from handoff_eval.production.drift.watch import Test, Verdict, finished_days

Array = NDArray[np.float64]

FAR = 0.99
"""Conversations newer than this share of the known ones are named."""
NAMED = 5
NAME = "new topics"


@dataclass(frozen=True, slots=True)
class Known:
    """What was known at certification.

    Attributes
    ----------
    vectors : float32 array, shape (known, dimension)
        Of one half.
    newness : float array, shape (other half,)
        Of the other half against the first.
    """

    vectors: NDArray[np.float32]
    newness: Array


def know(conversations: Sequence[Conversation], encoder: Encoder) -> Known:
    """Return what conversations make known; a customer is in one half only.

    Raises
    ------
    ValueError
        When a half would be empty.
    """
    first = np.array([_half(conversation) for conversation in conversations], dtype=bool)
    if first.all() or not first.any():
        raise ValueError("Expected conversations of at least two customers.")
    vectors = conversation_vectors(conversations, encoder)
    return Known(vectors[first], newness_of(vectors[~first], vectors[first]))


def conversation_vectors(
    conversations: Sequence[Conversation], encoder: Encoder
) -> NDArray[np.float32]:
    """Return a unit vector a conversation: the mean of what its customer says."""
    said = [
        [turn.text for turn in one.turns if turn.role is Role.CUSTOMER] or [one.turns[0].text]
        for one in conversations
    ]
    encoded = encoder.encode([text for texts in said for text in texts])
    parts = np.split(encoded, np.cumsum([len(texts) for texts in said])[:-1])
    means = np.stack([part.mean(axis=0) for part in parts])
    lengths = np.linalg.norm(means, axis=1, keepdims=True)
    unit: NDArray[np.float32] = means / np.maximum(lengths, 1e-12)
    return unit


def newness_of(vectors: NDArray[np.float32], known: NDArray[np.float32]) -> Array:
    """Return 1 minus the cosine to the nearest known conversation, shape (n,).

    The nearest neighbour's distance as in Pimentel, Clifton, Clifton and Tarassenko, A review of
    novelty detection, Signal Processing 99 (2014) 215-249, section 3.
    """
    nearest = [
        (block @ known.T).max(axis=1) for block in np.array_split(vectors, len(vectors) // 500 + 1)
    ]
    return 1.0 - np.concatenate(nearest).astype(np.float64)


def novelty_test(
    rows: Sequence[LogRow],
    conversations: Mapping[str, Conversation],
    known: Known,
    encoder: Encoder,
    *,
    zone: ZoneInfo,
    today: date,
) -> Test:
    """Return whether the days' conversations look newer than the known ones.

    P(ever a false alarm) is at most that of `conformal_martingale` while days are exchangeable
    with those made of the known second half, so what is known must be a plain sample of traffic.

    Parameters
    ----------
    rows : sequence of LogRow
    conversations : mapping of str to Conversation
        By id; days none of whose texts are kept are left out.
    known : Known
    encoder : Encoder
        The one of `know`.
    zone : ZoneInfo
    today : date
        Not over.
    """
    days = {
        day: [conversations[r.conversation_id] for r in of if r.conversation_id in conversations]
        for day, of in finished_days(rows, zone=zone, today=today).items()
    }
    days = {day: of for day, of in days.items() if of}
    if not days:
        words = "no finished day has its texts; give --transcripts"
        return Test(NAME, Verdict.AT_RISK, None, (), words)
    everyone = [one for of in days.values() for one in of]
    newness = newness_of(conversation_vectors(everyone, encoder), known.vectors)
    ends = np.cumsum([len(of) for of in days.values()])[:-1]
    means = np.array([part.mean() for part in np.split(newness, ends)])
    size = round(median(len(of) for of in days.values()))
    before = _days_of(known.newness, size)
    if len(before) < 2:
        words = f"too few known conversations for two days of {size}"
        return Test(NAME, Verdict.AT_RISK, None, (), words)
    ranks = conformal_p_values(np.concatenate([before, means]))
    evidence = conformal_martingale(ranks, strategies=RISES)
    seen = Evidence(evidence.values[len(before) :], evidence.limit, evidence.meaning)
    limit = float(np.quantile(known.newness, FAR))
    order = np.argsort(-newness)
    far = [everyone[i].id for i in order if newness[i] > limit]
    words = (
        f"{len(far)} of {len(everyone)} conversations are unlike any known one, where "
        f"{(1 - FAR) * len(everyone):.0f} would be usual"
    )
    if far:
        words += f"; the furthest: {', '.join(far[:NAMED])}"
    return Test(NAME, Verdict.AT_RISK, seen, tuple(days), words)


def _half(conversation: Conversation) -> bool:
    return hashlib.sha256(conversation.group.encode()).digest()[0] % 2 == 0


def _days_of(newness: Array, size: int) -> Array:
    """Return means of days made of shuffled known conversations."""
    shuffled = np.random.default_rng(0).permutation(newness)
    whole = len(shuffled) // max(size, 1)
    means: Array = shuffled[: whole * size].reshape(whole, size).mean(axis=1)
    return means
