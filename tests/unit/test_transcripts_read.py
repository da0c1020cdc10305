"""The reader against bad input, law by law."""

from __future__ import annotations

import json
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from handoff_eval.conversation import Reason, Role, Split
from handoff_eval.errors import DataError
from handoff_eval.transcripts.jsonl import MAX_LINE_BYTES
from handoff_eval.transcripts.read import Dataset, iter_conversations, read_dataset

TURNS = [{"role": "customer", "text": "Where is my parcel?"}, {"role": "agent", "text": "Here."}]
GOOD = json.dumps({"id": "good", "turns": TURNS}).encode()
CHOICES = "one of 'customer', 'agent', 'human', 'system'"
TIME = "a time with its time zone, such as '2026-03-02T09:14:00+00:00', or null"


def conversation(**fields: Any) -> bytes:
    """Return a line of transcripts.jsonl that is good but for the fields given."""
    return json.dumps({"id": "c-1", "turns": TURNS, **fields}).encode()


def label(**fields: Any) -> bytes:
    """Return a line of labels.jsonl that is good but for the fields given."""
    return json.dumps({"conversation_id": "c-1", "handoff": True, **fields}).encode()


def folder_of(path: Path, transcripts: bytes, labels: bytes | None = None) -> Path:
    """Write a dataset folder of these very bytes."""
    (path / "transcripts.jsonl").write_bytes(transcripts)
    if labels is not None:
        (path / "labels.jsonl").write_bytes(labels)
    return path


TRANSCRIPT_LAWS = [
    (
        b"{",
        "the line must be a JSON object; got JSON that breaks at position 2 (Expecting property"
        " name enclosed in double quotes)",
    ),
    (
        b'{"id": "a"} {}',
        "the line must be a JSON object; got JSON that breaks at position 13 (Extra data)",
    ),
    (b"[1]", "the line must be a JSON object; got a list of 1"),
    (b'"text"', "the line must be a JSON object; got 'text'"),
    (b"[" * 9999, "the line must be a JSON object; got one nested too deeply to read"),
    (
        b'{"a": ' + b"9" * 5000 + b"}",
        "the line must be a JSON object; got a whole number of more digits than can be read",
    ),
    (b'{"a": NaN}', "the line must be JSON whose numbers are finite; got NaN"),
    (b'{"a": -Infinity}', "the line must be JSON whose numbers are finite; got -Infinity"),
    (b'{"a": 1e999}', "the line must be JSON whose numbers are finite; got '1e999'"),
    (b'{"id": "a", "id": "b"}', "'id' must be given once; got it 2 times"),
    (b'{"id": "caf\xe9"}', "the line must be text in UTF-8; got byte 0xe9 at position 12"),
    ('{"id": "a"}'.encode("utf-16"), "the line must be text in UTF-8; got byte 0xff at position 1"),
    (b'{"id": "a\0b"}', "the line must be free of NUL characters; got one at position 10"),
    (b'{"id": "a\\u0000b"}', "'id' must be free of NUL characters; got 'a\\x00b'"),
    (b'{"x": [{"y": "\\ud800"}]}', "'x[0].y' must be free of lone surrogates; got '\\ud800'"),
    (b'{"turns": []}', "'id' must be a text that isn't blank; got nothing"),
    (conversation(id=7), "'id' must be a text that isn't blank; got 7"),
    (conversation(id=" "), "'id' must be a text that isn't blank; got ' '"),
    (b'{"id": "c-1"}', "'turns' must be a list with at least one turn; got nothing"),
    (conversation(turns=[]), "'turns' must be a list with at least one turn; got []"),
    (conversation(turns={}), "'turns' must be a list with at least one turn; got {}"),
    (conversation(turns=["Hi"]), "'turns[0]' must be an object with 'role' and 'text'; got 'Hi'"),
    (conversation(turns=[{"text": "Hi"}]), f"'turns[0].role' must be {CHOICES}; got nothing"),
    (
        conversation(turns=[{"role": "bot", "text": "Hi"}]),
        f"'turns[0].role' must be {CHOICES}; got 'bot'",
    ),
    (
        conversation(turns=[{"role": ["agent"], "text": "Hi"}]),
        f"'turns[0].role' must be {CHOICES}; got a list of 1",
    ),
    (
        conversation(turns=[*TURNS, {"role": "agent"}]),
        "'turns[2].text' must be a text; got nothing",
    ),
    (
        conversation(turns=[{"role": "customer", "text": "\t "}]),
        "'turns[0].text' must be a text that isn't blank; got '\\t '",
    ),
    (
        conversation(turns=[{"role": "agent", "text": None}]),
        "'turns[0].text' must be a text; got null",
    ),
    (conversation(turns=[{**TURNS[0], "at": 5}]), f"'turns[0].at' must be {TIME}; got 5"),
    (
        conversation(started_at="2026-03-02T09:14:00"),
        f"'started_at' must be {TIME}; got '2026-03-02T09:14:00', which names no time zone",
    ),
    (conversation(started_at="yesterday"), f"'started_at' must be {TIME}; got 'yesterday'"),
    (
        conversation(started_at="0001-01-01T00:00:00+14:00"),
        f"'started_at' must be {TIME}; got '0001-01-01T00:00:00+14:00'",
    ),
    (conversation(customer="u-1"), "'customer' must be an object or null; got 'u-1'"),
    (
        conversation(customer={"id": 17}),
        "'customer.id' must be a text that isn't blank, or null; got 17",
    ),
    (
        conversation(customer={"email": ""}),
        "'customer.email' must be a text that isn't blank, or null; got ''",
    ),
    (conversation(channel=True), "'channel' must be a text that isn't blank, or null; got true"),
    (conversation(split="val"), "'split' must be one of 'train', 'tune', 'test'; got 'val'"),
    (conversation(metadata=[1]), "'metadata' must be an object or null; got a list of 1"),
    (
        conversation(channel={"a": 1}),
        "'channel' must be a text that isn't blank, or null; got an object",
    ),
    (
        conversation(split="x" * 99),
        "'split' must be one of 'train', 'tune', 'test'; got '" + "x" * 60 + "'…",
    ),
    (
        conversation(id="good"),
        "'id' must be an id that no line before has; got 'good', as on line 1",
    ),
]


