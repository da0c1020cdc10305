"""Personal data replaced by pseudonyms that stay the same throughout a dataset.

A pseudonym is a keyed hash (HMAC-SHA256) of the value, so the same address, number or name gets
the same one in every conversation, and without the key nobody can try values until one fits. The
key is the file `.salt` in the dataset folder, readable by its owner only and listed in the
folder's `.gitignore`: it is needed to import more into the same dataset, and should be deleted
before the folder is given away.

What is found: email addresses; card numbers (13-19 digits that pass the Luhn check); phone
numbers (international, national with separators or a leading 0, or digits after a word such as
"call"); names that the source gives of its people, that stand in a signature, or that follow "my
name is". It is a net, not a proof: read before you publish.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Iterable
from pathlib import Path
from typing import Any

SALT = ".salt"
_IGNORE = ".gitignore"
_KEPT = frozenset({"id", "role", "at", "started_at", "split"})
"""Fields that stay as they are; the customer's id has its own pseudonym."""
_NOT_NAMES = re.compile(
    r"(?i)support|admin|team|agent|bot|user|customer|human|system|email|phone|card|name|masked"
    r"|invalid|great|perfect|ok|okay|bye|yes|no|good|thanks|thank|sure|done|please|hello|hi|dear"
    r"|everyone|all|again|sent"
)
_LONG_ID = 5
"""A customer's id of fewer characters is too common a word to look for in texts."""
_DATE = re.compile(r"\d{1,2}[-/.]\d{1,2}[-/.]\d{4}")

# Runs are bounded and start only where a run can, so that hostile text costs linear time.
_EMAIL = re.compile(r"(?<![\w.+%'-])[\w.+%'-]{0,63}[\w+%]@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}")
_CARD = re.compile(r"(?<![\w.-])\d(?:[ -]?\d){12,18}(?![\w-])")
_PHONE = re.compile(
    r"(?<![\w.@/-])(?:"
    r"(?:\+|00)\d[\d ().\-/]{5,18}\d"
    r"|\(?\d{3}\)?[ .-]\d{3}[ .-]\d{4}"
    r"|\(?0\d{1,4}\)?[ /-]?\d{2,8}(?:[ -]?\d{2,4}){0,3}"
    r")(?![\w-])"
)
_CALLED = re.compile(
    r"(?i:\b(?:phone|telephone|tel|mobile|cell|call|ring|text|whatsapp|sms)\b)[^\d\n]{0,24}"
    r"(?<!-)(\d[\d -]{5,13}\d)(?![\w-])"
)
_WORD = r"[^\W\d_a-z](?:\.|[\w'’-]{0,40})"
_NAME = rf"{_WORD}(?:[ \t]+(?:(?:de|da|van|von|der|del|la)[ \t]+)*{_WORD}){{0,3}}"
_CLOSING = (
    r"(?:^|[.!?][ \t]+|\n[ \t]*)(?i:(?:with[ \t]+)?(?:best|kind|warm|many|yours)?[ \t]*"
    r"(?:regards|wishes|thanks|thank you|cheers|sincerely|truly|faithfully|greetings|best))"
)
_SIGNED = re.compile(
    rf"{_CLOSING}[ \t]*[,.!–-]*[ \t]*\n\s*(?P<below>{_NAME})[ \t]*(?=\n|$)"
    rf"|{_CLOSING}[ \t]*[,–-]+[ \t]*(?P<beside>{_NAME})[ \t]*[.!]?[ \t]*(?=\n|$)"
    rf"|\n[ \t]*(?:--?|–|—)[ \t]*(?P<dashed>{_NAME})[ \t]*$"
)
_INTRODUCED = re.compile(rf"(?i:\bmy name is|\bmy name's|\bi am called)[ \t]+(?P<name>{_NAME})")


