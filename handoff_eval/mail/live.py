"""The live side: a help desk that takes a handoff over while the team is open.

Every answer but a clear acceptance is a refusal, and a refusal sends the email. A help desk that
accepts and whose answer is lost has the conversation, and the team gets the email too: the window
of docs/reliability.md.
"""

from __future__ import annotations

import json
import os
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, Protocol

from handoff_eval.errors import MissingExtraError, SettingsError
from handoff_eval.handoff import Handoff
from handoff_eval.handoff_rules import LiveSide
from handoff_eval.mail.brief import Brief

if TYPE_CHECKING:
    import httpx

TOKEN_VARIABLE = "HANDOFF_EVAL_LIVE_TOKEN"  # noqa: S105 - a name, not a secret
USER_VARIABLE = "HANDOFF_EVAL_LIVE_USER"
LARGEST_TEXT = 60_000
"""Characters that a help desk takes in one message; a longer transcript goes by email, whole."""

_LARGEST_ANSWER = 1_000_000
_DEFAULT_PAUSE = 60.0


@dataclass(frozen=True, slots=True)
class LiveAnswer:
    """What the live side said.

    Parameters
    ----------
    reference : str or None
        What it calls the handoff; None where it didn't take it.
    words : str
        Why not, in its own words.
    """

    reference: str | None = None
    words: str = ""

    @property
    def accepted(self) -> bool:
        """Whether somebody has it."""
        return self.reference is not None


class LiveHandoff(Protocol):
    """A help desk; each client passes the same contract test."""

    def open(self, brief: Brief) -> LiveAnswer:
        """Hand a conversation over; never raises for what the other side does."""
        ...

    def close(self) -> None:
        """End the connection."""
        ...


class Desk(ABC):
    """A help desk behind a JSON API: time limits, rate limits and errors, the same for each.

    After a 429, or at the last request of a window, the API is left alone until the time it
    names; what fires meanwhile goes by email.

    Parameters
    ----------
    side : LiveSide
    headers : mapping of str to str
        What each request carries, the login included.
    clock : callable
        Seconds since 1970.
    """

    name = "desk"

    def __init__(
        self, side: LiveSide, headers: Mapping[str, str], *, clock: Callable[[], float] = time.time
    ) -> None:
        try:
            import httpx
        except ImportError:
            raise MissingExtraError(
                "Expected httpx, which live handoffs need, to be installed; it is not. "
                "Run: pip install 'handoff-eval[service]'"
            ) from None
        self._errors = httpx.HTTPError
        self._side = side
        self._headers = {"Accept": "application/json", **headers}
        self._clock = clock
        self._quiet_until = 0.0
        self._client: httpx.Client | None = None

    def open(self, brief: Brief) -> LiveAnswer:
        """Hand a conversation over; every failure is a refusal in words."""
        wait = self._quiet_until - self._clock()
        if wait > 0:
            return LiveAnswer(words=f"{self.name} asked for a pause; {wait:.0f} seconds are left")
        try:
            return self._open(brief)
        except Refused as refusal:
            return LiveAnswer(words=f"{self.name}: {refusal}")
        except self._errors as error:
            return LiveAnswer(words=f"{self.name}: {type(error).__name__}: {error}")

    def close(self) -> None:
        """End the connection; the next handoff opens another."""
        client, self._client = self._client, None
        if client is not None:
            client.close()

    def _connected(self) -> httpx.Client:
        import httpx

        if self._client is None:
            self._client = httpx.Client(
                base_url=self._side.url.rstrip("/"),
                headers=self._headers,
                timeout=self._side.timeout,
                follow_redirects=False,
                trust_env=False,
            )
        return self._client

    @abstractmethod
    def _open(self, brief: Brief) -> LiveAnswer: ...

    @abstractmethod
    def _errors_in(self, document: dict[str, Any]) -> str: ...

    def _post(
        self, path: str, body: Mapping[str, Any], headers: Mapping[str, str] | None = None
    ) -> dict[str, Any]:
        """Return the JSON object of a 2xx answer; raise `Refused` for everything else."""
        limit = time.monotonic() + self._side.timeout
        content = b""
        with self._connected().stream("POST", path, json=body, headers=headers) as response:
            for chunk in response.iter_bytes():
                content += chunk
                if time.monotonic() > limit or len(content) > _LARGEST_ANSWER:
                    raise Refused("the answer takes too long or is too large")
        self._heed_limits(response.status_code, response.headers)
        try:
            document = json.loads(content)
        except ValueError:
            document = None
        if not response.is_success:
            words = self._errors_in(document) if isinstance(document, dict) else ""
            raise Refused(f"{response.status_code} {words or response.reason_phrase}")
        if not isinstance(document, dict):
            raise Refused(f"{response.status_code}, and the answer is no JSON object")
        return document

    def _heed_limits(self, status: int, headers: Mapping[str, str]) -> None:
        now = self._clock()
        spent = headers.get("X-RateLimit-Remaining", headers.get("X-Rate-Limit-Remaining")) == "0"
        if status != 429 and not spent:
            return
        named = [
            _pause(headers.get("Retry-After"), now),
            _until(headers.get("X-RateLimit-Reset"), now),
            _number(headers.get("ratelimit-reset")),
        ]
        pause = next((seconds for seconds in named if seconds is not None), _DEFAULT_PAUSE)
        self._quiet_until = now + min(max(pause, 0.0), 3600.0)


class Refused(Exception):  # noqa: N818 - an answer, not an error of ours
    """The other side did not take it, in its words."""


def open_live(side: LiveSide) -> LiveHandoff:
    """Return the client of a help desk, its login read from the environment.

    `HANDOFF_EVAL_LIVE_TOKEN` is Intercom's access token or Zendesk's API token, and
    `HANDOFF_EVAL_LIVE_USER` the address of the Zendesk user it belongs to.

    Raises
    ------
    SettingsError
        When the login is missing.
    MissingExtraError
        When httpx is not installed.
    """
    from handoff_eval.mail.intercom import IntercomDesk
    from handoff_eval.mail.zendesk import ZendeskDesk

    token = os.environ.get(TOKEN_VARIABLE)
    if not token:
        raise SettingsError(f"Expected {TOKEN_VARIABLE} to hold the token of {side.service}.")
    if side.service == "intercom":
        return IntercomDesk(side, token=token)
    user = os.environ.get(USER_VARIABLE)
    if not user:
        raise SettingsError(f"Expected {USER_VARIABLE} to hold the address of a Zendesk user.")
    return ZendeskDesk(side, user=user, token=token)


def open_live_sides(handoffs: Iterable[Handoff]) -> dict[str, LiveHandoff]:
    """Return the client of each handoff that has a live side, by the handoff's name."""
    return {
        handoff.name: open_live(handoff.live) for handoff in handoffs if handoff.live is not None
    }


def _number(text: str | None) -> float | None:
    try:
        return None if text is None else float(text)
    except ValueError:
        return None


def _pause(text: str | None, now: float) -> float | None:
    """Read Retry-After, which is seconds or a date."""
    seconds = _number(text)
    if seconds is not None or text is None:
        return seconds
    try:
        return parsedate_to_datetime(text).timestamp() - now
    except ValueError:
        return None


def _until(text: str | None, now: float) -> float | None:
    """Read a reset time in seconds since 1970."""
    moment = _number(text)
    if moment is None or moment < datetime(2000, 1, 1, tzinfo=UTC).timestamp():
        return None
    return moment - now
