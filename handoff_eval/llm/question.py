"""What is asked of a language model and what it replies, as values."""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import dataclass

TOP_LOGPROBS = 20
_ROUNDING = 1e-3
_MARKS = " \t\r\n▁ĠĊ\"'`*.,:!"


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a chat; `role` is `system`, `user` or `assistant`."""

    role: str
    text: str


@dataclass(frozen=True, slots=True)
class Question:
    """A chat to be continued, at temperature 0.

    Parameters
    ----------
    messages : tuple of Message
        The whole prompt.
    max_tokens : int
        The reply is cut after so many tokens.
    answers : tuple of str
        Lower-case words the first token is to be weighed by; where there are any, the endpoint
        is asked for log-probabilities, and the reply's text is never recorded in a dataset.
    recordable : str, optional
        Regular expression of a whole text that may be recorded in a dataset; any other reply may
        quote a customer and is left out. It is no part of what the reply depends on.
    """

    messages: tuple[Message, ...]
    max_tokens: int
    answers: tuple[str, ...] = ()
    recordable: str | None = None

    def key(self, model: str) -> str:
        """Return the hexadecimal sha256 of everything the reply depends on."""
        material = json.dumps(
            {
                "model": model,
                "messages": [[message.role, message.text] for message in self.messages],
                "temperature": 0,
                "max_tokens": self.max_tokens,
                "top_logprobs": TOP_LOGPROBS if self.answers else 0,
                "answers": self.answers,
            },
            sort_keys=True,
        )
        return hashlib.sha256(material.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class TokenLogprob:
    """A candidate for the first token and its natural log-probability."""

    token: str
    logprob: float

    def __post_init__(self) -> None:
        if not self.logprob <= _ROUNDING:
            raise ValueError(f"Expected a log-probability of at most 0; got {self.logprob!r}.")

    @property
    def word(self) -> str:
        """The token without case, spaces and quotation marks: ` Yes` and `"YES` are `yes`."""
        return self.token.strip(_MARKS).casefold()


@dataclass(frozen=True, slots=True)
class Reply:
    """What a model said.

    Attributes
    ----------
    text : str
        Empty in a recorded reply whose answer is its log-probabilities.
    model : str
        The model that answered, in the server's words.
    logprobs : tuple of TokenLogprob, optional
        The likeliest first tokens; None where the endpoint gives none.
    prompt_tokens, completion_tokens : int, optional
        None where the endpoint doesn't count.
    seconds : float
        Time from the try that was answered to its answer; waits are no part of it.
    """

    text: str
    model: str
    logprobs: tuple[TokenLogprob, ...] | None
    prompt_tokens: int | None
    completion_tokens: int | None
    seconds: float

    def probability(self, answer: str) -> float:
        """Return the listed probability of a lower-case answer, its spellings summed."""
        candidates = self.logprobs or ()
        return math.fsum(math.exp(c.logprob) for c in candidates if c.word == answer)


@dataclass(frozen=True, slots=True)
class Exchange:
    """A question with its reply: what an analyst reads, and what a tracing room needs.

    Attributes
    ----------
    key : str
        What the reply is kept by.
    model : str
        Identity of the model that was asked.
    question : Question
    reply : Reply
    kept : bool
        Found recorded or cached; False where the model was asked now.
    """

    key: str
    model: str
    question: Question
    reply: Reply
    kept: bool
