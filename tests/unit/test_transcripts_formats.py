"""Each vendor's documented shape, read into the dataset format."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handoff_eval.cli.import_ import FIELDS
from handoff_eval.cli.import_ import FORMATS as OFFERED
from handoff_eval.errors import DataError, SettingsError
from handoff_eval.transcripts.formats import chatbase, intercom, openai, tau_bench, zendesk
from handoff_eval.transcripts.formats.base import Draft, ImportOptions, timestamp
from handoff_eval.transcripts.formats.csv_turns import COLUMNS, ROLES
from handoff_eval.transcripts.formats.documents import Source
from handoff_eval.transcripts.formats.registry import FORMATS
from handoff_eval.transcripts.refusals import FieldError, Refusal

DATA = Path(__file__).parents[1] / "data" / "imports"


def read(
    name: str, path: Path, options: ImportOptions | None = None
) -> tuple[list[dict[str, Any]], list[str]]:
    """Return the documents and the sentences of the refusals."""
    items = list(FORMATS[name].read(path, options or ImportOptions(), lambda _: None))
    drafts = [item.document for item in items if isinstance(item, Draft)]
    return drafts, [str(item) for item in items if isinstance(item, Refusal)]


def said(document: dict[str, Any]) -> list[tuple[str, str]]:
    """Return role and text of each turn."""
    return [(turn["role"], turn["text"]) for turn in document["turns"]]


def test_the_command_offers_every_format() -> None:
    """The names in the help text are those that can be read, and so are the fields of a table."""
    assert tuple(FORMATS) == OFFERED
    assert tuple(COLUMNS) == FIELDS


def test_openai_messages() -> None:
    """Prompts go, tool calls and results are the system's, pictures are named, ids are made up."""
    (first, second), refused = read("openai", DATA / "openai.jsonl")

    assert said(first) == [
        ("customer", "Where is order 1182?"),
        ("system", '[tool call] find_order({"id": 1182})'),
        ("system", "shipped"),
        ("agent", "It has been shipped."),
        ("system", "The customer was idle."),
        ("customer", "Look:\n[image]"),
    ]
    assert (first["id"], first["customer"], first["channel"]) == ("chat-1", {"id": "u-17"}, "web")
    # 1772442840 s = 20514 days of 86,400 s (2026-03-02) and 33,240 s (09:14:00).
    assert first["started_at"] == "2026-03-02T09:14:00+00:00"
    assert first["metadata"] == {"vertical": "shop"}
    assert (second["id"], said(second)[1]) == ("openai-2", ("agent", "I can't help with that."))
    assert refused == [
        "openai.jsonl:3: 'messages[1].role' must be one of 'system', 'developer', 'user', "
        "'assistant', 'tool', 'function'; got 'narrator'. Fix the line.",
        "openai.jsonl:4: 'messages' must be a list with at least one entry; got []. Fix the line.",
    ]


def test_intercom_conversations() -> None:
    """Bodies lose their HTML, notes are left out, the AI agent and people are told apart."""
    (one,), refused = read("intercom", DATA / "intercom.json")

    assert said(one) == [
        ("customer", "Hi,\nI was charged twice & need a refund."),
        ("agent", "I see one charge."),
        ("customer", "[attachment]"),
        ("human", "Refunded.\n\nBest regards,\nSam"),
    ]
    assert one["id"] == "1122"
    assert one["customer"] == {"id": "5f3c", "email": "ana@example.com"}
    assert one["turns"][1]["at"] == "2026-03-02T09:15:00+00:00"
    assert one["metadata"]["tags"] == ["billing"]
    assert refused == [
        "intercom.json, conversation 2: 'conversation_parts' must be parts of which one has a "
        "body; got none that has."
    ]


