"""Read a chat completion: a reply, or which of three ways it isn't one."""

from __future__ import annotations

import json
from typing import Any

from handoff_eval.llm.question import Reply, TokenLogprob


class MalformedError(ValueError):
    """No chat completion: a gateway's page, half of an answer, an error under status 200."""


class UnansweredError(ValueError):
    """A completion without an answer; its text says why and what to do."""


def read_completion(body: str, *, model: str, seconds: float) -> Reply:
    """Return the reply in the body of a chat completion.

    Parameters
    ----------
    body : str
        What the endpoint sent.
    model : str
        Stands in where the endpoint doesn't name the model.
    seconds : float
        How long the answer took.

    Raises
    ------
    MalformedError
        When the body is no chat completion; another try may give one.
    UnansweredError
        When the model or a filter refused the prompt, or the words were cut before the first.
    """
    try:
        answer = json.loads(body)
        choice = answer["choices"][0]
        message = choice["message"]
        usage = answer.get("usage") or {}
        reply = Reply(
            text=_text(message.get("content")),
            model=_text(answer.get("model")) or model,
            logprobs=_first_logprobs(choice.get("logprobs")),
            prompt_tokens=_count(usage.get("prompt_tokens")),
            completion_tokens=_count(usage.get("completion_tokens")),
            seconds=seconds,
        )
        refusal, end = _text(message.get("refusal")), choice.get("finish_reason")
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        raise MalformedError(body) from None
    if refusal or end == "content_filter":
        raise UnansweredError(
            f"it refused this prompt ({' '.join(refusal.split())[:80] or 'content filter'}). "
            "Take the conversation out, or choose a model that answers it."
        )
    if end == "length" and not reply.text and reply.logprobs is None:
        raise UnansweredError(
            "its words were cut before the first one, as of a model that thinks before it speaks. "
            "Choose one that doesn't, or turn its thinking off where it is served."
        )
    return reply


def _text(value: Any) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        raise TypeError(value)
    return value


def _count(value: Any) -> int | None:
    whole = isinstance(value, int) and not isinstance(value, bool) and value >= 0
    return value if whole else None


def _first_logprobs(logprobs: Any) -> tuple[TokenLogprob, ...] | None:
    positions = (logprobs or {}).get("content") or ()
    if not positions or not positions[0].get("top_logprobs"):
        return None
    return tuple(
        TokenLogprob(_text(candidate["token"]), float(candidate["logprob"]))
        for candidate in positions[0]["top_logprobs"]
    )
