"""The local mailbox keeps what it accepts, and the commands around it say what they did."""

from __future__ import annotations

import argparse
import json
import signal
import smtplib
import socket
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime
from email import message_from_bytes
from pathlib import Path

import pytest

from handoff_eval.cli import mailbox as mailbox_command
from handoff_eval.cli import outbox as outbox_command
from handoff_eval.errors import SettingsError
from handoff_eval.mail.delivery import SmtpSettings, SmtpTransport
from handoff_eval.mail.entries import Limit, Status
from handoff_eval.mail.sink import CaughtEmail, MailSink, read_mailbox
from handoff_eval.mail.sqlite_outbox import SqliteOutbox
from handoff_eval.mail.wire import WireMessage
from handoff_eval.mail.worker import Worker
from tests.outboxes import email, put


@pytest.fixture
def sink(tmp_path: Path) -> Iterator[MailSink]:
    """Return a sink that listens on a free port."""
    with MailSink(tmp_path / "mailbox") as opened:
        yield opened


def send(sink: MailSink, content: bytes, *, to: str = "team@example.com") -> None:
    """Hand raw content to the sink as any mail program would."""
    with smtplib.SMTP("127.0.0.1", sink.port, timeout=10) as client:
        client.sendmail("handoff@example.com", [to], content)


def run(module: object, *words: str) -> int:
    """Run a command module as the main program does."""
    parser = argparse.ArgumentParser()
    module.add_arguments(parser)  # type: ignore[attr-defined]
    code: int = module.run(parser.parse_args(words))  # type: ignore[attr-defined]
    return code


def test_an_accepted_message_is_a_file_with_the_same_bytes(sink: MailSink) -> None:
    """What the server accepted is in the folder, byte for byte, and is listed."""
    message = email(to="Team <team@example.com>")
    message.replace_header("Subject", "Rückerstattung für 4417: zweimal belastet 😡")
    content = WireMessage.of(message).content
    send(sink, content)
    (caught,) = sink.messages()

    assert sink.count == 1
    assert caught.path.read_bytes() == content
    assert (caught.number, caught.size, caught.message_id) == (1, len(content), "<1@example.com>")
    assert caught.subject == "Rückerstattung für 4417: zweimal belastet 😡"
    assert caught.sender == "handoff@example.com"
    assert caught.recipients == "Team <team@example.com>"
    assert [p.name for p in sink.folder.iterdir()] == [caught.path.name]


def test_names_of_files_owe_nothing_to_the_message(sink: MailSink) -> None:
    """A hostile Message-ID or subject can't choose where its file goes, nor colour a terminal."""
    send(
        sink,
        b"Message-ID: <../../etc/passwd\x00@x>\r\nSubject: \x1b[31mred =?x?y?z?=\r\n\r\nhi\r\n",
    )
    send(sink, b"no header at all\r\n")
    send(sink, b"Subject: =?utf-8?b?!!!?=\r\nTo: =?nonsense?q?a?=\r\n\r\n")
    names = sorted(path.name for path in sink.folder.iterdir())

    assert [name[:7] for name in names] == ["000001-", "000002-", "000003-"]
    assert all(set(name) <= set("0123456789abcdef-.eml") for name in names)
    assert all(caught.subject.isprintable() for caught in sink.messages())


def test_copies_of_one_message_share_the_end_of_their_names(sink: MailSink) -> None:
    """A second copy is seen at a glance: another number, the same Message-ID's hash."""
    content = WireMessage.of(email()).content
    send(sink, content)
    send(sink, content)
    first, second = sink.messages()

    assert first.path.name[6:] == second.path.name[6:]
    assert (first.number, second.number) == (1, 2)


def test_numbers_go_on_after_a_restart(tmp_path: Path) -> None:
    """A new sink on an old folder keeps what is there."""
    for number in (1, 2):
        with MailSink(tmp_path) as sink:
            send(sink, WireMessage.of(email(number)).content)
    (tmp_path / "notes.eml").write_text("not ours")

    assert [caught.number for caught in read_mailbox(tmp_path)] == [1, 2]


def test_a_name_that_is_taken_is_never_written_over(tmp_path: Path) -> None:
    """Two sinks on one folder keep every message."""
    content = WireMessage.of(email()).content
    with MailSink(tmp_path) as first, MailSink(tmp_path) as second:
        send(first, content)
        send(second, content)
        send(first, content)

    assert [caught.number for caught in read_mailbox(tmp_path)] == [1, 2, 3]


def test_arrivals_are_told_once_the_file_is_there(tmp_path: Path) -> None:
    """The listener gets each message after it was kept."""
    seen: list[tuple[str, bool]] = []

    def listen(caught: CaughtEmail) -> None:
        seen.append((caught.message_id, caught.path.exists()))

    with MailSink(tmp_path, on_arrival=listen) as sink:
        send(sink, WireMessage.of(email(7)).content)

    assert seen == [("<7@example.com>", True)]