def test_zendesk_tickets() -> None:
    """Private comments are left out, authors get their role from requester, users and options."""
    options = ImportOptions(agent_ids=frozenset({"900"}))

    (one,), refused = read("zendesk", DATA / "zendesk.json", options)

    assert said(one) == [
        ("customer", "My router is offline since Sunday.\n[attachment]"),
        ("agent", "Please restart it:\n\n- Unplug\n- Plug in"),
        ("customer", "I am her brother, same here."),
        ("human", "There is an outage until noon."),
        ("system", "Ticket solved by automation."),
    ]
    assert one["customer"] == {"id": "501", "email": "ana@example.com"}
    assert (one["channel"], one["metadata"]["subject"]) == ("web", "Router offline")
    assert len(refused) == 1


def test_chatbase_exports() -> None:
    """Both versions of the interface are read, tool parts as turns of the system."""
    (two,), refused = read("chatbase", DATA / "chatbase.json")
    (one,), _ = read("chatbase", DATA / "chatbase_v1.json")

    assert said(two) == [
        ("agent", "Hi! What can I help you with?"),
        ("customer", "Are you open on Sunday?"),
        ("system", "[tool call] opening_hours"),
        ("system", '[tool result] opening_hours: {"sunday": null}'),
        ("agent", "We are closed on Sunday."),
    ]
    assert (two["customer"], two["channel"]) == ({"id": "user_abc123"}, "Widget or Iframe")
    assert two["metadata"]["status"] == "ended"
    assert refused == [
        "chatbase.json, conversation 2: 'messages' must be a list with at least one entry; "
        "got nothing."
    ]
    assert said(one)[1] == ("customer", "Please call me back.")
    assert one["started_at"] == "2026-03-02T09:14:00.123000+00:00"


def test_tau_bench_trajectories() -> None:
    """Policy and end signals go, the customer's own tool calls are the system's too."""
    (first,), _ = read("tau-bench", DATA / "tau_bench.json")
    (second,), _ = read("tau-bench", DATA / "tau2_bench.json")

    assert said(first) == [
        ("customer", "Hi, please cancel my flight."),
        ("system", '[tool call] get_user_details({"user_id": "mia_li_3668"})'),
        ("system", '{"name": "Mia"}'),
        ("agent", "It is cancelled."),
    ]
    assert first["customer"] == {"id": "mia_li_3668"}
    assert first["metadata"] == {"task_id": 3, "trial": 0, "reward": 1.0}
    assert said(second)[2:] == [
        ("system", '[tool call] get_customer({"phone": "555-123-2002"})'),
        ("system", '{"plan": "basic"}'),
        ("system", "[tool call] toggle_data({})"),
        ("system", "Mobile data is now ON"),
        ("customer", "It works now. Thanks!"),
    ]
    assert second["id"] == "2f9e0f5e-7b9b-4f5b-9d7b-000000000007"


@pytest.fixture
def zone() -> ImportOptions:
    """Return options by which times that name no zone are Berlin's."""
    from zoneinfo import ZoneInfo

    return ImportOptions(time_zone=ZoneInfo("Europe/Berlin"))


def test_a_table_of_turns(zone: ImportOptions) -> None:
    """Rows of a conversation may stand anywhere, texts may hold lines, blank ones stay a moment."""
    options = ImportOptions(columns={"metadata.industry": "industry"}, time_zone=zone.time_zone)

    (first, second), refused = read("csv", DATA / "turns.csv", options)

    assert said(first) == [
        ("customer", "Where is my parcel?\nIt was due on Monday."),
        ("agent", "It is on its way."),
        ("customer", "[no text]"),
        ("human", "I have called the courier."),
    ]
    assert first["turns"][0]["at"] == "2026-03-02T09:14:00+01:00"
    assert first["customer"] == {"id": None, "email": "ana@example.com"}
    assert (first["metadata"], second["metadata"]) == ({"industry": "shop"}, {"industry": "travel"})
    assert (second["id"], refused) == ("b-7", [])


