"""One sentence of an instruction: its conditions, each with its kind and where it stands."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from handoff_eval.instructions import grammar
from handoff_eval.instructions.grammar import Role, Sentence


class PieceKind(StrEnum):
    """What a stretch of an instruction is.

    A cue speaks for a handoff, a precondition must hold besides, an exclusion speaks against.
    `ACTION` is what is to be done ("Send an email summary") and `JOIN` what stands between:
    connectives, punctuation, bullets.
    """

    CUE = "cue"
    PRECONDITION = "precondition"
    EXCLUSION = "exclusion"
    ACTION = "action"
    JOIN = "join"


CONDITIONS = (PieceKind.CUE, PieceKind.PRECONDITION, PieceKind.EXCLUSION)

Stretch = tuple[PieceKind, int, int]


@dataclass(frozen=True, slots=True)
class ReadSentence:
    """What was read.

    Attributes
    ----------
    pieces : tuple
        Kind, start and end of each; they tile the sentence.
    acts : bool
        It says what to do, so what a heading before it gave holds no longer.
    passes_on : PieceKind or None
        The kind that sentences without a joining word of their own get after it.
    """

    pieces: tuple[Stretch, ...]
    acts: bool
    passes_on: PieceKind | None


@dataclass(frozen=True, slots=True)
class _Mark:
    """A joining word, or an action (role None), with where its own words start and end."""

    role: Role | None
    start: int
    end: int


def read_sentence(text: str, sentence: Sentence, inherited: PieceKind | None) -> ReadSentence:
    """Read a sentence, given the kind that a heading or a list before it passes on."""
    start, stop = sentence.words, sentence.end
    marks = list(_marks(text, start, stop))
    kinds = _kinds(text, marks, start, stop, inherited)
    if sentence.heading and len(marks) == 1:
        kinds = [PieceKind.ACTION]
    pieces: list[Stretch] = []
    at = sentence.start
    last_mark_is_empty = False
    for i, (mark, kind) in enumerate(zip(marks, kinds, strict=True)):
        end = marks[i + 1].start if i + 1 < len(marks) else stop
        low, high = _trimmed(text, mark.end, end, keep_lead=kind is PieceKind.ACTION)
        last_mark_is_empty = low == high and mark.role is not None
        if low == high:
            continue
        if low > at:
            pieces.append((PieceKind.JOIN, at, low))
        pieces.append((kind, low, high))
        at = high
    if stop > at:
        pieces.append((PieceKind.JOIN, at, stop))
    conditions = [kind for kind, _, _ in pieces if kind in CONDITIONS]
    passes_on = None
    if last_mark_is_empty:
        passes_on = kinds[-1]
    elif sentence.heading:
        passes_on = _of_heading(text[start:stop])
    elif sentence.goes_on and conditions:
        passes_on = conditions[-1]
    acts = any(kind is PieceKind.ACTION for kind, _, _ in pieces)
    return ReadSentence(tuple(pieces), acts, passes_on)


def _marks(text: str, start: int, stop: int) -> Iterator[_Mark]:
    """Give the marks in order, the sentence's own beginning first."""
    found = [_Mark(None, start, start)]
    inside = text[:stop]
    for match in grammar.ACTION_INSIDE.finditer(inside, start):
        lead = re.match(r"(?:[,:–—]|then\b|but\b)\s*", match[0], re.IGNORECASE)
        words = match.start() + (lead.end() if lead else 0)
        found.append(_Mark(None, match.start(), words))
    taken: list[tuple[int, int]] = []
    for role, pattern in grammar.MARKS:
        for match in pattern.finditer(inside, start):
            if any(match.start() < b and match.end() > a for a, b in taken):
                continue
            taken.append(match.span())
            told = role is Role.CUE and grammar.REPORTED.search(inside[start : match.start()])
            if not told:
                found.append(_Mark(role, *match.span()))
    found.sort(key=lambda mark: (mark.start, mark.role is not None))
    kept = _without_nested(text, found)
    if all(mark.role is None for mark in kept):
        kept = _with_topic(inside, kept)
    yield from _with_alternatives(inside, kept, stop)


def _without_nested(text: str, marks: list[_Mark]) -> list[_Mark]:
    """Leave out "when", "once" and the like where they stand inside a condition."""
    kept: list[_Mark] = []
    for mark in marks:
        in_condition = bool(kept) and kept[-1].role is not None
        if (
            in_condition
            and mark.role in (Role.CUE, Role.ONCE)
            and text[kept[-1].end : mark.start].strip()
            and not grammar.SEPARATED.search(text[kept[-1].end : mark.start])
        ):
            continue
        kept.append(mark)
    return kept


def _with_topic(text: str, marks: list[_Mark]) -> list[_Mark]:
    """Read "about refunds" as a condition where a sentence says what to do and nothing else."""
    first = grammar.ACTION_AT_START.match(text, marks[0].start)
    topic = grammar.TOPIC.search(text, first.end()) if first else None
    if topic is None:
        return marks
    return sorted([*marks, _Mark(Role.TOPIC, *topic.span())], key=lambda mark: mark.start)


