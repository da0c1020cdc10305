"""Handoff files: every field a dashboard has, and a sentence for each mistake."""

from __future__ import annotations

from datetime import date, time
from pathlib import Path

import pytest

from handoff_eval.conversation import Reason
from handoff_eval.errors import SettingsError
from handoff_eval.handoff import Budget, Handoff, read_handoffs
from handoff_eval.handoff_rules import Cap, LiveSide, VolumeWarning

GOOD = """
[[handoff]]
name = "billing"
instruction = "When a refund needs a person."
recipients = ["billing@example.com", "lead@example.com"]
response_time = "two working days"
sender = "handoff@example.com"
budget = {max_emails_per_day = 20, min_recall = 0.9, conversations_per_day = 400, prevalence = 0.05}

[[handoff]]
name = "tech"
recipients = ["tech@example.com"]
"""


def read(tmp_path: Path, text: str) -> tuple[Handoff, ...]:
    path = tmp_path / "handoff.toml"
    path.write_text(text, encoding="utf-8")
    return read_handoffs(path)


def test_several_handoffs_in_one_file(tmp_path: Path) -> None:
    """Each table is a handoff of its own, with what it states and defaults elsewhere."""
    billing, tech = read(tmp_path, GOOD)

    assert billing.budget is not None
    assert billing.budget.email_rate == pytest.approx(0.05)
    assert billing.recipients == ("billing@example.com", "lead@example.com")
    assert (tech.name, tech.budget, tech.response_time) == ("tech", None, "one working day")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected one or more .*got an empty file"),
        ("[[handof]]\nname='x'", "expected one or more .*got handof"),
        ("[[handoff]]\nrecipients=['a@b.c']", "expected a name; got none"),
        ("[[handoff]]\nname='x'", "recipients to be a list of addresses; got None"),
        ("[[handoff]]\nname='x'\nrecipients=[]", "at least one recipient"),
        ("[[handoff]]\nname='x'\nrecipients=['nobody']", "email address such as .* got 'nobody'"),
        ("[[handoff]]\nname='x'\nrecipients=['a@b.c']\nto=1", "expected one of name, .*got 'to'"),
        ("[[handoff]]\nname=3\nrecipients=['a@b.c']", "name to be a text that isn't empty; got 3"),
        ('[[handoff]]\nname="x\\ny"\nrecipients=["a@b.c"]', "name to be one line"),
        (GOOD.replace("tech\"", "billing\"", 1), "own name; got 'billing' twice"),
        (GOOD.replace("20", "'20'"), "max_emails_per_day to be a number above 0; got '20'"),
        (GOOD.replace("0.9", "1.5"), "min_recall to lie between 0 and 1"),
        (GOOD.replace("min_recall = 0.9, ", ""), "handoff 1: expected a value for 'min_recall'"),
        (GOOD.replace("= 20", "= 2000"), "at most conversations_per_day"),
        ("name = [", "expected a TOML file"),
    ],
)  # fmt: skip
def test_mistakes_are_told(tmp_path: Path, text: str, message: str) -> None:
    """The error names the file, the handoff, what was expected and what came."""
    with pytest.raises(SettingsError, match=message):
        read(tmp_path, text)


def test_missing_file(tmp_path: Path) -> None:
    """A file that isn't there is a user's mistake, not a bug."""
    with pytest.raises(SettingsError, match="can't be read"):
        read_handoffs(tmp_path / "none.toml")


@pytest.mark.parametrize("value", [0, -1, float("nan"), float("inf"), True])
def test_budget_refuses_what_is_no_volume(value: float) -> None:
    """A volume is a finite number above zero."""
    with pytest.raises(SettingsError, match="max_emails_per_day to be a number above 0"):
        Budget(value, 0.8, 100)


TABLES = """
[[handoff]]
name = "support"
recipients = ["a@example.com"]
response_time = "by {due}"
mask_personal_data = true

[handoff.hours]
timezone = "Europe/Berlin"
weekdays = "09:00-17:00"
holidays = [2026-12-25]
answer_within_hours = 4

[handoff.cap]
per_day = 25
digest_at = "16:30"
urgent = ["complaint"]

[handoff.warning]
every_days = 3

[handoff.live]
service = "zendesk"
url = "https://acme.zendesk.com"
"""


def test_the_tables_of_a_handoff_say_how_it_reaches_the_team(tmp_path: Path) -> None:
    """Hours, cap, warning and live side are read with their defaults."""
    (handoff,) = read(tmp_path, TABLES)

    assert handoff.mask_personal_data
    assert handoff.hours is not None
    assert handoff.hours.answer_within_hours == 4
    assert handoff.hours.holidays == {date(2026, 12, 25)}
    assert handoff.cap == Cap(25, time(16, 30), (Reason.COMPLAINT,))
    assert handoff.warning == VolumeWarning(0.001, 3)
    assert handoff.live == LiveSide("zendesk", "https://acme.zendesk.com")


@pytest.mark.parametrize(
    ("found", "put", "message"),
    [
        ("answer_within_hours = 4", "", "Expected hours with answer_within_hours, from which"),
        ("mask_personal_data = true", "mask_personal_data = 1", "true or false; got 1"),
        ("per_day = 25", "per_day = -1", "whole number of emails; got -1"),
        ("per_day = 25", "", "handoff 1: expected a value for 'per_day'"),
        ('digest_at = "16:30"', 'digest_at = "tea"', "digest_at to be a time of day"),
        ('"complaint"', '"rage"', "urgent to list some of .*got \\['rage'\\]"),
        ("every_days = 3", "every_days = 0", "every_days to be 1 or more"),
        ("every_days = 3", "daily_risk = 2", "daily_risk to lie between 0 and 0.5"),
        ('"zendesk"', '"fax"', "service to be one of intercom, zendesk; got 'fax'"),
        ("https://", "http://", "url to begin with https://"),
        ('"https://acme.zendesk.com"', '"javascript:alert(1)"', "url to begin with https://"),
        ("[handoff.cap]\n", "[handoff.cap]\nper_week = 3\n", "expected one of per_day"),
        ("[handoff.live]\n", "[handoff.live]\ntoken = 'x'\n", "expected one of service"),
        ("[handoff.hours]", "[[handoff.hours]]", "expected a table"),
    ],
)  # fmt: skip
def test_mistakes_in_the_tables_are_told(
    tmp_path: Path, found: str, put: str, message: str
) -> None:
    """Each names the file, the handoff and what was expected."""
    with pytest.raises(SettingsError, match=message):
        read(tmp_path, TABLES.replace(found, put))