@pytest.mark.parametrize(("line", "sentence"), TRANSCRIPT_LAWS)
def test_a_bad_transcript_is_named_and_the_others_kept(
    tmp_path: Path, line: bytes, sentence: str
) -> None:
    """A refusal tells file, line, field, what was expected and what came; good lines survive."""
    folder = folder_of(tmp_path, GOOD + b"\n" + line + b"\n" + conversation(id="last"))

    dataset = read_dataset(folder)

    assert [str(r) for r in dataset.refusals] == [f"transcripts.jsonl:2: {sentence}. Fix the line."]
    assert [c.id for c in dataset.conversations] == ["good", "last"]


LABEL_LAWS = [
    (b'{"handoff": true}', "'conversation_id' must be a text that isn't blank; got nothing"),
    (
        label(conversation_id="c-9"),
        "'conversation_id' must be the id of a conversation in transcripts.jsonl; got 'c-9'",
    ),
    (
        label(conversation_id="bad"),
        "'conversation_id' must be the id of a conversation in"
        " transcripts.jsonl; got 'bad', refused on line 2 there",
    ),
    (b'{"conversation_id": "c-1"}', "'handoff' must be true or false; got nothing"),
    (label(handoff="yes"), "'handoff' must be true or false; got 'yes'"),
    (label(handoff=1), "'handoff' must be true or false; got 1"),
    (label(at_turn=-1), "'at_turn' must be a whole number from 0 on, or null; got -1"),
    (label(at_turn=1.0), "'at_turn' must be a whole number from 0 on, or null; got 1.0"),
    (label(at_turn=True), "'at_turn' must be a whole number from 0 on, or null; got true"),
    (
        label(at_turn=2),
        "'at_turn' must be at most 1, the last turn of 'c-1', or null for its close; got 2",
    ),
    (label(handoff=False, at_turn=0), "'at_turn' must be null where 'handoff' is false; got 0"),
    (
        label(handoff=False, reasons=["other"]),
        "'reasons' must be empty where 'handoff' is false; got a list of 1",
    ),
    (label(reasons="other"), "'reasons' must be a list of reasons; got 'other'"),
    (
        label(reasons=["other", "angry"]),
        "'reasons[1]' must be one of 'follow_up_requested',"
        " 'human_requested', 'unresolved', 'human_review', 'complaint', 'other'; got 'angry'",
    ),
    (label(annotator=3), "'annotator' must be a text that isn't blank, or null; got 3"),
    (label(note=3), "'note' must be a text or null; got 3"),
    (
        label(labeled_at="2026-03-02"),
        f"'labeled_at' must be {TIME}; got '2026-03-02', which names no time zone",
    ),
    (
        label(annotator="a1"),
        "'annotator' must be one that has not labelled 'c-1' before; got 'a1', as on line 1",
    ),
]


