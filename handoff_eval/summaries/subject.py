"""A subject line that says the ask: who needs what, for which order, by when, in their words."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from handoff_eval.conversation import Reason
from handoff_eval.summaries.cues import LEAD_IN, Signal
from handoff_eval.summaries.facts import Fact, FactKind
from handoff_eval.summaries.patterns import IBAN
from handoff_eval.summaries.sentences import shorten_at_clause

SUBJECT = 90
"""Most characters of a subject."""

_REASONS = {
    Reason.FOLLOW_UP_REQUESTED: "Wants a follow-up",
    Reason.HUMAN_REQUESTED: "Wants a person",
    Reason.UNRESOLVED: "Unresolved",
    Reason.HUMAN_REVIEW: "For review",
    Reason.COMPLAINT: "Complaint",
    Reason.OTHER: "For the team",
    None: "Needs an answer",
}
_SIGNALS = {
    Signal.DANGER: "Health or safety",
    Signal.BEREAVEMENT: "Bereavement",
    Signal.FRAUD: "Possible fraud",
    Signal.LEGAL: "Legal",
}


def _topic(pattern: str) -> re.Pattern[str]:
    return re.compile(rf"(?<!\w)(?:{pattern})(?!\w)", re.IGNORECASE)


_DELETION = _topic(
    r"(?:delete|erase|wipe|remove|forget)d?\b[^.!?]{0,40}\b(?:my (?:\w+ ){0,2}(?:data|account|"
    r"history|"
    r"records?|profile|details|photos?)|everything|(?:about|on|of) me|forget me|your systems?)|"
    r"(?:everything|my (?:data|account|history))\b[^.!?]{0,40}\b(?:deleted|erased|wiped|removed)|"
    r"right to be forgotten|daten löschen|supprimer mes données|borrar mis datos"
)
_CALL = _topic(
    r"(?:call|ring|phone|telephone)(?:ing)? (?:me|us|back|her|him)|give (?:me|us) a (?:call|ring|"
    r"bell)|"
    r"call-?back|(?:a|by) (?:phone |telephone )?call|(?:talk|speak|"
    r"discuss)\w*[^.!?]{0,40} on the phone|by phone|rufen sie|rappelez|"
    r"llámenme"
)
_WRITTEN = _topic(
    r"in writing|written (?:answer|reply|confirmation|statement)|(?:write|email|e-mail|mail|"
    r"message|text) "
    r"(?:to )?(?:me|us)|(?:drop|shoot|send) (?:me|us) (?:a|an) (?:line|note|email|mail|message)|"
    r"by (?:e-?mail|post)|\S+@\S+"
)
_NOUNS = (
    (
        "Refund",
        _topic(
            r"refund\w*|money back|reimburs\w*|rückerstattung|geld zurück|reembols\w*|rembours\w*|"
            r"rimbors\w*|zwrot\w*"
        ),
    ),
    ("Cancellation", _topic(r"cancel\w*|stornier\w*|kündig\w*|résili\w*|cancelar")),
    ("Replacement", _topic(r"replac\w*|umtausch\w*|reemplaz\w*")),
    ("Compensation", _topic(r"compensat\w*|goodwill")),
    (
        "Exception",
        _topic(r"waive\w*|let (?:me|us|it) off|(?:make )?an exception|meet (?:me|us) halfway"),
    ),
)


def name_ask(asked: str, *, topic: str, reason: Reason | None, signals: Sequence[Signal]) -> str:
    """Return what the customer wants in a word or three: "Refund", "Wants a call".

    Parameters
    ----------
    asked : str
        Their asks; when empty, the topic is looked at instead.
    topic : str
        Their sentence that says best what it is about.
    reason : Reason, optional
    signals : sequence of Signal
        Moods of the decision's turn; a grave one names a matter for review.
    """
    if _DELETION.search(asked):
        return "Data deletion"
    if reason is Reason.COMPLAINT:
        return "Complaint"
    if reason in (Reason.FOLLOW_UP_REQUESTED, Reason.HUMAN_REQUESTED):
        if _CALL.search(asked):
            return "Wants a call"
        if reason is Reason.FOLLOW_UP_REQUESTED and _WRITTEN.search(asked):
            return "Wants a written answer"
        return _REASONS[reason]
    for noun, pattern in _NOUNS:
        if pattern.search(asked or topic):
            return noun
    if reason in (Reason.HUMAN_REVIEW, Reason.OTHER):
        for signal in signals:
            if signal in _SIGNALS:
                return _SIGNALS[signal]
    return _REASONS[reason]


def says_the_ask(head: str) -> bool:
    """Tell whether a head leaves nothing of the ask to be quoted: "Refund", not "Exception"."""
    return head in ("Refund", "Cancellation", "Replacement", "Compensation")


def compose_subject(head: str, *, topic: str, facts: Sequence[Fact], deadline: Fact | None) -> str:
    """Return one line of at most 90 characters: the ask, its number and date, then their words.

    Parameters
    ----------
    head : str
        From `name_ask`.
    topic : str
        The customer's sentence that says most; it is quoted, so that a reader never takes it
        for the project's own words.
    facts : sequence of Fact
        The first identifier goes beside the ask.
    deadline : Fact, optional
    """
    words = _plain(LEAD_IN.sub("", topic)) or _plain(topic)
    number = next(
        (f for f in facts if f.kind is FactKind.IDENTIFIER and not IBAN.fullmatch(f.text)), None
    )
    if number is not None and number.text not in words[:60]:
        named = _plain(f"{number.label.lower()} {number.text}")
        joined = " for " if number.label and head in dict(_NOUNS) else ", "
        if len(named) <= 32:
            head = f"{head}{joined}{named}"
    if deadline is not None and deadline.text not in words[:50] and len(deadline.text) <= 24:
        head = f"{head}, {_plain(deadline.text)}"
    room = SUBJECT - len(head) - len(": “”")
    return f"{head}: “{shorten_at_clause(words, room)}”" if words and room >= 16 else head


def _plain(text: str) -> str:
    """Return text fit for a header: one line without control, direction or double quote marks."""
    kept = "".join(
        " " if unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp") else c
        for c in text
        if c not in "\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
    )
    return " ".join(re.sub(r"[\"“”„«»]", "'", kept).split()).rstrip(".,;: ")
