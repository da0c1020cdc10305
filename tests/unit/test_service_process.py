"""The service as a process on loopback: its HTTP, its token, its limits, restart and stop."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from handoff_eval.cli.main import main
from handoff_eval.mail.entries import Status
from handoff_eval.mail.outbox import open_outbox
from handoff_eval.mail.sink import MailSink
from handoff_eval.triggers.keyword import KeywordTrigger, default_rules
from tests.services import Service, put_turns, turn, write_service

pytestmark = pytest.mark.medium

SECRET = "xylophone"
TURNS = [
    turn("customer", f"where is my {SECRET}?", customer={"id": "u-1"}),
    turn("agent", "it is on its way"),
    turn("customer", f"let me talk to a human about my {SECRET}"),
    turn("customer", "thanks"),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with what a service needs."""
    folder = tmp_path_factory.mktemp("service")
    write_service(folder, KeywordTrigger(default_rules()), 0.4)
    return folder


@pytest.fixture(scope="module")
def service(folder: Path) -> Iterator[Service]:
    """Return a service that all tests of this file share."""
    service = Service.start(folder, "--max-body", "5000")
    yield service
    assert service.end() == 0


@pytest.fixture
def client(service: Service) -> Iterator[httpx.Client]:
    """Return a client with the token."""
    with service.client() as client:
        yield client


def test_a_conversation_from_its_first_turn_to_its_close(client: httpx.Client) -> None:
    """It answers each turn with the decision, and at the fire with evidence and words to say."""
    answers = put_turns(client, "c-1", TURNS)
    closed = client.put("/v1/conversations/c-1/close", json={"turns": 4})
    shown = client.get("/v1/conversations/c-1").json()
    fire = answers[2]["decisions"][0]

    assert [a["decisions"][0]["fires"] for a in answers] == [False, False, True, False]
    assert (fire["reason"], fire["fired_turns"]) == ("human_requested", 3)
    assert fire["evidence"] == {"turn": 2, "text": TURNS[2]["text"]}
    assert fire["tell_customer"].startswith("A person from our team can follow up by email")
    assert closed.json()["closed"] is True
    assert shown["decisions"][0]["score"] == fire["score"]
    assert SECRET not in json.dumps(shown)


@pytest.mark.parametrize(
    ("path", "content", "status"),
    [
        ("/v1/conversations/n-1/turns/0", b"{", 400),
        ("/v1/conversations/n-1/turns/0", b'{"role": "customer"}', 422),
        ("/v1/conversations/n-1/turns/0", b'{"role": "customer", "text": "  "}', 422),
        ("/v1/conversations/n-1/turns/0", b'{"role": "customer", "text": "\\u0000"}', 422),
        ("/v1/conversations/n-1/turns/0", b'{"role": "customer", "text": "\\ud800"}', 422),
        ("/v1/conversations/n-1/turns/0", b'{"role": "agent", "text": "", "txt": ""}', 422),
        ("/v1/conversations/n-1/turns/-1", b'{"role": "agent", "text": ""}', 422),
        ("/v1/conversations/.n/turns/0", b'{"role": "agent", "text": ""}', 422),
        ("/v1/conversations/n-1/turns/1", b'{"role": "agent", "text": ""}', 409),
        ("/v1/conversations/n-1/turns/0", b'"' + b"x" * 5_000 + b'"', 413),
        ("/v1/conversations/n-1/close", b'{"turns": 0}', 404),
        ("/v1/conversations/n-1/review", b'{"handoff": "support", "needed": true}', 404),
        ("/v1/nothing", b"{}", 404),
        ("/health", b"{}", 405),
    ],
)
def test_what_is_wrong_is_said_in_a_sentence(
    client: httpx.Client, path: str, content: bytes, status: int
) -> None:
    """Each mistake has its status and one sentence of JSON, which quotes nothing of the body."""
    headers = {"content-type": "application/json"}
    answer = client.put(path, content=content, headers=headers)

    assert answer.status_code == status
    assert list(answer.json()) == ["error"]
    assert answer.json()["error"].endswith(".")


