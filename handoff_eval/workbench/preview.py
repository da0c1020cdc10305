"""The notebook widget that shows a handoff email as a colleague gets it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any

from handoff_eval.conversation import Conversation
from handoff_eval.decision import Decision
from handoff_eval.errors import DataError
from handoff_eval.handoff import Handoff
from handoff_eval.mail.customer import customer_message
from handoff_eval.mail.message import build_message, view_of
from handoff_eval.mail.page import body_of
from handoff_eval.summaries.structured import StructuredSummarizer
from handoff_eval.summaries.summary import Summarizer
from handoff_eval.workbench.screen import Screen, script, style
from handoff_eval.workbench.static import Element, element, table

HEADERS = ("From", "To", "Reply-To", "Subject", "Date")
POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'"
"""Beside the sandbox, which runs no script, this fetches nothing."""


class EmailPreview(Screen):
    """Shows the email of each decision that fired, and what the agent tells the customer.

    → and ← go on and back; `h`, `t` and `c` show the email as HTML, as plain text, and the
    message to the customer.

    Parameters
    ----------
    handoff : Handoff
        Whose email it is.
    conversations : mapping of str to Conversation
        By id.
    decisions : sequence of Decision
        Those that fired are shown, in this order.
    sent_at : datetime
        The emails' date, with a time zone.
    summarizer : Summarizer, optional
        Writes the summary; the structured one, which needs no model, when None.

    Raises
    ------
    DataError
        When no decision fired, one is about a conversation that isn't given, or `sent_at` has no
        time zone.

    Examples
    --------
    >>> EmailPreview(handoff, by_id, decisions, sent_at=datetime.now(UTC))  # doctest: +SKIP
    """

    _esm = script("preview")
    _css = style("preview")

    def __init__(
        self,
        handoff: Handoff,
        conversations: Mapping[str, Conversation],
        decisions: Sequence[Decision],
        *,
        sent_at: datetime,
        summarizer: Summarizer | None = None,
    ) -> None:
        self._fired = [decision for decision in decisions if decision.fired]
        if not self._fired:
            raise DataError(
                f"Expected a decision that fired; none of {len(decisions)} did, so there is no "
                "email to show."
            )
        missing = [d.conversation_id for d in self._fired if d.conversation_id not in conversations]
        if missing:
            raise DataError(
                f"Expected the conversation of every decision that fired; {len(missing)} are "
                f"missing, such as {missing[0]!r}."
            )
        self._handoff = handoff
        self._conversations = conversations
        self._sent_at = sent_at
        self._summarizer = summarizer or StructuredSummarizer()
        self._place = 0
        self._email = lru_cache(maxsize=32)(self._write)
        super().__init__()

    def _write(self, place: int) -> dict[str, Any]:
        """Return one email in parts; a model that summarises is asked once for each."""
        decision = self._fired[place]
        conversation = self._conversations[decision.conversation_id]
        view = view_of(
            self._handoff,
            conversation,
            decision,
            self._summarizer.summarize(conversation.turns, decision=decision),
            sent_at=self._sent_at,
        )
        message = build_message(view)
        guard = f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        return {
            "id": conversation.id,
            "headers": [[name, str(message[name])] for name in HEADERS if message[name]],
            "attachments": [part.get_filename() or "" for part in message.iter_attachments()],
            "html": (body_of(message, "html") or "").replace("<head>", f"<head>{guard}", 1),
            "plain": body_of(message, "plain") or "",
            "customer": customer_message(
                self._handoff, conversation, at=self._sent_at, turns=decision.turns
            ),
        }

    def _state(self) -> dict[str, Any]:
        return {**self._email(self._place), "place": self._place, "count": len(self._fired)}

    def _act(self, action: str, content: Mapping[str, Any]) -> None:
        if action == "step":
            wanted = self._place + int(content["by"])
            if not 0 <= wanted < len(self._fired):
                self._say("This is the last one." if wanted > 0 else "This is the first one.")
            self._place = min(max(wanted, 0), len(self._fired) - 1)

    def _picture(self) -> list[Element]:
        email = self._email(self._place)
        block = "white-space:pre-wrap;overflow-wrap:anywhere"
        return [
            element("p", self._words()),
            table(["header", "value"], email["headers"]),
            element("pre", email["plain"], style=block),
            element("p", element("b", "The agent tells the customer: "), email["customer"]),
        ]

    def _words(self) -> str:
        email = self._email(self._place)
        return f"Email {self._place + 1} of {len(self._fired)}, about {email['id']}."