@pytest.mark.parametrize(("line", "sentence"), LABEL_LAWS)
def test_a_bad_label_is_named_and_the_others_kept(
    tmp_path: Path, line: bytes, sentence: str
) -> None:
    """A label that can't count is refused by its field, and the label before it still counts."""
    transcripts = conversation() + b"\n" + conversation(id="bad", turns=[])
    folder = folder_of(tmp_path, transcripts, label(annotator="a1") + b"\n" + line)

    dataset = read_dataset(folder)

    assert str(dataset.refusals[1]) == f"labels.jsonl:2: {sentence}. Fix the line."
    assert [one.annotator for one in dataset.labels] == ["a1"]


def test_two_labels_without_annotator_are_one_annotators(tmp_path: Path) -> None:
    """Labels that name nobody count as one annotator's, who answers a conversation once."""
    dataset = read_dataset(folder_of(tmp_path, conversation(), label() + b"\n" + label()))

    assert [str(refusal) for refusal in dataset.refusals] == [
        "labels.jsonl:2: 'annotator' must be one that has not labelled 'c-1' before; "
        "got no annotator, as on line 1. Fix the line."
    ]


def test_a_line_of_ten_megabytes_is_read(tmp_path: Path) -> None:
    """A long line below the limit is a conversation like any other."""
    line = conversation(turns=[{"role": "customer", "text": "a" * 10_000_000}])

    dataset = read_dataset(folder_of(tmp_path, line))

    assert len(dataset.conversations[0].turns[0].text) == 10_000_000


def test_a_line_above_the_limit_is_refused_with_both_sizes() -> None:
    """A line above 16 MiB is read past, and the limit and its own size are told."""
    long = b'{"id": "' + b"a" * (20 * 2**20 - 8)

    refusal, after = iter_conversations(BytesIO(long + b"\n" + GOOD))

    assert str(refusal) == (
        "stdin:1: the line must be at most 16 MiB long; got 20.0 MiB. Fix the line."
    )
    assert not isinstance(after, type(refusal))


def test_the_limit_counts_the_line_without_its_end() -> None:
    """A line of exactly 16 MiB passes, with and without the newline after it."""
    padding = b" " * (MAX_LINE_BYTES - len(GOOD))

    found = [*iter_conversations(BytesIO(GOOD + padding + b"\n" + GOOD + padding))]

    assert [getattr(item, "id", item) for item in found] == ["good", "good"]


