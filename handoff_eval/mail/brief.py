"""A handoff in short, as it is stored beside its email: for the live side and for a digest."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

from handoff_eval.mail.body import View, transcript_lines


@dataclass(frozen=True, slots=True)
class Brief:
    """What the team must know of one conversation, in text that may be shown.

    Parameters
    ----------
    key : str
        The same for the same handoff and conversation.
    address : str or None
        Where the customer can be answered.
    customer_id : str or None
        As the platform names them.
    lines : tuple of str
        The summary: what they ask, what it is about, what was tried, each quoted with its turn.
    transcript : str
        Up to the decision.
    """

    key: str
    handoff: str
    conversation_id: str
    subject: str
    address: str | None
    customer_id: str | None
    reason: str
    lines: tuple[str, ...]
    transcript: str

    @classmethod
    def of(cls, view: View, *, key: str, with_transcript: bool) -> Brief:
        """Return the short form of what an email shows; a digest needs no transcript."""
        page = view.page()
        lines = [page["alert"]] if page["alert"] else []
        lines += [f"Needed: {page['deadline']}"] if page["deadline"] else []
        lines += [f"In a language model's words: {text}" for text in page["written"]]
        for title, items in (
            ("In short", page["overview"]),
            ("Asks", page["asked"]),
            ("About", page["issue"]),
            ("Tried", page["tried"]),
            ("Open", page["questions"]),
        ):
            lines += [
                f"{title}: {item['speaker']}: “{item['text']}” (turn {item['turn']})"
                for item in items
            ]
        return cls(
            key=key,
            handoff=view.handoff.name,
            conversation_id=view.one_line(view.conversation.id),
            subject=page["subject"],
            address=view.contact.address,
            customer_id=view.conversation.customer.id,
            reason=page["reason"],
            lines=(*lines, *([page["made"]] if page["made"] else [])) or (page["unasked"],),
            transcript="\n".join(transcript_lines(view.transcript(whole=True)))
            if with_transcript
            else "",
        )

    def to_json(self) -> str:
        """Return it as JSON."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Brief:
        """Read what `to_json` wrote."""
        values = json.loads(text)
        return cls(**{**values, "lines": tuple(values["lines"])})
