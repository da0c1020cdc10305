"""The facts a reader must not retype: numbers, amounts, dates, addresses and links, as typed.

Every fact is a slice of its turn, so a copy can't differ from what was written. The one exception
is a payment card, which is shown by its last four digits and nowhere in full.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from handoff_eval.conversation import Role, Turn
from handoff_eval.summaries import patterns

MAX_TURN = 20_000
"""Characters of one turn that are searched; a paste beyond that is in the transcript."""


_ISSUERS = frozenset((2, 3, 4, 5, 6))
"""First digits of payment cards."""

_NOT_DIGIT = re.compile(r"\D+")


class FactKind(StrEnum):
    """What a fact is."""

    IDENTIFIER = "identifier"
    AMOUNT = "amount"
    DATE = "date"
    DEADLINE = "deadline"
    EMAIL = "email"
    PHONE = "phone"
    LINK = "link"
    CARD = "card"


@dataclass(frozen=True, slots=True)
class Fact:
    """One fact and where it stands.

    Attributes
    ----------
    kind : FactKind
    text : str
        `turns[turn].text[start:end]`, but for a card, which is masked.
    turn : int
        0-based index of the turn.
    start, end : int
        Where in the turn's text.
    label : str
        For an identifier the word that names it, as typed: "order"; empty when nothing does.
    """

    kind: FactKind
    text: str
    turn: int
    start: int
    end: int
    label: str = ""

    def __str__(self) -> str:
        return f"{self.label} {self.text}" if self.label else self.text


def find_facts(turns: Sequence[Turn]) -> tuple[Fact, ...]:
    """Return the facts of all turns in the order they were written.

    The first 20,000 characters of a turn are searched. Where two shapes fit the same characters
    the more specific one is taken: a card before a number, a labelled number before a telephone.
    """
    found: list[Fact] = []
    for index, turn in enumerate(turns):
        label = _asked_for(turns[index - 1]) if index and turn.role is Role.CUSTOMER else ""
        found.extend(_facts(turn.text[:MAX_TURN], index, label))
    return tuple(found)


def mask_cards(text: str) -> str:
    """Return `text` with every payment card number and its security code masked.

    A masked text has no card left, so masking again changes nothing.
    """
    pieces, end = [], 0
    for start, stop in sorted(_cards(text)):
        if start >= end:
            pieces += [text[end:start], _masked(text[start:stop])]
            end = stop
    return "".join([*pieces, text[end:]])


def mask_contacts(text: str) -> str:
    """Return `text` with email addresses and telephone numbers masked; names and streets stay."""
    text = patterns.EMAIL.sub(lambda match: f"{match[0][0]}•••@{match[0].split('@')[1]}", text)
    return patterns.PHONE.sub(lambda match: f"••• {match[0][-2:]}", text)


def _asked_for(previous: Turn) -> str:
    if previous.role is Role.CUSTOMER or "?" not in previous.text:
        return ""
    named = patterns.LABEL_WORD.findall(previous.text[-400:])
    return named[-1] if named else ""


def _facts(text: str, turn: int, asked: str) -> list[Fact]:
    taken: list[tuple[int, int]] = []
    found: list[Fact] = []

    def take(
        kind: FactKind, start: int, end: int, label: str = "", claim: int | None = None
    ) -> None:
        begin = start if claim is None else claim
        if start < end and all(end <= a or begin >= b for a, b in taken):
            taken.append((begin, end))
            value = text[start:end]
            shown = _masked(value) if kind is FactKind.CARD else value
            found.append(Fact(kind, shown, turn, start, end, label))

    def take_all(
        kind: FactKind, pattern: re.Pattern[str], keep: Callable[[re.Match[str]], bool]
    ) -> None:
        for match in pattern.finditer(text):
            if keep(match):
                take(kind, match.start(), match.end())

    if "@" in text:
        take_all(FactKind.EMAIL, patterns.EMAIL, lambda match: ".." not in match[0])
    if "." in text:
        for match in patterns.LINK.finditer(text):
            take(FactKind.LINK, match.start(), match.start() + len(match[0].rstrip(".,;:!?)]'*")))
    for start, end in _cards(text):
        take(FactKind.CARD, start, end)
    take_all(FactKind.IDENTIFIER, patterns.IBAN, _valid_iban)
    for start, end, label, claim in _labelled(text):
        take(FactKind.IDENTIFIER, start, end, label, claim)
    if any(character.isdigit() for character in text):
        take_all(
            FactKind.PHONE, patterns.PHONE, lambda match: not patterns.DATE.fullmatch(match[0])
        )
        take_all(FactKind.AMOUNT, patterns.AMOUNT, lambda _: True)
    take_all(FactKind.DEADLINE, patterns.DEADLINE, lambda match: _ahead(text, match.start()))
    take_all(FactKind.DATE, patterns.DATE, lambda _: True)
    if any(character.isdigit() for character in text):
        about_money = patterns.MONEY_WORD.search(text) is not None
        take_all(FactKind.AMOUNT, patterns.DECIMAL, lambda match: about_money or len(match[0]) >= 6)
        take_all(FactKind.IDENTIFIER, patterns.HASHED, lambda match: len(match[0]) > 2)
        alone = asked if len(text.split()) <= 5 else ""
        for match in patterns.CODE.finditer(text):
            if _is_code(match[0]) or (alone and len(_NOT_DIGIT.sub("", match[0])) >= 3):
                take(FactKind.IDENTIFIER, match.start(), match.end(), alone)
    return sorted(found, key=lambda fact: fact.start)


def _labelled(text: str) -> Iterator[tuple[int, int, str, int]]:
    for match in patterns.FLIGHT.finditer(text):
        yield *match.span("value"), match["label"], match.start()
    for match in patterns.LABELLED.finditer(text):
        start, end = match.span("value")
        value = _same_number(match["value"])
        end = start + len(value)
        if _belongs(match, value):
            yield start - len(match["hash"]), end, match["label"], match.start()


def _belongs(match: re.Match[str], value: str) -> bool:
    """Tell a number that the label names from a count, a date or a price beside it."""
    label = match["label"]
    digits = sum(c.isdigit() for c in value)
    if not digits:
        locator = match["word"] or label.lower() == "pnr"
        return bool(locator) and value.isalpha() and value.isupper() and len(value) >= 5
    if patterns.DATE.fullmatch(value) or patterns.UNIT.fullmatch(value):
        return False
    if re.fullmatch(r"\d+[.,]\d{2}", value):
        return False
    if match["word"] or match["hash"] or match["link"].strip():
        return digits >= 2
    if value.isdigit() and patterns.WEAK_LABEL.fullmatch(label):
        return digits >= 5
    return digits >= 3 or (len(value) >= 4 and value != value.lower())


def _same_number(value: str) -> str:
    """Keep the groups typed as one number: "CORV 88 LH" and "12 34 56", not "4417 15" (pairs)."""
    first, *groups = value.split(" ")
    if first.isdigit() or not first.isupper():
        kept = [first]
        for group in groups:
            if not group.isdigit() or (len(group) < 3 and len(group) != len(first)):
                break
            kept.append(group)
        return " ".join(kept)
    return value


def _is_code(token: str) -> bool:
    digits = sum(c.isdigit() for c in token)
    if digits < 2 or patterns.UNIT.fullmatch(token) or patterns.DATE.fullmatch(token):
        return False
    if digits == len(token):
        return digits >= 5 and not token.endswith("00")
    if digits == len(token.replace("-", "")):
        return digits >= 7
    if digits >= 3 and ("-" in token or (token.upper() == token and len(token) >= 5)):
        return True
    changes = sum(a.isdigit() != b.isdigit() for a, b in itertools.pairwise(token))
    return token.upper() == token and 5 <= len(token) <= 8 and changes >= 2


def _ahead(text: str, start: int) -> bool:
    """Tell a deadline that lies ahead from a promise that was broken: "was due by Friday"."""
    sentence = re.split(r"[.!?\n]", text[max(0, start - 80) : start])[-1]
    return patterns.PAST.search(sentence) is None


def _cards(text: str) -> list[tuple[int, int]]:
    spans = [match.span("value") for match in patterns.SECURITY_CODE.finditer(text)]
    for run in patterns.DIGIT_RUN.finditer(text):
        if len(run[0]) < 13:
            continue
        found = list(_cards_in(run))
        digits = _NOT_DIGIT.sub("", run[0])
        # A mistyped card fails its check digit; the word before it still gives it away.
        if not found and len(digits) in (15, 16):
            named = patterns.CARD_WORD.search(text[max(0, run.start() - 40) : run.start()])
            found = [run.span()] if named else []
        spans += found
    return spans


def _cards_in(run: re.Match[str]) -> Iterator[tuple[int, int]]:
    """Return the places of cards in a run of digit groups, each as whole groups."""
    text = run[0]
    groups = [match.span() for match in re.finditer(r"\d+", text)]
    first = 0
    while first < len(groups):
        start = groups[first][0]
        found = None
        if int(text[start]) in _ISSUERS:
            for last in range(first, min(first + 6, len(groups))):
                digits = _NOT_DIGIT.sub("", text[start : groups[last][1]])
                if _is_card(digits) or (last == first and _hides_card(digits)):
                    found = last
        if found is not None:
            yield run.start() + start, run.start() + groups[found][1]
        first = first + 1 if found is None else found + 1


def _hides_card(digits: str) -> bool:
    """Tell whether digits typed without a space begin with a card and go on with more."""
    return len(digits) > 19 and any(
        _is_card(digits[start : start + length])
        for start in range(min(len(digits), 64))
        for length in (15, 16)
    )


def _is_card(digits: str) -> bool:
    """Check first digit, length and the Luhn check digit (ISO/IEC 7812-1)."""
    if not 13 <= len(digits) <= 19 or int(digits[0]) not in _ISSUERS:
        return False
    total = 0
    for place, character in enumerate(reversed(digits)):
        value = int(character) * (2 if place % 2 else 1)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def _masked(number: str) -> str:
    digits = _NOT_DIGIT.sub("", number)
    return f"•••• {digits[-4:]}" if len(digits) > 4 else "•••"


def _valid_iban(match: re.Match[str]) -> bool:
    """Check the remainder 97 of ISO 13616."""
    compact = match[0].replace(" ", "")
    return int("".join(str(int(c, 36)) for c in compact[4:] + compact[:4])) % 97 == 1