def _with_alternatives(text: str, marks: list[_Mark], stop: int) -> Iterator[_Mark]:
    """Part a condition at ", or" before something that can stand alone."""
    for i, mark in enumerate(marks):
        yield mark
        end = marks[i + 1].start if i + 1 < len(marks) else stop
        if mark.role is None and (i or grammar.ACTION_AT_START.match(text, mark.start)):
            continue
        body = text[:end]
        splits = [match.span() for match in grammar.ALTERNATIVE.finditer(body, mark.end)]
        if splits:
            last = splits[-1][0]
            commas = [m.span() for m in grammar.ENUMERATED.finditer(body, mark.end)]
            splits += [c for c in commas if c[1] <= last]
        for low, high in sorted(set(splits)):
            if text[mark.end : low].strip():
                yield _Mark(Role.SAME, low, high)


def _kinds(
    text: str, marks: list[_Mark], start: int, stop: int, inherited: PieceKind | None
) -> list[PieceKind]:
    """Return the kind of what follows each mark."""
    lead_acts = _acts(text[:stop], start, marks, inherited)
    ends = [mark.start for mark in marks[1:]] + [stop]
    actions = {
        i: text[mark.end : end]
        for i, (mark, end) in enumerate(zip(marks, ends, strict=True))
        if mark.role is None and (i or lead_acts)
    }
    has_cue = any(mark.role is Role.CUE for mark in marks)
    kinds: list[PieceKind] = []
    for i, mark in enumerate(marks):
        if mark.role is None:
            kinds.append(PieceKind.ACTION if i or lead_acts else (inherited or PieceKind.CUE))
            continue
        if mark.role is Role.SAME:
            kinds.append(kinds[-1])
            continue
        words = _governing(actions, i)
        forbids = bool(grammar.FORBIDS.search(words))
        base = PieceKind.EXCLUSION if forbids else PieceKind.CUE
        if not words.strip():
            base = inherited or base
        elif not forbids and grammar.ONLY_ACTION.search(words):
            base = PieceKind.PRECONDITION
        kinds.append(_kind(mark.role, base, has_cue, kinds))
    return kinds


def _acts(text: str, start: int, marks: list[_Mark], inherited: PieceKind | None) -> bool:
    """Whether a sentence begins with what to do, and not with a condition."""
    lead = text[start : marks[1].start] if len(marks) > 1 else text[start:]
    if grammar.ACTION_AT_START.match(text, start) or grammar.ABOUT_HANDOFFS.search(lead):
        return True
    joins = len(marks) > 1 and marks[1].role in (Role.CUE, Role.ONCE)
    return joins and bool(lead.strip()) and inherited is None


def _governing(actions: dict[int, str], at: int) -> str:
    """Return the words of the action that a mark belongs to: the last before it, else the next."""
    before = [words for i, words in actions.items() if i < at and words.strip()]
    after = [words for i, words in actions.items() if i > at]
    return before[-1] if before else (after[0] if after else "")


def _kind(role: Role, base: PieceKind, has_cue: bool, before: list[PieceKind]) -> PieceKind:
    if role is Role.EXCEPT:
        if base is not PieceKind.EXCLUSION:
            return PieceKind.EXCLUSION
        return PieceKind.CUE if PieceKind.EXCLUSION in before else PieceKind.PRECONDITION
    if role in (Role.ONLY, Role.UNTIL):
        return PieceKind.PRECONDITION
    if role is Role.ONCE and base is PieceKind.CUE and has_cue:
        return PieceKind.PRECONDITION
    return base


def _of_heading(text: str) -> PieceKind:
    role = grammar.heading_kind(text)
    if role is Role.EXCEPT:
        return PieceKind.EXCLUSION
    return PieceKind.PRECONDITION if role is Role.ONLY else PieceKind.CUE


_SPACE = re.compile(r"\s+")
_CLOSING = re.compile(r"[)\]]")
_LEAD = re.compile(
    r"(?:\s+|(?:or|and|also|then|either|even|but)\b(?=\W)|[,;:–—-]+(?=\s)|[\"'“”‘’(\[])+",
    re.IGNORECASE,
)
_TAIL = re.compile(
    r"(?:\s+|(?<=[\s,;])(?:or|and|but|then|also|either)(?=\W*$)|[.,;:!?–—-]+|[\"'“”‘’)\]])+$",
    re.IGNORECASE,
)


def _trimmed(text: str, start: int, end: int, *, keep_lead: bool) -> tuple[int, int]:
    """Return the stretch without what only joins; equal ends where no word is left."""
    lead = (_SPACE if keep_lead else _LEAD).match(text[:end], start)
    start = lead.end() if lead else start
    body = text[start:end]
    tail = _TAIL.search(body)
    if tail:
        kept = body[: tail.start()]
        opened = kept.count("(") + kept.count("[") > kept.count(")") + kept.count("]")
        if opened and (closing := _CLOSING.search(tail[0])):
            kept = body[: tail.start() + closing.end()]
        body = kept
    if not any(character.isalnum() for character in body):
        return start, start
    return start, start + len(body)
