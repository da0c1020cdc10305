"""A client for any OpenAI-compatible endpoint whose every failure is one sentence."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

from handoff_eval.errors import EndpointError, MissingExtraError
from handoff_eval.llm.completion import MalformedError, UnansweredError, read_completion
from handoff_eval.llm.dialect import Dialect
from handoff_eval.llm.pace import Pace
from handoff_eval.llm.question import Question, Reply
from handoff_eval.llm.retry import retry_wait
from handoff_eval.settings import EndpointSettings, LlmLimits

_QUOTED = 200
_SECRET_LENGTH = 8
_RATE_LIMITED = 429
_BYTES_A_TOKEN = 4
_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_REMEDIES = {
    400: "Check that the model takes chat completions and that the prompt fits its context.",
    401: "Set HANDOFF_EVAL_LLM_KEY to a valid key.",
    403: "Set HANDOFF_EVAL_LLM_KEY to a key that may use this model.",
    307: "It sends elsewhere; set HANDOFF_EVAL_LLM_URL to the address meant, if you trust it.",
    404: "Check HANDOFF_EVAL_LLM_URL (most end in /v1) and HANDOFF_EVAL_LLM_MODEL.",
    429: "Wait, or ask fewer questions at once; replies that came are kept.",
}
_TRY_LATER = "Try again later; replies that came are kept."


class Endpoint:
    """Asks one model; several threads may share it.

    Rate limits, server errors, time-outs, dropped connections and answers that are no completion
    are tried again with growing waits (or the wait the server names) before they become an error.
    Tries are spaced to keep below the limits per minute, and a rate limit met by one thread makes
    all of them wait.

    Parameters
    ----------
    settings : EndpointSettings
        Where and which model.
    limits : LlmLimits
        Time-out, tries, requests and tokens a minute.

    Raises
    ------
    EndpointError
        When the URL or the key can't be used at all.
    MissingExtraError
        When the openai package is not installed.
    """

    def __init__(self, settings: EndpointSettings, limits: LlmLimits | None = None) -> None:
        host = _host(settings.url)
        if not (settings.api_key and settings.api_key.isascii() and settings.api_key.isprintable()):
            raise EndpointError(
                "Expected the key to be printable ASCII on one line; got something else. "
                "Set HANDOFF_EVAL_LLM_KEY again."
            )
        try:
            import openai

            from handoff_eval.llm.http_client import http_client
        except ImportError:
            raise MissingExtraError(
                "Expected the package openai to ask a language model; it is not installed. "
                "Run: pip install 'handoff-eval[bench]'."
            ) from None
        self._settings = settings
        self._where = f"{settings.model} at {_public(settings.url)}"
        self._limits = limits or LlmLimits()
        self._pace = Pace(
            requests_per_minute=self._limits.requests_per_minute,
            tokens_per_minute=self._limits.tokens_per_minute,
        )
        self._openai = openai
        self._dialect = Dialect()
        self._client = openai.OpenAI(
            base_url=settings.url,
            api_key=settings.api_key,
            timeout=self._limits.timeout,
            max_retries=0,
            # A proxy configured for the outside world can't reach a server on this machine.
            http_client=http_client(timeout=self._limits.timeout, trust_env=host not in _LOOPBACK),
        )

    def ask(self, question: Question) -> Reply:
        """Return the model's reply.

        Raises
        ------
        EndpointError
            When no answer came after all tries, or it was not a chat completion.
        """
        attempt = 0
        while True:
            dialect = self._dialect
            try:
                return self._try(question, dialect)
            except MalformedError as error:
                got = self._quote(str(error))
                failure = EndpointError(
                    f"Expected a chat completion from {self._where}; got {got!r}. {_REMEDIES[404]}"
                )
                wait = retry_wait(attempt)
            except UnansweredError as error:
                raise EndpointError(
                    f"Expected an answer from {self._where}; {self._hide(str(error))}"
                ) from None
            except (self._openai.OpenAIError, UnicodeError) as error:
                status, headers, said = self._facts(error)
                other = dialect.after(said, question) if status in (400, 422) else None
                if other is not None:
                    self._dialect = other
                    continue
                failure = self._error(error)
                passing = status is not None or isinstance(error, self._openai.APIConnectionError)
                wait = retry_wait(attempt, status=status, headers=headers) if passing else None
                if status == _RATE_LIMITED and wait is not None:
                    self._pace.pause(wait)
            attempt += 1
            if wait is None or attempt > self._limits.retries:
                raise failure from None
            time.sleep(wait)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def __enter__(self) -> Endpoint:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _try(self, question: Question, dialect: Dialect) -> Reply:
        """Ask once, when the pace allows it."""
        messages: Any = [{"role": m.role, "content": m.text} for m in question.messages]
        said = sum(len(message.text.encode(errors="replace")) for message in question.messages)
        estimate = said // _BYTES_A_TOKEN + question.max_tokens
        self._pace.wait(estimate)
        started = time.perf_counter()
        response = self._client.chat.completions.with_raw_response.create(
            model=self._settings.model, messages=messages, **dialect.options(question)
        )
        seconds = time.perf_counter() - started
        reply = read_completion(response.text, model=self._settings.model, seconds=seconds)
        if reply.prompt_tokens is not None:
            self._pace.settle(estimate, reply.prompt_tokens + (reply.completion_tokens or 0))
        return reply

    def _facts(self, error: Exception) -> tuple[int | None, Mapping[str, str], str]:
        """Return status, headers and body of a refusal; None and nothing where none came."""
        if isinstance(error, self._openai.APIStatusError):
            return error.status_code, error.response.headers, error.response.text
        return None, {}, ""

    def _error(self, error: Exception) -> EndpointError:
        tries = self._limits.retries + 1
        after = f" in up to {tries} tries" if tries > 1 else ""
        if isinstance(error, self._openai.APIStatusError):
            status = error.status_code
            got = f"status {status} ({self._quote(error.response.text) or 'without a word'})"
            other = _TRY_LATER if status >= 500 else _REMEDIES[400 if status >= 400 else 307]
            remedy = _REMEDIES.get(status, other)
            after = after if status == 429 or status >= 500 else ""
            wait = error.response.headers.get("retry-after")
            remedy = (
                f"It asks to wait for {self._quote(wait)} seconds. {remedy}" if wait else remedy
            )
        elif isinstance(error, self._openai.APITimeoutError):
            got = f"no whole answer within {self._limits.timeout:g} seconds"
            remedy = _TRY_LATER
        elif isinstance(error, self._openai.APIConnectionError):
            got = f"a broken connection ({self._quote(str(error.__cause__ or error))})"
            remedy = "Check HANDOFF_EVAL_LLM_URL and that the server is running."
        else:
            got, after = f"{type(error).__name__} ({self._quote(str(error))})", ""
            remedy = _REMEDIES[400]
        return EndpointError(f"Expected an answer from {self._where}{after}; got {got}. {remedy}")

    def _hide(self, text: str) -> str:
        key = self._settings.api_key
        return text.replace(key, "***") if len(key) >= _SECRET_LENGTH else text

    def _quote(self, text: str) -> str:
        short = " ".join(self._hide(text).split())
        return short if len(short) <= _QUOTED else f"{short[:_QUOTED]}…"


@dataclass(frozen=True, slots=True)
class RemoteModel:
    """A model somebody serves.

    Parameters
    ----------
    settings : EndpointSettings
        Where and which model.
    limits : LlmLimits
        How it is asked.
    """

    settings: EndpointSettings
    limits: LlmLimits = field(default_factory=LlmLimits)

    @property
    def identity(self) -> str:
        """The model's name with the host that serves it; the same name elsewhere may differ."""
        return f"{self.settings.model}@{_public(self.settings.url).partition('://')[2]}"

    @contextmanager
    def serve(self) -> Iterator[EndpointSettings]:
        """Give the settings as they are."""
        yield self.settings


def _public(url: str) -> str:
    """Return the URL without a name and password it may carry."""
    scheme, separator, rest = url.partition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme}{separator}{host.rpartition('@')[2]}{slash}{path}".rstrip("/")


def _host(url: str) -> str:
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        usable = None
    if not usable:
        raise EndpointError(
            f"Expected an endpoint such as https://host/v1; got {_public(url)!r}. "
            "Set HANDOFF_EVAL_LLM_URL again."
        )
    return parts.hostname or ""
