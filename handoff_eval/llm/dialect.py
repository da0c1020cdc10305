"""Which options of a chat completion an endpoint takes, learnt from what it refuses."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from handoff_eval.llm.question import TOP_LOGPROBS, Question

_FEWER_LOGPROBS = 5


@dataclass(frozen=True, slots=True)
class Dialect:
    """The options an endpoint is asked with.

    Attributes
    ----------
    logprobs : int
        Likeliest first tokens asked for; 0 asks for none.
    limit : str
        The option that cuts the reply: newer models of some providers refuse `max_tokens`.
    temperature : bool
        Whether temperature 0 is asked for; some models take no temperature.
    """

    logprobs: int = TOP_LOGPROBS
    limit: str = "max_tokens"
    temperature: bool = True

    def options(self, question: Question) -> dict[str, Any]:
        """Return the options of the request beside model and messages."""
        options: dict[str, Any] = {self.limit: question.max_tokens}
        if self.temperature:
            options["temperature"] = 0
        if question.answers and self.logprobs:
            options |= {"logprobs": True, "top_logprobs": self.logprobs}
        return options

    def after(self, refusal: str, question: Question) -> Dialect | None:
        """Return the dialect to try next after a refusal; None where it isn't about an option.

        Parameters
        ----------
        refusal : str
            What the endpoint said under status 400 or 422.
        question : Question
            What was asked.
        """
        said = refusal.lower()
        if question.answers and self.logprobs and "logprob" in said:
            return replace(self, logprobs=_FEWER_LOGPROBS if self.logprobs > _FEWER_LOGPROBS else 0)
        if self.limit == "max_tokens" and "max_completion_tokens" in said:
            return replace(self, limit="max_completion_tokens")
        if self.temperature and "temperature" in said:
            return replace(self, temperature=False)
        return None
