"""How good one summary is: what it keeps, what it invents, who said it, how long it takes.

Every metric is a pair of counts, so that summaries can be added up; `judge` adds them with
intervals. docs/summaries.md says what each one means and when it misleads.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from handoff_eval.conversation import ReferenceFact, ReferenceKind, Role, Turn
from handoff_eval.decision import Decision
from handoff_eval.encoders.base import Encoder
from handoff_eval.summaries.claims import Claim, Spoken, find_claims
from handoff_eval.summaries.facts import FactKind, find_facts
from handoff_eval.summaries.reading import Reading
from handoff_eval.summaries.rouge import rouge_n
from handoff_eval.summaries.selection import find_asks
from handoff_eval.summaries.summary import Statement
from handoff_eval.summaries.support import LIKE, Evidence, share, terms, told

SAID = 0.6
"""Share of a fact's content words that the summary must have in one place."""

SAID_EXACT = 1 / 3
"""The same where a fact is a number or an address, which is looked for letter by letter."""

WORDS_A_MINUTE = 238
"""Silent reading of English non-fiction; Brysbaert, Journal of Memory and Language 109 (2019)."""

_DENSE = r"\u0e00-\u0eff\u3040-\u30ff\u3400-\u9fff"
_WORD = re.compile(rf"[{_DENSE}]{{1,2}}|[^\W_{_DENSE}]+(?:['’.,:/@-][^\W_{_DENSE}]+)*")
_EXACT = frozenset(
    {
        ReferenceKind.IDENTIFIER,
        ReferenceKind.AMOUNT,
        ReferenceKind.DATE,
        ReferenceKind.DEADLINE,
        ReferenceKind.CONTACT,
    }
)
_FOUND = {
    FactKind.IDENTIFIER: ReferenceKind.IDENTIFIER,
    FactKind.AMOUNT: ReferenceKind.AMOUNT,
    FactKind.DATE: ReferenceKind.DATE,
    FactKind.DEADLINE: ReferenceKind.DEADLINE,
    FactKind.EMAIL: ReferenceKind.CONTACT,
    FactKind.PHONE: ReferenceKind.CONTACT,
    FactKind.LINK: ReferenceKind.CONTACT,
}


@dataclass(frozen=True, slots=True)
class SummaryScore:
    """What was counted in one summary.

    Attributes
    ----------
    needed, kept : Counter of ReferenceKind
        Facts a reader needs, and those of them that the summary says.
    missing : tuple of ReferenceFact
        Needed and not said.
    claims : int
        Numbers, names, days, addresses and links it states.
    invented : tuple of Claim
        Those that nobody wrote.
    sentences : int
    unsupported : tuple of Statement
        Sentences that no turn bears out, or that a turn denies.
    swapped : tuple of Statement
        Sentences that give one side the other's words.
    words, transcript_words : int
    rouge_1 : float
        Against the best of the references, else against the needed facts; NaN without either.
    """

    needed: Counter[ReferenceKind] = field(default_factory=Counter)
    kept: Counter[ReferenceKind] = field(default_factory=Counter)
    missing: tuple[ReferenceFact, ...] = ()
    claims: int = 0
    invented: tuple[Claim, ...] = ()
    sentences: int = 0
    unsupported: tuple[Statement, ...] = ()
    swapped: tuple[Statement, ...] = ()
    words: int = 0
    transcript_words: int = 0
    rouge_1: float = float("nan")

    @property
    def coverage(self) -> float:
        """Share of the needed facts that are said; NaN where none is needed."""
        return self.kept.total() / self.needed.total() if self.needed else float("nan")

    @property
    def reading_seconds(self) -> float:
        """How long the summary takes to read at 238 words a minute."""
        return 60 * self.words / WORDS_A_MINUTE

    def faults(self) -> tuple[str, ...]:
        """Return in words what is invented, unsupported or put into the wrong mouth."""
        return (
            *(f"invented {claim.text!r}" for claim in self.invented),
            *(f"unsupported {one.text!r}" for one in self.unsupported),
            *(f"wrong speaker of {one.text!r}" for one in self.swapped),
        )


