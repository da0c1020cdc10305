"""The HTTP client under the endpoint: no redirects, and no answer that drips for ever."""

from __future__ import annotations

import ssl
import time
from typing import Any

import httpcore2
import httpx2


class _TimedStream(httpcore2.NetworkStream):
    """A connection on which an answer must be whole by a time, however steadily it drips.

    The time runs from the last byte of the request, over headers and body alike.
    """

    def __init__(self, stream: httpcore2.NetworkStream, seconds: float) -> None:
        self._stream = stream
        self._seconds = seconds
        self._until = time.monotonic() + seconds

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        left = self._until - time.monotonic()
        if left <= 0:
            raise httpcore2.ReadTimeout(f"the answer took longer than {self._seconds:g} seconds")
        return self._stream.read(max_bytes, left if timeout is None else min(timeout, left))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, timeout)
        self._until = time.monotonic() + self._seconds

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore2.NetworkStream:
        secured = self._stream.start_tls(ssl_context, server_hostname, timeout)
        return _TimedStream(secured, self._seconds)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


class _TimedBackend(httpcore2.SyncBackend):
    """Opens connections that keep to the time."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def connect_tcp(self, *args: Any, **options: Any) -> httpcore2.NetworkStream:
        return _TimedStream(super().connect_tcp(*args, **options), self._seconds)


def http_client(*, timeout: float, trust_env: bool) -> httpx2.Client:
    """Return a client for one endpoint.

    A redirect is not followed: it would carry transcripts to an address nobody set.

    Parameters
    ----------
    timeout : float
        Seconds for a whole answer, headers included, before a try counts as failed.
    trust_env : bool
        Whether the proxies of the environment are used.
    """
    client = httpx2.Client(
        timeout=timeout,
        trust_env=trust_env,
        follow_redirects=False,
        # The asker's threads set how many are open; this is only a roof.
        limits=httpx2.Limits(max_connections=1000, max_keepalive_connections=100),
    )
    # httpx2 has no setting for what opens its connections, with or without a proxy.
    for transport in (client._transport, *client._mounts.values()):
        if isinstance(transport, httpx2.HTTPTransport):
            transport._pool._network_backend = _TimedBackend(timeout)
    return client
