"""Emails and the mailbox page in a real browser: narrow, wide, light, dark, hostile."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from handoff_eval.mail.digest import build_digest
from handoff_eval.mail.entries import Held
from handoff_eval.mail.page import MailboxServer, serving
from tests.unit.test_mail_message import email_of

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser

CONTRAST = Path(__file__).with_name("contrast.js").read_text(encoding="utf-8")
SHAPES = [(width, scheme) for width in (380, 1400) for scheme in ("light", "dark")]
LONG = "https://shop.example/" + "x" * 300
TURNS = (
    "C: My hub, order 4417, has shown a red light since Monday. ",
    "A: Please restart the hub and wait ten minutes.",
    "C: Did that twice, still red. You charged me €1,204.50 and I wrote to ana@example.org",
    f"A: See {LONG}",
    "C: שלום, איפה ההזמנה שלי? أريد التحدث مع موظف 👩‍👩‍👧",
    "C: Then I want one of your engineers to call me by Friday on 07700 900123.",
)
HOSTILE = (
    '<img src="http://127.0.0.1:{port}/pixel" onerror="top.document.title=\'broken\'">'
    "<script>top.document.title='broken'</script>"
    '<a href="javascript:top.document.title=\'broken\'" target="_top" id="bad">click</a>'
    '<form action="http://127.0.0.1:{port}/form"><button id="send">send</button></form>'
    '<link rel="stylesheet" href="http://127.0.0.1:{port}/css">'
    '<style>body {{ background: url("http://127.0.0.1:{port}/background") }}</style>'
    '<meta http-equiv="refresh" content="0;url=http://127.0.0.1:{port}/away">'
    '<iframe src="http://127.0.0.1:{port}/frame"></iframe>'
)


def handoff_email() -> EmailMessage:
    """Return an email with everything that one can show."""
    return email_of(*TURNS, evidence=5)


def keep(folder: Path, number: int, message: EmailMessage) -> None:
    """Put a message into a mailbox as the sink does."""
    folder.mkdir(exist_ok=True)
    (folder / f"{number:06d}-{'0' * 12}.eml").write_bytes(message.as_bytes(policy=SMTP))


def digest() -> EmailMessage:
    """Return a digest of two emails."""
    now = datetime(2026, 3, 2, 17, tzinfo=UTC)
    emails = [email_of(*TURNS, identifier=f"c-{number}", evidence=5) for number in (1, 2)]
    held = [
        Held(number, "Refunds", f"c-{number}", str(one["Message-ID"]), "handoff@example.com",
             ("team@example.com",), one.as_bytes(policy=SMTP), None, now, now)
        for number, one in enumerate(emails)
    ]  # fmt: skip
    return build_digest(held, key="0" * 40)


@pytest.fixture
def listener() -> Iterator[tuple[int, list[bytes]]]:
    """Return the port of a server that keeps the first line of whatever reaches it."""
    seen: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def listen() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection:
                    seen.append(connection.recv(200).split(b"\r\n")[0])

        threading.Thread(target=listen, daemon=True).start()
        yield server.getsockname()[1], seen
        server.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def mailbox(tmp_path: Path, listener: tuple[int, list[bytes]]) -> Iterator[MailboxServer]:
    """Return the page of a mailbox with a handoff, a digest and a hostile email."""
    folder = tmp_path / "box"
    keep(folder, 1, handoff_email())
    keep(folder, 2, digest())
    hostile = EmailMessage()
    hostile["From"], hostile["To"] = "evil@example.org", "team@example.com"
    hostile["Subject"] = "<script>document.title='broken'</script>"
    hostile.set_content("hi")
    hostile.add_alternative(HOSTILE.format(port=listener[0]), subtype="html")
    keep(folder, 3, hostile)
    with serving(folder) as server:
        yield server


@pytest.fixture(params=SHAPES, ids=lambda shape: f"{shape[0]}-{shape[1]}")
def page(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Page]:
    """Return a page of each width in each scheme."""
    width, scheme = request.param
    context = browser.new_context(
        viewport={"width": width, "height": 900}, color_scheme=scheme, locale="en-GB"
    )
    yield context.new_page()
    context.close()


def shoot(page: Page, name: str) -> None:
    """Keep a picture where one is asked for, to be looked at."""
    if folder := os.environ.get("HANDOFF_EVAL_PICTURES"):
        scheme = (
            "dark"
            if page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches")
            else "light"
        )
        width = page.viewport_size["width"] if page.viewport_size else 0
        page.screenshot(path=f"{folder}/{name}-{width}-{scheme}.png", full_page=True)


def assert_reads_well(page: Page) -> None:
    """Nothing is cut off at the side, and every text stands out from its background."""
    overflow = page.evaluate("document.documentElement.scrollWidth - innerWidth")
    texts, faint = page.evaluate(CONTRAST.replace(".hel-labeler *", "body *"))

    assert overflow <= 0
    assert texts > 5
    assert faint == []


def test_an_email_reads_well_in_every_shape(page: Page, tmp_path: Path) -> None:
    """A handoff email fits 380 pixels and 1,400, light and dark, with enough contrast."""
    body = handoff_email().get_body(("html",))
    assert body is not None
    file = tmp_path / "email.html"
    file.write_text(body.get_content(), encoding="utf-8")
    page.goto(file.as_uri())
    shoot(page, "email")
    direction = page.locator("div[dir=auto]", has_text="שלום").last.evaluate(
        "node => getComputedStyle(node).direction"
    )

    assert_reads_well(page)
    assert direction == "rtl"
    assert page.get_by_text("why this email was sent").is_visible()


def test_a_digest_reads_well_in_every_shape(page: Page, tmp_path: Path) -> None:
    """A digest does too."""
    body = digest().get_body(("html",))
    assert body is not None
    file = tmp_path / "digest.html"
    file.write_text(body.get_content(), encoding="utf-8")
    page.goto(file.as_uri())
    shoot(page, "digest")

    assert_reads_well(page)


def test_the_mailbox_reads_well_in_every_shape(page: Page, mailbox: MailboxServer) -> None:
    """From the list to an email, to a digest, to one of its emails and back."""
    page.goto(mailbox.url)
    shoot(page, "list")
    assert_reads_well(page)
    page.get_by_role("link", name="Digest").click()
    shoot(page, "caught-digest")
    assert_reads_well(page)
    page.get_by_role("link", name="open 001.eml").click()
    page.frame_locator("iframe").get_by_text("What they ask").wait_for()
    shoot(page, "caught")
    assert_reads_well(page)
    page.get_by_role("link", name="Back to the digest").click()
    assert page.url.endswith("/email/2")


def test_a_hostile_email_does_nothing(
    browser: Browser, mailbox: MailboxServer, listener: tuple[int, list[bytes]]
) -> None:
    """No script runs, no request leaves, no form is sent and no link takes the page away."""
    page = browser.new_context().new_page()
    page.goto(f"{mailbox.url}email/3")
    frame = page.frame_locator("iframe")
    frame.locator("#bad").click()
    frame.locator("#send").click()
    page.wait_for_timeout(500)

    assert page.url.endswith("/email/3")
    assert page.title() == "<script>document.title='broken'</script>"
    page.goto(f"{mailbox.url}email/3/html")
    page.wait_for_timeout(300)
    assert page.title() != "broken"
    assert [line for line in listener[1] if b"/away" not in line] == []
    page.context.close()
