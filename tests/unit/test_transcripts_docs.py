"""The documentation of the format says what the code does."""

from __future__ import annotations

import re
from pathlib import Path

from handoff_eval.cli.import_ import FIELDS, FORMATS
from handoff_eval.transcripts.parse import CONVERSATION_FIELDS, LABEL_FIELDS
from handoff_eval.transcripts.read import read_dataset
from handoff_eval.transcripts.reference import REFERENCE_FIELDS

TEXT = (Path(__file__).parents[2] / "docs" / "data-format.md").read_text(encoding="utf-8")


def test_the_examples_are_a_dataset(tmp_path: Path) -> None:
    """The lines shown are read without a refusal, label and facts with their conversation."""
    conversation, label, facts = re.findall(r"```json\n(.*)\n```", TEXT)
    (tmp_path / "transcripts.jsonl").write_text(conversation, encoding="utf-8")
    (tmp_path / "labels.jsonl").write_text(label, encoding="utf-8")
    (tmp_path / "facts.jsonl").write_text(facts, encoding="utf-8")

    dataset = read_dataset(tmp_path)

    assert dataset.refusals == ()
    assert len(dataset.labeled()) == 1
    assert len(dataset.facts) == 1


def test_every_field_and_format_is_listed() -> None:
    """The tables have the fields of the parser and the formats of the command."""
    transcripts, _, rest = TEXT.partition("## labels.jsonl")
    labels, _, rest = rest.partition("## facts.jsonl")
    facts, _, importing = rest.partition("## What happens")

    rows = set(re.findall(r"^\| `(\w+)", transcripts, flags=re.MULTILINE))
    assert rows == CONVERSATION_FIELDS | {"transcripts", "labels", "facts", "README"}
    assert set(re.findall(r"^\| `(\w+)`", labels, flags=re.MULTILINE)) == LABEL_FIELDS
    rows = set(re.findall(r"^\| `(?:facts\[\]\.)?(\w+)`", facts, flags=re.MULTILINE))
    assert rows == REFERENCE_FIELDS | {"conversation_id", "facts"}
    assert re.findall(r"^\| `([\w-]+)` ", importing, flags=re.MULTILINE) == list(FORMATS)
    assert all(f"`{field}`" in importing for field in FIELDS)
