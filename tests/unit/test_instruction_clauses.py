"""Instructions taken apart: real wordings, and nothing lost whatever is written."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handoff_eval.handoff import DEFAULT_INSTRUCTION
from handoff_eval.instructions.clauses import parse_instruction
from handoff_eval.instructions.edits import add_clause, clause_edits, drop_clause, library
from handoff_eval.instructions.grammar import BULLET, JOINING_WORDS
from handoff_eval.instructions.sentence import CONDITIONS, PieceKind

C, P, X = "cue", "precondition", "exclusion"

WORDINGS = [
    (
        DEFAULT_INSTRUCTION,
        [
            (C, "the user's issue hasn't been resolved"),
            (C, "they ask to be followed up by email"),
            (C, "the conversation involves a request that requires human review"),
        ],
    ),
    (
        "When the customer asks for a human, send an email, unless they only test the bot.",
        [(C, "the customer asks for a human"), (X, "they only test the bot")],
    ),
    (
        "If the customer just says thanks, don't send an email; send one if they insist.",
        [(X, "the customer just says thanks"), (C, "they insist")],
    ),
    (
        "Send if the customer swears. Do not email us unless they gave an address.",
        [(C, "the customer swears"), (P, "they gave an address")],
    ),
    (
        "Do not email when the customer is browsing unless they ask for a person.",
        [(X, "the customer is browsing"), (C, "they ask for a person")],
    ),
    (
        "Only send an email if the customer asks for a refund above $50.",
        [(C, "the customer asks for a refund above $50")],
    ),
    (
        "Escalate only after the agent has tried twice and if the user is still stuck.",
        [(P, "the agent has tried twice"), (C, "the user is still stuck")],
    ),
    (
        "Send an email once the customer gave an order number, when they ask for a person or the "
        "issue is still open.",
        [
            (P, "the customer gave an order number"),
            (C, "they ask for a person"),
            (C, "the issue is still open"),
        ],
    ),
    ("Send an email once the customer has asked twice.", [(C, "the customer has asked twice")]),
    (
        "Send an email when:\n- the customer is angry (e.g. swears)\n2) the issue is still open\n\n"
        "Do not send when:\n* the customer just says hi\n* spam\n\nBe polite.",
        [
            (C, "the customer is angry (e.g. swears)"),
            (C, "the issue is still open"),
            (X, "the customer just says hi"),
            (X, "spam"),
        ],
    ),
    (
        "Exceptions:\n1. greetings\n2. prices\nOtherwise send an email if a person is wanted!",
        [(X, "greetings"), (X, "prices"), (C, "a person is wanted")],
    ),
    (
        "Send an email when (1) the user is stuck, (2) the user asks for help. Never for tests.",
        [(C, "the user is stuck"), (C, "the user asks for help"), (X, "tests")],
    ),
    (
        "Send it when the customer asks for a refund, wants a human, or is angry; or the agent "
        "apologises twice.",
        [
            (C, "the customer asks for a refund"),
            (C, "wants a human"),
            (C, "is angry"),
            (C, "the agent apologises twice"),
        ],
    ),
    (
        "Hand off whenever a customer says they will sue — but not when they joke, and except for "
        "test accounts.",
        [(C, "a customer says they will sue"), (X, "they joke"), (X, "test accounts")],
    ),
    ("Email us about refunds or complaints.", [(C, "refunds or complaints")]),
    ("Do not send it for spam. Send it if X.", [(X, "spam"), (C, "X")]),
    (
        "Send it when the user asks if they can pay later.",
        [(C, "the user asks if they can pay later")],
    ),
    (
        "Send it when the customer complains when the agent refuses.",
        [(C, "the customer complains when the agent refuses")],
    ),
    (
        "A handoff is wanted if X. No handoff is needed when they smile, as long as they wrote.",
        [(C, "X"), (X, "they smile"), (P, "they wrote")],
    ),
    (
        "Do not send before the customer confirmed. Send whenever the order is late.",
        [(P, "the customer confirmed"), (C, "the order is late")],
    ),
    ("The customer asks for a human", [(C, "The customer asks for a human")]),
    ("Escalate angry customers.", []),
    ("", []),
    (" …!?\n\n- \n", []),
]


@pytest.mark.parametrize(("text", "clauses"), WORDINGS)
def test_real_wordings(text: str, clauses: list[tuple[str, str]]) -> None:
    """Lists, bullets, headings, exceptions and restrictions read as a person reads them."""
    assert [(c.kind.value, c.text) for c in parse_instruction(text).clauses] == clauses


PARTS = st.sampled_from(
    [
        *re.findall(r"\S+", "when if unless except only once after before not do . , ; : - ( )"),
        "'", '"', "\n", " ", "\n- ", "\n\n", "1. ", "or ", "and ", " the customer asks for help",
        " spam", "e.g. ", "Do not send ", "only if ", "but not when ", "etc. ", "(1) ", "\r\n", "…",
        "é😀", "\u2028",
    ]
)  # fmt: skip
TEXTS = st.one_of(st.text(max_size=80), st.lists(PARTS, max_size=25).map("".join))


@given(TEXTS)
def test_pieces_tile_the_text(text: str) -> None:
    """The pieces, joined, are the text, and clauses lie where they say."""
    instruction = parse_instruction(text)

    assert "".join(text[p.start : p.end] for p in instruction.pieces) == text
    assert all(p.start < p.end for p in instruction.pieces)
    assert [p.start for p in instruction.pieces[1:]] == [p.end for p in instruction.pieces[:-1]]
    for clause in instruction.clauses:
        assert text[clause.start : clause.end] == clause.text == clause.text.strip()


@given(TEXTS)
def test_nothing_but_joining_words_is_outside(text: str) -> None:
    """Whatever isn't a condition or an action is a connective, a bullet or punctuation."""
    instruction = parse_instruction(text)

    for piece in instruction.pieces:
        if piece.kind is PieceKind.JOIN:
            stretch = re.sub(r"\(\d{1,2}\)", " ", text[piece.start : piece.end])
            lines = re.split(r"[\r\n]+", stretch.casefold())
            plain = " ".join(re.sub(f"^{BULLET.pattern}", "", line) for line in lines)
            words = re.findall(r"[^\W_]+", plain)
            assert set(words) <= JOINING_WORDS