def table(path: Path, text: str | bytes) -> Path:
    """Write a table."""
    file = path / "t.csv"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return file


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        (b"a,narrator,Hi", "t.csv:2: 'role' must be a word for a role (else name it, as --roles "
         "WORD=agent); got 'narrator'."),
        (b"a,user", "t.csv:2: the line must be a row of 3 columns, as the header has; got 2."),
        (b"a,user,Hi,there", "t.csv:2: the line must be a row of 3 columns, as the header has; got"
         " 4."),
        (b" ,user,Hi", "t.csv:2: 'id' must be the id of a conversation; got nothing."),
        (b"a,user,caf\xe9", "t.csv:2: 'text' must be text in UTF-8; got byte 0xe9."),
        (b"a,user,n\0l", "t.csv:2: 'text' must be free of NUL characters; got 'n\\x00l'."),
    ],
)  # fmt: skip
def test_a_bad_row_is_named(tmp_path: Path, row: bytes, sentence: str) -> None:
    """A row that can't be used is refused with its line, and the other conversations stay."""
    file = table(tmp_path, b"id,role,text\n" + row + b"\n\nb,user,Hi\n")

    drafts, refused = read("csv", file)

    assert refused == [f"{sentence} Fix the line."]
    assert [draft["id"] for draft in drafts] == ["b"]


def test_a_bad_row_takes_its_conversation_along(tmp_path: Path) -> None:
    """A conversation with a turn missing is no longer that conversation; it is refused once."""
    file = table(tmp_path, "id,role,text\na,user,Hi\na,x,Hi\na,y,Hi\nb,user,Hi\n")

    drafts, refused = read("csv", file)

    assert [draft["id"] for draft in drafts] == ["b"]
    assert [sentence.partition(" ")[0] for sentence in refused] == ["t.csv:3:"]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_delimiters_and_marks_are_recognised(tmp_path: Path, delimiter: str) -> None:
    """Spreadsheets of other countries use other delimiters, and some a byte order mark."""
    rows = [["id", "role", "text"], ["a", "user", '"Hi; there, | you"']]
    text = "\r\n".join(delimiter.join(row) for row in rows)

    (draft,), _ = read("csv", table(tmp_path, b"\xef\xbb\xbf" + text.encode()))

    assert said(draft) == [("customer", "Hi; there, | you")]


def test_columns_and_roles_can_be_named(tmp_path: Path) -> None:
    """Where names are unusual the user names them, and the user's word for a role wins."""
    from handoff_eval.conversation import Role

    options = ImportOptions(
        columns={"id": "Fall", "role": "Wer", "text": "Was", "customer.id": "Kunde"},
        roles={"kunde": Role.CUSTOMER, "agent": Role.HUMAN},
    )

    (draft,), _ = read(
        "csv", table(tmp_path, "Fall;Wer;Was;Kunde\n1;Kunde;Hi;K7\n1;Agent;Ja;\n"), options
    )

    assert said(draft) == [("customer", "Hi"), ("human", "Ja")]
    assert draft["customer"]["id"] == "K7"


def test_a_missing_column_is_named_with_those_there_are(tmp_path: Path) -> None:
    """Without a column for a required field the user learns which there are and what to give."""
    file = table(tmp_path, "id,wer,text\n")
    with pytest.raises(SettingsError, match=r"a column for 'role' in t\.csv; it has 'id', 'wer'"):
        read("csv", file)
    with pytest.raises(SettingsError, match=r"Expected the column 'was' for 'text'"):
        read("csv", file, ImportOptions(columns={"text": "was"}))


def test_an_empty_table_is_refused(tmp_path: Path) -> None:
    """A file without a header is no table."""
    with pytest.raises(DataError, match=r"Expected a header and rows in t\.csv; got an empty"):
        read("csv", table(tmp_path, b"\n\n"))