def test_a_message_that_cannot_be_kept_is_not_accepted(sink: MailSink) -> None:
    """When the folder is gone the server answers 451, so the sender keeps the message."""
    sink.folder.rmdir()

    with pytest.raises(smtplib.SMTPDataError, match=r"451, b\"4\.3\.0 The message can't be kept"):
        send(sink, WireMessage.of(email()).content)
    assert sink.count == 0


def test_only_the_loopback_address_is_taken(sink: MailSink) -> None:
    """The port stays free on every other address, as it would not if the sink listened on all."""
    with socket.create_server(("127.0.0.2", sink.port)) as elsewhere:
        taken = elsewhere.getsockname()

    assert taken == ("127.0.0.2", sink.port)
    assert sink.url == f"smtp://127.0.0.1:{sink.port}"


def test_stopping_cuts_open_connections(tmp_path: Path) -> None:
    """A client that stays connected doesn't keep the sink from stopping."""
    sink = MailSink(tmp_path)
    sink.start()
    with socket.create_connection(("127.0.0.1", sink.port), timeout=5) as idle:
        greeting = idle.recv(100)
        sink.stop()
        try:
            rest = idle.recv(100)
        except ConnectionResetError:
            rest = b""
    with socket.create_server(("127.0.0.1", sink.port)):
        pass

    assert greeting.startswith(b"220 localhost handoff-eval mailbox")
    assert rest == b""


def test_a_port_in_use_is_told_in_a_sentence(sink: MailSink, tmp_path: Path) -> None:
    """A second sink on the same port says what to do."""
    with pytest.raises(SettingsError, match=f"port {sink.port} can't be used"):
        MailSink(tmp_path, port=sink.port).start()


