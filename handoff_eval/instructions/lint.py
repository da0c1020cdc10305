"""What a reader, a language model or a lawyer would trip over in an instruction: coded findings.

Every finding is a code, a severity, one sentence that says what to do, and an edit that does it.
docs/instructions.md explains each code; a code keeps its meaning for ever.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from handoff_eval.instructions import wording
from handoff_eval.instructions.clauses import Clause, Instruction, parse_instruction
from handoff_eval.instructions.edits import Edit, add_clause, drop_clause, library
from handoff_eval.instructions.sentence import CONDITIONS, PieceKind
from handoff_eval.instructions.vague import VAGUE
from handoff_eval.severity import Severity

MAX_WORDS = 150
"""A longer instruction leaves a small model too little of its context and a person no overview."""
MAX_CLAUSE_WORDS = 25
SAME = 0.6
"""Share of content words in common from which two clauses say the same."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing found.

    Attributes
    ----------
    code : str
        `HI001` and so on.
    severity : Severity
    sentence : str
        What was found and what to do.
    edit : Edit
        A change that answers it; to be read before it is used.
    """

    code: str
    severity: Severity
    sentence: str
    edit: Edit

    def to_dict(self) -> dict[str, Any]:
        """Return the finding as JSON values."""
        return {
            "code": self.code,
            "severity": self.severity.value,
            "sentence": self.sentence,
            "edit": self.edit.to_dict(),
        }


Check = Callable[[Instruction], Iterator[Finding]]


def lint(text: str) -> tuple[Finding, ...]:
    """Return the findings on an instruction: errors first, then by code."""
    instruction = parse_instruction(text)
    findings = [finding for check in CHECKS for finding in check(instruction)]
    order = list(Severity)
    return tuple(sorted(findings, key=lambda f: (order.index(f.severity), f.code, f.edit.start)))


def no_cue(instruction: Instruction) -> Iterator[Finding]:
    """HI001: nothing says when."""
    if not instruction.cues:
        yield Finding(
            "HI001",
            Severity.ERROR,
            "No cue: nothing says when to hand off, so the trigger has nothing to look for; "
            "write what the customer says or asks for, after 'when'.",
            _added(instruction, PieceKind.CUE),
        )


def no_exclusion(instruction: Instruction) -> Iterator[Finding]:
    """HI002: nothing says when not."""
    if instruction.cues and not instruction.exclusions:
        yield Finding(
            "HI002",
            Severity.WARNING,
            "No exclusion: nothing says when not to hand off, so conversations that merely look "
            "like the cues fire too; name the commonest needless email.",
            _added(instruction, PieceKind.EXCLUSION),
        )


def vague(instruction: Instruction) -> Iterator[Finding]:
    """HI003: words that two readers understand differently."""
    for clause in instruction.clauses:
        for word in VAGUE:
            match = word.pattern.search(instruction.text, clause.start, clause.end)
            if match:
                yield Finding(
                    "HI003",
                    Severity.WARNING,
                    f"Vague {clause.kind}: {match[0]!r} is read differently by everyone; say what "
                    "can be seen in the conversation.",
                    Edit(f"say {word.instead!r} for {match[0]!r}", *match.span(), word.instead),
                )
                break


def unobservable(instruction: Instruction) -> Iterator[Finding]:
    """HI004: a condition that no transcript shows."""
    yield from _searched(
        instruction,
        wording.UNOBSERVABLE,
        "HI004",
        Severity.WARNING,
        "Unobservable: {found!r} can't be seen in a transcript, so it is guessed; say what the "
        "customer writes, or drop the clause.",
    )


def contact_details(instruction: Instruction) -> Iterator[Finding]:
    """HI005: an address, a number or a link."""
    for match in wording.CONTACT.finditer(instruction.text):
        yield Finding(
            "HI005",
            Severity.ERROR,
            f"Contact details: {match[0]!r} stands in the instruction, which says when, and would "
            "be shown to every model that reads it; put it among the handoff's recipients.",
            Edit(f"take {match[0]!r} out", *match.span(), "the team"),
        )


def contradiction(instruction: Instruction) -> Iterator[Finding]:
    """HI006: a clause for and a clause against the same thing."""
    for i, clause in enumerate(instruction.clauses):
        for other in instruction.clauses[:i]:
            one_excludes = PieceKind.EXCLUSION in (clause.kind, other.kind)
            if clause.kind is not other.kind and one_excludes and _same(clause, other):
                yield Finding(
                    "HI006",
                    Severity.ERROR,
                    f"Contradiction: the {other.kind} {other.text!r} and the {clause.kind} "
                    f"{clause.text!r} are about the same thing; keep one, or say how they differ.",
                    drop_clause(instruction, i),
                )


def too_long(instruction: Instruction) -> Iterator[Finding]:
    """HI007: more than can be kept in mind."""
    words = len(instruction.text.split())
    if words <= MAX_WORDS:
        return
    acts = [p for p in instruction.pieces if p.kind not in CONDITIONS and p.end - p.start > 40]
    longest = (
        max(acts, key=lambda piece: piece.end - piece.start)
        if acts
        else max(instruction.pieces, key=lambda piece: piece.end - piece.start)
    )
    yield Finding(
        "HI007",
        Severity.WARNING,
        f"Over-long: {words} words; beyond {MAX_WORDS} people skim and small models lose the "
        "transcript, so keep the conditions and drop the rest.",
        Edit("drop the longest passage", longest.start, longest.end, ""),
    )


def duplicate(instruction: Instruction) -> Iterator[Finding]:
    """HI008: the same condition twice."""
    for i, clause in enumerate(instruction.clauses):
        for other in instruction.clauses[:i]:
            if clause.kind is other.kind and _same(clause, other):
                yield Finding(
                    "HI008",
                    Severity.WARNING,
                    f"Duplicate: {clause.text!r} says what {other.text!r} says, and two clauses "
                    "for one thing can't be judged apart; keep the clearer one.",
                    drop_clause(instruction, i),
                )
                break


def negation_tangle(instruction: Instruction) -> Iterator[Finding]:
    """HI009: a no inside a no."""
    for clause in instruction.clauses:
        count = len(wording.NEGATION.findall(clause.text))
        around = [
            instruction.text[p.start : p.end]
            for p in instruction.pieces
            if p.sentence == clause.sentence and p.end <= clause.start and p.kind not in CONDITIONS
        ]
        undone = clause.kind is not PieceKind.EXCLUSION and (
            len(wording.NEGATION.findall(" ".join(around))) >= 2
        )
        if count >= 2 or (count and clause.kind is PieceKind.EXCLUSION) or undone:
            yield Finding(
                "HI009",
                Severity.WARNING,
                f"Negation tangle: {clause.text!r} says no inside a no, which models and people "
                "turn round; say in a sentence of its own when to send, or when not to.",
                drop_clause(instruction, instruction.clauses.index(clause)),
            )


def future(instruction: Instruction) -> Iterator[Finding]:
    """HI010: what happens after the decision."""
    yield from _searched(
        instruction,
        wording.FUTURE,
        "HI010",
        Severity.WARNING,
        "The future: {found!r} happens after the decision, when the trigger sees only what was "
        "said so far; say what is there at that moment.",
    )


def other_conversations(instruction: Instruction) -> Iterator[Finding]:
    """HI011: what only other conversations or systems know."""
    yield from _searched(
        instruction,
        wording.ELSEWHERE,
        "HI011",
        Severity.WARNING,
        "Elsewhere: {found!r} is known from other conversations or systems, which a trigger "
        "doesn't read; say what the customer mentions of it.",
    )


def crowded(instruction: Instruction) -> Iterator[Finding]:
    """HI012: a clause that holds several."""
    for clause in instruction.clauses:
        words = clause.text.split()
        joins = list(wording.CROWDED.finditer(clause.text))
        if len(words) > MAX_CLAUSE_WORDS and joins:
            middle = min(joins, key=lambda m: abs(m.start() - len(clause.text) / 2))
            connective = {"cue": "when", "exclusion": "or when", "precondition": "and only if"}
            yield Finding(
                "HI012",
                Severity.WARNING,
                f"Crowded clause: {len(words)} words between one 'when' and the next; what is "
                "joined inside can't be judged or dropped by itself, so give each its own clause.",
                Edit(
                    "part the clause",
                    clause.start + middle.start(),
                    clause.start + middle.end(),
                    f", {connective[clause.kind]} ",
                ),
            )


def open_list(instruction: Instruction) -> Iterator[Finding]:
    """HI013: "etc." and the like."""
    for match in wording.OPEN_LIST.finditer(instruction.text):
        yield Finding(
            "HI013",
            Severity.WARNING,
            f"Open list: {match[0].strip(' ,')!r} leaves the rest to the reader; name what belongs "
            "to it and stop.",
            Edit(f"drop {match[0].strip(' ,')!r}", *match.span(), ""),
        )


def catch_all(instruction: Instruction) -> Iterator[Finding]:
    """HI014: a cue that nearly everything meets."""
    yield from _searched(
        instruction,
        wording.CATCH_ALL,
        "HI014",
        Severity.WARNING,
        "Catch-all: {found!r} holds for nearly every conversation, so volume follows traffic; "
        "name the ones a person must answer.",
        kinds=(PieceKind.CUE,),
    )


def placeholder(instruction: Instruction) -> Iterator[Finding]:
    """HI015: a blank that nobody filled."""
    for match in wording.PLACEHOLDER.finditer(instruction.text):
        yield Finding(
            "HI015",
            Severity.ERROR,
            f"Placeholder: {match[0]!r} is read as it stands; put the words in its place.",
            Edit(f"fill {match[0]!r}", *match.span(), "the customer"),
        )


def not_a_condition(instruction: Instruction) -> Iterator[Finding]:
    """HI016: a sentence that says how, not when."""
    for match in wording.HOW.finditer(instruction.text):
        inside = any(c.start <= match.start() < c.end for c in instruction.clauses)
        if not inside:
            yield Finding(
                "HI016",
                Severity.INFO,
                f"Not a condition: {match[0].strip()!r} says how to write or answer, and a trigger "
                "only decides when; move it to where the email or the agent is set up.",
                Edit(f"drop {match[0].strip()!r}", *match.span(), ""),
            )


def pronoun_first(instruction: Instruction) -> Iterator[Finding]:
    """HI017: a clause that can't be read alone."""
    for clause in instruction.clauses:
        match = wording.PRONOUN.match(clause.text)
        if match:
            end = clause.start + match.end()
            yield Finding(
                "HI017",
                Severity.INFO,
                f"Pronoun: {clause.text!r} can't be read alone, and some triggers read each clause "
                "alone; name who it is.",
                Edit(
                    f"name who {match[0]!r} is", clause.start, end, wording.NAMED[match[0].lower()]
                ),
            )


