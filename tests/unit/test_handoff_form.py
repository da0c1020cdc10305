"""The form's fields, the file it saves to and the prompt version it keeps."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from handoff_eval.errors import SettingsError
from handoff_eval.handoff import read_handoffs
from handoff_eval.tracking.store import Store
from handoff_eval.tracking.versions import read_instruction
from handoff_eval.workbench import HandoffForm
from handoff_eval.workbench.fields import FIELDS, read_values, texts_of
from handoff_eval.workbench.handoff_file import read_table, save_handoff

FILE = """\
# Ours since March.
[[handoff]]
name = "support"  # the main one
instruction = \"\"\"Send when they \\
   ask for a person.\"\"\"
recipients = [
    "team@example.com",  # everybody
    "lead@example.com",
]
mask_personal_data = true

[handoff.budget]
max_emails_per_day = 20   # agreed with the team
min_recall = 0.80
conversations_per_day = 200

[handoff.hours]
timezone = "Europe/Berlin"
monday = "10:00-12:00"
holidays = [2026-12-25]

# Somebody else's.
[[handoff]]
name = "sales"
recipients = ["sales@example.com"]
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Write a file of two handoffs with comments."""
    path = tmp_path / "handoff.toml"
    path.write_text(FILE, encoding="utf-8")
    return path


def send(form: HandoffForm, action: str, **content: Any) -> dict[str, Any]:
    """Do what the browser's message does, and return the view it gets back."""
    form._handle_custom_msg({"action": action, "request": "r-7", **content}, [])
    return dict(form.view)


def save(form: HandoffForm, **texts: str) -> dict[str, Any]:
    """Type into some fields, named with _ for the dot, and save."""
    typed = {name.replace("__", "."): text for name, text in texts.items()}
    return send(form, "save", texts={**form.view["texts"], **typed})


def test_saving_what_was_opened_changes_no_byte(path: Path) -> None:
    """Every field that stands in the file is written as it stood."""
    assert save(HandoffForm(path, keep_version=False))["message"]["text"].startswith("Saved")
    assert path.read_text(encoding="utf-8") == FILE


def test_one_field_changes_one_line(path: Path) -> None:
    """Comments, the other handoff and fields that the form doesn't show survive."""
    view = save(HandoffForm(path, keep_version=False), budget__max_emails_per_day="25")

    assert view["message"] == {"kind": "info", "text": "Saved in handoff.toml."}
    assert path.read_text(encoding="utf-8") == FILE.replace("_day = 20 ", "_day = 25 ")


def test_a_recipient_is_added_beside_the_comments(path: Path) -> None:
    """The list keeps its form; one that is taken out goes with its own line alone."""
    save(HandoffForm(path, keep_version=False), recipients="team@example.com, new@example.com")
    text = path.read_text(encoding="utf-8")

    assert '"team@example.com",  # everybody' in text
    assert read_handoffs(path)[0].recipients == ("team@example.com", "new@example.com")


def test_a_new_handoff_is_added_at_the_end(path: Path) -> None:
    """It has what was typed and nothing else; the file before it is as it was."""
    form = HandoffForm(path, keep_version=False)
    send(form, "open", name=None)
    view = save(
        form, name="refunds", recipients="money@example.com", instruction="When a refund is asked.",
        hours__timezone="UTC", hours__weekdays="09:00-12:00, 13:00-17:00",
    )  # fmt: skip
    text = path.read_text(encoding="utf-8")

    assert text.startswith(FILE)
    assert view["names"] == ["support", "sales", "refunds"]
    assert tomllib.loads(text)["handoff"][2] == {
        "name": "refunds",
        "instruction": "When a refund is asked.",
        "recipients": ["money@example.com"],
        "hours": {"timezone": "UTC", "weekdays": ["09:00-12:00", "13:00-17:00"]},
    }


def test_a_file_is_made_at_the_first_saving(tmp_path: Path) -> None:
    """Until then there is none."""
    form = HandoffForm(tmp_path / "new.toml", keep_version=False)
    assert not (tmp_path / "new.toml").exists()
    save(form, name="a", recipients="a@example.com", instruction="When asked.")
    assert [handoff.name for handoff in read_handoffs(tmp_path / "new.toml")] == ["a"]


def test_every_field_is_told_its_own_fault_at_once(path: Path) -> None:
    """Five faults are five sentences in the form's words, and nothing is saved."""
    view = save(
        HandoffForm(path, keep_version=False), name="", recipients="nobody",
        budget__min_recall="80", hours__weekdays="nine to five", hours__timezone="Berlin",
    )  # fmt: skip

    assert view["message"]["text"] == "Not saved: some fields are not right yet."
    assert view["wrong"] == {
        "name": "Expected “Name”; it is empty.",
        "recipients": "Expected an email address such as team@example.com in 'x'; got 'nobody'.",
        "budget.min_recall": "Expected “Recall at least” to lie between 0 and 1, both excluded; "
        "got 80.",
        "hours.timezone": 'Expected “Time zone” to be a name such as "Europe/Berlin"; got '
        "'Berlin'.",
        "hours.weekdays": "Expected “Monday to Friday” to be \"09:00-17:00\"; got 'nine to five'.",
    }
    assert path.read_text(encoding="utf-8") == FILE


