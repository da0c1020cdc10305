"""Personal data and its pseudonyms."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handoff_eval.transcripts.mask import Masker, key_of, save_key

MASKER = Masker(bytes(32))


def kinds(text: str, names: tuple[str, ...] = ()) -> str:
    """Return the masked text with each pseudonym cut to its kind."""
    return re.sub(
        r"\b(email|phone|card|name|customer)-[0-9a-f]{10}", r"\1", MASKER.text(text, names)
    )


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("Write to ana.lopez+x@example.co.uk, please.", "Write to email@masked.invalid, please."),
        ("Call +49 170 1234567 or (415) 555-0132.", "Call [phone] or [phone]."),
        ("My mobile is 07700 900123", "My mobile is [phone]"),
        ("ring me: 5551234", "ring me: [phone]"),
        ("Card 4111 1111 1111 1111, or 4111-1111-1111-1112", "Card [card], or 4111-1111-1111-1112"),
        ("Card 5500005555555559 (or 5500005555555554).", "Card [card] (or 5500005555555554)."),
        ("Order 20391-22 of 2026-03-02 09:14, 02-03-2026 10:30", None),
        ("Invoice 1234567890 over 1,000.00 at 10:00", None),
        ("Best regards,\nAna María López\nACME", "Best regards,\n[name]\nACME"),
        ("It works. Thanks, Ana", "It works. Thanks, [name]"),
        ("Thanks, great!", None),
        ("Thanks, Great!", None),
        ("Thanks for the offer from Berlin", None),
        ("See you.\n-- Jo O'Neil", "See you.\n-- [name]"),
        ("My name is Ana de la Cruz. Ana is waiting.", "My name is [name]. [name] is waiting."),
        ("the phone is broken, model 12", None),
    ],
)  # fmt: skip
def test_what_is_found(text: str, masked: str | None) -> None:
    """Addresses, numbers, cards that pass the check, signatures; dates, orders and sums stay."""
    assert kinds(text) == (text if masked is None else masked)


def test_names_of_the_source_are_found_in_parts() -> None:
    """A known person is masked by full name, first name and last name, with one pseudonym."""
    masked = MASKER.text("Ana wrote; López, Ana López and Anastasia answered.", ("Ana López",))

    found = re.findall(r"\[name-[0-9a-f]+\]", masked)
    assert len(found) == 3
    assert len(set(found)) == 1
    assert "Anastasia" in masked


def test_the_same_person_has_the_same_pseudonym_everywhere() -> None:
    """Spelling of an address, or of a number at home and from abroad, changes nothing."""
    first, second = (MASKER.text(text) for text in ("Ana@Example.com", "ana@example.com"))
    home, abroad = (MASKER.text(text) for text in ("0170 1234567", "+49 (170) 123-4567"))

    assert (first, home) == (second, abroad)
    assert first != MASKER.text("ben@example.com")


def test_another_key_gives_other_pseudonyms() -> None:
    """Pseudonyms of two datasets can't be joined."""
    assert Masker(b"1" * 32).text("ana@example.com") != MASKER.text("ana@example.com")


def document(**fields: Any) -> dict[str, Any]:
    """Return a conversation of the dataset format."""
    turns = [
        {"role": "customer", "text": "I am mia_li_3668.\nThanks, Mia", "at": "2026-03-02T09:14:00Z"}
    ]
    return {"id": "c-1", "turns": turns, "customer": None, **fields}


def test_a_whole_conversation_is_masked() -> None:
    """Customer, turns and metadata lose their data; id, role, split and times stay."""
    made = document(
        customer={"id": "mia_li_3668", "email": "not an address"},
        split="test",
        metadata={"subject": ["call 07700 900123"], "n": 3},
    )
    made["turns"].append({"role": "agent", "text": "Hello Mia!"})

    masked = MASKER.document(made)

    text = re.sub(r"-[0-9a-f]{10}", "", str(masked))
    assert masked["customer"]["id"] in masked["turns"][0]["text"]
    assert masked["customer"]["email"].endswith("@masked.invalid")
    assert "I am customer.\\nThanks, [name]" in text
    assert "Hello [name]!" in text
    assert masked["metadata"] == {"subject": [MASKER.text("call 07700 900123")], "n": 3}
    assert (masked["id"], masked["split"]) == ("c-1", "test")
    assert masked["turns"][0]["at"] == "2026-03-02T09:14:00Z"


def test_the_given_document_stays_as_it_was() -> None:
    """Masking makes a new document."""
    made = document(customer={"id": "mia_li_3668", "email": None})
    MASKER.document(made)

    assert made == document(customer={"id": "mia_li_3668", "email": None})


@given(st.text(max_size=200))
def test_masking_twice_is_masking_once(text: str) -> None:
    """Pseudonyms are not personal data."""
    once = MASKER.text(text)

    assert MASKER.text(once) == once


@pytest.mark.parametrize(
    "text",
    [
        "0" * 20_000,
        "a@" * 10_000,
        "+1 " * 8_000,
        "A " * 10_000,
        "thanks," * 4_000,
        "1-" * 10_000,
        "." * 20_000 + "@",
        "Aa\n" * 7_000,
    ],
)
def test_hostile_text_takes_no_time(text: str) -> None:
    """No pattern blows up on a long text that almost matches."""
    start = time.perf_counter()
    MASKER.text(text)

    assert time.perf_counter() - start < 2


def test_the_key_is_kept_for_its_owner_and_out_of_git(tmp_path: Path) -> None:
    """A saved key is found again, readable by the owner alone, and listed in .gitignore once."""
    (tmp_path / ".gitignore").write_text("mlruns\n", encoding="utf-8")
    key = key_of(tmp_path)
    save_key(tmp_path, key)
    save_key(tmp_path, key)

    assert key_of(tmp_path) == key
    assert (tmp_path / ".salt").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / ".gitignore").read_text(encoding="utf-8") == "mlruns\n.salt\n"


def test_every_folder_has_a_key_of_its_own(tmp_path: Path) -> None:
    """Without a saved key each call makes another."""
    assert key_of(tmp_path) != key_of(tmp_path)