def test_crlf_bom_and_blank_lines_are_read(tmp_path: Path) -> None:
    """What Windows tools add to a file changes nothing, and lines are counted with blanks."""
    data = b"\xef\xbb\xbf" + GOOD + b"\r\n\r\n  \n" + conversation(split="val") + b"\r\n"

    dataset = read_dataset(folder_of(tmp_path, data))

    assert [c.id for c in dataset.conversations] == ["good"]
    assert [(r.line, r.field) for r in dataset.refusals] == [(4, "split")]


def test_blank_turns_of_agents_and_tools_keep_their_place(tmp_path: Path) -> None:
    """A picture or an empty tool result is a turn, since dropping it would move `at_turn`."""
    turns = [*TURNS, {"role": "system", "text": ""}, {"role": "agent", "text": " "}]

    dataset = read_dataset(folder_of(tmp_path, conversation(turns=turns)))

    assert [turn.text for turn in dataset.conversations[0].turns[2:]] == ["", " "]


def test_every_part_of_the_format_is_read(tmp_path: Path) -> None:
    """The example of the format arrives field by field, unknown fields among the extras."""
    line = conversation(
        started_at="2026-03-02T09:14:00Z",
        customer={"id": "u-17", "email": "ana@example.com", "tier": 2},
        channel="web",
        turns=[{"role": "human", "text": "Hi", "at": "2026-03-02T09:14:00+01:00", "lang": "en"}],
        split="tune",
        metadata={"vertical": "travel"},
        source="s1",
    )
    written = label(at_turn=0, reasons=["complaint"], note="", confidence=0.5)

    dataset = read_dataset(folder_of(tmp_path, line, written))

    (one,) = dataset.conversations
    assert one.started_at is not None
    assert one.started_at.isoformat() == "2026-03-02T09:14:00+00:00"
    assert (one.customer.id, one.customer.email) == ("u-17", "ana@example.com")
    assert (one.customer.extra, one.extra) == ({"tier": 2}, {"source": "s1"})
    assert (one.channel, one.split, one.metadata) == ("web", Split.TUNE, {"vertical": "travel"})
    assert (one.turns[0].role, one.turns[0].extra) == (Role.HUMAN, {"lang": "en"})
    assert one.turns[0].at is not None
    (two,) = dataset.labels
    assert (two.at_turn, two.reasons, two.note) == (0, (Reason.COMPLAINT,), "")
    assert two.extra == {"confidence": 0.5}


@pytest.fixture
def three(tmp_path: Path) -> Dataset:
    """Four conversations: adjudicated, two annotators, one annotator, none."""
    lines = [
        conversation(id="c-1", split="tune", customer={"id": "u"}),
        conversation(id="c-2", split="test"),
        conversation(id="c-3", split="tune", customer={"id": "u"}),
        conversation(id="c-4", split="tune"),
    ]
    labels = [
        label(annotator="a1", handoff=False),
        label(annotator="adjudicated"),
        label(annotator="a2", handoff=False),
        label(conversation_id="c-2", annotator="a1"),
        label(conversation_id="c-2", annotator="a2", handoff=False),
        label(conversation_id="c-3", annotator="a1"),
    ]
    return read_dataset(folder_of(tmp_path, b"\n".join(lines), b"\n".join(labels)))


def test_the_label_of_record(three: Dataset) -> None:
    """Adjudication wins wherever it stands, then the only annotator, then the last one written."""
    of_record = {item.conversation.id: item.label.annotator for item in three.labeled()}

    assert of_record == {"c-1": "adjudicated", "c-2": "a2", "c-3": "a1"}


def test_what_nobody_adjudicated_keeps_every_annotator(three: Dataset) -> None:
    """The other labels stand beside the one of record, and an adjudication settles them."""
    others = {i.conversation.id: [label.annotator for label in i.others] for i in three.labeled()}

    assert others == {"c-1": [], "c-2": ["a1"], "c-3": []}


