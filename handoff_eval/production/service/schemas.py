"""The service's JSON, as its OpenAPI shows it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from handoff_eval.conversation import Reason, Role

MAX_TEXT = 32_000


def _storable(text: str) -> str:
    if "\0" in text:
        raise ValueError("text without NUL")
    text.encode()
    return text


def _plausible(at: datetime) -> datetime:
    if not 0 <= at.timestamp() < datetime(2200, 1, 1, tzinfo=UTC).timestamp():
        raise ValueError("a time between 1970 and 2200")
    return at


Short = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_storable)]
Long = Annotated[str, Field(max_length=MAX_TEXT), AfterValidator(_storable)]
At = Annotated[AwareDatetime, AfterValidator(_plausible)]
Id = Annotated[
    str,
    Field(
        pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.:@=+~-]{0,199}$",
        description="The platform's own; letters, digits and _ . : @ = + ~ -",
        examples=["c-0001"],
    ),
]
Number = Annotated[int, Field(ge=0, le=1_000_000)]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class CustomerBody(_Body):
    """Who is writing; what is given first stays, a later turn may complete it."""

    id: Short | None = None
    email: Short | None = None


class TurnBody(_Body):
    """One utterance."""

    role: Role
    text: Long
    at: At | None = Field(default=None, description="When it was said; default: now")
    customer: CustomerBody | None = None
    channel: Short | None = None

    @model_validator(mode="after")
    def _customers_say_something(self) -> TurnBody:
        if self.role is Role.CUSTOMER and not self.text.strip():
            raise ValueError("a customer's text isn't blank")
        return self


class CloseBody(_Body):
    """The end of a conversation."""

    turns: Number = Field(description="How many there were, so that none is missing")


class ReviewBody(_Body):
    """What a person says who has read the conversation."""

    handoff: Short
    needed: bool
    audit_probability: float = Field(
        default=1.0, gt=0, le=1, description="With which it was drawn to be read; 1 for an email"
    )


class EvidenceBody(BaseModel):
    """The turn that shows why."""

    turn: int
    text: str


class DecisionBody(BaseModel):
    """What one handoff's trigger decided at this step."""

    handoff: str
    score: float | None = Field(description="null where the step is no decision point")
    threshold: float
    fires: bool = Field(description="This step sends the conversation's only email")
    fired_turns: int | None = Field(description="Turns visible at the fire, now or before")
    reason: Reason | None
    clause: str | None
    evidence: EvidenceBody | None
    tell_customer: str | None = Field(description="The agent's next words, where it fires")


class AnswerBody(BaseModel):
    """Where the conversation stands after the step."""

    conversation_id: str
    turns: int
    closed: bool
    decisions: list[DecisionBody]


class StandingBody(BaseModel):
    """One handoff's row of the decision log."""

    handoff: str
    peak: float
    threshold: float
    fired_turns: int | None
    fired_at: datetime | None
    score: float | None
    reason: Reason | None
    route: str | None


class ConversationBody(BaseModel):
    """What is known of a conversation, without what was said."""

    conversation_id: str
    turns: int
    started_at: datetime
    closed_at: datetime | None
    decisions: list[StandingBody]


class ErrorBody(BaseModel):
    """Why a request was refused: one sentence."""

    error: str


class StatusBody(BaseModel):
    """Whether the service is there."""

    status: str
