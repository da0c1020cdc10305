"""Labelling in a spreadsheet."""

from __future__ import annotations

import csv
import io
import re
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handoff_eval.conversation import Conversation, Label, Reason
from handoff_eval.errors import DataError
from handoff_eval.transcripts.label_csv import MAX_CELL, Sheet, read_sheet, write_sheet
from tests.builders import talk
from tests.strategies import conversations

TALK = talk("C: where is it?", "A: no idea", "C: great", id="c-1")
OTHER = talk("C: hi", id="c-2")
HEADER = "conversation_id,turn,speaker,text,handoff,reasons,note\n"


def read(tmp_path: Path, text: str) -> Sheet:
    """Read a sheet with this content against two conversations."""
    path = tmp_path / "sheet.csv"
    path.write_text(text, encoding="utf-8", newline="")
    return read_sheet(path, [TALK, OTHER])


def cells(path: Path) -> list[list[str]]:
    """Return the rows of a file as a spreadsheet sees them."""
    with path.open(encoding="utf-8-sig", newline="") as stream:
        return list(csv.reader(stream))


def test_a_sheet_has_a_row_a_turn_and_one_for_the_close(tmp_path: Path) -> None:
    """An answer that is known stands in the row it is about."""
    label = Label("c-1", handoff=True, at_turn=1, reasons=(Reason.UNRESOLVED, Reason.OTHER))
    count = write_sheet(tmp_path / "s.csv", [TALK, OTHER], {"c-1": label})

    assert count == 2
    assert cells(tmp_path / "s.csv")[1:] == [
        ["c-1", "0", "customer", "where is it?", "", "", ""],
        ["c-1", "1", "agent", "no idea", "yes", "unresolved, other", ""],
        ["c-1", "2", "customer", "great", "", "", ""],
        ["c-1", "close", "", "", "", "", ""],
        ["c-2", "0", "customer", "hi", "", "", ""],
        ["c-2", "close", "", "", "", "", ""],
    ]


@pytest.mark.medium
@settings(max_examples=60, deadline=None)
@given(st.data())
def test_answers_survive_the_spreadsheet(data: st.DataObject) -> None:
    """What is written is read again, whatever customers and annotators typed."""
    talks = data.draw(st.lists(conversations(), min_size=1, max_size=3, unique_by=lambda c: c.id))
    labels = {c.id: data.draw(answers(c)) for c in talks}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "s.csv"
        write_sheet(path, talks, labels)
        sheet = read_sheet(path, talks)

    assert sheet == Sheet(labels=tuple(labels.values()), refusals=(), unanswered=0)


@st.composite
def answers(draw: st.DrawFn, conversation: Conversation) -> Label:
    """Draw an answer as a sheet can state it: a handoff has reasons, a note no blanks around it."""
    note = draw(st.none() | st.sampled_from(["=1+1", "'quoted", "two\nlines", "@x", 'né, "so"']))
    if draw(st.booleans()):
        return Label(conversation.id, handoff=False, note=note)
    places = st.none() | st.integers(0, len(conversation.turns) - 1)
    reasons = draw(st.lists(st.sampled_from(Reason), min_size=1, max_size=3, unique=True))
    return Label(conversation.id, True, at_turn=draw(places), reasons=tuple(reasons), note=note)


@pytest.mark.parametrize("text", ["=HYPERLINK(1)", "+49", "-1", "@SUM(A1)", "\t=1", "＝1", "'x"])
def test_a_customers_text_never_runs_as_a_formula(tmp_path: Path, text: str) -> None:
    """A cell that a spreadsheet would compute is led by an apostrophe."""
    write_sheet(tmp_path / "s.csv", [talk(f"C: {text}", id=text)], {})

    assert cells(tmp_path / "s.csv")[1][:4] == [f"'{text}", "0", "customer", f"'{text}"]


def test_a_cell_holds_what_a_spreadsheet_can_hold(tmp_path: Path) -> None:
    """A longer text is cut and says so; no spreadsheet cuts it without a word."""
    write_sheet(tmp_path / "s.csv", [talk("C: " + "x" * 40_000)], {})

    text = cells(tmp_path / "s.csv")[1][3]
    assert text == "x" * MAX_CELL + " … (40000 characters in all)"


