"""What replies cost: tokens, money and time, counted once a question."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any

from handoff_eval.llm.asker import Asker
from handoff_eval.llm.question import Question, Reply
from handoff_eval.settings import Price


@dataclass(frozen=True, slots=True)
class Usage:
    """Sums over replies, as counted when they were asked.

    Attributes
    ----------
    replies : int
    uncounted : int
        Replies whose tokens the endpoint didn't count; they add nothing to the sums.
    prompt_tokens, completion_tokens : int
    p50_seconds, p95_seconds : float or None
        Median and 95th percentile of the time from the last try to its answer; None without
        replies.
    """

    replies: int
    uncounted: int
    prompt_tokens: int
    completion_tokens: int
    p50_seconds: float | None
    p95_seconds: float | None

    @classmethod
    def of(cls, replies: Iterable[Reply]) -> Usage:
        """Add up replies."""
        counted = list(replies)
        seconds = sorted(reply.seconds for reply in counted)
        return cls(
            replies=len(counted),
            uncounted=sum(reply.prompt_tokens is None for reply in counted),
            prompt_tokens=sum(reply.prompt_tokens or 0 for reply in counted),
            completion_tokens=sum(reply.completion_tokens or 0 for reply in counted),
            p50_seconds=_percentile(seconds, 50),
            p95_seconds=_percentile(seconds, 95),
        )

    def cost(self, price: Price | None) -> float | None:
        """Return the price of the tokens, in the price's currency; None where none is set."""
        if price is None:
            return None
        return (
            self.prompt_tokens * price.prompt + self.completion_tokens * price.completion
        ) / 1_000_000

    def to_dict(self, price: Price | None) -> dict[str, Any]:
        """Return the counts and their cost as JSON values."""
        return {
            "replies": self.replies,
            "uncounted": self.uncounted,
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": self.completion_tokens,
            "cost": self.cost(price),
            "p50_seconds": self.p50_seconds,
            "p95_seconds": self.p95_seconds,
        }


class Meter:
    """An asker that counts what its own questions cost, where several arms share one model.

    Parameters
    ----------
    asker : Asker
        Who is asked.
    price : Price, optional
        What its tokens cost.
    """

    def __init__(self, asker: Asker, *, price: Price | None = None) -> None:
        self.price = price
        self._asker = asker
        self._replies: dict[str, Reply] = {}

    @property
    def identity(self) -> str:
        """The model with its size or host."""
        return self._asker.identity

    @property
    def usage(self) -> Usage:
        """What the distinct questions cost, whether they were asked now or kept from before."""
        return Usage.of(self._replies.values())

    def reply(self, question: Question) -> Reply | None:
        """Return what was replied to a question; None where it was not asked here."""
        return self._replies.get(question.key(self.identity))

    def ask(self, questions: Sequence[Question]) -> list[Reply]:
        """Return one reply a question, in the order given."""
        replies = self._asker.ask(questions)
        for question, reply in zip(questions, replies, strict=True):
            self._replies[question.key(self.identity)] = reply
        return replies


def _percentile(ordered: Sequence[float], percent: int) -> float | None:
    """Return the smallest value that at least so many percent don't exceed (nearest rank)."""
    return ordered[ceil(len(ordered) * percent / 100) - 1] if ordered else None
