"""The asker: order kept, each question paid once, a model started only where one is missing."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from handoff_eval.errors import EndpointError
from handoff_eval.llm.asker import ModelAsker, default_asker
from handoff_eval.llm.cost import Usage
from handoff_eval.llm.question import Exchange, Message, Question
from handoff_eval.llm.replies import ReplyStore
from handoff_eval.settings import EndpointSettings, LlmLimits
from tests.llm_provider import Answer, completion, provider


class ServedModel:
    """A model behind the given settings that counts its starts and stops."""

    identity = "tiny@here"

    def __init__(self, settings: EndpointSettings | None, threads: int = 1) -> None:
        self.settings = settings
        self.limits = LlmLimits(threads=threads)
        self.starts = 0
        self.stops = 0

    @contextmanager
    def serve(self) -> Iterator[EndpointSettings]:
        """Give the settings; a model without any must not be started."""
        assert self.settings is not None, "the model was started without need"
        self.starts += 1
        try:
            yield self.settings
        finally:
            self.stops += 1


def question(text: str) -> Question:
    """Return a question that is answered with its own text."""
    return Question((Message("user", text),), max_tokens=8, recordable=".*")


def echo(body: dict[str, Any]) -> Answer:
    """Answer with the text asked; `bad` is refused."""
    text = body["messages"][0]["content"]
    return Answer("no", status=400) if text == "bad" else completion(text, logprobs=None)


def store(folder: Path, **options: Any) -> ReplyStore:
    """Return a store whose cache lies in the folder."""
    return ReplyStore(cache=folder / "replies.sqlite", **options)


@pytest.mark.parametrize("threads", [1, 4])
def test_replies_come_in_the_order_asked(tmp_path: Path, threads: int) -> None:
    """However many threads ask, each question has its own reply, and equal ones are asked once."""
    texts = [str(i % 12) for i in range(20)]
    with (
        provider(echo) as served,
        ModelAsker(ServedModel(served.settings, threads), replies=store(tmp_path)) as asker,
    ):
        replies = asker.ask([question(text) for text in texts])

    assert [reply.text for reply in replies] == texts
    assert len(served.requests) == 12


def test_several_threads_ask_at_the_same_time(tmp_path: Path) -> None:
    """Three questions are under way together when three threads are set."""
    together = threading.Barrier(3, timeout=10)

    def wait(body: dict[str, Any]) -> Answer:
        together.wait()
        return echo(body)

    with (
        provider(wait) as served,
        ModelAsker(ServedModel(served.settings, 3), replies=store(tmp_path)) as asker,
    ):
        replies = asker.ask([question(text) for text in "abc"])

    assert [reply.text for reply in replies] == ["a", "b", "c"]


def test_one_thread_asks_in_the_order_given(tmp_path: Path) -> None:
    """A growing prefix reaches the server as it grows, so that its cache is of use."""
    with (
        provider(echo) as served,
        ModelAsker(ServedModel(served.settings), replies=store(tmp_path)) as asker,
    ):
        asker.ask([question("a" * n) for n in range(1, 8)])

    assert [len(r["messages"][0]["content"]) for r in served.requests] == [1, 2, 3, 4, 5, 6, 7]


def test_what_is_kept_is_not_asked_again(tmp_path: Path) -> None:
    """A second run asks only what is new, and starts no model where nothing is."""
    with provider(echo) as served:
        model = ServedModel(served.settings)
        with ModelAsker(model, replies=store(tmp_path)) as asker:
            asker.ask([question("a")])
        with ModelAsker(model, replies=store(tmp_path)) as asker:
            asker.ask([question("a"), question("b")])

    assert [r["messages"][0]["content"] for r in served.requests] == ["a", "b"]
    assert (model.starts, model.stops) == (2, 2)
    with ModelAsker(ServedModel(None), replies=store(tmp_path)) as asker:
        assert [reply.text for reply in asker.ask([question("b"), question("a")])] == ["b", "a"]


def test_a_recorded_run_needs_no_model(tmp_path: Path) -> None:
    """Replies recorded in one place answer the same questions in another, with the same cost."""
    with (
        provider(echo) as served,
        ModelAsker(ServedModel(served.settings), replies=store(tmp_path)) as asker,
    ):
        first = asker.ask([question("a"), question("b")])
        asker.record(tmp_path / "recorded.jsonl")
    replies = store(tmp_path / "elsewhere", recorded=tmp_path / "recorded.jsonl")

    again = ModelAsker(ServedModel(None), replies=replies)
    second = again.ask([question("b"), question("a")])

    assert [reply.text for reply in second] == [reply.text for reply in first[::-1]]
    assert all(exchange.kept for exchange in again.used.values())
    assert Usage.of(e.reply for e in again.used.values()).prompt_tokens == 60
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.medium
@pytest.mark.parametrize("threads", [1, 3])
def test_a_killed_run_resumes(tmp_path: Path, threads: int) -> None:
    """Each reply is stored as it comes: after SIGKILL only what was under way is asked again."""
    script = """