def test_a_filled_in_sheet_is_never_overwritten(tmp_path: Path) -> None:
    """An afternoon of labelling isn't lost to one command given twice."""
    path = tmp_path / "s.csv"
    path.write_text("mine")
    with pytest.raises(DataError, match="expected a name that is free"):
        write_sheet(path, [TALK], {})
    assert path.read_text() == "mine"


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_what_spreadsheets_write_is_read(tmp_path: Path, delimiter: str) -> None:
    """Other separators, CRLF, capitals, empty rows, dropped and moved columns are understood."""
    rows = [
        ["Handoff", "conversation_id", "reasons", "turn", "note"],
        ["", "c-1", "", "0", ""],
        ["YES", "c-1", "Unresolved  complaint; unresolved", "CLOSE", " odd "],
        ["", "", "", "", ""],
        ["No", "c-2", "", "0", ""],
    ]
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter).writerows(rows)
    sheet = read(tmp_path, text.getvalue())

    assert sheet.refusals == ()
    assert sheet.labels == (
        Label("c-1", True, reasons=(Reason.UNRESOLVED, Reason.COMPLAINT), note="odd"),
        Label("c-2", handoff=False),
    )


def test_conversations_nobody_answered_are_counted(tmp_path: Path) -> None:
    """An empty answer is no answer, neither yes nor no."""
    sheet = read(tmp_path, HEADER + "c-1,0,,,no,,\nc-2,0,,,,,\nc-2,close,,,,,\n")

    assert sheet == Sheet(labels=(Label("c-1", handoff=False),), refusals=(), unanswered=1)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("c-9,0,,,yes,other,", "'conversation_id' must be the id of a conversation in the dataset"),
        ("c-1,3,,,yes,other,", "'turn' must be a number from 0 to 2.*got '3'"),
        ("c-1,-1,,,yes,other,", "'turn' must be a number from 0 to 2.*got '-1'"),
        ("c-1,²,,,yes,other,", "'turn' must be a number from 0 to 2"),
        ("c-1,,,,yes,other,", "or 'close'; got ''"),
        ("c-1,0,,,maybe,,", "'handoff' must be yes, no or empty; got 'maybe'"),
        ("c-1,0,,,yes,,", "'reasons' must be one or more of .*; got an empty cell"),
        ("c-1,0,,,yes,anger,", "'reasons' must be one or more of .*; got 'anger'"),
        ("c-1,0,,,no,other,", "'reasons' must be empty beside 'no'"),
        ("c-1,0,,,,other,", "'handoff' must be yes or no beside a reason or note"),
        ("c-1,0,,,,,hm", "'handoff' must be yes or no beside a reason or note"),
    ],
)
def test_a_row_that_says_nothing_clear_is_refused(tmp_path: Path, row: str, message: str) -> None:
    """The refusal names the row as the spreadsheet counts it; other conversations are kept."""
    sheet = read(tmp_path, f'{HEADER}c-2,0,,"two\nlines",no,,\n{row}\n')

    assert sheet.labels == (Label("c-2", handoff=False),)
    assert [refusal.line for refusal in sheet.refusals] == [3]
    assert sheet.unanswered == 0
    assert re.search(message, str(sheet.refusals[0]))


def test_a_conversation_answered_twice_has_no_answer(tmp_path: Path) -> None:
    """Which of two rows was meant can't be known, so neither is taken."""
    sheet = read(tmp_path, HEADER + "c-1,0,,,no,,\nc-1,2,,,yes,other,\n")

    assert sheet.labels == ()
    assert "must be empty, since row 2 has the answer; got 'yes'" in str(sheet.refusals[0])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "expected the columns"),
        (b"conversation_id,turn,text\n", "handoff, reasons, note not found"),
        (HEADER.encode() + "c-1,0,,Grüße,no,,".encode("latin-1"), "Save it as 'CSV UTF-8'"),
        (HEADER.encode("utf-16-le"), "Save it as 'CSV UTF-8'"),
        (HEADER.encode() + b"c-1,0,," + b"x" * 200_000, "expected CSV; field larger than"),
    ],
)
def test_what_is_no_sheet_is_told(tmp_path: Path, content: bytes, message: str) -> None:
    """A wrong file or encoding is one sentence that says how to save it."""
    path = tmp_path / "s.csv"
    path.write_bytes(content)
    with pytest.raises(DataError, match=message):
        read_sheet(path, [TALK])


def test_a_sheet_that_is_missing_is_told(tmp_path: Path) -> None:
    """The name stands in the sentence."""
    with pytest.raises(DataError, match=r"s\.csv: expected a CSV file; No such file"):
        read_sheet(tmp_path / "s.csv", [TALK])
