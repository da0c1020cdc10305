"""Words that two readers understand differently, and what to say instead."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Vague:
    """A vague expression.

    Attributes
    ----------
    pattern : re.Pattern
    instead : str
        What can be seen in a transcript and fits the same place of the sentence.
    """

    pattern: re.Pattern[str]
    instead: str


def _vague(pattern: str, instead: str) -> Vague:
    return Vague(re.compile(rf"\b(?:{pattern})", re.IGNORECASE), instead)


VAGUE = (
    _vague(
        r"(?:a request that )?(?:requires?|needs?) (?:a |any )?(?:human|manual|further) "
        r"(?:review|attention|intervention|judge?ment|follow-up)\b",
        "a refund, an exception, a legal matter or a change that only staff can make",
    ),
    _vague(
        r"(?:has(?:n['’]t| not)|have(?:n['’]t| not)|is(?:n['’]t| not)|was(?:n['’]t| not)) "
        r"(?:been )?(?:fully |properly )?(?:resolved|solved|helped|addressed)\b",
        "is still open after the agent's answer",
    ),
    _vague(
        r"(?:is|are|seems?) (?:very )?(?:complex|complicated|difficult)\b",
        "takes more than the agent can do",
    ),
    _vague(
        r"(?:is|are|seems?) (?:very )?(?:urgent|important|serious|critical)\b",
        "can't wait until tomorrow",
    ),
    _vague(
        r"(?:is|are|seems?) (?:very )?(?:sensitive|delicate)\b",
        "is about health, money or a legal matter",
    ),
    _vague(
        r"(?:is|are|seems?) (?:very )?(?:unhappy|frustrated|upset|dissatisfied|angry)\b",
        "says that they are unhappy",
    ),
    _vague(
        r"(?:if|when|where|as) (?:needed|necessary|appropriate|required|applicable|relevant)\b",
        "when the customer asks for it",
    ),
    _vague(
        r"(?:is|are|seems?) (?:needed|necessary|appropriate|required|relevant)\b",
        "is asked for by the customer",
    ),
    _vague(
        r"needs? (?:more |some |extra |special )?(?:help|attention|care)\b",
        "asks again after the agent's answer",
    ),
    _vague(
        r"(?:can(?:no|['’])t|can not|unable to|fails? to) (?:really )?(?:help|assist)\b",
        "says that it can't do what was asked",
    ),
)
"""In the order tried; the first of a clause is reported."""
