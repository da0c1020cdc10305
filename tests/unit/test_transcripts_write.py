"""Writing dataset folders."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from handoff_eval.conversation import Conversation, Label, Role, Turn
from handoff_eval.errors import DataError
from handoff_eval.transcripts.write import to_line, write_conversations, write_dataset

TALK = Conversation("c-1", (Turn(Role.CUSTOMER, "Grüße\u2028aus Köln"),))


def test_a_dataset_is_written_as_the_format_says(tmp_path: Path) -> None:
    """Known fields stand by name, null where unknown, one line each, in UTF-8."""
    write_dataset(
        tmp_path / "new" / "set", conversations=[TALK], labels=[Label("c-1", handoff=False)]
    )

    folder = tmp_path / "new" / "set"
    assert (folder / "transcripts.jsonl").read_bytes().decode() == (
        '{"id": "c-1", "started_at": null, "customer": {"id": null, "email": null}, '
        '"channel": null, "turns": [{"role": "customer", "text": "Grüße\u2028aus Köln"}], '
        '"split": null, "metadata": {}}\n'
    )
    assert (folder / "labels.jsonl").read_bytes().decode() == (
        '{"conversation_id": "c-1", "handoff": false, "at_turn": null, "reasons": [], '
        '"annotator": null, "labeled_at": null, "note": null}\n'
    )


def test_without_labels_the_labels_file_is_left_alone(tmp_path: Path) -> None:
    """Writing traffic never touches labels that are there."""
    (tmp_path / "labels.jsonl").write_bytes(b"mine")
    write_dataset(tmp_path, conversations=[TALK])

    assert (tmp_path / "labels.jsonl").read_bytes() == b"mine"


def test_a_write_that_fails_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    """An error half-way keeps the old file and leaves nothing else behind."""
    path = tmp_path / "transcripts.jsonl"
    path.write_bytes(b"old")

    def failing() -> Iterator[Conversation]:
        yield TALK
        raise DataError("the source broke")

    with pytest.raises(DataError, match="the source broke"):
        write_conversations(failing(), path)
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["transcripts.jsonl"]


@pytest.mark.parametrize("value", [float("nan"), "\ud800", object()])
def test_what_json_cannot_carry_is_refused(value: object) -> None:
    """NaN, lone surrogates and objects of the program are named by the line they are on."""
    with pytest.raises(DataError, match=r"Expected 'c-1' to hold only what JSON in UTF-8 can"):
        to_line({"id": "c-1", "x": value})