import os, signal, sys
from pathlib import Path
from handoff_eval.llm.asker import ModelAsker
from handoff_eval.llm.endpoint import RemoteModel
from handoff_eval.llm.question import Message, Question
from handoff_eval.llm.replies import ReplyStore
from handoff_eval.settings import EndpointSettings, LlmLimits
url, threads, cache, limit = sys.argv[1:]
told = []
def kill(exchange):
    told.append(exchange)
    if len(told) == int(limit):
        os.kill(os.getpid(), signal.SIGKILL)
model = RemoteModel(EndpointSettings(url=url, model="tiny"), LlmLimits(threads=int(threads)))
asker = ModelAsker(model, replies=ReplyStore(cache=Path(cache)), observer=kill)
asker.ask([Question((Message("user", str(i)),), max_tokens=8) for i in range(20)])
"""
    with provider(echo) as served:
        arguments = [served.settings.url, str(threads), str(tmp_path / "r.sqlite")]
        for limit, code in (("7", -signal.SIGKILL), ("99", 0)):
            done = subprocess.run([sys.executable, "-c", script, *arguments, limit], check=False)
            assert done.returncode == code

    # Seven are stored; at the kill at most one a thread was under way or waiting to be stored.
    assert 20 <= len(served.requests) <= 20 + 2 * threads


def test_live_asks_again(tmp_path: Path) -> None:
    """With `live` a kept reply isn't used."""
    with provider(echo) as served:
        for live in (False, True):
            replies = store(tmp_path, live=live)
            with ModelAsker(ServedModel(served.settings), replies=replies) as asker:
                asker.ask([question("a")])

    assert len(served.requests) == 2


def test_what_came_before_a_failure_is_kept(tmp_path: Path) -> None:
    """The error tells how many came; they are not asked again, and nothing new is begun."""
    asked = [question(text) for text in ("a", "b", "bad", *map(str, range(50)))]
    with provider(echo) as served:
        asker = ModelAsker(ServedModel(served.settings), replies=store(tmp_path))
        with pytest.raises(EndpointError, match=r"got status 400 .* (2|3) of 53 replies came"):
            asker.ask(asked)
        asker.close()
    again = ModelAsker(ServedModel(None), replies=store(tmp_path))

    assert [reply.text for reply in again.ask(asked[:2])] == ["a", "b"]
    assert len(served.requests) <= 4


def test_what_was_asked_now_stays_told_from_what_was_kept(tmp_path: Path) -> None:
    """A question asked in this run and found again was asked; one of an earlier run was kept."""
    with provider(echo) as served:
        for texts in ("a", "bab"):
            with ModelAsker(ServedModel(served.settings), replies=store(tmp_path)) as asker:
                for text in texts:
                    asker.ask([question(text)])

    assert [(e.question.messages[0].text, e.kept) for e in asker.used.values()] == [
        ("b", False),
        ("a", True),
    ]


def test_the_observer_is_told_every_prompt_and_reply(tmp_path: Path) -> None:
    """Asked or found, each distinct question is reported once in a call, in the asking thread."""
    told: list[tuple[Exchange, str, int]] = []
    with provider(echo) as served:
        for _ in range(2):
            with ModelAsker(
                ServedModel(served.settings, 4),
                replies=store(tmp_path),
                observer=lambda exchange: told.append(
                    (exchange, exchange.question.messages[0].text, threading.get_ident())
                ),
            ) as asker:
                asker.ask([question("a"), question("b"), question("a")])

    here = threading.get_ident()
    assert sorted((e.reply.text, text, thread, e.kept) for e, text, thread in told) == [
        (text, text, here, kept) for text in "ab" for kept in (False, True)
    ]
    for exchange, _, _ in told:
        assert exchange.model == "tiny@here"
        assert exchange.key == exchange.question.key("tiny@here")


def test_a_forgotten_asker_stops_its_model(tmp_path: Path) -> None:
    """An asker nobody closed doesn't leave a server behind, and a closed one can go on."""
    with provider(echo) as served:
        model = ServedModel(served.settings)
        asker = ModelAsker(model, replies=store(tmp_path))
        asker.ask([question("a")])
        asker.close()
        asker.ask([question("b")])
        stops = model.stops
        del asker

    assert stops == 1
    assert (model.starts, model.stops) == (2, 2)


def test_the_default_is_the_endpoint_of_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a URL set it is asked, and its replies lie in the cache folder."""
    monkeypatch.setenv("HANDOFF_EVAL_CACHE", str(tmp_path / "cache"))
    with provider(echo) as served:
        monkeypatch.setenv("HANDOFF_EVAL_LLM_URL", served.settings.url)
        monkeypatch.setenv("HANDOFF_EVAL_LLM_MODEL", "tiny")
        with default_asker() as asker:
            (reply,) = asker.ask([question("a")])

    assert reply.text == "a"
    assert asker.identity.startswith("tiny@127.0.0.1:")
    assert served.headers[0]["authorization"] == "Bearer none"
    assert (tmp_path / "cache" / "replies.sqlite").is_file()


def test_the_default_without_settings_is_the_local_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No URL, no key: the name shows the small model, and nothing is started or written."""
    monkeypatch.setenv("HANDOFF_EVAL_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("HANDOFF_EVAL_LLM_URL", raising=False)
    asker = default_asker()

    assert "135M" in asker.identity
    assert asker.ask([]) == []
    assert not (tmp_path / "cache").exists()
