"""An instruction taken apart into cues, preconditions and exclusions, nothing of it lost.

Every character belongs to exactly one piece, so that a clause can be dropped, replaced or pointed
at in the text its author wrote. The grammar is that of real English instructions: sentences, lists
with or without bullets, headings that end in a colon, and the words in `grammar`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

from handoff_eval.instructions import grammar
from handoff_eval.instructions.sentence import CONDITIONS, PieceKind, read_sentence


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of the instruction: `text[start:end]`, in sentence number `sentence`."""

    kind: PieceKind
    start: int
    end: int
    sentence: int


@dataclass(frozen=True, slots=True)
class Clause:
    """One condition.

    Attributes
    ----------
    kind : PieceKind
        `CUE`, `PRECONDITION` or `EXCLUSION`.
    text : str
        The condition without the word that introduces it.
    start, end : int
        Where it stands: `instruction.text[start:end] == text`.
    sentence : int
        Number of its sentence, from 0.
    """

    kind: PieceKind
    text: str
    start: int
    end: int
    sentence: int


@dataclass(frozen=True)
class Instruction:
    """An instruction and its pieces, which follow one another without a gap.

    Attributes
    ----------
    text : str
        As written.
    pieces : tuple of Piece
        Their stretches, joined, are the text.
    """

    text: str
    pieces: tuple[Piece, ...]

    @cached_property
    def clauses(self) -> tuple[Clause, ...]:
        """The conditions in the order written."""
        return tuple(
            Clause(p.kind, self.text[p.start : p.end], p.start, p.end, p.sentence)
            for p in self.pieces
            if p.kind in CONDITIONS
        )

    def of_kind(self, kind: PieceKind) -> tuple[Clause, ...]:
        """Return the clauses of one kind."""
        return tuple(clause for clause in self.clauses if clause.kind is kind)

    @property
    def cues(self) -> tuple[Clause, ...]:
        """What speaks for a handoff."""
        return self.of_kind(PieceKind.CUE)

    @property
    def preconditions(self) -> tuple[Clause, ...]:
        """What must hold besides."""
        return self.of_kind(PieceKind.PRECONDITION)

    @property
    def exclusions(self) -> tuple[Clause, ...]:
        """What speaks against a handoff."""
        return self.of_kind(PieceKind.EXCLUSION)


def parse_instruction(text: str) -> Instruction:
    """Take an instruction apart; any text has a reading, and an empty one has no clause.

    How words are read:

    * "when", "if" and their like introduce a cue; in a sentence that forbids ("do not send …
      when") an exclusion; after "only" a precondition.
    * "unless" and "except" introduce an exclusion. Where the sentence already forbids, they undo
      it: "do not send unless …" is a precondition, "do not send when … unless …" a cue.
    * "once" and "after" introduce a precondition beside a cue of the same sentence, else a cue.
    * A heading ("Do not send when:") gives its kind to what is listed under it.
    * Where an instruction has preconditions and no cue, they are what triggers: cues.
    """
    pieces: list[Piece] = []
    inherited: PieceKind | None = None
    after_heading = False
    for number, sentence in enumerate(grammar.sentences(text)):
        if sentence.opens_block and not (sentence.listed or after_heading):
            inherited = None
        read = read_sentence(text, sentence, inherited)
        pieces += [Piece(kind, start, end, number) for kind, start, end in read.pieces]
        after_heading = sentence.heading
        if read.acts or read.passes_on is not None:
            inherited = read.passes_on
    if not any(piece.kind is PieceKind.CUE for piece in pieces):
        pieces = [
            replace(piece, kind=PieceKind.CUE) if piece.kind is PieceKind.PRECONDITION else piece
            for piece in pieces
        ]
    return Instruction(text, tuple(pieces))