def score_summary(
    statements: Sequence[Statement],
    *,
    turns: Sequence[Turn],
    facts: Sequence[ReferenceFact],
    subject: str = "",
    references: Sequence[str] = (),
    encoder: Encoder | None = None,
) -> SummaryScore:
    """Return what is counted in one summary of `turns`.

    Parameters
    ----------
    statements : sequence of Statement
        `Summary.statements`, or `support.statements_of` for text that was written freely.
    turns : sequence of Turn
        The turns that were summarised.
    facts : sequence of ReferenceFact
        Of the conversation; those of later turns and those not needed are left out.
    subject : str
        Its claims are checked with the others, and its words are read.
    references : sequence of str
        Summaries by people, for ROUGE.
    encoder : Encoder, optional
        Lets other words with the same meaning count.
    """
    evidence = Evidence(tuple(turns), encoder)
    needed = [fact for fact in facts if fact.needed and fact.turn < len(turns)]
    said = Said(statements, encoder)
    kept = [fact for fact in needed if said.holds(fact)]
    spoken = Spoken(turn.text for turn in turns)
    claims = [claim for text in (*_texts(statements), subject) for claim in find_claims(text)]
    text = " ".join(_texts(statements))
    compared = references or ([" ".join(fact.text for fact in needed)] if needed else [])
    return SummaryScore(
        needed=Counter(fact.kind for fact in needed),
        kept=Counter(fact.kind for fact in kept),
        missing=tuple(fact for fact in needed if fact not in kept),
        claims=len(claims),
        invented=tuple(claim for claim in claims if not spoken.holds(claim)),
        sentences=len(statements),
        unsupported=tuple(s for s in statements if not evidence.is_supported(s)),
        swapped=tuple(s for s in statements if evidence.is_swapped(s)),
        words=count_words(f"{subject} {text}"),
        transcript_words=sum(count_words(t.text) for t in turns if t.role is not Role.SYSTEM),
        rouge_1=max((rouge_n(text, one) for one in compared), default=float("nan")),
    )


class Said:
    """What a summary says, to look facts up in.

    Parameters
    ----------
    statements : sequence of Statement
    encoder : Encoder, optional
    """

    def __init__(self, statements: Sequence[Statement], encoder: Encoder | None = None) -> None:
        self._statements = tuple(statements)
        self._encoder = encoder
        self._spoken = Spoken(_texts(statements))
        by_turn: dict[int, frozenset[str]] = {}
        for statement in statements:
            if statement.turn is not None:
                before = by_turn.get(statement.turn, frozenset())
                by_turn[statement.turn] = before | terms(statement.text)
        self._places = (*(terms(s.text) for s in statements), *by_turn.values())

    def holds(self, fact: ReferenceFact) -> bool:
        """Tell whether the summary says a fact: its claims to the letter, its words for the most.

        The words must stand in one sentence, or in the sentences quoted from one turn.
        """
        claims = find_claims(fact.text)
        if not all(self._spoken.holds(claim) for claim in claims):
            return False
        content = told(fact.text) or terms(fact.text)
        if not content:
            whole = " ".join(_texts(self._statements)).casefold()
            return fact.text.casefold() in whole
        exact = bool(claims) and fact.kind in _EXACT
        least = SAID_EXACT if exact else SAID
        if any(share(content, place) >= least for place in self._places):
            return True
        return not exact and self._means(fact.text)

    def _means(self, text: str) -> bool:
        if self._encoder is None or not self._statements:
            return False
        vectors = self._encoder.encode([text, *_texts(self._statements)])
        return bool((vectors[1:] @ vectors[0]).max() >= LIKE)


def found_facts(turns: Sequence[Turn], decision: Decision) -> tuple[ReferenceFact, ...]:
    """Return what a reader needs where nobody wrote it down, from the customer's own turns.

    Identifiers, amounts, dates, deadlines, addresses, telephone numbers, links and asks are found
    by the patterns that the structured summariser uses too, so its coverage of them says little;
    use it for watching one summariser over time.
    """
    visible = turns[: decision.turns]
    found = [
        ReferenceFact(_FOUND[fact.kind], fact.text, fact.turn)
        for fact in find_facts(visible)
        if fact.kind in _FOUND and visible[fact.turn].role is Role.CUSTOMER
    ]
    asks = find_asks(Reading.of(visible, decision.explanation))
    found += [
        ReferenceFact(ReferenceKind.ASK, line.text.strip("…"), line.turn)
        for line in asks
        if line.text.strip("…")
    ]
    return tuple(dict.fromkeys(found))


def count_words(text: str) -> int:
    """Return the number of words; a script without spaces counts two characters as one."""
    return len(_WORD.findall(text))


def _texts(statements: Sequence[Statement]) -> tuple[str, ...]:
    return tuple(statement.text for statement in statements)