def test_outbox_and_mailbox_work_together(sink: MailSink, tmp_path: Path) -> None:
    """A flush moves every queued email into the mailbox, once."""
    outbox = SqliteOutbox(tmp_path / "outbox.db")
    for number in range(20):
        put(outbox, number)
    workers = [Worker(outbox, SmtpTransport(SmtpSettings.from_url(sink.url))) for _ in range(2)]
    threads = [threading.Thread(target=worker.flush) for worker in workers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    counts = outbox.counts()
    outbox.close()

    assert counts[Status.SENT] == 20
    assert sorted(c.message_id for c in sink.messages()) == sorted(
        f"<{number}@example.com>" for number in range(20)
    )


def test_the_mailbox_command_prints_each_arrival(tmp_path: Path) -> None:
    """One line a message on stdout, everything else on stderr, and Ctrl-C ends it with 0."""
    # A shell starts background jobs with Ctrl-C ignored, and what they start inherits that.
    code = (
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler);"
        "import argparse; from handoff_eval.cli import mailbox as m; p = argparse.ArgumentParser();"
        "m.add_arguments(p); raise SystemExit(m.run(p.parse_args()))"
    )
    options = ["--dir", str(tmp_path), "--port", "0", "--page-port", "0", "--json"]
    running = subprocess.Popen(
        [sys.executable, "-c", code, *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert running.stdout is not None
    assert running.stderr is not None
    told = running.stderr.readline()
    port = int(told.split(",")[0].rsplit(":", 1)[1])
    page = told.split("showing them at ")[1].split(";")[0]
    with smtplib.SMTP("127.0.0.1", port, timeout=10) as client:
        client.sendmail("a@b.example", ["c@d.example"], WireMessage.of(email(3)).content)
    arrival = json.loads(running.stdout.readline())
    with urllib.request.urlopen(page, timeout=10) as answer:
        shown = answer.read().decode()
    running.send_signal(signal.SIGINT)
    out, err = running.communicate(timeout=60)

    assert (arrival["number"], arrival["subject"]) == (1, "Refund 3")
    assert "Refund 3" in shown
    assert Path(arrival["path"]).parent == tmp_path
    assert (running.returncode, out, err) == (0, "", "stopped after 1 messages\n")


@pytest.fixture
def filled(tmp_path: Path) -> Path:
    """Return the file of an outbox with a dead, a sent and a queued email."""
    outbox = SqliteOutbox(tmp_path / "outbox.db")
    for number in (1, 2, 3):
        put(outbox, number)
    for settle in (lambda x: outbox.bury(x, error="550 no such user"), outbox.mark_sent):
        lease = outbox.take("w1", seconds=60)
        assert lease is not None
        settle(lease)
    outbox.close()
    return outbox.path


def test_list_shows_every_email_and_the_servers_words(
    filled: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`outbox list` prints a line an email, and the counts on stderr."""
    code = run(outbox_command, "list", "--outbox", str(filled))
    printed = capsys.readouterr()
    lines = printed.out.splitlines()

    assert code == 0
    assert [line.split()[0] for line in lines] == ["dead", "sent", "queued"]
    assert lines[0].endswith("support / c-1  team@example.com  550 no such user")
    assert printed.err == "1 queued, 0 sending, 0 held, 1 sent, 1 dead\n"


def test_list_as_json_of_one_status(filled: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`--json` prints all that is known, `--status` only those."""
    run(outbox_command, "list", "--outbox", str(filled), "--json", "--status", "dead")
    (entry,) = json.loads(capsys.readouterr().out)

    assert (entry["conversation_id"], entry["last_error"]) == ("c-1", "550 no such user")
    assert (entry["recipients"], entry["sent_at"]) == (["team@example.com"], None)


def test_retry_and_flush_bring_the_rest_to_the_mailbox(
    filled: Path, sink: MailSink, capsys: pytest.CaptureFixture[str]
) -> None:
    """After `retry` and `flush` nothing waits, and the email sent before was not sent again."""
    first = run(outbox_command, "retry", "c-1", "--outbox", str(filled))
    second = run(outbox_command, "flush", "--outbox", str(filled), "--smtp", sink.url, "--json")
    retried, flushed = capsys.readouterr().out.splitlines()

    assert (first, second) == (0, 0)
    assert retried == "1 due now"
    assert json.loads(flushed) == {"sent": 2, "dead": 0, "waiting": 0}
    assert sorted(c.message_id for c in sink.messages()) == ["<1@example.com>", "<3@example.com>"]


def test_flush_says_what_it_could_not_send(
    filled: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With no server there, `flush` exits 1 and names the command that shows why."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    monkeypatch.setenv(outbox_command.SMTP_VARIABLE, f"smtp://127.0.0.1:{port}")
    code = run(outbox_command, "flush", "--outbox", str(filled), "--within", "0.2")
    printed = capsys.readouterr()

    assert code == 1
    assert printed.out == "0 sent, 0 dead, 1 still waiting\n"
    assert "handoff-eval outbox list" in printed.err


def test_a_missing_outbox_is_not_made(tmp_path: Path) -> None:
    """A mistyped file is told, and no empty outbox appears."""
    with pytest.raises(SettingsError, match="there is no such file"):
        run(outbox_command, "list", "--outbox", str(tmp_path / "typo.db"))
    assert list(tmp_path.iterdir()) == []


def test_flush_needs_a_server(filled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without --smtp and without the variable, the sentence says how to try it locally."""
    monkeypatch.delenv(outbox_command.SMTP_VARIABLE, raising=False)
    with pytest.raises(SettingsError, match="run 'handoff-eval mailbox'"):
        run(outbox_command, "flush", "--outbox", str(filled))


def test_the_mailbox_command_has_usable_defaults() -> None:
    """Without options it keeps mail in out/mailbox, listens on 2525 and shows it on 8025."""
    parser = argparse.ArgumentParser()
    mailbox_command.add_arguments(parser)
    options = parser.parse_args([])

    assert (options.dir, options.port) == (Path("out/mailbox"), 2525)
    assert (options.page_port, options.json) == (8025, False)


def test_a_five_megabyte_message_is_kept_whole(sink: MailSink) -> None:
    """A transcript of 5 MB goes through the outbox's wire form and the sink unchanged."""
    message = email(text="Zürich 🙂 " * 400_000)
    wire = WireMessage.of(message)
    transport = SmtpTransport(SmtpSettings.from_url(sink.url))
    answer = transport.deliver(
        wire.content, sender=wire.sender, recipients=wire.recipients, within=60
    )
    transport.close()
    (caught,) = sink.messages()

    assert answer.delivered == ("team@example.com",)
    assert (
        message_from_bytes(caught.path.read_bytes()).get_payload(decode=True)
        == ("Zürich 🙂 " * 400_000 + "\n").encode()
    )


def test_list_shows_what_waits_and_what_went_live(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A held email has the time of its digest, a live handoff the help desk's name for it."""
    path = tmp_path / "outbox.db"
    outbox = SqliteOutbox(path)
    later = datetime(2126, 3, 2, 17, tzinfo=UTC)
    put(outbox, 1, limit=Limit(0, later, later))
    put(outbox, 2, live_until=later)
    lease = outbox.take("w1", seconds=60)
    assert lease is not None
    outbox.mark_sent(lease, reference="zendesk ticket 7")
    outbox.close()
    run(outbox_command, "list", "--outbox", str(path), "--status", "held")
    run(outbox_command, "list", "--outbox", str(path), "--status", "sent")
    held, sent = capsys.readouterr().out.splitlines()

    assert held.startswith("held     for the digest of 2126-03-02T17:00:00+00:00")
    assert sent.endswith("team@example.com  zendesk ticket 7")
