"""The endpoint: one reply a question, and one sentence for whatever a provider does wrong."""

from __future__ import annotations

import socket
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from handoff_eval.errors import EndpointError
from handoff_eval.llm.endpoint import Endpoint, RemoteModel
from handoff_eval.llm.question import Message, Question, Reply
from handoff_eval.settings import EndpointSettings, LlmLimits
from tests.llm_provider import Answer, Provider, completion, provider

WEIGHED = Question(
    (Message("system", "rule"), Message("user", "text")), max_tokens=1, answers=("yes", "no")
)
STATED = Question((Message("user", "how sure?"),), max_tokens=8)
SOON = {"Retry-After": "0.02"}


def ask(
    served: Provider, question: Question = WEIGHED, *, retries: int = 3, timeout: float = 30
) -> Reply:
    """Return one reply of an endpoint opened for it."""
    limits = LlmLimits(timeout=timeout, retries=retries)
    with Endpoint(served.settings, limits) as endpoint:
        return endpoint.ask(question)


def test_a_reply_has_text_candidates_counts_and_time() -> None:
    """Everything a caller needs is read from the completion."""
    with provider([completion()]) as served:
        reply = ask(served)

    assert reply.text == "Yes"
    assert reply.model == "tiny-2026"
    assert [(c.token, c.logprob) for c in reply.logprobs or ()] == [("Yes", -0.1), ("No", -2.4)]
    assert (reply.prompt_tokens, reply.completion_tokens) == (30, 1)
    assert 0 < reply.seconds < 30


def test_the_request_is_repeatable_and_asks_for_log_probabilities_only_where_weighed() -> None:
    """Temperature is 0, the messages keep their order, and a plain question asks for text alone."""
    with provider([completion()]) as served:
        ask(served)
        ask(served, STATED)

    weighed, stated = served.requests
    assert weighed == {
        "model": "tiny",
        "messages": [
            {"role": "system", "content": "rule"},
            {"role": "user", "content": "text"},
        ],
        "temperature": 0,
        "max_tokens": 1,
        "logprobs": True,
        "top_logprobs": 20,
    }
    assert stated["max_tokens"] == 8
    assert "logprobs" not in stated
    assert "top_logprobs" not in stated


def test_a_reply_without_log_probabilities_or_counts_says_none() -> None:
    """What the endpoint doesn't give is None, never a made-up number."""
    for logprobs in (None, ()):
        with provider([completion(logprobs=logprobs, usage={})]) as served:
            reply = ask(served)

        assert reply.logprobs is None
        assert reply.prompt_tokens is None
        assert reply.completion_tokens is None


def test_a_rate_limit_is_waited_out_as_long_as_it_says() -> None:
    """After 429 with Retry-After the question is asked again, no earlier."""
    limited = Answer(
        {"error": {"message": "slow down"}}, status=429, headers={"Retry-After": "0.3"}
    )
    with provider([limited, completion()]) as served:
        reply = ask(served)

    assert reply.text == "Yes"
    assert len(served.requests) == 2
    assert served.times[1] - served.times[0] >= 0.3


@pytest.mark.parametrize(
    "fault",
    [
        Answer("oops", status=500, headers=SOON),
        Answer("", status=503, headers=SOON),
        Answer("half of an answer", drop=4),
        Answer("x", drop=0),
        Answer("", drop_connection=True),
        Answer("busy", status=429, headers=SOON),
        Answer("late", status=408, headers=SOON),
        Answer('{"choices": [{"mess', headers={}),
        Answer("<html>gateway</html>", content_type="text/html"),
        Answer({"error": {"message": "overloaded"}}),
        Answer('{"choices": []}'),
    ],
    ids=[
        *("500", "503", "cut in the body", "cut before the body", "cut before the headers"),
        *("429", "408", "half of a JSON", "a page", "an error as a 200", "no choices"),
    ],
)
def test_a_passing_fault_is_tried_again(fault: Answer) -> None:
    """Server errors and dropped connections don't reach the caller when the next try works."""
    with provider([fault, completion()]) as served:
        assert ask(served).text == "Yes"

    assert len(served.requests) == 2


