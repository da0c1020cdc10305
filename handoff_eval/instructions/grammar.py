"""The words by which English instructions join conditions, and where their sentences end.

Small closed lists, on purpose: what they don't know stays whole inside a clause, and is never lost.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

_FLAGS = re.IGNORECASE


class Role(StrEnum):
    """What a joining word does to the words after it, before the sentence's action is known."""

    CUE = "cue"
    EXCEPT = "except"
    ONLY = "only"
    ONCE = "once"
    UNTIL = "until"
    TOPIC = "topic"
    SAME = "same"


_VERBS = (
    r"(?:send|e-?mail|notify|escalate|forward|hand|trigger|alert|transfer|pass|create|open|flag|"
    r"raise|route|fire|contact|loop)"
)
_WRITING = r"(?:include|mention|write|summari[sz]e|attach|keep|be|make sure|add|use|reply|tell)"
_WHO = r"(?:(?:the\s+)?(?:agent|bot|assistant|ai|you|we)\s+)?"
_MODAL = r"(?:(?:should|must|shall|will|can|please|then|always|only|also|just)\s+)*"
_NOT = r"(?:(?:do\s+not|don['’]?t|never|not|no\s+need\s+to)\s+(?:ever\s+|just\s+)?)?"
_SKIP = r"(?:ignore|skip|avoid|exclude|no\s+(?:e-?mails?|handoffs?|escalations?|alerts?)\b)"

ACTION_AT_START = re.compile(
    rf"\s*(?:and\s+|but\s+|so\s+|otherwise,?\s+)?{_WHO}{_MODAL}{_NOT}{_MODAL}"
    rf"(?:{_VERBS}|{_WRITING}|{_SKIP})\b",
    _FLAGS,
)
"""A sentence that begins like this says what to do."""

ACTION_INSIDE = re.compile(
    rf"(?:[,:–—]|\bthen\b|\bbut\b)\s*(?:but\s+|and\s+|so\s+)?{_WHO}{_MODAL}{_NOT}{_MODAL}"
    rf"(?:{_VERBS}\s+(?:an?|the|it|us|this|them|to|our|over|off|on|no|any|summary|e-?mail)\b"
    rf"|(?:{_SKIP}|do\s+not|don['’]?t)\b)",
    _FLAGS,
)
"""What to do, after a condition: "…, send an email"."""

ABOUT_HANDOFFS = re.compile(
    r"\b(?:e-?mails?|hand-?offs?|escalations?)\b.{0,20}\b(?:is|are|should|must|may|can)\b"
    r"|\bwe\s+(?:want|need|like)\b",
    _FLAGS,
)
"""So does one with this in it: "A handoff is wanted when …"."""

FORBIDS = re.compile(
    r"\b(?:do(?:es)?\s+not|don['’]?t|never|(?:should|must|shall|will|can)\s*(?:not|n['’]?t)|cannot|"
    rf"is\s+not\s+needed|not\s+(?:be\s+)?(?:sent|needed|required|necessary)|no\s+need|not|{_SKIP})",
    _FLAGS,
)
ONLY_ACTION = re.compile(r"\bonly\b", _FLAGS)