def test_what_only_shows_together_is_told_at_a_field(path: Path) -> None:
    """More emails than conversations is a fault of neither field alone."""
    view = save(HandoffForm(path, keep_version=False), budget__max_emails_per_day="300")

    assert view["wrong"]["budget.max_emails_per_day"].startswith(
        "Expected “Emails a day” to be at most “Conversations a day” (200), since"
    )
    assert view["message"]["kind"] == "error"
    assert path.read_text(encoding="utf-8") == FILE


def test_a_name_that_another_handoff_has_is_refused(path: Path) -> None:
    """The file is read as production would read it before it takes its place."""
    assert (
        "'sales' twice"
        in save(HandoffForm(path, keep_version=False), name="sales")["wrong"]["name"]
    )
    assert path.read_text(encoding="utf-8") == FILE


def test_a_change_by_somebody_else_is_not_overwritten(path: Path) -> None:
    """Theirs stays, and one to another handoff is no conflict."""
    form = HandoffForm(path, keep_version=False)
    path.write_text(FILE.replace("sales@", "sell@"), encoding="utf-8")
    assert save(form, budget__max_emails_per_day="25")["message"]["kind"] == "info"
    assert "sell@example.com" in path.read_text(encoding="utf-8")

    theirs = path.read_text(encoding="utf-8").replace("_day = 25", "_day = 30")
    path.write_text(theirs, encoding="utf-8")
    assert "changed by somebody else" in save(form, name="x")["message"]["text"]
    assert path.read_text(encoding="utf-8") == theirs


def test_an_emptied_table_goes(path: Path) -> None:
    """Without any of its fields there is no budget."""
    cleared = {field.name.replace(".", "__"): "" for field in FIELDS if field.table == "budget"}
    save(HandoffForm(path, keep_version=False), **cleared)

    assert read_handoffs(path)[0].budget is None


@pytest.mark.medium
def test_the_instruction_is_kept_as_a_version(path: Path, tracking_store: Store) -> None:
    """The registry has the text that was saved, under the handoff's name."""
    assert tracking_store.database is not None
    form = HandoffForm(path)
    view = save(form, instruction="When a refund above 50 euros is asked for.")

    assert form.version is not None
    assert view["message"]["text"] == f"Saved in handoff.toml and as {form.version.uri}."
    assert read_instruction(form.version.uri) == "When a refund above 50 euros is asked for."


def test_a_registry_that_refuses_is_told_after_the_saving(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file is saved all the same, and the message says both."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:////proc/nowhere/mlflow.db")
    view = save(HandoffForm(path), instruction="When a refund is asked for.")

    assert view["message"]["kind"] == "error"
    assert view["message"]["text"].startswith("Saved in handoff.toml, but the instruction is no")
    assert read_handoffs(path)[0].instruction == "When a refund is asked for."


def test_opening_what_is_not_there_is_an_error(path: Path) -> None:
    """The name is said."""
    with pytest.raises(SettingsError, match="expected a handoff 'x'; there is none"):
        HandoffForm(path, name="x")


@given(st.text(min_size=1).filter(lambda text: text.strip() and "\x00" not in text))
@example("from a\r\nspreadsheet\r\n")
@settings(max_examples=60, deadline=None)
def test_any_instruction_survives_the_file(
    tmp_path_factory: pytest.TempPathFactory, text: str
) -> None:
    """Quotes, backslashes, line breaks and other scripts come back as they were typed."""
    path = tmp_path_factory.mktemp("form") / "handoff.toml"
    values = {"name": "a", "recipients": ["a@example.com"], "instruction": text}
    try:
        text.encode()
    except UnicodeEncodeError:
        return
    saved = save_handoff(path, values, name=None)

    assert saved.instruction == text
    assert read_table(path, "a")["instruction"] == text


def test_texts_and_values_go_round(path: Path) -> None:
    """What stands in the file, shown as texts, reads back as the same values."""
    table = read_table(path, "support")
    values, wrong = read_values(texts_of(table))

    assert wrong == {}
    assert values["budget.min_recall"] == 0.8
    assert values["recipients"] == ["team@example.com", "lead@example.com"]


@pytest.mark.parametrize(
    "text",
    [
        'handoff = [{name="a", recipients=["a@example.com"]}]\n',
        '[[handoff]]\nname="a"\nrecipients=["a@example.com"]\nbudget={max_emails_per_day=3, '
        "min_recall=0.5, conversations_per_day=9}\n",
        '[[handoff]]\r\nname="a"\r\nrecipients=["a@example.com"]\r\n',
    ],
    ids=["inline", "inline budget", "CRLF"],
)
def test_other_ways_to_write_a_table_are_kept_to(tmp_path: Path, text: str) -> None:
    """Inline tables stay inline, and what is added beside them can be read."""
    path = tmp_path / "handoff.toml"
    path.write_bytes(text.encode())
    form = HandoffForm(path, keep_version=False)
    save(
        form, instruction="When asked.", hours__timezone="UTC", hours__weekdays="09:00-17:00",
        budget__max_emails_per_day="4", budget__min_recall="0.5", budget__conversations_per_day="9",
    )  # fmt: skip
    (handoff,) = read_handoffs(path)

    assert handoff.budget is not None
    assert handoff.hours is not None
    assert handoff.budget.max_emails_per_day == 4
