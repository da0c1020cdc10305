"""Facts are the characters that were typed, and a payment card is never shown in full."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from handoff_eval.conversation import Role, Turn
from handoff_eval.summaries.facts import (
    Fact,
    FactKind,
    find_facts,
    mask_cards,
    mask_contacts,
)

SOUP = st.lists(
    st.sampled_from(
        [
            "order",
            "#A-2231",
            "4417",
            "4111 1111 1111 1111",
            "5500-0000-0000-0004",
            "card",
            "cvv 737",
            "£20.50",
            "by Friday",
            "ana@example.com",
            "+44 7700 900123",
            "https://example.com/a?b=c",
            "订单",
            "٤٤١٧٨٨",
            "\n",
            "🙂",
            "reference CORV 88 LH",
        ]
    )
    | st.text(max_size=12),
    max_size=14,
).map(" ".join)


def facts_of(text: str) -> list[tuple[str, str]]:
    """Kind and text of every fact of one customer turn."""
    return [(fact.kind.value, str(fact)) for fact in find_facts([Turn(Role.CUSTOMER, text)])]


@given(st.lists(st.builds(Turn, st.sampled_from(Role), SOUP | st.text()), max_size=4))
def test_a_fact_is_a_slice_of_its_turn(turns: list[Turn]) -> None:
    """Every fact but a card equals the characters at its place, and no two overlap in a turn."""
    facts = find_facts(turns)

    for fact in facts:
        if fact.kind is not FactKind.CARD:
            assert turns[fact.turn].text[fact.start : fact.end] == fact.text
    for first, second in pairwise(facts):
        assert first.turn < second.turn or first.end <= second.start


def luhn(digits: str) -> str:
    """Append the check digit, computed independently by trying all ten."""
    for check in "0123456789":
        doubled = 0
        for place, character in enumerate(reversed(digits + check)):
            value = int(character) * (2 if place % 2 else 1)
            doubled += sum(int(c) for c in str(value))
        if doubled % 10 == 0:
            return digits + check
    raise AssertionError


@given(
    st.sampled_from(["4", "51", "55", "37", "6011", "2221"]),
    st.integers(0, 10**14 - 1),
    st.sampled_from(["", " ", "-", "\u00a0"]),
    st.sampled_from(["", "my card is ", "order ", "kártya "]),
    st.sampled_from(["", ", thanks", " 12/27"]),
)
def test_no_card_survives_masking(
    prefix: str, body: int, separator: str, before: str, after: str
) -> None:
    """A number with an issuer's prefix and a valid check digit keeps four digits at most."""
    length = 15 if prefix == "37" else 16
    number = luhn((prefix + str(body).zfill(14))[: length - 1])
    groups = separator.join(number[i : i + 4] for i in range(0, length, 4))
    text = f"{before}{groups}{after}"

    masked = mask_cards(text)
    shown = facts_of(text)

    assert groups not in masked
    assert masked == f"{before}•••• {number[-4:]}{after}"
    assert ("card", f"•••• {number[-4:]}") in shown
    assert not any(number[:8] in value.replace(separator, "") for _, value in shown)


