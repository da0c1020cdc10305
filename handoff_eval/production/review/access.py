"""Who may use the page: a token in the address, then a cookie; and proof that a form is ours."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Collection


class Access:
    """Makes and checks sessions, with a key that lives as long as the process.

    Parameters
    ----------
    token : str, optional
        What the address must carry once; a random one when None.
    hosts : collection of str
        Names under which the page answers, with their port; empty for any. On loopback only its
        own, so that no page of another name in the same browser can be made to reach it.
    """

    def __init__(self, *, token: str | None = None, hosts: Collection[str] = ()) -> None:
        self.token = token or secrets.token_urlsafe(24)
        self.hosts = frozenset(hosts)
        self._key = secrets.token_bytes(32)

    def is_token(self, given: str) -> bool:
        """Return whether a text is the token."""
        return hmac.compare_digest(given.encode(), self.token.encode())

    def answers_to(self, host: str) -> bool:
        """Return whether the page answers under a name."""
        return not self.hosts or host in self.hosts

    def new_session(self) -> str:
        """Return the value of a cookie that `is_session` knows."""
        name = secrets.token_urlsafe(18)
        return f"{name}.{self._sign('session', name)}"

    def is_session(self, cookie: str) -> bool:
        """Return whether a cookie was made here."""
        name, _, signature = cookie.partition(".")
        expected = self._sign("session", name)
        return hmac.compare_digest(signature.encode(), expected.encode())

    def form_token(self, session: str) -> str:
        """Return what a form of this session carries, and no other page can know."""
        return self._sign("form", session)

    def is_form(self, session: str, given: str) -> bool:
        """Return whether a form of this session was sent."""
        return hmac.compare_digest(given.encode(), self.form_token(session).encode())

    def _sign(self, purpose: str, value: str) -> str:
        return hmac.new(self._key, f"{purpose}:{value}".encode(), hashlib.sha256).hexdigest()
