"""A model provider on loopback that misbehaves as real ones do, by a script."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from handoff_eval.settings import EndpointSettings


@dataclass(frozen=True)
class Answer:
    """One HTTP answer.

    `drop` cuts the connection after that many bytes of the body, `drop_connection` before the
    headers; with `drip` each byte of the body comes so many seconds after the one before, with
    `drip_headers` each byte of a header that never ends.
    """

    body: Any = ""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    delay: float = 0.0
    drop: int | None = None
    drop_connection: bool = False
    drip: float = 0.0
    drip_headers: float = 0.0
    content_type: str = "application/json"


def completion(
    text: str = "Yes",
    *,
    logprobs: Sequence[tuple[str, float]] | None = (("Yes", -0.1), ("No", -2.4)),
    usage: dict[str, int] | None = None,
    refusal: str | None = None,
    end: str = "length",
) -> Answer:
    """Return a well-formed chat completion."""
    top = [{"token": token, "logprob": value, "bytes": None} for token, value in logprobs or ()]
    content = [{**top[0], "top_logprobs": top}] if top else []
    return Answer(
        {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "model": "tiny-2026",
            "choices": [
                {
                    "index": 0,
                    "message": {"role": "assistant", "content": text, "refusal": refusal},
                    "logprobs": None if logprobs is None else {"content": content},
                    "finish_reason": end,
                }
            ],
            "usage": {"prompt_tokens": 30, "completion_tokens": 1} if usage is None else usage,
        }
    )


@dataclass
class Provider:
    """What was asked so far, and the settings to ask with."""

    settings: EndpointSettings
    requests: list[dict[str, Any]] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)


Script = Sequence[Answer] | Callable[[dict[str, Any]], Answer]


@contextmanager
def provider(script: Script, *, api_key: str = "sk-secret-123456") -> Iterator[Provider]:
    """Serve the answers in order, the last one for ever, or what the callable makes of a body."""
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            with lock:
                number = len(served.requests)
                served.requests.append(request)
                served.times.append(time.monotonic())
                served.headers.append({k.lower(): v for k, v in self.headers.items()})
            answer = script(request) if callable(script) else script[min(number, len(script) - 1)]
            time.sleep(answer.delay)
            body = answer.body
            if not isinstance(body, bytes):
                body = (body if isinstance(body, str) else json.dumps(body)).encode()
            if answer.drop_connection:
                self.connection.shutdown(socket.SHUT_RDWR)
                self.close_connection = True
                return
            try:
                if answer.drip_headers:
                    self.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
                    while True:
                        self.wfile.write(b"x")
                        time.sleep(answer.drip_headers)
                self.send_response(answer.status)
                self.send_header("Content-Type", answer.content_type)
                self.send_header("Content-Length", str(len(body)))
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                self.end_headers()
                for piece in [body[i : i + 1] for i in range(len(body))] if answer.drip else ():
                    self.wfile.write(piece)
                    time.sleep(answer.drip)
                if not answer.drip:
                    self.wfile.write(body if answer.drop is None else body[: answer.drop])
                if answer.drop is not None:
                    self.connection.shutdown(socket.SHUT_RDWR)
                    self.close_connection = True
            except (BrokenPipeError, ConnectionResetError):
                self.close_connection = True

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

    server = Server(("127.0.0.1", 0), Handler)
    url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    served = Provider(EndpointSettings(url=url, model="tiny", api_key=api_key))
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield served
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
