"""What every request passes: its token, its size, and a line in the log.

It comes before the body is parsed, so that nobody without a token makes the service work.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import logging
import time
from collections.abc import Sequence

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from handoff_eval.production.service.observe import Metrics

_LOGGER = logging.getLogger("handoff_eval.service")
_BODY_SECONDS = 20.0


class Guard:
    """An ASGI application around the service's own.

    Parameters
    ----------
    app : ASGI application
    tokens : sequence of str
        Any of them opens `/v1`; empty lets everybody in.
    max_body : int
        Bytes of a request's body.
    metrics : Metrics
    """

    def __init__(
        self, app: ASGIApp, *, tokens: Sequence[str], max_body: int, metrics: Metrics
    ) -> None:
        self._app = app
        self._tokens = [hashlib.sha256(token.encode()).digest() for token in tokens]
        self._max_body = max_body
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun, status = time.perf_counter(), 500

        async def note(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._pass(scope, receive, note)
        finally:
            self._log(scope, status, time.perf_counter() - begun)

    async def _pass(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = {name.lower(): value for name, value in scope["headers"]}
        if scope["path"].startswith("/v1/") and not self._may(headers.get(b"authorization", b"")):
            await _refuse(send, 401, "Expected 'Authorization: Bearer' with a token we know.")
            return
        stated = headers.get(b"content-length", b"0")
        if not stated.isdigit() or int(stated) > self._max_body:
            await self._too_large(send)
            return
        try:
            async with asyncio.timeout(_BODY_SECONDS):
                body = await self._read(receive)
        except TimeoutError:
            await _refuse(send, 408, f"Expected the body within {_BODY_SECONDS:g} seconds.")
            return
        if body is None:
            await self._too_large(send)
            return
        given = False

        async def replay() -> Message:
            nonlocal given
            if given:
                return await receive()
            given = True
            return {"type": "http.request", "body": body, "more_body": False}

        await self._app(scope, replay, send)

    def _may(self, header: bytes) -> bool:
        if not self._tokens:
            return True
        kind, _, token = header.partition(b" ")
        digest = hashlib.sha256(token.strip()).digest()
        known = [hmac.compare_digest(digest, one) for one in self._tokens]
        return kind.lower() == b"bearer" and any(known)

    async def _read(self, receive: Receive) -> bytes | None:
        body, more = b"", True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                break
            body += message.get("body", b"")
            more = message.get("more_body", False)
            if len(body) > self._max_body:
                return None
        return body

    async def _too_large(self, send: Send) -> None:
        await _refuse(send, 413, f"Expected a body of at most {self._max_body} bytes; got more.")

    def _log(self, scope: Scope, status: int, seconds: float) -> None:
        route = getattr(scope.get("route"), "path", None) or "none"
        self._metrics.requests.labels(route, str(status)).observe(seconds)
        if not route.startswith("/v1/"):
            return
        _LOGGER.info(
            "request",
            extra={
                "facts": {
                    "method": scope["method"],
                    "route": route,
                    # One that is no id may be anything, a customer's words even.
                    **({} if status == 422 else scope.get("path_params", {})),
                    "status": status,
                    "ms": round(seconds * 1000, 1),
                }
            },
        )


async def _refuse(send: Send, status: int, words: str) -> None:
    body = json.dumps({"error": words}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    if status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    if status in {408, 413}:
        headers.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
