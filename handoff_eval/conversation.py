"""The words of the project as types: conversations, turns, labels and decision points."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any


class Role(StrEnum):
    """Who speaks a turn."""

    CUSTOMER = "customer"
    AGENT = "agent"
    HUMAN = "human"
    SYSTEM = "system"


class Reason(StrEnum):
    """Why a handoff is warranted."""

    FOLLOW_UP_REQUESTED = "follow_up_requested"
    HUMAN_REQUESTED = "human_requested"
    UNRESOLVED = "unresolved"
    HUMAN_REVIEW = "human_review"
    COMPLAINT = "complaint"
    OTHER = "other"


class Split(StrEnum):
    """What a conversation is used for: fit, choose the threshold, or report."""

    TRAIN = "train"
    TUNE = "tune"
    TEST = "test"


ADJUDICATED = "adjudicated"
"""The annotator whose label is the one of record where several people labelled."""


@dataclass(frozen=True, slots=True)
class Turn:
    """One utterance; `extra` keeps the fields of the source this project doesn't know."""

    role: Role
    text: str
    at: datetime | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Customer:
    """Who the conversation is with; either part may be unknown."""

    id: str | None = None
    email: str | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DecisionPoint:
    """The moment a trigger is asked: the first `turns` turns are visible, nothing later."""

    turns: int
    closed: bool = False


@dataclass(frozen=True, slots=True)
class Conversation:
    """A transcript with what is known about it."""

    id: str
    turns: tuple[Turn, ...]
    started_at: datetime | None = None
    customer: Customer = field(default_factory=Customer)
    channel: str | None = None
    split: Split | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    extra: Mapping[str, Any] = field(default_factory=dict)

    @property
    def emailed(self) -> bool:
        """Whether an email was sent in it, after which the transcript may have ended early."""
        return self.metadata.get("emailed") is True

    @property
    def group(self) -> str:
        """The independent unit of all resampling and splitting: the customer, else itself."""
        return f"customer:{self.customer.id}" if self.customer.id else f"conversation:{self.id}"

    def decision_points(self) -> tuple[DecisionPoint, ...]:
        """Return the points in order: after each customer turn, and once at the close."""
        after_customer = tuple(
            DecisionPoint(index + 1)
            for index, turn in enumerate(self.turns)
            if turn.role is Role.CUSTOMER
        )
        return (*after_customer, DecisionPoint(len(self.turns), closed=True))


@dataclass(frozen=True, slots=True)
class Label:
    """One annotator's answer for one conversation.

    `at_turn` is the 0-based index of the first turn after which a handoff is warranted; None
    when `handoff` is false, or when it became true only because the conversation ended.
    `sampling_probability` is that with which the conversation was drawn to be labelled, in
    (0, 1]; None where all were equally likely.
    """

    conversation_id: str
    handoff: bool
    at_turn: int | None = None
    reasons: tuple[Reason, ...] = ()
    annotator: str | None = None
    labeled_at: datetime | None = None
    note: str | None = None
    sampling_probability: float | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)

    @property
    def weight(self) -> float:
        """How many conversations it stands for: one over its sampling probability."""
        return 1 / (self.sampling_probability or 1.0)


class ReferenceKind(StrEnum):
    """What a reference fact is to the colleague who answers."""

    ASK = "ask"
    ISSUE = "issue"
    TRIED = "tried"
    IDENTIFIER = "identifier"
    AMOUNT = "amount"
    DATE = "date"
    DEADLINE = "deadline"
    CONTACT = "contact"
    NAME = "name"


@dataclass(frozen=True, slots=True)
class ReferenceFact:
    """What a person who read the conversation says that a summary must keep.

    Attributes
    ----------
    kind : ReferenceKind
    text : str
        Words of the turn, as they stand there.
    turn : int
        0-based index of the turn.
    needed : bool
        Whether a colleague can't answer without it; else it merely helps.
    """

    kind: ReferenceKind
    text: str
    turn: int
    needed: bool = True


@dataclass(frozen=True, slots=True)
class LabeledConversation:
    """A conversation with its label of record.

    `others` holds what the other annotators said, where nobody adjudicated: heads learn from all
    of them, and everything is judged by the label of record.
    """

    conversation: Conversation
    label: Label
    others: tuple[Label, ...] = ()

    @property
    def weight(self) -> float:
        """How many conversations it stands for, by its label of record."""
        return self.label.weight

    @property
    def due(self) -> int | None:
        """Index of the decision point at which a fire is on time; None for a negative.

        It is the first point at or after the labelled turn, and the close where no turn is set.
        """
        if not self.label.handoff:
            return None
        points = self.conversation.decision_points()
        if self.label.at_turn is None:
            return len(points) - 1
        return next(i for i, point in enumerate(points) if point.turns > self.label.at_turn)
