"""What holds for any dataset folder and any bytes in it."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handoff_eval.conversation import Conversation, Label, Split
from handoff_eval.errors import DataError
from handoff_eval.transcripts.read import content_digest, iter_conversations, read_dataset
from handoff_eval.transcripts.refusals import Refusal
from handoff_eval.transcripts.split import assign_splits
from handoff_eval.transcripts.write import conversation_to_dict, to_line, write_dataset
from tests.strategies import conversations, datasets

FRAGMENTS = st.sampled_from(
    [
        b'{"id": "c-1", "turns": [{"role": "customer", "text": "Hi"}]}',
        b'{"id": "c-1", "turns": []}',
        b'{"id": "c-1", "id": "c-2"}',
        b'{"conversation_id": "c-1", "handoff": true, "at_turn": 0}',
        b'{"conversation_id": "c-1", "handoff": true, "at_turn": 7}',
        b"[" * 5000,
        b'{"a": NaN}',
        b'{"a": 1e999}',
        b'{"a": "\\ud800"}',
        b"9" * 5000,
        b"\xef\xbb\xbf",
        b"\xff\xfe",
        b"\0",
        b" \t",
        b"\r",
        b"\n",
        b"\r\n",
    ]
)
HOSTILE_BYTES = st.lists(FRAGMENTS | st.binary(max_size=20), max_size=12).map(b"".join)


@pytest.mark.medium
@settings(max_examples=60, deadline=None)
@given(datasets())
def test_a_dataset_survives_writing_and_reading(
    made: tuple[list[Conversation], list[Label]],
) -> None:
    """What is written is read again with nothing refused, unknown fields included."""
    with tempfile.TemporaryDirectory() as folder:
        write_dataset(Path(folder), conversations=made[0], labels=made[1])
        dataset = read_dataset(Path(folder))

    assert dataset.refusals == ()
    assert dataset.conversations == tuple(made[0])
    assert dataset.labels == tuple(made[1])
    assert dataset.digest == content_digest(*made)


@settings(max_examples=60, deadline=None)
@given(HOSTILE_BYTES)
def test_every_line_is_good_refused_or_blank(data: bytes) -> None:
    """Any bytes at all give one conversation or one refusal a line that isn't blank."""
    lines = data.removeprefix(b"\xef\xbb\xbf").split(b"\n")

    found = list(iter_conversations(BytesIO(data)))

    assert len(found) == sum(bool(line.strip()) for line in lines)
    for item in found:
        if isinstance(item, Refusal):
            assert lines[item.line - 1].strip()
            assert str(item).isprintable()


@settings(max_examples=60, deadline=None)
@given(HOSTILE_BYTES, HOSTILE_BYTES)
def test_any_bytes_in_a_folder_raise_data_error_or_nothing(
    transcripts: bytes, labels: bytes
) -> None:
    """A folder of any bytes is read or refused as a whole, with a sentence, never a traceback."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "transcripts.jsonl").write_bytes(transcripts)
        (folder / "labels.jsonl").write_bytes(labels)
        try:
            dataset = read_dataset(folder)
        except DataError:
            return

    for data, file, good in (
        (transcripts, "transcripts.jsonl", len(dataset.conversations)),
        (labels, "labels.jsonl", len(dataset.labels)),
    ):
        refused = sum(refusal.file == file for refusal in dataset.refusals)
        written = data.removeprefix(b"\xef\xbb\xbf").split(b"\n")
        assert good + refused == sum(bool(line.strip()) for line in written)


@settings(max_examples=60, deadline=None)
@given(conversations(), st.data())
def test_one_changed_field_never_passes_as_another_type(
    conversation: Conversation, data: st.DataObject
) -> None:
    """A known field given a number where text or an object belongs is refused by its name."""
    document = conversation_to_dict(conversation)
    field = data.draw(
        st.sampled_from(["id", "turns", "customer", "channel", "split", "metadata", "started_at"])
    )
    document[field] = 17
    (found,) = iter_conversations(BytesIO(to_line(document).encode()))

    assert isinstance(found, Refusal)
    assert (found.field, found.got) == (field, "17")


@pytest.mark.medium
@settings(max_examples=60, deadline=None)
@given(datasets())
def test_the_digest_sees_content_and_not_spacing(
    made: tuple[list[Conversation], list[Label]],
) -> None:
    """Key order, spacing, CRLF and a byte order mark leave the digest; a changed turn doesn't."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_dataset(folder, conversations=made[0], labels=made[1])
        path = folder / "transcripts.jsonl"
        before = read_dataset(folder).digest
        documents = [json.loads(line) for line in path.read_bytes().split(b"\n") if line]
        path.write_bytes(b"\xef\xbb\xbf" + b"".join(_spaced(document) for document in documents))
        spaced = read_dataset(folder).digest
        documents[0]["turns"][0]["text"] += "!"
        path.write_bytes(b"".join(_spaced(document) for document in documents))
        changed = read_dataset(folder).digest

    assert spaced == before
    assert changed != before


@pytest.mark.medium
@settings(max_examples=60, deadline=None)
@given(
    st.lists(conversations(), min_size=1, max_size=12),
    st.integers(0, 5),
    st.sampled_from([(0.5, 0.25, 0.25), (1.0, 0.0, 0.0), (0.0, 0.5, 0.5)]),
)
def test_a_customer_is_never_on_two_splits(
    made: list[Conversation], seed: int, shares: tuple[float, float, float]
) -> None:
    """Every conversation gets a split of positive share, and a customer only one."""
    wanted: Mapping[Split, float] = dict(zip(Split, shares, strict=True))

    result = assign_splits(made, wanted, seed=seed)

    assert [c.id for c in result] == [c.id for c in made]
    assert all(c.split is not None and wanted[c.split] > 0 for c in result)
    of_customer: dict[str, set[Split | None]] = {}
    for conversation in result:
        of_customer.setdefault(conversation.group, set()).add(conversation.split)
    assert all(len(splits) == 1 for splits in of_customer.values())


def _spaced(document: dict[str, object]) -> bytes:
    """Return the same object with its keys turned round, spaces between them and CRLF."""
    turned = dict(reversed(list(document.items())))
    return json.dumps(turned, separators=(" , ", " : ")).encode() + b"\r\n"