def test_waits_grow_where_the_server_names_none() -> None:
    """Without Retry-After the pauses double: about half a second, then about one."""
    broken = Answer("", status=502)
    with provider([broken, broken, completion()]) as served:
        ask(served)

    first, second = served.times[1] - served.times[0], served.times[2] - served.times[1]
    assert first >= 0.35
    assert second >= 0.75


@pytest.mark.parametrize(
    ("fault", "tries", "sentence"),
    [
        (
            Answer({"error": {"message": "quota"}}, status=429, headers=SOON),
            3,
            r"in up to 3 tries; got status 429 \(.*quota.*\)\. It asks to wait for 0.02 seconds",
        ),
        (Answer("", status=429, headers={"Retry-After": "900"}), 1, "asks to wait for 900 seconds"),
        (Answer("down", status=500, headers=SOON), 3, r"status 500 \(down\)\. .* Try again later"),
        (
            Answer("bad key", status=401),
            1,
            r"got status 401 \(bad key\)\. Set HANDOFF_EVAL_LLM_KEY",
        ),
        (Answer("", status=403), 1, r"403 \(without a word\)\. Set HANDOFF_EVAL_LLM_KEY to a key"),
        (Answer("no model", status=404), 1, "404 .*Check HANDOFF_EVAL_LLM_URL"),
        (Answer("too long", status=400), 1, "400 .*fits its context"),
        (Answer("teapot", status=418), 1, "418 .*takes chat completions"),
        (Answer("locked", status=409), 1, "409 .*takes chat completions"),
        (
            Answer("x" * 9, drop=3),
            3,
            r"got a broken connection \(.+\)\. Check HANDOFF_EVAL_LLM_URL",
        ),
    ],
)
def test_a_lasting_fault_becomes_one_sentence(fault: Answer, tries: int, sentence: str) -> None:
    """The error says what was expected, what came and what to do; passing faults are retried."""
    with (
        provider([fault]) as served,
        pytest.raises(EndpointError, match=f"^Expected an answer from tiny at http.*{sentence}"),
    ):
        ask(served, retries=2)

    assert len(served.requests) == tries


def test_a_slow_answer_ends_at_the_time_out() -> None:
    """A server that is silent for longer than the time-out is given up in a sentence."""
    with (
        provider([Answer("", delay=1.0)]) as served,
        pytest.raises(
            EndpointError, match=r"in up to 2 tries; got no whole answer within 0\.1 seconds"
        ),
    ):
        ask(served, retries=1, timeout=0.1)


def test_a_server_that_is_not_there_is_named() -> None:
    """A refused connection says which URL to check."""
    with socket.create_server(("127.0.0.1", 0)) as closed:
        url = f"http://127.0.0.1:{closed.getsockname()[1]}/v1"
    endpoint = Endpoint(EndpointSettings(url=url, model="m"), LlmLimits(retries=0))

    with pytest.raises(EndpointError, match=f"m at {url}; got a broken connection .*LLM_URL"):
        endpoint.ask(STATED)
    endpoint.close()


@pytest.mark.parametrize(
    "body",
    [
        "<html>sign in</html>",
        '{"choices": [',
        "[]",
        "null",
        "17",
        '{"choices": []}',
        '{"choices": [{"message": null}]}',
        '{"choices": [{"message": {"content": 5}}]}',
        '{"choices": [{"message": {"content": "a"}}], "usage": 3}',
        '{"choices": [{"message": {"content": "a"}, "logprobs": {"content": [5]}}]}',
        '{"choices": [{"message": {"content": "a"}, "logprobs": {"content":'
        ' [{"top_logprobs": [{"token": "a", "logprob": NaN}]}]}}]}',
        '{"choices": [{"message": {"content": "a"}, "logprobs": {"content":'
        ' [{"top_logprobs": [{"token": "a", "logprob": 2.5}]}]}}]}',
        '{"error": {"message": "overloaded"}}',
        "[" * 100_000,
    ],
    ids=lambda body: body[:40],
)
def test_what_is_no_completion_is_refused_in_a_sentence(body: str) -> None:
    """Garbage under status 200 is quoted shortly, never a traceback of ours."""
    with (
        provider([Answer(body)]) as served,
        pytest.raises(
            EndpointError, match=r"Expected a chat completion from tiny at .*; got '"
        ) as e,
    ):
        ask(served, retries=0)

    assert len(str(e.value)) < 500


