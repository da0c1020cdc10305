"""Changes to an instruction, one clause at a time, as values that can be shown and applied."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from handoff_eval.conversation import Reason
from handoff_eval.errors import SettingsError
from handoff_eval.instructions.clauses import Instruction, Piece, parse_instruction
from handoff_eval.instructions.sentence import CONDITIONS, PieceKind
from handoff_eval.instructions.vague import VAGUE


@dataclass(frozen=True, slots=True)
class Edit:
    """Text to put in place of `text[start:end]`.

    Attributes
    ----------
    what : str
        The change in a few words: "drop 'spam'".
    start, end : int
    replacement : str
    """

    what: str
    start: int
    end: int
    replacement: str

    def apply(self, text: str) -> str:
        """Return the text with the change made."""
        return (text[: self.start] + self.replacement + text[self.end :]).strip()

    def to_dict(self) -> dict[str, str | int]:
        """Return the edit as JSON values."""
        return {
            "what": self.what,
            "start": self.start,
            "end": self.end,
            "replacement": self.replacement,
        }


@dataclass(frozen=True, slots=True)
class Entry:
    """A condition of the library; `reason` is None unless it is a cue."""

    kind: PieceKind
    reason: Reason | None
    text: str


def drop_clause(instruction: Instruction, index: int) -> Edit:
    """Return the edit that takes one clause out and leaves the others as they read.

    Parameters
    ----------
    instruction : Instruction
    index : int
        Of `instruction.clauses`.
    """
    clause = instruction.clauses[index]
    others = [c for i, c in enumerate(instruction.clauses) if i != index]
    edits = [
        Edit(f"drop {clause.text!r}", start, end, "")
        for start, end in _removals(instruction, index)
    ]
    wanted = [(c.kind, c.text) for c in others]
    for edit in edits:
        left = parse_instruction(edit.apply(instruction.text)).clauses
        if [(c.kind, c.text) for c in left] == wanted:
            return edit
    return edits[-1]


def add_clause(instruction: Instruction, kind: PieceKind, words: str) -> Edit:
    """Return the edit that adds a sentence with one more condition at the end."""
    text = instruction.text
    end = len(text.rstrip())
    stop = "" if not end or text[end - 1] in ".!?" else "."
    gap = "" if not end else ("\n" if instruction.text.rstrip().count("\n") else " ")
    sentence = {
        PieceKind.CUE: "Send an email when {}.",
        PieceKind.PRECONDITION: "Send it only if {}.",
        PieceKind.EXCLUSION: "Do not send it when {}.",
    }[kind].format(words)
    return Edit(f"add the {kind} {words!r}", end, len(text), f"{stop}{gap}{sentence}")


def sharpen(instruction: Instruction) -> Iterator[Edit]:
    """Give an edit for each vague word of a clause that has a plainer one."""
    for clause in instruction.clauses:
        for vague in VAGUE:
            match = vague.pattern.search(instruction.text, clause.start, clause.end)
            if match:
                yield Edit(f"say {vague.instead!r} for {match[0]!r}", *match.span(), vague.instead)


@cache
def library() -> tuple[Entry, ...]:
    """Return the conditions the package ships for adding."""
    text = files("handoff_eval.instructions").joinpath("library.txt").read_text(encoding="utf-8")
    return parse_library(text, source="library.txt")


def parse_library(text: str, *, source: str) -> tuple[Entry, ...]:
    """Parse lines of `kind | reason | words`; `#` starts a comment line.

    Raises
    ------
    SettingsError
        Naming source and line, for the first that isn't of this form.
    """
    entries = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        parts = [part.strip() for part in line.split("|", 2)]
        kinds = {kind.value: kind for kind in CONDITIONS}
        reasons = {"-": None, **{reason.value: reason for reason in Reason}}
        if len(parts) != 3 or parts[0] not in kinds or parts[1] not in reasons or not parts[2]:
            raise SettingsError(
                f"{source}:{number}: expected 'kind | reason | words' with a kind of "
                f"{', '.join(kinds)} and a reason of {', '.join(reasons)}; got {line.strip()!r}."
            )
        entries.append(Entry(kinds[parts[0]], reasons[parts[1]], parts[2]))
    return tuple(entries)


def clause_edits(instruction: Instruction) -> tuple[Edit, ...]:
    """Return every single change that can be made without a model.

    Each clause dropped, each vague word sharpened, and each condition of the library added that
    the instruction doesn't hold yet.
    """
    held = [clause.text.casefold() for clause in instruction.clauses]
    drops = (
        [drop_clause(instruction, i) for i in range(len(instruction.clauses))]
        if len(instruction.clauses) > 1
        else []
    )
    adds = [
        add_clause(instruction, entry.kind, entry.text)
        for entry in library()
        if entry.text.casefold() not in held
    ]
    return (*drops, *sharpen(instruction), *adds)


def _removals(instruction: Instruction, index: int) -> Iterator[tuple[int, int]]:
    """Give stretches that hold the clause, the one that reads best first."""
    clause = instruction.clauses[index]
    pieces = [piece for piece in instruction.pieces if piece.sentence == clause.sentence]
    at = next(i for i, piece in enumerate(pieces) if piece.start == clause.start)
    before, after = pieces[:at], pieces[at + 1 :]
    if not any(piece.kind in CONDITIONS for piece in (*before, *after)):
        yield pieces[0].start, pieces[-1].end
    if len(before) > 1 and before[-2].kind in CONDITIONS:
        yield before[-2].end, clause.end
    following = next((piece for piece in after if piece.kind in CONDITIONS), None)
    if following is not None:
        yield clause.start, following.start
    if before and before[-1].kind is PieceKind.JOIN:
        yield _without_bullet(instruction.text, before[-1]), clause.end
    yield clause.start, clause.end


def _without_bullet(text: str, join: Piece) -> int:
    """Return where the words of a join begin, keeping what ends the line before."""
    stretch = text[join.start : join.end]
    words = re.search(r"\S", stretch)
    return join.start + (words.start() if words else 0)
