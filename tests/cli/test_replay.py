"""`handoff-eval replay` plays a dataset into a mailbox and reports day by day."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from handoff_eval.cli.main import main
from handoff_eval.mail.sink import MailSink, read_mailbox
from handoff_eval.settings import project_root

SHIPPED = project_root() / "datasets" / "support_handoff"
HANDOFF = """
[[handoff]]
name = "support"
recipients = ["team@example.com"]
sender = "handoff@example.com"
response_time = "by {due}"
[handoff.budget]
max_emails_per_day = 20
min_recall = 0.80
conversations_per_day = 200
prevalence = 0.05
[handoff.hours]
timezone = "Europe/Berlin"
weekdays = "09:00-17:00"
answer_within_hours = 8
[handoff.cap]
per_day = 2
digest_at = "16:00"
[handoff.live]
service = "zendesk"
url = "https://acme.zendesk.com"
"""


@pytest.fixture
def handoff(tmp_path: Path) -> str:
    """Return a handoff file with hours, a cap and a live side."""
    path = tmp_path / "handoff.toml"
    path.write_text(HANDOFF, encoding="utf-8")
    return str(path)


def replay(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    """Run the command; return its code and what it printed on both streams."""
    code = main(["replay", *words])
    printed = capsys.readouterr()
    return code, printed.out, printed.err


@pytest.mark.medium
def test_a_dataset_is_played_into_a_mailbox(
    tmp_path: Path, handoff: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every handoff went live, on its own or in a digest, and the mailbox has what days say."""
    out = tmp_path / "out"
    code, printed, _ = replay(
        capsys, str(SHIPPED), "--handoff", handoff, "--out", str(out), "--live-refuses", "--json"
    )
    found = json.loads(printed)
    days = found["days"]
    told = [json.loads(line) for line in (out / "handoffs.jsonl").read_text().splitlines()]

    def total(name: str) -> int:
        return sum(int(day[name]) for day in days)

    assert code == 0
    assert total("conversations") == found["conversations"] == 220
    assert total("handoffs") == total("emails") + total("in_digests") == len(told) > 0
    assert total("live") == total("undelivered") == 0
    assert total("in_digests") > 0
    assert total("received") == found["mailbox"] == len(read_mailbox(out / "mailbox"))
    assert all("follow up by email by " in line["customer_told"] for line in told)
    assert sorted(day["day"] for day in days) == [day["day"] for day in days]


@pytest.mark.medium
def test_a_server_of_ones_own_gets_the_emails(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With --smtp the emails go there, and a second play replaces the first one's outbox."""
    words = [str(SHIPPED), "--out", str(tmp_path / "out")]
    with MailSink(tmp_path / "elsewhere") as sink:
        first = replay(capsys, *words, "--smtp", f"127.0.0.1:{sink.port}")
        second = replay(capsys, *words, "--smtp", sink.url)
        caught = sink.messages()

    assert (first[0], second[0]) == (0, 0)
    assert first[1] == second[1]
    assert "emails are in" not in first[1]
    assert len(caught) == 2 * len({one.message_id for one in caught}) > 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--speed", "0"], "expected a number above 0, or max; got '0'"),
        (["--start", "soon"], "expected a date such as 2026-01-05; got 'soon'"),
        (["--smtp", "x:1", "--mailbox"], "not allowed with argument"),
    ],
)
def test_options_that_make_no_sense_are_told(
    words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The usage and a sentence, and exit code 2."""
    with pytest.raises(SystemExit) as ended:
        main(["replay", str(SHIPPED), *words])

    assert ended.value.code == 2
    assert message in capsys.readouterr().err


def test_without_bundle_and_budget_there_is_no_threshold(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The sentence says what would do."""
    path = tmp_path / "handoff.toml"
    path.write_text('[[handoff]]\nname = "x"\nrecipients = ["a@example.com"]\n', encoding="utf-8")
    code, _, told = replay(capsys, str(SHIPPED), "--handoff", str(path))

    assert code == 2
    assert told.startswith("error: Expected --bundle, or a labelled tune split")
