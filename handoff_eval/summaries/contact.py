"""Where the customer can be answered: the address on file, else one they typed themselves."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass

from handoff_eval.conversation import Conversation, Role
from handoff_eval.summaries.facts import FactKind, find_facts
from handoff_eval.summaries.patterns import EMAIL

_OWN = re.compile(
    r"(?<!\w)(?:my|mine|me|i'?m|reach|contact|write|mail|send|answer|reply|note|line|to|at|on|an|"
    r"correo|adresse|courriel)(?!\w)\W{0,3}(?:\w+\W{1,3}){0,3}$",
    re.IGNORECASE,
)
_OTHERS = re.compile(
    r"(?<!\w)(?:(?:i|we|they|he|she|who)(?:'ve|'d| have| had| has)? (?:\w+ ){0,2}?(?:wrote|written|"
    r"emailed|mailed|sent|got|received)|from|old|wrong|instead of|isn't|not (?:to|at)|his|her|"
    r"their|belongs to|grant|forward|copy|cc)(?!\w)[^.!?\n]{0,40}$",
    re.IGNORECASE,
)
_SHARED = re.compile(
    r"(?:no-?reply|donotreply|support|help|info|service|contact|billing|admin|"
    r"postmaster)(?:[@+.-])",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Contact:
    """An address to answer at.

    Attributes
    ----------
    address : str or None
        One that a mail header can carry; None when there is none.
    turn : int or None
        The customer's turn it was found in; None for the address on file.
    rejected : str or None
        An address on file that no mail program could use, as it was given.
    """

    address: str | None = None
    turn: int | None = None
    rejected: str | None = None

    @property
    def from_chat(self) -> bool:
        """Whether the address is only what the customer typed."""
        return self.turn is not None


def find_contact(
    conversation: Conversation, *, turns: int | None = None, exclude: Collection[str] = ()
) -> Contact:
    """Return where to answer the customer, looking at the first `turns` turns (None: all).

    The address on file wins. Without one, the customer's own turns are searched; an address that
    they present as theirs beats one they merely mention, and a later one an earlier. Addresses
    in `exclude` (the team's own) and those of somebody else ("I wrote to ...") are never taken.
    """
    known = (conversation.customer.email or "").strip()
    if known and EMAIL.fullmatch(known) and ".." not in known:
        return Contact(known)
    rejected = known or None
    barred = {address.casefold() for address in exclude}
    visible = conversation.turns[:turns]
    best: tuple[int, int, str] | None = None
    for fact in find_facts(visible):
        turn = visible[fact.turn]
        if fact.kind is not FactKind.EMAIL or turn.role is not Role.CUSTOMER:
            continue
        before = turn.text[max(0, fact.start - 60) : fact.start]
        if fact.text.casefold() in barred or _OTHERS.search(before):
            continue
        alone = not re.search(r"\w", turn.text.replace(fact.text, ""))
        rank = 2 if alone or _OWN.search(before) else 1
        if rank == 1 and _SHARED.match(fact.text):
            continue
        if best is None or (rank, fact.turn) >= best[:2]:
            best = (rank, fact.turn, fact.text)
    if best is None:
        return Contact(rejected=rejected)
    return Contact(best[2], best[1], rejected)