@pytest.mark.parametrize("token", [None, "x", "a-token-of-this-test-012345678", "é"])
def test_nobody_gets_in_without_a_token(service: Service, token: str | None) -> None:
    """A missing, wrong, shortened or odd token is refused, before the body is looked at."""
    with service.client(None) as client:
        headers = {} if token is None else {"Authorization": f"Bearer {token}".encode()}
        answer = client.put("/v1/conversations/c-2/turns/0", content=b"{", headers=headers)  # type: ignore[arg-type]
        outside = [client.get(path).status_code for path in ("/health", "/ready", "/metrics")]

    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert outside == [200, 200, 200]


def test_a_body_without_a_length_is_limited_too(service: Service) -> None:
    """A body that comes in chunks is refused once it is longer than allowed."""
    with service.client() as client:
        answer = client.put(
            "/v1/conversations/c-3/turns/0", content=(b"x" * 1000 for _ in range(20))
        )

    assert answer.status_code == 413


def test_metrics_and_log_hold_numbers_and_ids_only(service: Service) -> None:
    """Neither the metrics nor the log say what anybody said, or who they are."""
    with service.client() as client:
        put_turns(client, "c-4", TURNS)
        metrics = client.get("/metrics").text
    log = service.log.read_text()
    requests = [event for event in service.events() if event.get("conversation_id") == "c-4"]

    assert 'handoff_fires_total{handoff="support"}' in metrics
    assert 'handoff_outbox_emails{status="queued"}' in metrics
    assert [(r["number"], r["status"]) for r in requests] == [(str(i), 200) for i in range(4)]
    for secret in (SECRET, "u-1", "on its way"):
        assert secret not in log
        assert secret not in metrics


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_a_restart_in_the_middle_changes_no_decision(
    folder: Path, tmp_path: Path, request: pytest.FixtureRequest, kind: str
) -> None:
    """Killed after each turn and started again, it gives the answers of one that never stopped."""
    postgres = kind == "postgres"
    state = request.getfixturevalue("postgres_url") if postgres else str(tmp_path / "state.db")
    answers = []
    for number, body in enumerate(TURNS[:3]):
        service = Service.start(folder, state=state)
        with service.client() as client:
            answers.append(client.put(f"/v1/conversations/c-1/turns/{number}", json=body).json())
        service.end(9)
    service = Service.start(folder, state=state)
    with service.client() as client:
        through = put_turns(client, "c-2", TURNS[:3])
        again = put_turns(client, "c-1", TURNS[:3])
    service.end()
    outbox = open_outbox(state)

    assert again == answers
    assert [a["decisions"] for a in answers] == [a["decisions"] for a in through]
    assert outbox.counts()[Status.QUEUED] == 2
    outbox.close()


def test_silence_closes_and_the_email_goes_out(folder: Path, tmp_path: Path) -> None:
    """An idle conversation is closed, a fired one's email arrives, and SIGTERM ends it well."""
    with MailSink(tmp_path / "mailbox") as sink:
        service = Service.start(
            folder, "--idle-minutes", "0.05", "--smtp", sink.url, state=str(tmp_path / "state.db")
        )
        with service.client() as client:
            put_turns(client, "c-1", TURNS[:3])
            end = time.monotonic() + 20
            while time.monotonic() < end:
                shown = client.get("/v1/conversations/c-1").json()
                if shown["closed_at"] is not None and sink.count:
                    break
                time.sleep(0.05)
        code = service.end()

        assert shown["closed_at"] is not None
        assert [caught.recipients for caught in sink.messages()] == ["team@example.com"]
        assert code == 0


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--host", "0.0.0.0"], "Expected --token-file where others can reach the port"),
        (["--idle-minutes", "0"], "Expected idle_seconds above 0"),
        (["--port", "70000"], "Expected a port from 0 to 65535"),
    ],
)
def test_a_service_that_would_be_open_or_odd_does_not_start(
    folder: Path,
    options: list[str],
    words: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Without a token it listens on loopback only; what can't work is said in a sentence."""
    monkeypatch.delenv("HANDOFF_EVAL_TOKEN", raising=False)
    handoff = str(folder / "handoff.toml")
    code = main(["serve", str(folder / "bundle"), "--handoff", handoff, *options])

    assert code == 2
    assert words in capsys.readouterr().err


def test_a_taken_port_is_said(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A port that another program has ends it with a sentence."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        state = str(tmp_path / "state.db")
        options = ["--handoff", str(folder / "handoff.toml"), "--port", port, "--state", state]
        code = main(["serve", str(folder / "bundle"), *options])

    assert code == 2
    assert "Expected to listen on" in capsys.readouterr().err
