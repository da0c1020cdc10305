"""Whether a failed try is worth another, and after how long."""

from __future__ import annotations

import random
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from math import isfinite

FIRST_SECONDS = 0.5
LONGEST_SECONDS = 30.0
LONGEST_ASKED_SECONDS = 120.0
"""A server that asks for a longer wait is given up at once; the run can be resumed."""

_JITTER = 0.25
_RATE_LIMITED = 429
_TIMED_OUT = 408


def retry_wait(
    attempt: int, *, status: int | None = None, headers: Mapping[str, str] | None = None
) -> float | None:
    """Return the seconds to wait before the next try; None where another would fail too.

    A wait the server names is kept to. Otherwise waits double from half a second up to thirty.
    Each differs by up to a quarter at random, a named one upwards and another downwards, so that
    threads which failed together don't come back together.

    Parameters
    ----------
    attempt : int
        Tries that failed before this one.
    status : int, optional
        HTTP status of the answer; None where the connection broke, timed out or held no answer.
        Of statuses only 408, 429 and those from 500 pass.
    headers : mapping, optional
        Of the answer; `retry-after-ms` and `retry-after` (seconds or a date) are read.
    """
    if status is not None and status not in (_TIMED_OUT, _RATE_LIMITED) and status < 500:
        return None
    asked = _asked(headers or {})
    if asked is not None and asked > LONGEST_ASKED_SECONDS:
        return None
    spread = _JITTER * random.random()  # noqa: S311 - spreads tries, guards nothing
    if asked:
        return asked * (1 + spread)
    return min(FIRST_SECONDS * 2.0 ** min(attempt, 10), LONGEST_SECONDS) * (1 - spread)


def _asked(headers: Mapping[str, str]) -> float | None:
    """Return the wait the server names, in seconds; None where it names none that makes sense."""
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        try:
            seconds = float(headers.get(name, "")) * unit
        except ValueError:
            continue
        if isfinite(seconds) and seconds >= 0:
            return seconds
    try:
        until = parsedate_to_datetime(headers.get("retry-after", ""))
    except ValueError:
        return None
    if until.tzinfo is None:
        until = until.replace(tzinfo=UTC)
    return max(0.0, (until - datetime.now(UTC)).total_seconds())
