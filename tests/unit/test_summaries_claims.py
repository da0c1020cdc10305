"""Numbers, days, names, addresses and links survive extraction, and nothing else passes as them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handoff_eval.summaries.claims import ClaimKind, Spoken, find_claims, number_key

LEAD = st.sampled_from(["", "it is ", "the order: ", "(", "我的订单", "הזמנה "])
TAIL = st.sampled_from(["", ".", ", please", ")", " 。", "!?"])


def claims_of(text: str) -> list[tuple[str, str]]:
    """Kind and key of every claim."""
    return [(claim.kind.value, claim.key) for claim in find_claims(text)]


@given(st.integers(0, 10**12), LEAD, TAIL)
def test_a_whole_number_is_found_and_held(number: int, lead: str, tail: str) -> None:
    """However it is set among words, a number is a claim that its own text holds."""
    text = f"{lead} {number} {tail}"

    claims = find_claims(text)

    assert [c.key for c in claims if c.kind is ClaimKind.NUMBER] == [str(number)]
    assert all(Spoken([text]).holds(claim) for claim in claims)


@given(st.integers(1000, 10**8), st.integers(1, 99))
def test_every_spelling_of_an_amount_is_one_claim(whole: int, cents: int) -> None:
    """Thousands and decimals in English and in continental style have one key."""
    english = f"{whole:,}.{cents:02d}"
    continental = english.replace(",", " ").replace(".", ",").replace(" ", ".")

    assert number_key(english) == number_key(continental)
    assert not Spoken([f"£{english}"]).holds(find_claims(f"£{whole + 1:,}.{cents:02d}")[0])


@given(st.integers(0, 23), st.integers(0, 59))
def test_a_time_with_colon_or_point_is_one_claim(hour: int, minute: int) -> None:
    """16:05 and 16.05 are the same, 16:06 is not."""
    said = Spoken([f"come at {hour:02d}:{minute:02d}"])

    assert said.holds(find_claims(f"at {hour:02d}.{minute:02d}")[0])
    assert not said.holds(find_claims(f"at {hour:02d}.{(minute + 1) % 60:02d}")[0])


@given(st.dates())
def test_a_date_survives_its_separators(date: object) -> None:
    """A date written with dots is held by one with strokes, and by itself."""
    text = f"{date:%d/%m/%Y}"

    assert Spoken([f"on {text}."]).holds(find_claims(text.replace("/", "."))[0])
    assert Spoken([f"since {date}"]).holds(find_claims(f"{date}")[0])


@given(
    st.from_regex(
        r"[a-z0-9][a-z0-9.+-]{0,12}[a-z0-9]@[a-z]{2,9}\.(com|org)", fullmatch=True
    ).filter(lambda address: ".." not in address),
    st.sampled_from(["write to ", "<", "mail: "]),
)
def test_an_address_is_one_claim_in_any_case(address: str, lead: str) -> None:
    """An address is neither cut nor read as numbers, and case doesn't count."""
    text = f"{lead}{address.upper()}."

    assert claims_of(text) == [("address", address)]
    assert Spoken([address]).holds(find_claims(text)[0])
    assert not Spoken(["x" + address]).holds(find_claims(text)[0])


@given(st.text())
def test_a_text_holds_its_own_claims(text: str) -> None:
    """Whatever is written, copying it word for word invents nothing."""
    spoken = Spoken([text])

    assert all(spoken.holds(claim) for claim in find_claims(text))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("He paid £1,204.50 twice.", [("number", "1204.50"), ("number", "2")]),
        ("Order KB-38855 on Friday", [("number", "kb38855"), ("day", "fri")]),
        ("order kb38855", [("number", "kb38855")]),
        ("at 10am, the 3rd of May", [("number", "10"), ("number", "3"), ("day", "may")]),
        ("three weeks, one parcel", [("number", "3")]),
        ("See https://Example.com/a/.", [("link", "example.com/a")]),
        ("The agent said Maria Lopez will call", [("name", "maria"), ("name", "lopez")]),
        ("the agent may march on", []),
        ("Customer asks. Agent answers: I'm OK", []),
        ("THIS IS A JOKE AGAIN", []),
        ("ask Joachim's bank", [("name", "joachim")]),
        ("¿Dónde está? Nada.", []),
        ("", []),
    ],
)
def test_claims_of_many_shapes(text: str, expected: list[tuple[str, str]]) -> None:
    """Each shape has one key; common words and sentence beginnings are no claims."""
    assert claims_of(text) == expected


@pytest.mark.parametrize(
    ("claim", "turn", "held"),
    [
        ("in 3 weeks", "in three weeks", True),
        ("in two weeks", "in three weeks", False),
        ("by Friday", "by fri pls", True),
        ("by Friday", "by monday", False),
        ("order 38855", "order KB-38855", True),
        ("order 3885", "order KB-38855", False),
        ("card •••• 1112", "4111 1111 1111 1112", True),
        ("card •••• 1113", "4111 1111 1111 1112", False),
        ("within 10 days", "10-20 days", True),
        ("paid 204", "paid 1,204", False),
        ("for Anna", "it is anna's", True),
        ("for Anne", "it is anna's", False),
    ],
)
def test_what_a_turn_holds(claim: str, turn: str, held: bool) -> None:
    """Another spelling is held; another number, day or name is not."""
    assert all(Spoken([turn]).holds(one) for one in find_claims(claim)) is held
