"""Asking many questions: what is kept is found, the rest is asked, and the cost is counted."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from types import TracebackType
from typing import Protocol

from handoff_eval.errors import EndpointError, SettingsError
from handoff_eval.llm.endpoint import Endpoint, RemoteModel
from handoff_eval.llm.local import LocalModel
from handoff_eval.llm.question import Exchange, Question, Reply
from handoff_eval.llm.replies import ReplyStore, write_recorded
from handoff_eval.settings import EndpointSettings, LlmLimits, cache_dir

Observer = Callable[[Exchange], None]
"""Told each prompt with its reply; a tracking room can turn them into traces."""


class Asker(Protocol):
    """What a trigger or a summary needs of a language model.

    Attributes
    ----------
    identity : str
        The model with its size or host; part of what a reply is kept by.
    """

    @property
    def identity(self) -> str: ...  # noqa: D102 - documented as an attribute

    def ask(self, questions: Sequence[Question]) -> list[Reply]:
        """Return one reply a question, in the order given."""
        ...


class Model(Protocol):
    """A model that can be put behind an endpoint when it is needed.

    Attributes
    ----------
    identity : str
        Changes whenever the replies would.
    limits : LlmLimits
        How it is asked.
    """

    @property
    def identity(self) -> str: ...  # noqa: D102 - documented as an attribute

    @property
    def limits(self) -> LlmLimits: ...  # noqa: D102 - documented as an attribute

    def serve(self) -> AbstractContextManager[EndpointSettings]:
        """Give the endpoint for as long as the context lasts."""
        ...


class ModelAsker:
    """An asker over one model; the model is started by the first question no reply is kept for.

    Parameters
    ----------
    model : Model
        `RemoteModel` or `LocalModel`.
    replies : ReplyStore
        Where replies are found and kept.
    observer : callable, optional
        Called in the asking thread for every distinct question, asked or kept.
    """

    def __init__(
        self, model: Model, *, replies: ReplyStore, observer: Observer | None = None
    ) -> None:
        self._model = model
        self._replies = replies
        self._observer = observer
        self._endpoint: Endpoint | None = None
        self._used: dict[str, Exchange] = {}
        self._identity: str | None = None
        self._resources = ExitStack()
        self._finalizer = weakref.finalize(self, self._resources.close)

    @property
    def identity(self) -> str:
        """The model with its size or host."""
        if self._identity is None:
            self._identity = self._model.identity
        return self._identity

    @property
    def used(self) -> Mapping[str, Exchange]:
        """Every question of this run with its reply, by key."""
        return dict(self._used)

    def ask(self, questions: Sequence[Question]) -> list[Reply]:
        """Return one reply a question, in the order given; equal questions are asked once.

        Raises
        ------
        EndpointError
            When a question could not be answered; the replies that came by then are kept.
        """
        keys = [question.key(self.identity) for question in questions]
        wanted = dict(zip(keys, questions, strict=True))
        replies = self._replies.find(list(wanted))
        for key, reply in replies.items():
            self._note(key, wanted[key], reply, kept=True)
        missing = {key: question for key, question in wanted.items() if key not in replies}
        if missing:
            replies.update(self._ask_now(missing))
        return [replies[key] for key in keys]

    def record(self, path: Path) -> None:
        """Write the replies used so far as a file of recorded replies."""
        write_recorded(path, self._used)

    def close(self) -> None:
        """Stop the model where one was started; a later question starts it again."""
        self._endpoint = None
        self._resources.close()

    def __enter__(self) -> ModelAsker:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _ask_now(self, missing: Mapping[str, Question]) -> dict[str, Reply]:
        """Keep each reply as it comes; raise a failure once those under way have ended."""
        endpoint = self._started()
        replies: dict[str, Reply] = {}
        failure: EndpointError | None = None
        with ThreadPoolExecutor(max_workers=self._model.limits.threads) as pool:
            key_of: dict[Future[Reply], str] = {
                pool.submit(endpoint.ask, question): key for key, question in missing.items()
            }
            try:
                for future in as_completed(key_of):
                    if future.cancelled():
                        continue
                    try:
                        reply = future.result()
                    except EndpointError as error:
                        failure = failure or error
                        _cancel(key_of)
                        continue
                    key = key_of[future]
                    replies[key] = reply
                    self._replies.keep(key, reply)
                    self._note(key, missing[key], reply, kept=False)
            finally:
                _cancel(key_of)
        if failure is not None:
            raise EndpointError(
                f"{failure} {len(replies)} of {len(missing)} replies came and are kept."
            ) from None
        return replies

    def _started(self) -> Endpoint:
        if self._endpoint is None:
            settings = self._resources.enter_context(self._model.serve())
            self._endpoint = self._resources.enter_context(Endpoint(settings, self._model.limits))
        return self._endpoint

    def _note(self, key: str, question: Question, reply: Reply, *, kept: bool) -> None:
        exchange = Exchange(key, self.identity, question, reply, kept)
        # A reply that was asked for in this run stays so when it is found again.
        self._used.setdefault(key, exchange)
        if self._observer is not None:
            self._observer(exchange)


def default_asker(
    *,
    recorded: Path | None = None,
    live: bool = False,
    limits: LlmLimits | None = None,
    observer: Observer | None = None,
) -> ModelAsker:
    """Return an asker over the endpoint of the environment, else over the local model.

    Nothing is started or reached before a question needs it.

    Parameters
    ----------
    recorded : Path, optional
        Recorded replies that came with a dataset.
    live : bool
        Ask everything again and refresh the cache.
    limits : LlmLimits, optional
        How a remote endpoint is asked, by default as the environment says; the local model is
        asked one question at a time.
    observer : callable, optional
        Called with every distinct question and its reply.
    """
    settings = EndpointSettings.from_environment()
    model: Model
    if settings is None:
        model = LocalModel()
    else:
        model = RemoteModel(settings, limits or LlmLimits.from_environment())
    replies = ReplyStore(cache=cache_dir() / "replies.sqlite", recorded=recorded, live=live)
    return ModelAsker(model, replies=replies, observer=observer)


class SettingsAsker:
    """Asks the model of the settings at the time, and no other than a trigger was measured with.

    Parameters
    ----------
    identity : str
        Of the model it was measured with.
    """

    def __init__(self, identity: str) -> None:
        self._identity = identity
        self._asker: ModelAsker | None = None

    @property
    def identity(self) -> str:
        """The model that is expected."""
        return self._identity

    def ask(self, questions: Sequence[Question]) -> list[Reply]:
        """Return one reply a question, in the order given.

        Raises
        ------
        SettingsError
            When the settings name another model.
        EndpointError
            When a question could not be answered.
        """
        if self._asker is None:
            asker = default_asker()
            if asker.identity != self._identity:
                raise SettingsError(
                    f"Expected the model it was measured with, {self._identity}; the settings give "
                    f"{asker.identity}. Set HANDOFF_EVAL_LLM_URL and HANDOFF_EVAL_LLM_MODEL, or "
                    "measure and export with the other one."
                )
            self._asker = asker
        return self._asker.ask(questions)


def _cancel(futures: Mapping[Future[Reply], str]) -> None:
    for future in futures:
        future.cancel()
