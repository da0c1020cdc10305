"""The HTTP client under the endpoint: no redirects, and no answer that drips for ever."""

from __future__ import annotations

import time
from collections.abc import Iterator

import httpx2


class _Timed(httpx2.SyncByteStream):
    """A body that must be complete by a time, however steadily it drips."""

    def __init__(self, stream: httpx2.SyncByteStream, seconds: float) -> None:
        self._stream = stream
        self._seconds = seconds
        self._until = time.monotonic() + seconds

    def __iter__(self) -> Iterator[bytes]:
        for chunk in self._stream:
            yield chunk
            if time.monotonic() > self._until:
                raise httpx2.ReadTimeout(f"the body took longer than {self._seconds:g} seconds")

    def close(self) -> None:
        self._stream.close()


def http_client(*, timeout: float, trust_env: bool) -> httpx2.Client:
    """Return a client for one endpoint.

    A redirect is not followed: it would carry transcripts to an address nobody set.

    Parameters
    ----------
    timeout : float
        Seconds without a byte, and seconds for a whole body, before a try counts as failed.
    trust_env : bool
        Whether the proxies of the environment are used.
    """

    def limit(response: httpx2.Response) -> None:
        stream = response.stream
        if isinstance(stream, httpx2.SyncByteStream):
            response.stream = _Timed(stream, timeout)

    return httpx2.Client(
        timeout=timeout,
        trust_env=trust_env,
        follow_redirects=False,
        event_hooks={"response": [limit]},
        # The asker's threads set how many are open; this is only a roof.
        limits=httpx2.Limits(max_connections=1000, max_keepalive_connections=100),
    )
