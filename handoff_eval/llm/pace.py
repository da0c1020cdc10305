"""When a try may begin: an even pace below a provider's limits, and pauses all threads keep."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

MINUTE = 60.0


class Pace:
    """Spaces tries evenly, so that a minute holds the requests and tokens allowed, and one more.

    Several threads share one. The tokens of a try are estimated before it and put right after it.

    Parameters
    ----------
    requests_per_minute, tokens_per_minute : float, optional
        No limit where None.
    clock, sleep : callable
        In seconds.
    """

    def __init__(
        self,
        *,
        requests_per_minute: float | None = None,
        tokens_per_minute: float | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._request_seconds = MINUTE / requests_per_minute if requests_per_minute else 0.0
        self._token_seconds = MINUTE / tokens_per_minute if tokens_per_minute else 0.0
        self._clock = clock
        self._sleep = sleep
        self._lock = threading.Lock()
        self._next_request = self._next_token = self._paused_until = clock()

    def wait(self, tokens: int) -> None:
        """Sleep until a try of about so many tokens may begin."""
        with self._lock:
            start = max(self._clock(), self._next_request, self._next_token)
            self._next_request = start + self._request_seconds
            self._next_token = start + tokens * self._token_seconds
        # A pause may be called, or made longer, by another thread while this one sleeps.
        while (left := max(start, self._paused_until) - self._clock()) > 0:
            self._sleep(left)

    def settle(self, estimated: int, counted: int) -> None:
        """Put the estimate of a try right by what the provider counted."""
        with self._lock:
            self._next_token += (counted - estimated) * self._token_seconds

    def pause(self, seconds: float) -> None:
        """Begin no try of any thread for so long; a longer pause stays."""
        with self._lock:
            self._paused_until = max(self._paused_until, self._clock() + seconds)