@pytest.mark.parametrize("dripping", [Answer("x" * 100, drip=0.02), Answer(drip_headers=0.02)])
def test_an_answer_that_drips_ends_at_the_time_out(dripping: Answer) -> None:
    """Headers or a body byte by byte, each in time, are given up as a whole and tried again."""
    with provider([dripping, completion()]) as served:
        assert ask(served, timeout=0.2).text == "Yes"

    assert served.times[1] - served.times[0] < 1.5


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_not_followed(status: int) -> None:
    """Transcripts go to the address that was set and to no other."""
    with provider([completion()]) as other:
        away = Answer("", status=status, headers={"Location": other.settings.url})
        with (
            provider([away]) as served,
            pytest.raises(EndpointError, match=rf"status {status} .* It sends elsewhere; set"),
        ):
            ask(served)

    assert (len(served.requests), len(other.requests)) == (1, 0)


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (completion("", refusal="I can't help with that."), r"refused this prompt \(I can't help"),
        (completion("", logprobs=None, end="content_filter"), r"refused this prompt \(content fil"),
        (completion("", logprobs=None, end="length"), "thinks before it speaks"),
    ],
    ids=["refusal", "content filter", "thinking"],
)
def test_a_completion_without_an_answer_says_why(answer: Answer, sentence: str) -> None:
    """Asking again would give the same, so it is asked once."""
    with (
        provider([answer]) as served,
        pytest.raises(EndpointError, match=f"^Expected an answer from tiny at .*{sentence}"),
    ):
        ask(served)

    assert len(served.requests) == 1


def test_strange_characters_come_through() -> None:
    """Bytes that are no text become marks, and a token of half a letter is a token."""
    odd = "\ufffd\u0000\u202e\U0001f600"
    with provider([completion(odd, logprobs=((odd, -0.1), ("\\xe2", -2.0)))]) as served:
        reply = ask(served)
    with (
        provider([Answer(b"\xff\xfe{")]) as served,
        pytest.raises(EndpointError, match="Expected a chat completion"),
    ):
        ask(served, retries=0)

    assert reply.text == odd
    assert reply.logprobs is not None
    assert reply.logprobs[0].token == odd


def test_a_rate_limit_met_by_one_thread_holds_all() -> None:
    """While one waits out a 429, no other thread begins a try."""
    limited = Answer("", status=429, headers={"Retry-After": "0.4"})
    with (
        provider([limited, completion()]) as served,
        Endpoint(served.settings) as endpoint,
        ThreadPoolExecutor(2) as pool,
    ):
        first = pool.submit(endpoint.ask, WEIGHED)
        while not served.requests:
            time.sleep(0.005)
        time.sleep(0.1)
        second = pool.submit(endpoint.ask, STATED)
        first.result()
        second.result()

    assert min(served.times[1:]) - served.times[0] >= 0.39


def test_requests_keep_their_pace() -> None:
    """At 600 a minute six requests of three threads take half a second at least."""
    limits = LlmLimits(threads=3, requests_per_minute=600)
    with (
        provider([completion()]) as served,
        Endpoint(served.settings, limits) as endpoint,
        ThreadPoolExecutor(3) as pool,
    ):
        begun = time.monotonic()
        list(pool.map(endpoint.ask, [WEIGHED] * 6))

    # The first begins at once, and the last five intervals of a tenth after it.
    assert served.times[-1] - begun >= 0.5


def test_an_endpoint_with_other_options_is_asked_in_its_own_words() -> None:
    """Refused `max_tokens` and `temperature` are replaced once, for all later questions."""

    def choosy(body: dict[str, Any]) -> Answer:
        if "max_tokens" in body:
            return Answer("use 'max_completion_tokens' instead of 'max_tokens'", status=400)
        if "temperature" in body:
            return Answer("temperature does not support 0", status=400)
        return completion()

    with provider(choosy) as served, Endpoint(served.settings) as endpoint:
        endpoint.ask(STATED)
        endpoint.ask(STATED)

    assert len(served.requests) == 4
    assert set(served.requests[-1]) == {"model", "messages", "max_completion_tokens"}


