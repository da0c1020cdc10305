"""Reference facts: read with their conversation, refused where they can't be checked."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from handoff_eval.conversation import ReferenceFact, ReferenceKind
from handoff_eval.transcripts.read import Dataset, read_dataset

TURNS = [
    {"role": "customer", "text": "Order 4417 \n never came."},
    {"role": "agent", "text": "It is on its way."},
]
GOOD = {"kind": "identifier", "text": "4417", "turn": 0}


def read(folder: Path, *lines: Any) -> Dataset:
    """Read one conversation with these documents as its facts file."""
    transcripts = json.dumps({"id": "c-1", "turns": TURNS})
    (folder / "transcripts.jsonl").write_text(transcripts, encoding="utf-8")
    text = "\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines)
    (folder / "facts.jsonl").write_text(text, encoding="utf-8")
    return read_dataset(folder)


def fact(**fields: Any) -> dict[str, Any]:
    """Return a line whose one fact is good but for the fields given."""
    return {"conversation_id": "c-1", "facts": [{**GOOD, **fields}]}


def test_facts_come_with_their_conversation(tmp_path: Path) -> None:
    """Spacing aside a fact is its turn's words, and what isn't said to be optional is needed."""
    issue = {"kind": "issue", "text": "Order 4417 never came", "turn": 0, "needed": False}

    dataset = read(tmp_path, {"conversation_id": "c-1", "facts": [GOOD, issue]})

    assert dataset.refusals == ()
    assert dataset.facts == {
        "c-1": (
            ReferenceFact(ReferenceKind.IDENTIFIER, "4417", 0),
            ReferenceFact(ReferenceKind.ISSUE, "Order 4417 never came", 0, needed=False),
        )
    }


@pytest.mark.parametrize(
    ("line", "field", "got"),
    [
        ("{", None, "JSON that breaks"),
        ({"conversation_id": "c-2", "facts": [GOOD]}, "conversation_id", "'c-2'"),
        ({"conversation_id": ["c-1"], "facts": [GOOD]}, "conversation_id", "a list of 1"),
        ({"conversation_id": "c-1", "facts": []}, "facts", "[]"),
        ({"conversation_id": "c-1", "facts": ["4417"]}, "facts[0]", "'4417'"),
        (fact(kind="number"), "facts[0].kind", "'number'"),
        (fact(kind=["ask"]), "facts[0].kind", "a list of 1"),
        (fact(turn=2), "facts[0].turn", "2"),
        (fact(turn=-1), "facts[0].turn", "-1"),
        (fact(turn=True), "facts[0].turn", "true"),
        (fact(text=" "), "facts[0].text", "' '"),
        (fact(text="4418"), "facts[0].text", "'4418'"),
        (fact(text="4417", turn=1), "facts[0].text", "'4417'"),
        (fact(needed="yes"), "facts[0].needed", "'yes'"),
    ],
)
def test_a_line_that_cannot_be_checked_is_refused(
    tmp_path: Path, line: Any, field: str | None, got: str
) -> None:
    """The refusal names file, line and field, and the conversation is kept."""
    dataset = read(tmp_path, line)

    (refusal,) = dataset.refusals
    assert (refusal.file, refusal.line, refusal.field) == ("facts.jsonl", 1, field)
    assert refusal.got.startswith(got)
    assert dataset.facts == {}
    assert len(dataset.conversations) == 1


def test_a_conversation_has_its_facts_once(tmp_path: Path) -> None:
    """The second line of a conversation is refused with the first one's number."""
    dataset = read(tmp_path, fact(), fact())

    (refusal,) = dataset.refusals
    assert refusal.got == "'c-1', as on line 1"


def test_facts_leave_the_digest_alone(tmp_path: Path) -> None:
    """What triggers are measured on is the same with and without facts."""
    with_facts = read(tmp_path, fact()).digest
    (tmp_path / "facts.jsonl").unlink()

    assert read_dataset(tmp_path).digest == with_facts


def test_the_shipped_facts_are_read_whole() -> None:
    """At least 80 positives of the shipped set have facts, all visible at the decision point."""
    dataset = read_dataset(Path(__file__).parents[2] / "datasets" / "support_handoff")
    due = {
        item.conversation.id: item.conversation.decision_points()[item.due].turns
        for item in dataset.labeled()
        if item.due is not None
    }

    assert dataset.refusals == ()
    assert len(dataset.facts) == 89
    for conversation_id, facts in dataset.facts.items():
        assert all(fact.turn < due[conversation_id] for fact in facts)
        assert any(fact.needed for fact in facts)