CHECKS: tuple[Check, ...] = (
    no_cue,
    no_exclusion,
    vague,
    unobservable,
    contact_details,
    contradiction,
    too_long,
    duplicate,
    negation_tangle,
    future,
    other_conversations,
    crowded,
    open_list,
    catch_all,
    placeholder,
    not_a_condition,
    pronoun_first,
)
"""In the order of their codes."""


def _searched(
    instruction: Instruction,
    pattern: wording.Pattern,
    code: str,
    severity: Severity,
    sentence: str,
    *,
    kinds: tuple[PieceKind, ...] = CONDITIONS,
) -> Iterator[Finding]:
    """Give one finding for each clause of these kinds that the pattern is found in."""
    for i, clause in enumerate(instruction.clauses):
        match = pattern.search(instruction.text, clause.start, clause.end)
        if match and clause.kind in kinds:
            yield Finding(
                code, severity, sentence.format(found=match[0]), drop_clause(instruction, i)
            )


def _added(instruction: Instruction, kind: PieceKind) -> Edit:
    entry = next(entry for entry in library() if entry.kind is kind)
    return add_clause(instruction, kind, entry.text)


def _same(first: Clause, second: Clause) -> bool:
    a, b = wording.content(first.text), wording.content(second.text)
    return bool(a and b) and len(a & b) / len(a | b) >= SAME