_CUE_WORD = (
    r"(?:when(?:ever)?|if|in\s+case(?:\s+of)?|every\s+time|any\s*time|in\s+the\s+event\s+(?:that|of)"
    r"|where(?=\s+(?:the|an?|there|it|they|customers?|users?)\b))"
)
MARKS: tuple[tuple[Role, re.Pattern[str]], ...] = (
    (
        Role.EXCEPT,
        re.compile(
            r"\b(?:unless|(?:with\s+the\s+exception\s+of|except(?:ing)?)"
            rf"(?:\s+(?:for|that|{_CUE_WORD}))?|(?:but|and|or)\s+(?:not|never)\s+"
            rf"(?:for|{_CUE_WORD})|(?:not|never)\s+(?:for|{_CUE_WORD})|excluding|"
            r"other\s+than|apart\s+from)\b",
            _FLAGS,
        ),
    ),
    (
        Role.ONLY,
        re.compile(
            rf"\b(?:(?:but\s+|and\s+)?only\s+(?:{_CUE_WORD}|once|after)|(?:if\s+and\s+)?only\s+if|"
            r"as\s+long\s+as|provided(?:\s+that)?|on\s+condition\s+that|"
            r"(?:and|but)\s+(?:the\s+)?requires?\s+that)\b",
            _FLAGS,
        ),
    ),
    (Role.UNTIL, re.compile(r"\b(?:until|before)\b", _FLAGS)),
    (
        Role.ONCE,
        re.compile(r"\b(?:(?:and\s+)?(?:once|after|as\s+soon\s+as))(?=\s+\w)", _FLAGS),
    ),
    (Role.CUE, re.compile(rf"\b{_CUE_WORD}\b", _FLAGS)),
)
"""Tried in this order at the same place, so that "only if" is read before "if"."""

TOPIC = re.compile(r"\b(?:for|about|regarding|concerning|on)(?=\s+\w)", _FLAGS)
"""Introduces a condition where nothing else does: "Email us about refunds"."""

REPORTED = re.compile(
    r"\b(?:ask(?:s|ed|ing)?|wonder(?:s|ed|ing)?|knows?|know(?:ing)?|sure|unsure|check(?:s|ed|ing)?|"
    r"see|tell(?:s|ing)?|told|say(?:s|ing)?|explain(?:s|ed|ing)?|confirm(?:s|ed|ing)?|about|of|"
    r"(?:tell|ask|tells|asks|let|lets)\s+\w+)\s+$",
    _FLAGS,
)
"""Before "if" or "when" these make a question that is told, not a condition."""

SEPARATED = re.compile(r"(?:[,;:(–—-]|\b(?:or|and|and/or|but|also|either|even))\s*$", _FLAGS)
"""A joining word that stands inside a clause counts only after one of these."""

_SUBJECT = (
    r"(?:(?:the|an?|any|their|his|her|its|our|this|that)\s+)?(?:customers?|users?|clients?|shoppers?|"
    r"guests?|patients?|callers?|visitors?|they|he|she|someone|somebody|anyone|it|there|agent|bot|"
    r"ai|assistant|conversation|issue|problem|request|question|case|chat|order|message|topic)"
    r"(?:['’]s)?\b"
)
_PREDICATE = (
    r"(?:asks?|wants?|needs?|requests?|requires?|is|are|has|have|says?|mentions?|reports?|threatens?|"
    r"complains?|seems?|can['’]?t|cannot|was|were|gets?|becomes?|expresses|demands?|involves?|"
    r"contains?|concerns?|insists?|refuses?|still|does|doesn['’]?t|did|didn['’]?t|isn['’]?t|"
    r"hasn['’]?t|sounds?|appears?|shows?)\b"
)
ALTERNATIVE = re.compile(rf"(?:,\s*)?\b(?:or|and/or)\s+(?=(?:{_SUBJECT}|{_PREDICATE}))", _FLAGS)
"""Begins another condition of the same kind: "…, or the issue is still open"."""
ENUMERATED = re.compile(rf",\s*(?=(?:{_SUBJECT}|{_PREDICATE}))", _FLAGS)
"""A bare comma does so too, where an `ALTERNATIVE` follows in the same clause."""

JOINING_WORDS = frozenset(
    re.findall(
        r"\w+",
        """
        or and either but also then if when whenever unless except excepting exception
        exceptions excluding other than apart from only once after before until as soon long
        provided that on condition with the of for about regarding concerning in case every time
        any anytime event not never where even requires require
        """,
    )
)
"""The only words a `JOIN` piece may hold besides the mark of a list item."""

