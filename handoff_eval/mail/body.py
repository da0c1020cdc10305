"""What a handoff email shows, once in words and rows and then as plain text.

Text from outside passes `View.show` alone: payment cards masked, control characters gone. In the
plain text each line of a turn is set off, so that no customer can write in our name.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from handoff_eval.conversation import Conversation, Reason, Role, Turn
from handoff_eval.decision import Decision
from handoff_eval.handoff import Handoff
from handoff_eval.mail.customer import promise
from handoff_eval.summaries.contact import Contact
from handoff_eval.summaries.facts import FactKind, mask_cards, mask_contacts
from handoff_eval.summaries.sentences import Line, shorten
from handoff_eval.summaries.summary import Summary

INLINE_TRANSCRIPT = 40_000
"""Characters of transcript shown in the body; above that (or 200 turns) it is attached."""

_INLINE_TURNS = 200
_SHORT = 200
_EXCERPT = 1_000
_FACTS_A_ROW = 8

_SPEAKERS = {
    Role.CUSTOMER: "Customer",
    Role.AGENT: "Agent",
    Role.HUMAN: "Team member",
    Role.SYSTEM: "System",
}
_REASONS = {
    Reason.FOLLOW_UP_REQUESTED: "The customer asks for a later answer.",
    Reason.HUMAN_REQUESTED: "The customer asks for a person.",
    Reason.UNRESOLVED: "The need is still open and the agent has no way left to meet it.",
    Reason.HUMAN_REVIEW: "Only a person may grant or judge this.",
    Reason.COMPLAINT: "The customer reports something that the company must answer for.",
    Reason.OTHER: "A person should know about this.",
    None: "The trigger fired without naming a reason.",
}
_UNASKED = "Nothing was asked in so many words; "
_UNASKED_BY_REASON = {
    Reason.UNRESOLVED: "what they came for is still open.",
    Reason.HUMAN_REVIEW: "what they say needs somebody's judgement.",
    Reason.COMPLAINT: "what they report needs somebody's answer.",
    Reason.OTHER: "what they say is for somebody to know.",
    Reason.FOLLOW_UP_REQUESTED: "see the evidence below.",
    Reason.HUMAN_REQUESTED: "see the evidence below.",
    None: "see what it is about.",
}
_ROWS = (
    ("Numbers", (FactKind.IDENTIFIER,)),
    ("Amounts", (FactKind.AMOUNT,)),
    ("Telephone", (FactKind.PHONE,)),
    ("Addresses", (FactKind.EMAIL,)),
    ("Links", (FactKind.LINK,)),
    ("Cards", (FactKind.CARD,)),
    ("Dates", (FactKind.DEADLINE, FactKind.DATE)),
)


class View:
    """What is shown, in words and rows, for both the plain text and the HTML."""

    def __init__(
        self,
        handoff: Handoff,
        conversation: Conversation,
        decision: Decision,
        summary: Summary,
        contact: Contact,
        sent_at: datetime,
    ) -> None:
        self.handoff = handoff
        self.conversation = conversation
        self.decision = decision
        self.summary = summary
        self.contact = contact
        self.sent_at = sent_at
        self.turns: Sequence[Turn] = conversation.turns[: decision.turns]
        self.subject = self.show(summary.subject)
        evidence = decision.explanation.evidence_turn
        self.evidence = (
            evidence if evidence is not None and 0 <= evidence < len(self.turns) else None
        )
        size = sum(len(turn.text) for turn in self.turns)
        self.attached = size > INLINE_TRANSCRIPT or len(self.turns) > _INLINE_TURNS

    def show(self, text: str) -> str:
        """Return text from outside as it may be shown."""
        cleaned = _clean(text)
        return mask_contacts(cleaned) if self.handoff.mask_personal_data else cleaned

    def one_line(self, text: str) -> str:
        """Return a short text from outside that can't begin a line of its own."""
        return " ".join(self.show(text).split())[:_SHORT]

    def page(self) -> dict[str, Any]:
        """Return everything the two bodies show."""
        summary = self.summary
        same = summary.issue == summary.asked
        return {
            "handoff": self.show(self.handoff.name),
            "subject": self.subject,
            "alert": self.alert(),
            "reply": self.reply(),
            "address": self.show(self.contact.address or ""),
            "from_chat": self.contact.from_chat,
            "promise": self.promise(),
            "moods": self.moods(),
            "deadline": self.show(summary.deadline.text) if summary.deadline else "",
            "asked": [self.quote(line) for line in summary.asked],
            "unasked": self.unasked(),
            "written": [self.show(sentence.text) for sentence in summary.written],
            "overview": [self.quote(line) for line in summary.overview],
            "made": summary.note,
            "issue": [] if same else [self.quote(line) for line in summary.issue],
            "tried": [self.quote(line) for line in summary.tried],
            "questions": [self.quote(line) for line in summary.open_questions],
            "rows": self.rows(),
            "reason": _REASONS[summary.reason],
            "fired": self.fired(),
            "evidence": self.evidence_quote(),
            "transcript": self.transcript(whole=False),
            "transcript_note": self.transcript_note(),
        }

    def unasked(self) -> str:
        """Return what stands where nothing is quoted as an ask."""
        summary = self.summary
        sorted_into_sections = not (summary.written or summary.overview)
        if summary.asked or not sorted_into_sections:
            return ""
        return _UNASKED + _UNASKED_BY_REASON[summary.reason]

    def moods(self) -> list[dict[str, Any]]:
        """Return the signals with their words; those that the same words show stand together."""
        together: dict[Line, list[str]] = {}
        for mood in self.summary.moods:
            together.setdefault(mood.line, []).append(mood.signal.value)
        return [{"name": ", ".join(names), **self.quote(line)} for line, names in together.items()]

    def alert(self) -> str:
        """Return the first line where the customer can't be answered, else nothing."""
        if self.contact.address is not None:
            return ""
        fault = "None is on file and they gave none in the chat."
        if self.contact.rejected:
            fault = f"The one on file can't be written to: {self.one_line(self.contact.rejected)}"
        phones = [
            self.show(fact.text)
            for fact in self.summary.facts
            if fact.kind is FactKind.PHONE and self.turns[fact.turn].role is Role.CUSTOMER
        ]
        called = f" They gave a telephone number: {phones[-1]}" if phones else ""
        return f"NO ADDRESS: a reply to this email doesn't reach the customer. {fault}{called}"

    def reply(self) -> str:
        """Return where the address comes from."""
        if self.contact.address is None:
            return ""
        if self.contact.turn is not None:
            return (
                f"from the chat (turn {self.contact.turn + 1}), not on file: check before sending "
                "anything personal"
            )
        return "on file"

    def promise(self) -> str:
        """Return what the customer is told, in the handoff's own response time."""
        when = promise(self.handoff, self.sent_at)
        if self.contact.address is None:
            return f"The customer is asked for an address; an answer is promised {when}."
        return f"The customer is told that a person will follow up by email {when}."

    def rows(self) -> list[tuple[str, list[str]]]:
        """Return who it is and what was named, as labelled rows."""
        conversation = self.conversation
        who = self.one_line(conversation.customer.id or "not signed in")
        channel = f" on {self.one_line(conversation.channel)[:60]}" if conversation.channel else ""
        rows = [("Customer", [f"{who}{channel}"])]
        for name, kinds in _ROWS:
            found = [
                self.show(str(fact))
                + ("" if self.turns[fact.turn].role is Role.CUSTOMER else " (from the agent)")
                for fact in self.summary.facts
                if fact.kind in kinds and fact.turn < len(self.turns)
            ]
            more = len(found) - _FACTS_A_ROW
            if found:
                rest = [f"and {more} more in the transcript"] if more > 0 else []
                rows.append((name, [shorten(f, 200) for f in found[:_FACTS_A_ROW]] + rest))
        if conversation.started_at is not None:
            rows.append(("Started", [_when(conversation.started_at)]))
        rows.append(("Conversation", [self.one_line(conversation.id)]))
        return rows

    def fired(self) -> str:
        """Return score, threshold and moment of the decision."""
        decision = self.decision
        moment = (
            "when the conversation closed" if decision.closed else f"after turn {decision.turns}"
        )
        return (
            f"Score {decision.score:.2f} against a threshold of {decision.threshold:.2f}, {moment}."
        )

    def quote(self, line: Line) -> dict[str, Any]:
        """Return a quoted line with its speaker and turn, counted from 1."""
        return {
            "text": self.show(line.text),
            "turn": line.turn + 1,
            "speaker": _SPEAKERS[self.turns[line.turn].role],
            "customer": self.turns[line.turn].role is Role.CUSTOMER,
        }

    def evidence_quote(self) -> dict[str, Any] | None:
        """Return the turn the decision rests on, None where the trigger named none."""
        if self.evidence is None:
            return None
        text = " ".join(self.turns[self.evidence].text[:_EXCERPT].split())
        line = Line(shorten(text, 400), self.evidence)
        above = line in (*self.summary.asked, *self.summary.issue)
        return {**self.quote(line), "above": above}

    def transcript(self, *, whole: bool) -> list[dict[str, Any]]:
        """Return the turns to show: all of them, or those around the evidence when attached."""
        centre = len(self.turns) - 1 if self.evidence is None else self.evidence
        shown = []
        for index, turn in enumerate(self.turns):
            if self.attached and not whole and abs(index - centre) > 2:
                continue
            text = turn.text if whole or not self.attached else shorten(turn.text, _EXCERPT)
            shown.append(
                {
                    "turn": index + 1,
                    "speaker": _SPEAKERS[turn.role],
                    "customer": turn.role is Role.CUSTOMER,
                    "at": turn.at.strftime("%H:%M") if turn.at is not None else "",
                    "text": self.show(text),
                    "evidence": index == self.evidence,
                }
            )
        return shown

    def transcript_note(self) -> str:
        """Return how much of the conversation is shown, and where the rest is."""
        count = len(self.turns)
        turns = f"{count} turn{'' if count == 1 else 's'}"
        if self.attached:
            return f"{turns}, attached as a text file; below are those around the decision."
        later = " What came later is not shown." if count < len(self.conversation.turns) else ""
        return f"{turns}, up to the decision.{later}"


