"""The expressions that `lint` looks for."""

from __future__ import annotations

import re

Pattern = re.Pattern[str]


def _words(pattern: str) -> Pattern:
    return re.compile(rf"\b(?:{pattern})\b", re.IGNORECASE)


UNOBSERVABLE = _words(
    r"(?:really |probably |secretly )?(?:feels?|thinks?|believes?|intends?|expects?|hopes?)"
    r"|(?:is|are) (?:likely|probably|about) to (?:churn|leave|cancel|buy)"
    r"|churn risk|sentiment|satisfaction|mood|tone of voice|lifetime value|high[- ]value|vip|"
    r"loyal|valuable (?:customer|user|client)s?|(?:premium|enterprise|paying|free) (?:customer|"
    r"user|client|account)s?|misunderst(?:ood|ands)"
)
"""States of mind, and facts of the account."""

CONTACT = re.compile(
    r"[\w.+-]+@[\w-]+\.[\w.-]*\w|https?://\S+[\w/]|\bwww\.\S+\w|(?<!\w)\+?\(?\d[\d\s().-]{7,}\d(?!\w)"
)

NEGATION = _words(
    r"not|no|never|none|nothing|unless|without|except|cannot|neither|nor|"
    r"(?:do|does|did|is|are|was|were|has|have|had|ca|wo|should|must)n['’]t|don['’]t|can['’]t|won['’]t"
)

FUTURE = _words(
    r"(?:(?:does(?:n['’]t| not)|fails? to) (?:reply|respond|answer|return|come back)|"
    r"(?:will|is going to|are going to) (?:not )?(?:be|need|want|ask|come|return|churn|leave|reply|"
    r"respond|complain|require)|within \d+ (?:minutes?|hours?|days?)|(?:later|afterwards|tomorrow)|"
    r"after the (?:chat|conversation) (?:ends|has ended|is over)|in the future|eventually|next "
    r"(?:day|week|time))"
)

ELSEWHERE = _words(
    r"(?:previous|earlier|past|other|last|prior) (?:conversation|chat|ticket|order|contact|email|"
    r"case|session|interaction)s?|(?:purchase|order|chat|contact|account) history|repeat(?:ed)? "
    r"(?:customer|caller|contact)s?|(?:this|last) (?:week|month|year)|(?:times|messages) "
    r"(?:a|per|this) (?:day|week|month)|crm|on (?:our|the) (?:website|system|account)"
)

CROWDED = re.compile(r",?\s+(?:or|and)\s+|;\s*", re.IGNORECASE)

OPEN_LIST = re.compile(
    r",?\s*(?:\betc\b(?:\.(?=\s*(?-i:[a-z,;)])))?|\band so (?:on|forth)\b|\band the like\b|"
    r"\bor similar\b|\bor anything\s(?:else|like that|similar)\b|\band more\b|…|\.\.\.)",
    re.IGNORECASE,
)

CATCH_ALL = _words(
    r"(?:any|every|all) (?:kind of |sort of |type of )?(?:question|conversation|customer|message|"
    r"chat|request|issue|problem|topic|user|case)s?|anything|everything|"
    r"has a (?:question|problem|request)|(?:wants?|needs?) help|always"
)

PLACEHOLDER = re.compile(r"\{\{?[^{}\n]*\}?\}|<[^<>\n]{1,40}>|\[[A-Z_ ]{3,40}\]|\bTODO\b|\bXXX+\b")

HOW = re.compile(
    r"(?:^|(?<=[.!?\n]))[ \t]*(?:please\s+)?(?:be|keep|write|use|include|mention|attach|"
    r"summari[sz]e|make sure|add|always be|reply)\b[^.!?\n]*[.!?]?",
    re.IGNORECASE,
)

PRONOUN = re.compile(r"(?:they|he|she|it|this|that)\b(?=\s)", re.IGNORECASE)
NAMED = {
    "they": "customers",
    "he": "the customer",
    "she": "the customer",
    "it": "the conversation",
    "this": "the conversation",
    "that": "the conversation",
}

_STOP = frozenset(
    re.findall(
        r"\w+",
        """
        the a an to of or and for in on with is are be been it they their them that this
        customer customers user users client clients conversation has have asks ask wants want
        says say only just any when if by about
        """,
    )
)
_WORD = re.compile(r"[^\W_]+")


def content(text: str) -> frozenset[str]:
    """Return the stems of the words that carry what a clause is about."""
    words = (word.casefold() for word in _WORD.findall(text))
    return frozenset(_stem(word) for word in words if word not in _STOP and len(word) > 1)


def _stem(word: str) -> str:
    for ending in ("ing", "ed", "es", "s"):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            return word[: -len(ending)]
    return word