def test_a_split_has_its_own_labels_and_counts(three: Dataset) -> None:
    """Asking for one split gives that split in file order, with its own numbers."""
    tune = three.counts(Split.TUNE)

    assert [item.conversation.id for item in three.labeled(Split.TUNE)] == ["c-1", "c-3"]
    assert [c.id for c in three.unlabeled()] == ["c-4"]
    assert three.unlabeled(Split.TEST) == ()
    assert (tune.conversations, tune.customers, tune.labeled) == (3, 2, 2)
    assert (tune.positives, tune.unlabeled) == (2, 1)


def test_traffic_needs_no_labels(tmp_path: Path) -> None:
    """A folder without labels.jsonl is read, and a README.md beside it is its datasheet."""
    folder = folder_of(tmp_path, GOOD)
    (folder / "README.md").write_text("# Traffic", encoding="utf-8")

    dataset = read_dataset(folder)

    assert (dataset.labels, dataset.labeled()) == ((), ())
    assert dataset.datasheet == folder / "README.md"
    assert dataset.name == folder.name


def test_a_changed_label_changes_the_digest(tmp_path: Path) -> None:
    """The fingerprint covers labels as well as transcripts, and no refused line."""
    before = read_dataset(folder_of(tmp_path, GOOD, label(conversation_id="good"))).digest
    after = read_dataset(folder_of(tmp_path, GOOD, label(conversation_id="good", note="x"))).digest
    refused = read_dataset(folder_of(tmp_path, GOOD + b"\n{", label(conversation_id="good"))).digest

    assert before != after
    assert before == refused


def test_a_missing_folder_is_said_to_be_missing(tmp_path: Path) -> None:
    """A path with nothing there gives a sentence with the path."""
    with pytest.raises(DataError, match=r"Expected a dataset folder at .*absent; there is none"):
        read_dataset(tmp_path / "absent")


def test_a_file_is_not_a_dataset(tmp_path: Path) -> None:
    """The transcripts file itself is refused, and its folder asked for."""
    folder_of(tmp_path, GOOD)
    with pytest.raises(DataError, match=r"got the file .*transcripts\.jsonl\. Give its folder\."):
        read_dataset(tmp_path / "transcripts.jsonl")


def test_a_folder_without_transcripts(tmp_path: Path) -> None:
    """A folder that is no dataset says which file it lacks."""
    with pytest.raises(DataError, match=r"Expected transcripts\.jsonl in .*; there is none"):
        read_dataset(tmp_path)


@pytest.mark.parametrize("content", [b"", b"\n \r\n", b"\xef\xbb\xbf"])
def test_an_empty_file_is_not_a_dataset(tmp_path: Path, content: bytes) -> None:
    """A file of nothing but blank lines holds no conversation to measure on."""
    folder = folder_of(tmp_path, content)
    with pytest.raises(DataError, match="the file is empty"):
        read_dataset(folder)


def test_nothing_usable_quotes_the_first_refusal(tmp_path: Path) -> None:
    """Where every line is refused the error says how many and why the first was."""
    folder = folder_of(tmp_path, b"[]\n{}\n")
    with pytest.raises(DataError, match=r"all 2 lines were refused\. The first: transcripts"):
        read_dataset(folder)


def test_a_file_that_cannot_be_read_raises_data_error(tmp_path: Path) -> None:
    """What the system refuses to open is the user's to mend, not a traceback."""
    (tmp_path / "transcripts.jsonl").mkdir()
    with pytest.raises(DataError, match=r"transcripts\.jsonl: expected a readable file; Is a dir"):
        read_dataset(tmp_path)


def test_a_path_is_read_as_a_stream(tmp_path: Path) -> None:
    """A file's refusals carry its name, and a missing one raises."""
    path = tmp_path / "more.jsonl"
    path.write_bytes(GOOD + b"\n[]\n")

    good, refusal = iter_conversations(path)

    assert getattr(good, "id", None) == "good"
    assert str(refusal).startswith("more.jsonl:2: the line must be a JSON object; got []")
    with pytest.raises(DataError, match="expected a readable file of transcripts; No such file"):
        next(iter_conversations(tmp_path / "absent.jsonl"))