def test_words_for_roles_mean_one_role_each() -> None:
    """No word stands for two roles."""
    words = [word for known in ROLES.values() for word in known.split()]

    assert len(words) == len(set(words))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (1772442840, "2026-03-02T09:14:00+00:00"),
        (1772442840123, "2026-03-02T09:14:00.123000+00:00"),
        ("1772442840", "2026-03-02T09:14:00+00:00"),
        ("2026-03-02T09:14:00Z", "2026-03-02T09:14:00+00:00"),
        ("2026-03-02 09:14:00 UTC", "2026-03-02T09:14:00+00:00"),
        ("2026-03-02T09:14:00-08:00", "2026-03-02T09:14:00-08:00"),
        # Berlin is one hour ahead in winter and two in summer.
        ("2026-03-02 09:14", "2026-03-02T09:14:00+01:00"),
        ("2026-07-02 09:14", "2026-07-02T09:14:00+02:00"),
        (None, None),
        ("", None),
    ],
)
def test_times_of_all_kinds(zone: ImportOptions, value: Any, expected: str | None) -> None:
    """Seconds, milliseconds, ISO 8601 with and without a zone arrive with one."""
    assert timestamp(value, "at", zone) == expected


def test_the_users_format_of_times() -> None:
    """A format says which of 03/02 is the month."""
    from zoneinfo import ZoneInfo

    options = ImportOptions(time_format="%d/%m/%Y %H:%M", time_zone=ZoneInfo("UTC"))

    assert timestamp("02/03/2026 09:14", "at", options) == "2026-03-02T09:14:00+00:00"


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("02/03/2026", "seconds since 1970"),
        ("2026-03-02 09:14", "else give --time-zone"),
        (True, "seconds since 1970"),
        (10**400, "in a year up to 9999"),
        (9e15, "in a year up to 9999"),
    ],
)
def test_times_that_cannot_be_read(value: Any, words: str) -> None:
    """A time that is ambiguous or impossible is refused with what to do."""
    with pytest.raises(FieldError) as caught:
        timestamp(value, "at", ImportOptions())

    assert words in caught.value.expected


VALUES = st.sampled_from([None, True, 0, -1, 3.5, 10**30, "", " ", "x", [], [None], {}, {"x": 1}])


def changed(value: Any, data: st.DataObject) -> Any:
    """Return a JSON value with one part of it, somewhere, put in place of another."""
    if isinstance(value, dict | list) and value and data.draw(st.integers(0, 6)):
        places = sorted(value) if isinstance(value, dict) else range(len(value))
        place = data.draw(st.sampled_from(list(places)))
        copy = value.copy()
        copy[place] = changed(value[place], data)
        return copy
    return data.draw(VALUES)


@pytest.mark.parametrize(
    ("module", "file"),
    [
        (chatbase, "chatbase.json"),
        (chatbase, "chatbase_v1.json"),
        (intercom, "intercom.json"),
        (openai, "openai.jsonl"),
        (tau_bench, "tau_bench.json"),
        (tau_bench, "tau2_bench.json"),
        (zendesk, "zendesk.json"),
    ],
)
@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_any_document_is_converted_or_refused(module: Any, file: str, data: st.DataObject) -> None:
    """Whatever stands where in a document, a format gives a conversation or says what is wrong."""
    text = (DATA / file).read_text(encoding="utf-8")
    envelope = changed(json.loads(text.splitlines()[0] if file.endswith("l") else text), data)
    lists = ("data", "conversations", "simulations", "tickets")
    held = envelope if isinstance(envelope, dict) else {"data": envelope}
    found = next((held[name] for name in lists if isinstance(held.get(name), list)), [held])
    for document in found:
        if isinstance(document, dict):
            try:
                converted = module.convert(Source(document, held, "x-1"), ImportOptions())
            except FieldError:
                continue
            assert converted.document["turns"]


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_a_table_or_refused(
    tmp_path_factory: pytest.TempPathFactory, data: bytes
) -> None:
    """Any bytes below a header give drafts or refusals, never another error."""
    file = table(tmp_path_factory.mktemp("t"), b"id,role,text\na,user,Hi\n" + data)

    drafts, refused = read("csv", file)

    assert drafts or refused
