"""Sentences of a turn and how they are shortened: always the writer's own characters."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from handoff_eval.conversation import Role, Turn
from handoff_eval.summaries.facts import MAX_TURN, mask_cards

_ABBREVIATED = (
    r"(?<!\bMr\.)(?<!\bMs\.)(?<!\bDr\.)(?<!\bSt\.)(?<!\bNo\.)(?<!\bno\.)(?<!\bNr\.)(?<!\bnr\.)"
    r"(?<!\bvs\.)(?<!\bMrs\.)(?<!\bSra\.)(?<!\bProf\.)(?<!\bapprox\.)(?<!\betc\.)(?<!\bincl\.)"
    r"(?<!\bmax\.)(?<!\bmin\.)(?<!\btel\.)(?<!\be\.g\.)(?<!\bi\.e\.)(?<!\bz\.B\.)(?<!\bbzw\.)"
)
_END = re.compile(
    rf"(?<=[.!?…])(?<!\b[A-Z]\.){_ABBREVIATED}(?P<close>[\"'”’)\]]*)\s+(?![a-zà-ÿ,;])"
    rf"|(?<=\w\w\w\.){_ABBREVIATED}\s+(?=[a-zà-ÿ])|(?<=[!?])\s+|(?<=[。！？؟।])"
)
_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)?")
_CLAUSE = re.compile(r"(?<!\bno)[,;:.!?。，、؛،](?=\s|$)|\s[–—-](?=\s)")
_COMMON = re.compile(
    r"the|and|for|you|your|that|this|with|have|has|had|was|were|are|but|not|can|could|would|will|"
    r"what|when|where|how|why|who|which|there|here|they|them|then|than|from|into|out|about|just|"
    r"its|it's|i'm|i've|i'd|don't|doesn't|didn't|isn't|can't|won't|been|being|did|does|get|got|one|"
    r"all|any|some|now|still|again|only|also|very|more|our|ours|his|her|she|him|too|yes"
)


@dataclass(frozen=True, slots=True)
class Sentence:
    """One sentence: `one_line(turn.text)[start:end]`, the turn's index and its place there."""

    text: str
    turn: int
    place: int
    role: Role
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Line:
    """Words of one turn, shortened with an ellipsis where they were long.

    Attributes
    ----------
    text : str
        The turn's own words on one line; payment cards masked.
    turn : int
        0-based index of the turn they stand in.
    """

    text: str
    turn: int


def one_line(text: str) -> str:
    """Return `text` with cards masked and every run of whitespace or control characters a space."""
    cleaned = "".join(
        " " if unicodedata.category(character) in ("Cc", "Zl", "Zp", "Cs") else character
        for character in mask_cards(text)
    )
    return " ".join(cleaned.split())


def split(turn: Turn, index: int) -> tuple[Sentence, ...]:
    """Return the sentences of a turn that hold a word; a line break ends a sentence too."""
    found: list[Sentence] = []
    offset = 0
    for raw in mask_cards(turn.text[:MAX_TURN]).splitlines():
        line = one_line(raw)
        start = 0
        ends = [(m.end("close") if m["close"] else m.start(), m.end()) for m in _END.finditer(line)]
        for end, following in [*ends, (len(line), len(line))]:
            text = line[start:end]
            if _WORD.search(text):
                found.append(
                    Sentence(text, index, len(found), turn.role, offset + start, offset + end)
                )
            start = following
        offset += len(line) + bool(line)
    return tuple(found)


def words(text: str) -> frozenset[str]:
    """Return the content words of `text`, lower case and cut to six letters, so that forms meet."""
    return frozenset(
        word[:6]
        for word in (match.casefold() for match in _WORD.findall(text))
        if not _COMMON.fullmatch(word) and (len(word) > 2 or word.isdigit())
    )


def overlap(first: frozenset[str], second: frozenset[str]) -> float:
    """Return the shared part of the smaller set, 0 when one is empty."""
    smaller = min(len(first), len(second))
    return len(first & second) / smaller if smaller else 0.0


def shorten(text: str, limit: int, *, focus: int = 0) -> str:
    """Return at most `limit` characters of `text` around position `focus`.

    What is left out shows as an ellipsis, and the cut falls between words; only where one word
    is longer than the limit, or a script doesn't space its words, it falls between characters.
    """
    if len(text) <= limit:
        return text
    start = 0
    if focus > limit // 2:
        start = _word_start(text, min(focus - limit // 4, len(text) - limit + 2))
    room = limit - 1 - (start > 0)
    if len(text) - start <= room + 1:
        return "…" + text[start:]
    end = _word_end(text, start, start + room)
    return ("…" if start else "") + text[start:end].rstrip(" ,;:–—-") + "…"


def shorten_at_clause(text: str, limit: int) -> str:
    """Return whole clauses of `text` where they fill most of `limit`, else words that fit."""
    if len(text) <= limit:
        return text
    ends = [match.start() for match in _CLAUSE.finditer(text) if match.start() < limit]
    if ends and ends[-1] >= limit * 0.75:
        return text[: ends[-1]] + "…"
    return shorten(text, limit)


def _word_start(text: str, at: int) -> int:
    space = text.find(" ", at - 1)
    return space + 1 if 0 <= space < at + 40 else _between_characters(text, at)


def _word_end(text: str, start: int, at: int) -> int:
    if text[at] == " ":
        return at
    space = text.rfind(" ", start, at)
    return space if space > start and at - space <= 40 else _between_characters(text, at)


def _between_characters(text: str, at: int) -> int:
    """Step back so that no accent, joiner or emoji part is torn from its character."""
    joined = ("Mn", "Me", "Mc", "Cf", "Sk")
    while at > 1 and (unicodedata.category(text[at]) in joined or text[at - 1] in "\u200d\u200c"):
        at -= 1
    return at