class Masker:
    """Replaces personal data by pseudonyms made with one key.

    Parameters
    ----------
    key : bytes or None
        At least 16 random bytes; the same key gives the same pseudonyms. None replaces by the
        kind alone, such as `[name]`: for pages, on which nobody has to be told from another.
    """

    def __init__(self, key: bytes | None) -> None:
        self._key = key

    def document(self, document: dict[str, Any], names: Iterable[str] = ()) -> dict[str, Any]:
        """Return a conversation of the dataset format without its personal data.

        Parameters
        ----------
        document : dict
            As of one line of `transcripts.jsonl`; its id stays as it is.
        names : iterable of str
            Names of people that the source gives.
        """
        texts = [turn["text"] for turn in document["turns"] if isinstance(turn["text"], str)]
        known = self._names([*names, *(name for text in texts for name in _names_in(text))])
        customer = document.get("customer") or {}
        own_id = customer.get("id")
        if own_id is not None and len(own_id) >= _LONG_ID:
            own = re.compile(rf"(?<!\w){re.escape(own_id)}(?!\w)")
            known.insert(0, (own, self._hash("customer", own_id.casefold())))
        masked = {
            field: value if field in _KEPT else self._deep(value, known)
            for field, value in document.items()
        }
        if own_id is not None:
            masked["customer"]["id"] = self._hash("customer", own_id.casefold())
        if customer.get("email") is not None:
            masked["customer"]["email"] = self._address(customer["email"])
        return masked

    def text(self, text: str, names: Iterable[str] = ()) -> str:
        """Return a text without its personal data."""
        return self._masked(text, self._names([*names, *_names_in(text)]))

    def _deep(self, value: Any, known: list[tuple[re.Pattern[str], str]]) -> Any:
        if isinstance(value, str):
            return self._masked(value, known)
        if isinstance(value, list):
            return [self._deep(item, known) for item in value]
        if isinstance(value, dict):
            return {
                field: item if field in _KEPT else self._deep(item, known)
                for field, item in value.items()
            }
        return value

    def _masked(self, text: str, known: list[tuple[re.Pattern[str], str]]) -> str:
        text = _EMAIL.sub(lambda match: self._address(match[0]), text)
        text = _CARD.sub(self._card, text)
        text = _PHONE.sub(self._phone, text)
        text = _CALLED.sub(
            lambda match: match[0].replace(match[1], self._token("phone", match[1])), text
        )
        for pattern, pseudonym in known:
            text = pattern.sub(pseudonym, text)
        return text

    def _address(self, address: str) -> str:
        plain = address.casefold().strip(".'")
        return f"{self._hash('email', plain)}@masked.invalid"

    def _card(self, match: re.Match[str]) -> str:
        digits = re.sub(r"\D", "", match[0])
        return self._token("card", digits) if _passes_luhn(digits) else match[0]

    def _phone(self, match: re.Match[str]) -> str:
        digits = re.sub(r"\D", "", match[0])
        fewest = 8 if match[0].startswith(("+", "00")) else 9
        if not fewest <= len(digits) <= 15 or _DATE.match(match[0]):
            return match[0]
        return self._token("phone", digits)

    def _names(self, names: Iterable[str]) -> list[tuple[re.Pattern[str], str]]:
        """Return a pattern and pseudonym for each name and its parts, the longest names first."""
        pseudonyms: dict[str, str] = {}
        for name in sorted(
            {" ".join(n.split()).strip(" .-") for n in names}, key=len, reverse=True
        ):
            if len(name) < 2 or _NOT_NAMES.fullmatch(name):
                continue
            pseudonym = pseudonyms.get(name) or self._token("name", name)
            for part in (name, *name.split()):
                if part == name or (len(part) > 2 and not _NOT_NAMES.fullmatch(part)):
                    pseudonyms.setdefault(part, pseudonym)
        return [
            (re.compile(rf"(?<!\w){re.escape(name)}(?!\w)"), pseudonyms[name])
            for name in sorted(pseudonyms, key=len, reverse=True)
        ]

    def _token(self, kind: str, value: str) -> str:
        """Return the pseudonym of a value: a phone number's last nine digits are its value."""
        plain = value.casefold()
        if kind == "phone":
            plain = re.sub(r"\D", "", value)[-9:]
        return f"[{self._hash(kind, plain)}]"

    def _hash(self, kind: str, value: str) -> str:
        if self._key is None:
            return kind
        digest = hmac.new(self._key, f"{kind}:{value}".encode(), hashlib.sha256).hexdigest()
        return f"{kind}-{digest[:10]}"


def masked(text: str) -> str:
    """Return a text with personal data replaced by its kind, such as `[phone]`: for pages."""
    return Masker(None).text(text)


def key_of(folder: Path) -> bytes:
    """Return the key of a dataset folder, or a new one where it has none yet."""
    path = folder / SALT
    return bytes.fromhex(path.read_text("ascii")) if path.is_file() else secrets.token_bytes(32)


def save_key(folder: Path, key: bytes) -> None:
    """Keep the key in the dataset folder, for its owner only and out of version control."""
    path = folder / SALT
    if not path.exists():
        path.touch(mode=0o600)
        path.write_text(key.hex(), "ascii")
    ignore = folder / _IGNORE
    ignored = ignore.read_text("utf-8").splitlines() if ignore.is_file() else []
    if SALT not in ignored:
        ignore.write_text("\n".join([*ignored, SALT, ""]), "utf-8")


def _names_in(text: str) -> list[str]:
    """Return the names that a text signs or introduces itself with."""
    found = [match["name"] for match in _INTRODUCED.finditer(text)]
    for match in _SIGNED.finditer(text):
        found += [name for name in match.groupdict().values() if name]
    return found


def _passes_luhn(digits: str) -> bool:
    """Return whether the check digit of a card number is right (ISO/IEC 7812-1)."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (1 + place % 2)
        total += value - 9 if value > 9 else value
    return total % 10 == 0
