"""Play conversations through a trigger as live traffic would arrive, once, for every threshold."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from handoff_eval.conversation import Conversation
from handoff_eval.trigger import Trigger

BATCH_TURNS = 2048


@dataclass(frozen=True)
class Replay:
    """Scores of one trigger at every decision point, conversation after conversation.

    Attributes
    ----------
    trigger : str
        Name of the trigger.
    ids : tuple of str, length n
        Conversation ids in the order replayed.
    offsets : int array, shape (n + 1,)
        The points of conversation i are `offsets[i]:offsets[i + 1]`; the last one is the close.
    turns : int array, shape (points,)
        Number of turns visible at each point.
    scores : float array, shape (points,)
        Scores in [0, 1].
    """

    trigger: str
    ids: tuple[str, ...]
    offsets: NDArray[np.int64]
    turns: NDArray[np.int64]
    scores: NDArray[np.float64]

    @property
    def peak(self) -> NDArray[np.float64]:
        """Highest score of each conversation, shape (n,): it fires at thresholds up to this."""
        return np.maximum.reduceat(self.scores, self.offsets[:-1])

    def peak_until(self, points: Sequence[int]) -> NDArray[np.float64]:
        """Highest score up to and including the given point of each conversation, shape (n,)."""
        return np.array(
            [
                self.scores[start : start + point + 1].max()
                for start, point in zip(self.offsets[:-1], points, strict=True)
            ]
        )

    def first_fire(self, threshold: float) -> NDArray[np.int64]:
        """Index of the first point with score >= threshold in each conversation, -1 for none."""
        fired = self.scores >= threshold
        return np.array(
            [
                int(np.argmax(fired[start:stop])) if fired[start:stop].any() else -1
                for start, stop in zip(self.offsets[:-1], self.offsets[1:], strict=True)
            ],
            dtype=np.int64,
        )


def replay(
    trigger: Trigger,
    conversations: Sequence[Conversation],
    *,
    batch_turns: int = BATCH_TURNS,
    on_progress: Callable[[int], None] | None = None,
) -> Replay:
    """Score every decision point of every conversation.

    Parameters
    ----------
    trigger : Trigger
        What is asked.
    conversations : sequence of Conversation
        None may be without turns.
    batch_turns : int
        About how many turns are encoded and scored together; memory grows with it.
    on_progress : callable, optional
        Called after each batch with the number of conversations it held.

    Returns
    -------
    Replay

    Raises
    ------
    ValueError
        When the trigger breaks its contract: a score that is not finite or not in [0, 1].
    """
    scores: list[float] = []
    turns: list[int] = []
    offsets = [0]
    for batch in _batches(conversations, batch_turns):
        observations = iter(trigger.encode([turn for c in batch for turn in c.turns]))
        states, closed = [], []
        for conversation in batch:
            history = [trigger.start()]
            for _ in conversation.turns:
                history.append(trigger.update(history[-1], next(observations)))
            for point in conversation.decision_points():
                states.append(history[point.turns])
                closed.append(point.closed)
                turns.append(point.turns)
            offsets.append(len(turns))
        scores.extend(trigger.score(states, closed))
        if on_progress is not None:
            on_progress(len(batch))
    array = np.array(scores, dtype=np.float64)
    if len(array) != len(turns) or not np.all((array >= 0) & (array <= 1)):
        raise ValueError(
            f"Expected {trigger.name} to return one score in [0, 1] for each of {len(turns)} "
            f"decision points; got {len(array)} with range {array.min():g} to {array.max():g}."
        )
    return Replay(
        trigger=trigger.name,
        ids=tuple(c.id for c in conversations),
        offsets=np.array(offsets, dtype=np.int64),
        turns=np.array(turns, dtype=np.int64),
        scores=array,
    )


def _batches(
    conversations: Sequence[Conversation], batch_turns: int
) -> Iterator[list[Conversation]]:
    batch: list[Conversation] = []
    size = 0
    for conversation in conversations:
        if batch and size + len(conversation.turns) > batch_turns:
            yield batch
            batch, size = [], 0
        batch.append(conversation)
        size += len(conversation.turns)
    if batch:
        yield batch