BULLET = re.compile(r"[ \t]*(?:[-*•–—·▪◦‣]+|\(?\d{1,2}[.)]|\(?[a-zA-Z][.)])[ \t]+")
_NUMBERED_INLINE = re.compile(r"\(\d{1,2}\)[ \t]+")
_END = re.compile(r"[.!?]+(?=[\s\"'”’)\]]|$)|;|:(?=\s|$)|\n+|(?<=[\s,])(?=\(\d{1,2}\)[ \t])")
_AFTER_END = re.compile(r"[\"'”’)\]]*[ \t]*(?:\r?\n)*")
_ABBREVIATIONS = frozenset(["e.g", "i.e", "vs", "approx", "incl", "dept", "mr", "mrs", "ms", "dr"])
_WORD_BEFORE = re.compile(r"[A-Za-z]+(?:\.[A-Za-z]+)*$")
_LOWER_NEXT = re.compile(r"\s+[a-z]")
_HEADING_EXCEPT = re.compile(
    rf"\b(?:except\w*|exclu\w*|unless|ignore|skip|never|not|don['’]?t|{_SKIP})\b", _FLAGS
)
_HEADING_ONLY = re.compile(
    r"\b(?:only|require[ds]?|requirements?|must|preconditions?|conditions?\s+first|provided|before)\b",
    _FLAGS,
)


@dataclass(frozen=True, slots=True)
class Sentence:
    """A stretch that is read at once; sentences tile the text.

    Attributes
    ----------
    start, end : int
        Its stretch, with its bullet and what ends it.
    words : int
        Where its words begin, after the bullet.
    listed : bool
        It is an item of a list.
    heading : bool
        It ends in a colon.
    opens_block : bool
        A blank line stands before it.
    goes_on : bool
        It ends in a semicolon, so what follows is of the same kind.
    """

    start: int
    end: int
    words: int
    listed: bool
    heading: bool
    opens_block: bool
    goes_on: bool


def sentences(text: str) -> Iterator[Sentence]:
    """Give the sentences of a text in order; they tile it."""
    start = 0
    blank = False
    for end in _ends(text):
        bullet = BULLET.match(text, start) or _NUMBERED_INLINE.match(text, start)
        words = bullet.end() if bullet and bullet.end() <= end else start
        stretch = text[start:end]
        yield Sentence(
            start=start,
            end=end,
            words=words,
            listed=words > start,
            heading=stretch.rstrip().endswith(":"),
            opens_block=blank,
            goes_on=stretch.rstrip().endswith(";"),
        )
        blank = stretch.count("\n") > 1 or (blank and not stretch.strip())
        start = end


def heading_kind(text: str) -> Role:
    """Return what a heading says of the list under it: `EXCEPT`, `ONLY` or `CUE`."""
    if _HEADING_EXCEPT.search(text):
        return Role.EXCEPT
    return Role.ONLY if _HEADING_ONLY.search(text) else Role.CUE


def _ends(text: str) -> Iterator[int]:
    """Give the end of every sentence, the text's own last."""
    start = 0
    for match in _END.finditer(text):
        bullet = BULLET.match(text, start)
        if match.start() < start or (bullet and match.start() < bullet.end()):
            continue
        if match[0].startswith(".") and _abbreviates(text, start, match.start()):
            continue
        if match[0] == ":" and ACTION_AT_START.match(text, match.end()):
            continue
        end = match.end()
        if "\n" not in match[0]:
            rest = _AFTER_END.match(text, end)
            end = rest.end() if rest else end
        if end > start:
            yield end
            start = end
    if start < len(text):
        yield len(text)


def _abbreviates(text: str, start: int, stop: int) -> bool:
    """Whether the full stop at `stop` belongs to an abbreviation and ends nothing."""
    word = _WORD_BEFORE.search(text[start:stop])
    if word is None:
        return False
    if word[0].casefold() == "etc" or len(word[0]) == 1:
        return _LOWER_NEXT.match(text, stop + 1) is not None
    return word[0].casefold() in _ABBREVIATIONS
