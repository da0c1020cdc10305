"""What a service is asked and what it answers, free of HTTP."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import Any

from handoff_eval.conversation import Customer, Turn


@dataclass(frozen=True, slots=True)
class Step:
    """One more turn of a conversation, or its close.

    Attributes
    ----------
    conversation_id : str
    number : int
        0-based index of the turn; at the close the number of turns there were.
    turn : Turn or None
        None closes.
    customer : Customer
        What is known of them by now; a later step completes it and changes nothing.
    channel : str, optional
    """

    conversation_id: str
    number: int
    turn: Turn | None
    customer: Customer = field(default_factory=Customer)
    channel: str | None = None

    @property
    def digest(self) -> str:
        """Tells a repeated turn from another one in its place."""
        assert self.turn is not None  # noqa: S101 - a close has none
        said = json.dumps([self.turn.role.value, self.turn.text]).encode()
        return hashlib.sha256(said).hexdigest()


@dataclass(frozen=True, slots=True)
class Answer:
    """A step was accepted, now or when it came before; `new` says which."""

    document: dict[str, Any]
    new: bool


@dataclass(frozen=True, slots=True)
class Refusal:
    """A step was not accepted, and changed nothing.

    Attributes
    ----------
    status : int
        The HTTP status that says so.
    words : str
        One sentence: expected, got.
    """

    status: int
    words: str


Result = Answer | Refusal
