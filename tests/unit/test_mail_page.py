"""The mailbox page shows what was caught, and shuts in whatever an email holds."""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path

import pytest

from handoff_eval.errors import SettingsError
from handoff_eval.mail.page import MailboxServer, serving


def keep(folder: Path, number: int, message: EmailMessage) -> None:
    """Put a message into a mailbox as the sink does."""
    folder.mkdir(exist_ok=True)
    (folder / f"{number:06d}-{'0' * 12}.eml").write_bytes(message.as_bytes(policy=SMTP))


def letter(subject: str = "Refund", *, html: str | None = "<p>Please call</p>") -> EmailMessage:
    """Return an email with both bodies."""
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "a@x.example", "team@x.example", subject
    message.set_content("Please call\n")
    if html is not None:
        message.add_alternative(html, subtype="html")
    return message


@pytest.fixture
def server(tmp_path: Path) -> Iterator[MailboxServer]:
    """Return the page of a mailbox with one email that has attachments of every kind."""
    message = letter("<script>alert(1)</script> {{ 7 * 7 }}", html="<img src=//evil><b>x</b>")
    message.add_attachment(b"one", maintype="text", subtype="html", filename="../../.ssh/id _rsa")
    message.add_attachment(letter("Inner"))
    message.add_attachment(b"two", maintype="application", subtype="x", filename="..\\..\\x.exe")
    keep(tmp_path / "box", 1, message)
    keep(tmp_path / "box", 2, letter("Second", html=None))
    with serving(tmp_path / "box") as running:
        yield running


def get(
    server: MailboxServer, path: str, *, host: str | None = None, method: str = "GET"
) -> tuple[int, dict[str, str], str]:
    """Return status, headers and text of an answer."""
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=10)
    connection.request(method, path, headers={"Host": host or f"127.0.0.1:{server.server_port}"})
    answer = connection.getresponse()
    text = answer.read().decode("utf-8", "replace")
    connection.close()
    return answer.status, dict(answer.getheaders()), text


def test_the_list_has_the_newest_first(server: MailboxServer) -> None:
    """Subjects are text, and each leads to its email."""
    status, headers, page = get(server, "/")

    assert status == 200
    assert page.index("Second") < page.index("&lt;script&gt;alert(1)&lt;/script&gt; {{ 7 * 7 }}")
    assert 'href="/email/1"' in page
    assert "<script" not in page
    assert "default-src 'none'" in headers["Content-Security-Policy"]


def test_an_email_has_headers_bodies_and_attachments(server: MailboxServer) -> None:
    """Its HTML is in a sandboxed frame, its attachments to be opened or saved."""
    _, _, page = get(server, "/email/1")

    assert '<iframe title="The email as HTML" sandbox src="/email/1/html"></iframe>' in page
    assert "a@x.example" in page
    assert "Please call" in page
    assert 'href="/email/1.2"' in page
    assert "<iframe" not in get(server, "/email/2")[2]


def test_the_html_of_an_email_can_do_nothing(server: MailboxServer) -> None:
    """Its policy allows no script, no request and no form, even when it is opened on its own."""
    _, headers, body = get(server, "/email/1/html")
    policy = headers["Content-Security-Policy"]

    assert "<img src=//evil>" in body
    assert policy.startswith("sandbox; default-src 'none'")
    assert "script-src" not in policy
    assert "img-src data:" in policy
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"


def test_an_attached_email_is_shown_like_any_other(server: MailboxServer) -> None:
    """An email of a digest has its own page, which leads back."""
    status, _, page = get(server, "/email/1.2")

    assert status == 200
    assert "Inner" in page
    assert 'src="/email/1.2/html"' in page
    assert 'href="/email/1"' in page


@pytest.mark.parametrize(("number", "name"), [(1, "id%20_rsa"), (3, "x.exe")])
def test_an_attachment_is_saved_under_a_harmless_name(
    server: MailboxServer, number: int, name: str
) -> None:
    """No folder, no line end and no type that a browser would open."""
    _, headers, content = get(server, f"/email/1/{number}")

    assert headers["Content-Disposition"] == f"attachment; filename*=UTF-8''{name}"
    assert headers["Content-Type"] == "application/octet-stream"
    assert content in ("one", "two")


@pytest.mark.parametrize(
    "path",
    ["/email/9", "/email/../1", "/email/1.9", "/email/1.1", "/email/1/9", "/email/x", "/email/",
     "/etc/passwd", "/email/1/../../x", "/email/%C2%B2", "/email/99999999999999999999"],
)  # fmt: skip
def test_what_is_not_there_is_not_found(server: MailboxServer, path: str) -> None:
    """No path reaches anything but emails and their parts."""
    assert get(server, path)[0] == 404


def test_another_name_is_refused(server: MailboxServer) -> None:
    """A page that got its own name to point here reads nothing."""
    assert get(server, "/", host="evil.example")[0] == 403
    assert get(server, "/", host=f"localhost:{server.server_port}")[0] == 200
    assert get(server, "/", method="POST")[0] == 501


def test_a_broken_email_is_shown_as_far_as_it_goes(tmp_path: Path) -> None:
    """Bytes that are no mail, and an unknown charset, break no page."""
    (tmp_path / f"000001-{'0' * 12}.eml").write_bytes(b"\xff\x00 not a mail")
    (tmp_path / f"000002-{'0' * 12}.eml").write_bytes(
        b"Subject: =?x-no?q?a?=\r\nContent-Type: text/html; charset=x-none\r\n\r\nhi \xff"
    )
    with serving(tmp_path) as server:
        statuses = [get(server, path)[0] for path in ("/", "/email/1", "/email/2", "/email/2/html")]

    assert statuses == [200] * 4


def test_an_empty_mailbox_says_so(tmp_path: Path) -> None:
    """Before anything arrives the page waits."""
    with serving(tmp_path) as server:
        assert "Nothing has arrived yet" in get(server, "/")[2]


def test_a_port_in_use_is_told(server: MailboxServer, tmp_path: Path) -> None:
    """A second page on the same port says what to do."""
    with pytest.raises(SettingsError, match="can't be used"):
        MailboxServer(tmp_path, port=server.server_port)