@given(SOUP | st.text())
def test_masking_again_changes_nothing(text: str) -> None:
    """A masked text has no card left."""
    once = mask_cards(text)

    assert mask_cards(once) == once


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("order 4417", ("identifier", "order 4417")),
        ("where is #A-2231 please", ("identifier", "#A-2231")),
        ("PNR QX7T2L", ("identifier", "PNR QX7T2L")),
        ("booking code QXTLRP", ("identifier", "booking QXTLRP")),
        ("ticket no. 88-412", ("identifier", "ticket 88-412")),
        ("my account number is 0099821", ("identifier", "account 0099821")),
        ("reference CORV 88 LH, thanks", ("identifier", "reference CORV 88 LH")),
        ("Form PIR 20-4471, the lady", ("identifier", "Form PIR 20-4471")),
        ("sort code 12-34-56", ("identifier", "sort code 12-34-56")),
        ("Bestellung Nr. 88123 fehlt", ("identifier", "Bestellung 88123")),
        ("pedido número 33412 no llega", ("identifier", "pedido 33412")),
        ("我的订单12345678没有收到", ("identifier", "12345678")),
        ("الطلب رقم ٤٤١٧٨٨", ("identifier", "٤٤١٧٨٨")),
        ("IBAN GB82 WEST 1234 5698 7654 32", ("identifier", "GB82 WEST 1234 5698 7654 32")),
        ("voucher 4410 9923 0071 5586", ("identifier", "voucher 4410 9923 0071 5586")),
        ("it cost £1,204.50!", ("amount", "£1,204.50")),
        ("45,90 € bezahlt", ("amount", "45,90 €")),
        ("40 quid", ("amount", "40 quid")),
        ("you charged 64.20", ("amount", "64.20")),
        ("by Friday please", ("deadline", "by Friday")),
        ("bitte bis Freitag", ("deadline", "bis Freitag")),
        ("within 3 working days", ("deadline", "within 3 working days")),
        ("it was promised by Friday", ("date", "Friday")),
        ("on 14 May 2026", ("date", "14 May 2026")),
        ("mail ana.b+x@example.co.uk.", ("email", "ana.b+x@example.co.uk")),
        ("ring 07700 900318", ("phone", "07700 900318")),
        ("call (020) 7946 0958", ("phone", "(020) 7946 0958")),
        ("see https://example.com/a?b=1.", ("link", "https://example.com/a?b=1")),
        ("on voltnook.example/care", ("link", "voltnook.example/care")),
        ("card number is 4111 1111 1111 1112", ("card", "•••• 1112")),
        ("cvv 737", ("card", "•••")),
    ],
)
def test_shapes_are_recognised(text: str, expected: tuple[str, str]) -> None:
    """Numbers, amounts, dates, addresses and links of many shapes are found as typed."""
    found = facts_of(text)

    assert expected in found


@pytest.mark.parametrize(
    "text",
    [
        "order 2 pairs",
        "my order 3rd time",
        "calls returned 503",
        "99.99 % uptime",
        "3 per cent",
        "a 4K screen with 120x60 cm",
        "I may 14 may not go",
        "the customer is king",
        "gate B2B",
    ],
)
def test_plain_counts_are_not_identifiers_or_amounts(text: str) -> None:
    """Quantities, units and ordinals are left alone."""
    kinds = {kind for kind, _ in facts_of(text)}

    assert kinds <= {"date"}


def test_a_number_that_follows_a_longer_one_is_not_part_of_it() -> None:
    """A count after an order number stays out of it, whatever stands between."""
    assert facts_of("order 4417 15 pairs")[0] == ("identifier", "order 4417")
    assert facts_of("order 4417 is 12 days late")[0] == ("identifier", "order 4417")


def test_a_bare_answer_takes_the_name_that_was_asked_for() -> None:
    """A number alone is called what the agent's question called it."""
    turns = [Turn(Role.AGENT, "What is your order number?"), Turn(Role.CUSTOMER, "4417")]

    facts = find_facts(turns)

    assert facts == (Fact(FactKind.IDENTIFIER, "4417", 1, 0, 4, "order"),)


@given(
    st.from_regex(r"[a-z0-9][a-z0-9.+-]{0,15}[a-z0-9]@[a-z]{2,9}\.(com|org)", fullmatch=True),
    st.sampled_from(["+44 7700 900123", "07700 900318", "555-0142"]),
    st.sampled_from(["", "write to ", "(", "é "]),
)
def test_masked_contacts_hold_no_address_or_telephone(
    address: str, phone: str, before: str
) -> None:
    """Once masked, a text shows one letter of an address and two digits of a telephone number."""
    assume(".." not in address)

    masked = mask_contacts(f"{before}{address} or {phone}")

    assert masked == f"{before}{address[0]}•••@{address.split('@')[1]} or ••• {phone[-2:]}"


def test_two_cards_in_a_row_are_both_masked() -> None:
    """One run of digits may hold several cards, and a card with its date glued on."""
    card = "4111 1111 1111 1111"

    assert mask_cards(f"{card} {card}") == "•••• 1111 •••• 1111"
    assert "41111111" not in mask_cards("41111111111111111227737")
