"""What a text states that can be checked to the letter: numbers, names, days, addresses, links.

A claim is copied when somebody wrote it: the same number in another spelling (1,204.50 and 1204.5,
three and 3, 16:05 and 16.05) is the same claim, one digit more or less is not.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

from handoff_eval.summaries.patterns import EMAIL, LINK


class ClaimKind(StrEnum):
    """What a claim is."""

    NUMBER = "number"
    DAY = "day"
    NAME = "name"
    ADDRESS = "address"
    LINK = "link"


@dataclass(frozen=True, slots=True)
class Claim:
    """One checkable word of a text.

    Attributes
    ----------
    kind : ClaimKind
    text : str
        As it stands in the text.
    key : str
        The same for every spelling of the same thing.
    """

    kind: ClaimKind
    text: str
    key: str


_TOKEN = re.compile(r"[^\W_]+(?:[-./:,'’_–][^\W_]+)*")
_WORD = re.compile(r"[^\W_]+")
_SENTENCE_START = re.compile(r"(?:^|[.!?…:;]|[\"“”‘'(\[—–-])\s*[\"“”‘'(\[]*$")
_THOUSANDS = re.compile(
    r"(\d{1,3}(?:[,'’]\d{3})+)(?:\.(\d{1,2}))?|(\d{1,3}(?:\.\d{3})+)(?:,(\d{1,2}))?"
)
_DECIMAL = re.compile(r"(\d+)[.,:](\d{1,2})")
_AFFIXED = re.compile(r"(\d[\d.,:]*)(?:st|nd|rd|th|am|pm|h|uhr|k?m|cm|mm|kg|kb|mb|gb|p|x|s)?", re.I)
_NUMBERS = dict(
    zip(
        [
            "zero",
            "two",
            "three",
            "four",
            "five",
            "six",
            "seven",
            "eight",
            "nine",
            "ten",
            "eleven",
            "twelve",
            "thirteen",
            "fourteen",
            "fifteen",
            "sixteen",
            "seventeen",
            "eighteen",
            "nineteen",
            "twenty",
        ],
        ["0", *map(str, range(2, 21))],
        strict=True,
    )
) | {"thirty": "30", "forty": "40", "fifty": "50", "sixty": "60", "ninety": "90", "twice": "2"}
_DAYS = {
    name: name[:3]
    for name in [
        "monday",
        "tuesday",
        "wednesday",
        "thursday",
        "friday",
        "saturday",
        "sunday",
        "january",
        "february",
        "april",
        "june",
        "july",
        "august",
        "september",
        "october",
        "november",
        "december",
    ]
}
_OTHER_DAYS = {
    "today": "today",
    "tonight": "today",
    "tomorrow": "tomorrow",
    "yesterday": "yesterday",
}
_CAPITAL_DAYS = {"March": "mar", "May": "may"}
_SPELLINGS = {
    "mon": "mon", "tue": "tue", "tues": "tue", "wed": "wed", "weds": "wed", "thu": "thu",
    "thur": "thu", "thurs": "thu", "fri": "fri", "sat": "sat", "sun": "sun", "jan": "jan",
    "feb": "feb", "mar": "mar", "march": "mar", "apr": "apr", "may": "may", "jun": "jun",
    "jul": "jul", "aug": "aug", "sep": "sep", "sept": "sep", "oct": "oct", "nov": "nov",
    "dec": "dec", "tmrw": "tomorrow", "tmr": "tomorrow", "tomorow": "tomorrow", "2day": "today",
}  # fmt: skip
_ROLE_WORDS = re.compile(
    r"i|i['’]\w+|ok|customers?|agents?|clients?|users?|colleagues?|teams?|representatives?|mr|mrs|ms|"
    r"dr|dm|re|fyi|faq|id",
    re.IGNORECASE,
)
_SUFFIX = 4
"""Digits of a long number that may stand for it: the last ones of a card."""


def find_claims(text: str) -> tuple[Claim, ...]:
    """Return the claims of a text in the order they stand in, each as often as it stands there.

    Names are words with a capital that no sentence begins with, so a script without capitals
    has none, and neither has a text in capitals throughout.
    """
    found: list[tuple[int, Claim]] = []
    rest = text
    for kind, pattern in ((ClaimKind.ADDRESS, EMAIL), (ClaimKind.LINK, LINK)):
        for match in pattern.finditer(rest):
            shown = match[0].rstrip(".,;:!?)]'*")
            found.append((match.start(), Claim(kind, shown, _key_of(kind, shown))))
        rest = pattern.sub(lambda match: " " * len(match[0]), rest)
    words = [match for match in _TOKEN.finditer(rest) if match[0][0].isalpha()]
    shouted = sum(_is_capital(match[0]) for match in words) > 0.6 * len(words) and len(words) > 2
    for match in _TOKEN.finditer(rest):
        claim = _claim(match, rest, shouted)
        if claim is not None:
            found.append((match.start(), claim))
    return tuple(claim for _, claim in sorted(found, key=lambda pair: pair[0]))


def number_key(token: str) -> str:
    """Return one spelling for all spellings of a number or code.

    Letters lose their case and separators (KB-38855 and kb38855), thousands theirs (1,204),
    decimals and times get a point and lose a zero fraction (16:05, 35.00), and ordinals and units
    go (3rd, 10am).
    """
    folded = token.casefold().strip("-./:,'’_–")
    affixed = _AFFIXED.fullmatch(folded)
    if affixed is None:
        joint = "" if any(character.isalpha() for character in folded) else "-"
        return re.sub(r"[\W_]+", joint, folded)
    digits = affixed[1].rstrip(".,:")
    thousands = _THOUSANDS.fullmatch(digits)
    if thousands is not None:
        whole = re.sub(r"\D", "", thousands[1] or thousands[3])
        return _number(whole, thousands[2] or thousands[4] or "")
    decimal = _DECIMAL.fullmatch(digits)
    if decimal is not None:
        return _number(decimal[1], decimal[2])
    return _number(digits, "") if digits.isdigit() else re.sub(r"[.,:]", "-", digits)


class Spoken:
    """What was written somewhere, to look claims up in.

    Parameters
    ----------
    texts : iterable of str
        The turns, or the sentences of a summary.
    """

    def __init__(self, texts: Iterable[str]) -> None:
        self._texts = tuple(texts)

    @cached_property
    def _keys(self) -> frozenset[tuple[str, str]]:
        return frozenset(key for text in self._texts for key in _spoken_keys(text))

    @cached_property
    def _long_numbers(self) -> tuple[str, ...]:
        runs = (
            re.sub(r"\D", "", m[0])
            for t in self._texts
            for m in re.finditer(r"\d[\d \u00a0-]{6,}", t)
        )
        return tuple(run for run in runs if len(run) >= 2 * _SUFFIX)

    def holds(self, claim: Claim) -> bool:
        """Tell whether the claim was written, in any spelling."""
        if (_class(claim.kind), claim.key) in self._keys:
            return True
        if claim.kind is ClaimKind.NAME:
            parts = [part.casefold() for part in _WORD.findall(claim.text)]
            return all(("word", part) in self._keys for part in parts if part != "s")
        if claim.kind is ClaimKind.NUMBER and claim.key.isdigit() and len(claim.key) >= _SUFFIX:
            return any(claim.key in (run, run[-_SUFFIX:]) for run in self._long_numbers)
        return False


def _spoken_keys(text: str) -> Iterable[tuple[str, str]]:
    for claim in find_claims(text):
        yield _class(claim.kind), claim.key
    for match in _TOKEN.finditer(text):
        token = match[0]
        pieces = _WORD.findall(token)
        for word in (token, *pieces):
            folded = word.casefold()
            yield "word", folded
            day = _DAYS.get(folded) or _OTHER_DAYS.get(folded) or _SPELLINGS.get(folded)
            if day is not None:
                yield "day", day
            if folded in _NUMBERS:
                yield "number", _NUMBERS[folded]
        if any(character.isdigit() for character in token):
            yield "number", number_key(token)
            range_or_date = re.search(r"[-–/]", token) is not None
            for piece in pieces:
                if any(c.isdigit() for c in piece) and (range_or_date or len(piece) >= _SUFFIX):
                    yield "number", number_key(piece)


def _claim(match: re.Match[str], text: str, shouted: bool) -> Claim | None:
    token = match[0]
    folded = token.casefold()
    if any(character.isdigit() for character in token):
        return Claim(ClaimKind.NUMBER, token, number_key(token))
    if folded in _NUMBERS:
        return Claim(ClaimKind.NUMBER, token, _NUMBERS[folded])
    bare = re.sub(r"['’]s$", "", token)
    day = _DAYS.get(bare.casefold()) or _OTHER_DAYS.get(bare.casefold()) or _CAPITAL_DAYS.get(bare)
    begins = _SENTENCE_START.search(text[max(0, match.start() - 8) : match.start()]) is not None
    if day is not None and not (begins and bare in _CAPITAL_DAYS):
        return Claim(ClaimKind.DAY, bare, day)
    if shouted or begins or not _is_capital(token) or _ROLE_WORDS.fullmatch(bare):
        return None
    return Claim(ClaimKind.NAME, bare, bare.casefold())


def _is_capital(token: str) -> bool:
    return token[0].isupper() and len(token) > 1


def _class(kind: ClaimKind) -> str:
    return "word" if kind is ClaimKind.NAME else kind.value


def _key_of(kind: ClaimKind, text: str) -> str:
    folded = text.casefold()
    if kind is ClaimKind.LINK:
        return re.sub(r"^(?:https?://)?(?:www\.)?", "", folded).rstrip("/")
    return folded


def _number(whole: str, fraction: str) -> str:
    """Join a number again; short ones lose leading zeros, which a long one (07700) needs."""
    cents = f".{fraction:0<2}" if fraction.strip("0") else ""
    short = len(whole) < 3 or cents
    return f"{whole.lstrip('0') or '0'}{cents}" if short else whole
