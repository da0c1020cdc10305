"""Zendesk: a ticket whose first comment is the summary with the transcript, for agents only.

By its Ticketing API: `POST /api/v2/tickets.json` with an `Idempotency-Key`, under which a repeated
request within two hours returns the first ticket, and `external_id`. Errors come as `error` with
`description` and `details`, limits as 429 with `Retry-After` in seconds.
"""

from __future__ import annotations

import base64
from typing import Any

from handoff_eval.handoff_rules import LiveSide
from handoff_eval.mail.brief import Brief
from handoff_eval.mail.live import LARGEST_TEXT, Desk, LiveAnswer, Refused


class ZendeskDesk(Desk):
    """Creates tickets in Zendesk.

    Parameters
    ----------
    side : LiveSide
    user, token : str
        The address of an agent and an API token.
    """

    name = "zendesk"

    def __init__(self, side: LiveSide, *, user: str, token: str) -> None:
        login = base64.b64encode(f"{user}/token:{token}".encode()).decode()
        super().__init__(side, {"Authorization": f"Basic {login}"})

    def _open(self, brief: Brief) -> LiveAnswer:
        summary = "\n".join(brief.lines)
        body = f"{summary}\n\n{brief.reason}\n\nTranscript\n\n{brief.transcript}"
        if len(body) > LARGEST_TEXT:
            raise Refused("the transcript is too long for one comment")
        ticket: dict[str, Any] = {
            "subject": brief.subject,
            "comment": {"body": body, "public": False},
            "external_id": brief.key,
            "tags": ["ai_handoff"],
        }
        if brief.address is not None:
            name = brief.customer_id or brief.address
            ticket["requester"] = {"name": name[:200], "email": brief.address}
        created = self._post(
            "/api/v2/tickets.json", {"ticket": ticket}, {"Idempotency-Key": brief.key}
        ).get("ticket")
        if not isinstance(created, dict) or not isinstance(created.get("id"), int):
            raise Refused("the answer names no ticket")
        return LiveAnswer(reference=f"zendesk ticket {created['id']}")

    def _errors_in(self, document: dict[str, Any]) -> str:
        error = document.get("error")
        if isinstance(error, dict):
            return f"{error.get('title', '')}: {error.get('message', '')}"
        return " ".join(str(part) for part in (error, document.get("description")) if part)