CONDITION = st.sampled_from(
    [
        "the customer asks for a refund", "the order is late", "someone mentions a lawyer",
        "the agent apologises twice", "a parcel is lost", "the customer is angry (e.g. swears)",
    ]
)  # fmt: skip


@st.composite
def instructions(draw: st.DrawFn) -> str:
    """Return an instruction of plain sentences, with at least two cues."""
    cues = draw(st.lists(CONDITION, min_size=2, max_size=4, unique=True))
    exclusions = draw(st.lists(CONDITION, max_size=3, unique=True))
    bullets = draw(st.booleans())
    if bullets:
        text = "Send an email when:\n" + "".join(f"- {cue}\n" for cue in cues)
        return text + ("\nDo not send when:\n" + "\n".join(f"- {x}" for x in exclusions))
    joined = draw(st.sampled_from([", when ", ", or when ", " or if ", "; "]))
    text = f"Send an email when {joined.join(cues)}."
    return text + "".join(f" Do not send it when {x}." for x in exclusions)


@given(instructions(), st.data())
def test_a_dropped_clause_leaves_the_others(text: str, data: st.DataObject) -> None:
    """After the edit the instruction reads as before, but for the clause that was dropped."""
    before = parse_instruction(text)
    index = data.draw(st.integers(0, len(before.clauses) - 1))

    after = parse_instruction(drop_clause(before, index).apply(text))

    rest = [c for i, c in enumerate(before.clauses) if i != index]
    assert [(c.kind, c.text) for c in after.clauses] == [(c.kind, c.text) for c in rest]


@given(instructions(), st.sampled_from(library()))
def test_an_added_condition_is_read_as_what_it_is(text: str, entry: object) -> None:
    """A condition of the library keeps its kind and words, and the others stay."""
    kind, words = entry.kind, entry.text  # type: ignore[attr-defined]
    before = parse_instruction(text)

    after = parse_instruction(add_clause(before, kind, words).apply(text))

    assert [(c.kind, c.text) for c in after.clauses[:-1]] == [
        (c.kind, c.text) for c in before.clauses
    ]
    assert (after.clauses[-1].kind, after.clauses[-1].text) == (kind, words)


def test_the_library_covers_each_kind_once_a_condition() -> None:
    """Cues have reasons, other kinds have none, and no condition is written twice."""
    entries = library()

    assert {entry.kind for entry in entries} == set(CONDITIONS)
    assert all((entry.reason is not None) == (entry.kind is PieceKind.CUE) for entry in entries)
    assert len({entry.text for entry in entries}) == len(entries)


def test_every_edit_changes_the_default_and_says_how() -> None:
    """Drops, sharper words and additions: each gives another text, and no two the same."""
    edits = clause_edits(parse_instruction(DEFAULT_INSTRUCTION))
    texts = [edit.apply(DEFAULT_INSTRUCTION) for edit in edits]

    assert [edit.what.split()[0] for edit in edits[:5]] == ["drop"] * 3 + ["say"] * 2
    assert len({DEFAULT_INSTRUCTION, *texts}) == len(texts) + 1
