"""What a Spark worker makes of its rows, without Spark: as `score`, hostile rows refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from handoff_eval.cli.main import main
from handoff_eval.conversation import Conversation, Split
from handoff_eval.errors import SettingsError
from handoff_eval.evaluation.operating_point import OperatingPoint
from handoff_eval.production.bundle import Bundle, read_bundle, write_bundle
from handoff_eval.production.score import score_file
from handoff_eval.production.spark.worker import Task, decide_lines, decide_rows
from handoff_eval.transcripts.write import conversation_to_dict
from handoff_eval.triggers.keyword import KeywordTrigger, default_rules
from tests.builders import talk

ASKS = ("C: where is it", "A: on its way", "C: can I speak to a person please")
LINE_PLACE = [("file", pa.string()), ("block", pa.int64()), ("value", pa.binary())]
SAID = pa.struct([("number", pa.int64()), ("role", pa.binary()), ("text", pa.binary())])
ROW = [("file", pa.string()), ("line", pa.int64()), ("id", pa.binary()), ("turns", pa.list_(SAID))]


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    point = OperatingPoint("keyword", 0.5, Split.TUNE, None, "")
    folder = write_bundle(
        KeywordTrigger(default_rules()), point, handoff="s", instruction="i", to=tmp_path / "b"
    )
    return read_bundle(folder)


def conversations() -> list[Conversation]:
    return [talk(*ASKS[: 1 + i % 3], id=f"c{i} ü") for i in range(40)]


def rows_of(batches: Any) -> list[dict[str, Any]]:
    return [row for batch in batches for row in batch.to_pylist()]


def decide_one(bundle: Bundle, id_: bytes | None, turns: Any) -> dict[str, Any]:
    row = {"file": "file:/x/part-0.parquet", "line": 3, "id": id_, "turns": turns}
    batch = pa.RecordBatch.from_pylist([row], schema=pa.schema(ROW))
    (decided,) = rows_of(decide_rows([batch], lambda: bundle))
    return decided


def said(text: bytes | None, role: bytes | None = b"customer", number: int | None = None) -> Any:
    return {"number": number, "role": role, "text": text}


def test_lines_give_the_rows_of_score(bundle: Bundle, tmp_path: Path) -> None:
    """Whatever order its blocks come in, each line has the row and number that `score` gives it."""
    lines = [json.dumps(conversation_to_dict(c)).encode() for c in conversations()]
    lines[3:5] = [b'{"id": "known", "turns": []}', b"", b"not json \xff"]
    source, out = tmp_path / "t.jsonl", tmp_path / "out.jsonl"
    source.write_bytes(b"\n".join(lines) + b"\n")
    score_file(bundle, source, to=out)
    expected = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    values = [{"file": "file:/t.jsonl", "block": 70 * (i >= 7), "value": v + b"\r" * (i % 2)}
              for i, v in enumerate(lines)]  # fmt: skip
    batches = [pa.RecordBatch.from_pylist(part, schema=pa.schema(LINE_PLACE))
               for part in (values[7:20], values[20:], values[:7])]  # fmt: skip

    before = {("file:/t.jsonl", 0): 0, ("file:/t.jsonl", 70): 7}
    rows = rows_of(decide_lines(batches, lambda: bundle, before))

    rows.sort(key=lambda row: row["line"])
    assert [row["line"] for row in rows] == [row["line"] for row in expected]
    for row, wanted in zip(rows, expected, strict=True):
        assert wanted.items() <= row.items()
    refused = [row for row in rows if row["refused"]]
    assert [(row["line"], row["conversation_id"]) for row in refused] == [(4, "known"), (6, None)]


@pytest.mark.parametrize(
    ("id_", "turns", "words"),
    [
        (None, [said(b"hi")], "'id' must be a text that isn't blank; got null"),
        (b" ", [said(b"hi")], "'id' must be a text"),
        (b"\xff", [said(b"hi")], "'id' must be text in UTF-8; got byte 0xff at position 1"),
        (b"a\0b", [said(b"hi")], "'id' must be free of NUL characters"),
        (b"c", None, "'turns' must be a list with at least one turn; got null"),
        (b"c", [], "'turns' must be a list with at least one turn; got []"),
        (b"c", [None], "'turns[0]' must be an object"),
        (b"c", [said(b"hi"), said(b"\xc3")], "'turns[1].text' must be text in UTF-8"),
        (b"c", [said(None)], "'turns[0].text' must be a text; got null"),
        (b"c", [said(b" ")], "'turns[0].text' must be a text that isn't blank"),
        (b"c", [said(b"hi", b"robot")], "'turns[0].role' must be one of"),
        (b"c", [said(b"hi", None)], "'turns[0].role' must be one of"),
        (b"c", [said(b"a", number=0), said(b"b", number=0)], "'turns[1]' must be number 1"),
        (b"c", [said(b"a", number=1)], "'turns[0]' must be number 0, the next one; got 1"),
        (b"c", [said(b"a" * (16 * 2**20 + 1))], "at most 16 MiB long; got 16.0 MiB"),
    ],
)
def test_a_hostile_row_is_refused_in_its_place(
    bundle: Bundle, id_: bytes | None, turns: Any, words: str
) -> None:
    """A row that can't be used gives a sentence with file and line, and ends nothing."""
    row = decide_one(bundle, id_, turns)

    assert row["refused"].startswith("part-0.parquet:3: ")
    assert words in row["refused"]
    assert (row["line"], row["fired"], row["scores"]) == (3, None, None)


def test_numbered_turns_are_decided(bundle: Bundle) -> None:
    """Turns numbered from 0 on are a conversation like any other."""
    row = decide_one(bundle, b"c", [said(b"hi", number=0), said(ASKS[2][3:].encode(), number=1)])

    assert (row["refused"], row["fired"], row["turns"]) == (None, True, 2)


def test_another_version_on_a_node_is_refused() -> None:
    """A worker with another handoff_eval than the driver decides nothing."""
    with pytest.raises(SettingsError, match=r"Expected handoff-eval 0\.0 on each node"):
        Task("archive", version="0.0")()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--master", "local"], "Expected --engine spark beside --master"),
        (["--engine", "spark", "--conf", "spark.ui"], "Expected --conf NAME=VALUE"),
        (["--engine", "spark"], "Expected Java 17 or later"),
    ],
)
def test_what_spark_lacks_is_a_sentence(
    bundle: Bundle,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    options: list[str],
    words: str,
) -> None:
    """Options that don't fit and a machine without Java are told, before anything is read."""
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))

    code = main(["score", str(bundle.path), "nowhere", "--to", str(tmp_path / "out"), *options])

    assert code == 2
    assert words in capsys.readouterr().err
