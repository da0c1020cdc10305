"""Labelling in a spreadsheet: a row for each turn, and one for the close of the conversation.

The answer stands in the row it is about: `yes` in the row of the turn after which a handoff is
warranted, or in the row `close`; `no` in any row. Texts of customers that a spreadsheet would
run as a formula get an apostrophe before them, which is taken off again when the sheet is read
(OWASP, CSV Injection).
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from handoff_eval.conversation import Conversation, Label, Reason
from handoff_eval.errors import DataError
from handoff_eval.transcripts.refusals import FieldError, Refusal, shown

COLUMNS = ("conversation_id", "turn", "speaker", "text", "handoff", "reasons", "note")
CLOSE = "close"
MAX_CELL = 32_000
_NEEDED = frozenset(COLUMNS) - {"speaker", "text"}
_ANSWERS = {"yes": True, "y": True, "true": True, "no": False, "n": False, "false": False}
_FORMULA = tuple("=+-@\t\r\n＝＋－＠'")
_Row = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Sheet:
    """What a filled-in sheet says.

    Attributes
    ----------
    labels : tuple of Label
        Without annotator and time.
    refusals : tuple of Refusal
        Rows that can't be used, numbered as a spreadsheet does; a conversation with such a row
        has no label.
    unanswered : int
        Number of conversations that nobody has answered yet.
    """

    labels: tuple[Label, ...]
    refusals: tuple[Refusal, ...]
    unanswered: int


def write_sheet(
    path: Path, conversations: Iterable[Conversation], labels: Mapping[str, Label]
) -> int:
    """Write conversations for labelling and return how many.

    Parameters
    ----------
    path : Path
        A file that isn't there yet, so that no filled-in sheet is lost.
    conversations : iterable of Conversation
    labels : mapping of str to Label
        Answers to fill in, by conversation id.

    Raises
    ------
    DataError
        When the file exists or can't be written.
    """
    count = 0
    try:
        # The byte order mark tells spreadsheets that it is UTF-8.
        with path.open("x", encoding="utf-8-sig", newline="") as stream:
            writer = csv.writer(stream)
            writer.writerow(COLUMNS)
            for conversation in conversations:
                label = labels.get(conversation.id)
                writer.writerows(map(_harmless, row) for row in _rows(conversation, label))
                count += 1
    except FileExistsError:
        raise DataError(
            f"{path}: expected a name that is free; there is such a file. Choose another, so that "
            "no answers are lost."
        ) from None
    except OSError as error:
        raise DataError(f"{path}: can't be written ({error.strerror}).") from None
    return count


def read_sheet(path: Path, conversations: Sequence[Conversation]) -> Sheet:
    """Read a filled-in sheet, separated by comma, semicolon or tab.

    Raises
    ------
    DataError
        When the file can't be read as CSV in UTF-8, or columns are missing.
    """
    known = {conversation.id: conversation for conversation in conversations}
    labels: dict[str, Label] = {}
    answered_in: dict[str, int] = {}
    refusals: list[Refusal] = []
    seen: set[str] = set()
    refused: set[str] = set()
    for number, row in _read_rows(path):
        conversation_id = row["conversation_id"]
        seen.add(conversation_id)
        try:
            label = _answer(row, known)
            if label is not None and conversation_id in labels:
                expected = f"empty, since row {answered_in[conversation_id]} has the answer"
                raise FieldError("handoff", expected, shown(row["handoff"]))
        except FieldError as fault:
            refusals.append(fault.at(path.name, number))
            refused.add(conversation_id)
            continue
        if label is not None:
            labels[conversation_id] = label
            answered_in[conversation_id] = number
    return Sheet(
        labels=tuple(label for key, label in labels.items() if key not in refused),
        refusals=tuple(refusals),
        unanswered=len(seen - labels.keys() - refused),
    )


def _rows(conversation: Conversation, label: Label | None) -> Iterator[tuple[str, ...]]:
    blank = ("", "", "")
    if label is None:
        place, answer = None, blank
    else:
        place = len(conversation.turns) if label.at_turn is None else label.at_turn
        reasons = ", ".join(reason.value for reason in label.reasons)
        answer = ("yes" if label.handoff else "no", reasons, label.note or "")
    for index, turn in enumerate(conversation.turns):
        text = turn.text
        if len(text) > MAX_CELL:
            text = f"{text[:MAX_CELL]} … ({len(turn.text)} characters in all)"
        filled = answer if index == place else blank
        yield (conversation.id, str(index), turn.role.value, text, *filled)
    filled = answer if place == len(conversation.turns) else blank
    yield (conversation.id, CLOSE, "", "", *filled)


def _harmless(cell: str) -> str:
    return f"'{cell}" if cell.startswith(_FORMULA) else cell


def _read_rows(path: Path) -> Iterator[tuple[int, _Row]]:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: expected a CSV file; {error.strerror}.") from None
    try:
        text = content.decode("utf-8-sig")
        if "\0" in text:
            raise ValueError("it holds NUL characters")
    except ValueError as error:
        raise DataError(
            f"{path}: expected CSV in UTF-8; {error}. Save it as 'CSV UTF-8' in the spreadsheet."
        ) from None
    header = text.partition("\n")[0]
    delimiter = max(",;\t", key=header.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        names = [name.strip().lower() for name in next(reader, [])]
        missing = [name for name in COLUMNS if name in _NEEDED and name not in names]
        if missing:
            raise DataError(
                f"{path}: expected the columns {', '.join(COLUMNS)}; {', '.join(missing)} not "
                "found. Start from a sheet made by 'handoff-eval labels export'."
            )
        for number, cells in enumerate(reader, 2):
            if any(cell.strip() for cell in cells):
                padded = (*cells, *[""] * len(names))
                row = dict(zip(names, padded, strict=False))
                yield number, {name: row[name].removeprefix("'") for name in _NEEDED}
    except csv.Error as error:
        raise DataError(f"{path}: expected CSV; {error} on line {reader.line_num}.") from None


def _answer(row: _Row, known: Mapping[str, Conversation]) -> Label | None:
    """Return the label a row states, None where its answer cells are empty."""
    conversation = known.get(row["conversation_id"])
    if conversation is None:
        got = shown(row["conversation_id"])
        raise FieldError("conversation_id", "the id of a conversation in the dataset", got)
    handoff = row["handoff"].strip().lower()
    reasons = [name for name in re.split(r"[\s,;]+", row["reasons"].lower()) if name]
    note = row["note"].strip() or None
    if not handoff:
        if reasons or note:
            raise FieldError("handoff", "yes or no beside a reason or note", "an empty cell")
        return None
    if handoff not in _ANSWERS:
        raise FieldError("handoff", "yes, no or empty", shown(row["handoff"]))
    if not _ANSWERS[handoff]:
        if reasons:
            raise FieldError("reasons", "empty beside 'no'", shown(row["reasons"]))
        return Label(conversation.id, handoff=False, note=note)
    return Label(
        conversation.id,
        handoff=True,
        at_turn=_at_turn(row["turn"].strip().lower(), conversation),
        reasons=_reasons(reasons),
        note=note,
    )


def _at_turn(text: str, conversation: Conversation) -> int | None:
    if text == CLOSE:
        return None
    last = len(conversation.turns) - 1
    if not text.isascii() or not text.isdigit() or len(text) > 9 or int(text) > last:
        expected = f"a number from 0 to {last}, the last turn, or '{CLOSE}'"
        raise FieldError("turn", expected, shown(text))
    return int(text)


def _reasons(names: Sequence[str]) -> tuple[Reason, ...]:
    expected = "one or more of " + ", ".join(reason.value for reason in Reason)
    if not names:
        raise FieldError("reasons", expected, "an empty cell")
    for name in names:
        if name not in list(Reason):
            raise FieldError("reasons", expected, shown(name))
    return tuple(dict.fromkeys(Reason(name) for name in names))