def _clean(text: str) -> str:
    """Return text without cards or control characters; every kind of line end becomes one."""
    text = re.sub(r"\r\n|[\r\x0b\x0c\x1c-\x1e\x85\u2028\u2029]", "\n", mask_cards(text))
    text = re.sub(r"[\x00-\x08\x0e-\x1f\x7f-\x9f]", "", text)
    return re.sub(r"[\ud800-\udfff]", "\ufffd", text)


def _when(moment: datetime) -> str:
    zone = "" if moment.tzinfo is None else f" {moment.strftime('%Z') or moment.strftime('%z')}"
    return f"{moment.day} {moment.strftime('%B %Y, %H:%M')}{zone}"


def plain_text(page: dict[str, Any]) -> str:
    """Return the email as plain text, for `View.page()`."""
    lines = [page["alert"], ""] if page["alert"] else []
    lines += [page["subject"], ""]
    if page["address"]:
        lines += [f"Reply to this email to answer {page['address']} ({page['reply']})."]
    lines += [page["promise"]]
    if page["deadline"]:
        lines += [f"Needed: {page['deadline']}"]
    for mood in page["moods"]:
        lines += [f"Note: {mood['name']}. {_quoted(mood)}"]
    asked = page["asked"] or page["unasked"]
    if page["written"]:
        lines += ["", "IN A LANGUAGE MODEL'S WORDS", *(f"  {text}" for text in page["written"])]
    for title, content in (
        ("IN SHORT", page["overview"]),
        ("WHAT THEY ASK", asked),
        ("WHAT IT IS ABOUT", page["issue"]),
        ("WHAT WAS TRIED", page["tried"]),
        ("STILL OPEN", page["questions"]),
    ):
        if content:
            told = [content] if isinstance(content, str) else [_quoted(item) for item in content]
            lines += ["", title, *(f"  {text}" for text in told)]
    lines += ["", page["made"]] if page["made"] else []
    lines += ["", "DETAILS"]
    lines += [f"  {name}: {'; '.join(values)}" for name, values in page["rows"]]
    lines += ["", "WHY YOU GOT THIS", f"  {page['reason']} {page['fired']}"]
    evidence = page["evidence"]
    if evidence:
        where = f"turn {evidence['turn']}, quoted above" if evidence["above"] else _quoted(evidence)
        lines += [f"  Evidence: {where}"]
    lines += ["", f"TRANSCRIPT ({page['transcript_note']})", ""]
    lines += transcript_lines(page["transcript"])
    lines += ["-- ", f"Sent once for this conversation by the handoff {page['handoff']}."]
    return "\n".join(lines) + "\n"


def _quoted(item: dict[str, Any]) -> str:
    return f"{item['speaker']}: “{item['text']}” (turn {item['turn']})"


def transcript_lines(turns: list[dict[str, Any]]) -> list[str]:
    """Return the turns as text; each line of a turn is set off, so none can pass for ours."""
    lines = []
    for turn in turns:
        at = f", {turn['at']}" if turn["at"] else ""
        mark = "  <== why this email was sent" if turn["evidence"] else ""
        lines += [f"[{turn['turn']}] {turn['speaker']}{at}{mark}"]
        lines += [f"  | {line}" for line in turn["text"].split("\n")]
        lines += [""]
    return lines
