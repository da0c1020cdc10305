"""Intercom: a conversation of the customer, opened with the summary and the transcript.

By its REST API: `POST /contacts/search`, `POST /contacts` where the customer is not known yet, and
`POST /conversations`, which opens a conversation on a contact's behalf in plain text. Errors come
as `error.list`, limits as 429 with `X-RateLimit-Reset` in seconds since 1970. Intercom has no
idempotency key.
"""

from __future__ import annotations

from typing import Any

from handoff_eval.handoff_rules import LiveSide
from handoff_eval.mail.brief import Brief
from handoff_eval.mail.live import LARGEST_TEXT, Desk, LiveAnswer, Refused

VERSION = "2.14"


class IntercomDesk(Desk):
    """Opens conversations in Intercom.

    Parameters
    ----------
    side : LiveSide
    token : str
        An access token that may read and write contacts and conversations.
    """

    name = "intercom"

    def __init__(self, side: LiveSide, *, token: str) -> None:
        super().__init__(side, {"Authorization": f"Bearer {token}", "Intercom-Version": VERSION})

    def _open(self, brief: Brief) -> LiveAnswer:
        summary = "\n".join(brief.lines)
        # The customer sees this conversation, so it holds their own words and the agent's alone.
        body = f"{brief.subject}\n\n{summary}\n\nTranscript\n\n{brief.transcript}"
        if len(body) > LARGEST_TEXT:
            raise Refused("the transcript is too long for one message")
        contact = self._contact(brief)
        opened = self._post("/conversations", {"from": contact, "body": body})
        reference = opened.get("conversation_id")
        if not isinstance(reference, str | int):
            raise Refused("the answer names no conversation")
        return LiveAnswer(reference=f"intercom conversation {reference}")

    def _contact(self, brief: Brief) -> dict[str, str]:
        """Return who the conversation is from, made known to Intercom where they are new."""
        known = [("external_id", brief.customer_id), ("email", brief.address)]
        stated = {field: value for field, value in known if value}
        if not stated:
            raise Refused("the customer has neither an id nor an address")
        queries = [{"field": f, "operator": "=", "value": v} for f, v in stated.items()]
        found = self._post("/contacts/search", {"query": {"operator": "OR", "value": queries}})
        contacts = found.get("data")
        if not isinstance(contacts, list):
            raise Refused("the answer names no contacts")
        if contacts:
            return _from(contacts[0])
        return _from(self._post("/contacts", {"role": "user", **stated}))

    def _errors_in(self, document: dict[str, Any]) -> str:
        errors = document.get("errors")
        listed = errors if isinstance(errors, list) else []
        return "; ".join(
            f"{error.get('code', '')} {error.get('message', '')}".strip()
            for error in listed
            if isinstance(error, dict)
        )


def _from(contact: Any) -> dict[str, str]:
    if not isinstance(contact, dict) or not isinstance(contact.get("id"), str):
        raise Refused("the answer names no contact")
    role = contact.get("role")
    return {"type": role if role in ("user", "lead") else "contact", "id": contact["id"]}