def test_the_key_is_never_shown() -> None:
    """A provider that echoes the key, or a URL that carries a password, doesn't leak it."""
    with provider([Answer("key sk-secret-123456 is wrong", status=401)]) as served:
        settings = EndpointSettings(
            url=served.settings.url.replace("://", "://me:pass1234@"),
            model="tiny",
            api_key=served.settings.api_key,
        )
        with (
            Endpoint(settings) as endpoint,
            pytest.raises(EndpointError, match=r"key \*\*\* is wrong") as caught,
        ):
            endpoint.ask(STATED)

    assert "pass1234" not in str(caught.value)
    assert "sk-secret" not in str(caught.value)


def test_refused_log_probabilities_are_asked_for_in_smaller_number_then_not_at_all() -> None:
    """An endpoint with a limit gives five; one that refuses them gives a reply without."""

    def at_most(limit: int) -> Answer | None:
        return Answer({"error": {"message": f"top_logprobs must be <= {limit}"}}, status=400)

    for limit, asked in ((5, [20, 5, 5]), (0, [20, 5, None, None])):
        with (
            provider(
                lambda body, limit=limit: (
                    at_most(limit)
                    if body.get("top_logprobs", 0) > limit
                    else completion(logprobs=(("Yes", -0.1),) if limit else None)
                )
            ) as served,
            Endpoint(served.settings) as endpoint,
        ):
            replies = [endpoint.ask(WEIGHED), endpoint.ask(WEIGHED)]

        assert [request.get("top_logprobs") for request in served.requests] == asked
        assert [reply.logprobs is None for reply in replies] == [limit == 0] * 2


def test_a_refusal_of_something_else_is_not_taken_for_one_of_log_probabilities() -> None:
    """A 400 about the prompt is an error at once."""
    with (
        provider([Answer("context length exceeded", status=400)]) as served,
        pytest.raises(EndpointError, match="context length exceeded"),
    ):
        ask(served)

    assert len(served.requests) == 1


@pytest.mark.parametrize("url", ["", "host/v1", "ftp://host", "http://", "http://host:99999/v1"])
def test_an_unusable_url_is_refused_before_asking(url: str) -> None:
    """The sentence shows the URL and the setting."""
    with pytest.raises(EndpointError, match="Expected an endpoint such as https://host/v1; got"):
        Endpoint(EndpointSettings(url=url, model="m"))


@pytest.mark.parametrize("key", ["", "line\nbreak", "schlüssel"])
def test_an_unusable_key_is_refused_without_showing_it(key: str) -> None:
    """A key that can't be a header is no traceback and no leak."""
    with pytest.raises(EndpointError, match="printable ASCII on one line; got something"):
        Endpoint(EndpointSettings(url="http://127.0.0.1:1/v1", model="m", api_key=key))


def test_a_prompt_that_is_no_text_becomes_a_sentence() -> None:
    """A lone surrogate can't be sent, and says so."""
    with (
        provider([completion()]) as served,
        pytest.raises(EndpointError, match=r"Expected an answer from tiny .*; got Unicode"),
    ):
        ask(served, Question((Message("user", "\ud800"),), max_tokens=1))


def test_a_proxy_for_the_world_is_not_used_on_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """A loopback server is reached although the environment names a proxy."""
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    with provider([completion()]) as served:
        assert ask(served, retries=0).text == "Yes"


def test_a_remote_model_is_told_apart_by_its_host() -> None:
    """The same name on another host, port or path is another model; a password isn't shown."""
    identities = [
        RemoteModel(EndpointSettings(url=url, model="m")).identity
        for url in (
            "https://me:pw@a.example/v1/",
            "https://a.example:8443/v1",
            "https://b.example/v1",
        )
    ]

    assert identities == ["m@a.example/v1", "m@a.example:8443/v1", "m@b.example/v1"]
