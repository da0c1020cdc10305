"""A client for any OpenAI-compatible endpoint whose every failure is one sentence."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

from handoff_eval.errors import EndpointError, MissingExtraError
from handoff_eval.llm.question import TOP_LOGPROBS, Question, Reply, TokenLogprob
from handoff_eval.settings import EndpointSettings

TIMEOUT_SECONDS = 60.0
RETRIES = 4
_FEWER_LOGPROBS = 5
_QUOTED = 200
_SECRET_LENGTH = 8
_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_REMEDIES = {
    400: "Check that the model takes chat completions and that the prompt fits its context.",
    401: "Set HANDOFF_EVAL_LLM_KEY to a valid key.",
    403: "Set HANDOFF_EVAL_LLM_KEY to a key that may use this model.",
    404: "Check HANDOFF_EVAL_LLM_URL (most end in /v1) and HANDOFF_EVAL_LLM_MODEL.",
    429: "Wait, or ask fewer questions at once; replies that came are kept.",
}
_TRY_LATER = "Try again later; replies that came are kept."


class Endpoint:
    """Asks one model; several threads may share it.

    Rate limits, server errors, time-outs and dropped connections are tried again with growing
    waits (or the wait the server names) before they become an error.

    Parameters
    ----------
    settings : EndpointSettings
        Where and which model.
    timeout : float
        Seconds without a byte before a try counts as failed.
    retries : int
        Tries after the first.

    Raises
    ------
    EndpointError
        When the URL or the key can't be used at all.
    MissingExtraError
        When the openai package is not installed.
    """

    def __init__(
        self,
        settings: EndpointSettings,
        *,
        timeout: float = TIMEOUT_SECONDS,
        retries: int = RETRIES,
    ) -> None:
        host = _host(settings.url)
        if not (settings.api_key and settings.api_key.isascii() and settings.api_key.isprintable()):
            raise EndpointError(
                "Expected the key to be printable ASCII on one line; got something else. "
                "Set HANDOFF_EVAL_LLM_KEY again."
            )
        try:
            import openai
        except ImportError:
            raise MissingExtraError(
                "Expected the package openai to ask a language model; it is not installed. "
                "Run: pip install 'handoff-eval[bench]'."
            ) from None
        self._settings = settings
        self._where = f"{settings.model} at {_public(settings.url)}"
        self._timeout = timeout
        self._tries = retries + 1
        self._openai = openai
        self._logprobs = TOP_LOGPROBS
        # A proxy configured for the outside world can't reach a server on this machine.
        http = openai.DefaultHttpxClient(trust_env=host not in _LOOPBACK)
        self._client = openai.OpenAI(
            base_url=settings.url,
            api_key=settings.api_key,
            timeout=timeout,
            max_retries=retries,
            http_client=http,
        )

    def ask(self, question: Question) -> Reply:
        """Return the model's reply.

        Raises
        ------
        EndpointError
            When no answer came after all tries, or it was not a chat completion.
        """
        started = time.perf_counter()
        body = self._body(question)
        return self._reply(body, time.perf_counter() - started)

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

    def _body(self, question: Question) -> str:
        """Return the raw answer, asking for fewer log-probabilities where they are refused."""
        while True:
            count = self._logprobs if question.answers else 0
            try:
                return self._send(question, count)
            except (self._openai.OpenAIError, UnicodeError) as error:
                if not (count and self._refuses_logprobs(error)):
                    raise self._error(error) from None
            self._logprobs = _FEWER_LOGPROBS if count > _FEWER_LOGPROBS else 0

    def _send(self, question: Question, logprobs: int) -> str:
        options: dict[str, Any] = {"logprobs": True, "top_logprobs": logprobs} if logprobs else {}
        messages: Any = [{"role": m.role, "content": m.text} for m in question.messages]
        response = self._client.chat.completions.with_raw_response.create(
            model=self._settings.model,
            messages=messages,
            max_tokens=question.max_tokens,
            temperature=0,
            **options,
        )
        return response.text

    def _refuses_logprobs(self, error: Exception) -> bool:
        return (
            isinstance(error, self._openai.APIStatusError)
            and error.status_code in (400, 422)
            and "logprob" in error.response.text.lower()
        )

    def _error(self, error: Exception) -> EndpointError:
        after = f" in up to {self._tries} tries" if self._tries > 1 else ""
        if isinstance(error, self._openai.APIStatusError):
            status = error.status_code
            got = f"status {status} ({self._quote(error.response.text) or 'without a word'})"
            remedy = _REMEDIES.get(status, _TRY_LATER if status >= 500 else _REMEDIES[400])
            after = after if status == 429 or status >= 500 else ""
            wait = error.response.headers.get("retry-after")
            remedy = (
                f"It asks to wait for {self._quote(wait)} seconds. {remedy}" if wait else remedy
            )
        elif isinstance(error, self._openai.APITimeoutError):
            got = f"nothing for {self._timeout:g} seconds at a time"
            remedy = _TRY_LATER
        elif isinstance(error, self._openai.APIConnectionError):
            got = f"a broken connection ({self._quote(str(error.__cause__ or error))})"
            remedy = "Check HANDOFF_EVAL_LLM_URL and that the server is running."
        else:
            got, after = f"{type(error).__name__} ({self._quote(str(error))})", ""
            remedy = _REMEDIES[400]
        return EndpointError(f"Expected an answer from {self._where}{after}; got {got}. {remedy}")

    def _reply(self, body: str, seconds: float) -> Reply:
        try:
            answer = json.loads(body)
            choice = answer["choices"][0]
            usage = answer.get("usage") or {}
            return Reply(
                text=_text(choice["message"].get("content")),
                model=_text(answer.get("model")) or self._settings.model,
                logprobs=_first_logprobs(choice.get("logprobs")),
                prompt_tokens=_count(usage.get("prompt_tokens")),
                completion_tokens=_count(usage.get("completion_tokens")),
                seconds=seconds,
            )
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
            raise EndpointError(
                f"Expected a chat completion from {self._where}; got "
                f"{self._quote(body)!r}. {_REMEDIES[404]}"
            ) from None

    def _quote(self, text: str) -> str:
        key = self._settings.api_key
        hidden = text.replace(key, "***") if len(key) >= _SECRET_LENGTH else text
        short = " ".join(hidden.split())
        return short if len(short) <= _QUOTED else f"{short[:_QUOTED]}…"


@dataclass(frozen=True, slots=True)
class RemoteModel:
    """A model somebody serves.

    Parameters
    ----------
    settings : EndpointSettings
        Where and which model.
    threads : int
        Questions asked at the same time.
    timeout : float
        Seconds without a byte before a try counts as failed.
    """

    settings: EndpointSettings
    threads: int = 4
    timeout: float = TIMEOUT_SECONDS

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


def _text(value: Any) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        raise TypeError(value)
    return value


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _first_logprobs(logprobs: Any) -> tuple[TokenLogprob, ...] | None:
    positions = (logprobs or {}).get("content") or ()
    if not positions or not positions[0].get("top_logprobs"):
        return None
    return tuple(
        TokenLogprob(_text(candidate["token"]), float(candidate["logprob"]))
        for candidate in positions[0]["top_logprobs"]
    )
