"""The caught emails on a local page: a list, and one email with its HTML shut in.

Listens on loopback unless told otherwise, and answers only to loopback's own names, so that no
page in the same browser can read it under another one. An email's HTML is shown in a sandboxed
frame whose policy lets no script run and nothing be fetched; what an email names (a file, a link,
a sender) is text.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import quote

from handoff_eval.errors import SettingsError
from handoff_eval.evaluation.pages.template import template
from handoff_eval.mail.sink import LOOPBACK, read_mailbox
from handoff_eval.mail.wire import one_line

_COMMON = "default-src 'none'; base-uri 'none'; form-action 'none'; style-src 'unsafe-inline'"
PAGE_POLICY = f"{_COMMON}; frame-src 'self'; frame-ancestors 'none'"
EMAIL_POLICY = f"sandbox; {_COMMON}; img-src data:; frame-ancestors 'self'"
_FRESHEST = 500


class NotThere(Exception):  # noqa: N818 - an answer, not an error
    """There is no such email or part."""


class MailboxServer(ThreadingHTTPServer):
    """Serves the emails of one folder.

    Parameters
    ----------
    folder : Path
    port : int
        0 takes a free one.
    host : str
        Address to listen on; whatever it is, only a request for loopback's names is answered.

    Raises
    ------
    SettingsError
        When the port is taken.
    """

    daemon_threads = True

    def __init__(self, folder: Path, *, port: int = 0, host: str = LOOPBACK) -> None:
        self.folder = folder
        try:
            super().__init__((host, port), _Handler)
        except (OSError, OverflowError) as error:
            raise SettingsError(
                f"Expected a free port on {host}; port {port} can't be used ({error}). "
                "Choose another, or 0 for any that is free."
            ) from None

    @property
    def url(self) -> str:
        """Where the page is."""
        return f"http://127.0.0.1:{self.server_port}/"


@contextmanager
def serving(folder: Path, *, port: int = 0, host: str = LOOPBACK) -> Iterator[MailboxServer]:
    """Serve a mailbox on a thread of its own."""
    with MailboxServer(folder, port=port, host=host) as server:
        thread = threading.Thread(
            target=server.serve_forever, kwargs={"poll_interval": 0.1}, name="mailbox-page"
        )
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    server: MailboxServer
    server_version = "handoff-eval"
    sys_version = ""

    def log_message(self, *_: object) -> None:
        """Print nothing: what is asked for is the user's own."""

    def do_GET(self) -> None:
        """Answer with a page, an email's body or an attachment."""
        port = self.server.server_port
        if self.headers.get("Host") not in (f"127.0.0.1:{port}", f"localhost:{port}"):
            self._send(HTTPStatus.FORBIDDEN, b"Not the mailbox's own name.", "text/plain")
            return
        try:
            self._answer(self.path.partition("?")[0])
        except NotThere:
            self._send(HTTPStatus.NOT_FOUND, b"There is no such email.", "text/plain")

    def _answer(self, path: str) -> None:
        if path == "/":
            page = template("mail/mailbox.html").render(emails=_listed(self.server.folder))
            self._send(HTTPStatus.OK, page.encode(), "text/html; charset=utf-8")
            return
        place, _, what = path.removeprefix("/email/").partition("/")
        if not path.startswith("/email/"):
            raise NotThere
        message = find_email(self.server.folder, place)
        if not what:
            page = template("mail/caught.html").render(_shown(message, place))
            self._send(HTTPStatus.OK, page.encode(), "text/html; charset=utf-8")
        elif what in ("html", "plain"):
            text = body_of(message, what) or ""
            kind = f"text/{what}; charset=utf-8"
            self._send(HTTPStatus.OK, text.encode("utf-8", "replace"), kind, policy=EMAIL_POLICY)
        else:
            part = _attachment(message, what)
            content = part.get_payload(decode=True)
            self._send(
                HTTPStatus.OK,
                content if isinstance(content, bytes) else part.as_bytes(),
                "application/octet-stream",
                download=_file_name(part),
            )

    def _send(
        self,
        status: HTTPStatus,
        content: bytes,
        kind: str,
        *,
        policy: str = PAGE_POLICY,
        download: str | None = None,
    ) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Content-Security-Policy", policy)
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Referrer-Policy", "no-referrer")
        self.send_header("Cache-Control", "no-store")
        self.send_header("Cross-Origin-Resource-Policy", "same-origin")
        if download is not None:
            name = quote(download, safe="")
            self.send_header("Content-Disposition", f"attachment; filename*=UTF-8''{name}")
        self.end_headers()
        self.wfile.write(content)


def find_email(folder: Path, place: str) -> EmailMessage:
    """Return an email by its number, or one attached to it: "3", or "3.2" for its second part.

    Raises
    ------
    NotThere
        When there is none.
    """
    numbers = place.split(".")
    if not all(number.isascii() and number.isdigit() and len(number) < 10 for number in numbers):
        raise NotThere
    caught = next((c for c in read_mailbox(folder) if c.number == int(numbers[0])), None)
    if caught is None:
        raise NotThere
    message = message_from_bytes(caught.path.read_bytes(), policy=default)
    for number in numbers[1:]:
        part = _attachment(message, number)
        inner = part.get_payload()
        if part.get_content_type() != "message/rfc822" or not isinstance(inner, list):
            raise NotThere
        if not isinstance(inner[0], EmailMessage):
            raise NotThere
        message = inner[0]
    return message


def body_of(message: EmailMessage, kind: str) -> str | None:
    """Return the `html` or `plain` body of an email; None where it has none."""
    part = message.get_body((kind,))
    if part is None:
        return None
    try:
        return str(part.get_content())
    except (LookupError, ValueError):
        return None


def _listed(folder: Path) -> list[dict[str, Any]]:
    return [
        {
            "number": caught.number,
            "subject": caught.subject or "(no subject)",
            "sender": caught.sender,
            "recipients": caught.recipients,
            "arrived": f"{caught.arrived_at:%d %b, %H:%M:%S} UTC",
        }
        for caught in reversed(read_mailbox(folder)[-_FRESHEST:])
    ]


def _shown(message: EmailMessage, place: str) -> dict[str, Any]:
    parts = list(_attachments(message))
    return {
        "place": place,
        "up": place.rpartition(".")[0],
        "subject": one_line(_header(message, "Subject")) or "(no subject)",
        "headers": [
            (name, one_line(_header(message, name)))
            for name in ("From", "To", "Reply-To", "Date", "Message-ID", "X-Handoff-Reason")
            if message[name]
        ],
        "html": body_of(message, "html") is not None,
        "plain": body_of(message, "plain") or "",
        "attachments": [
            {
                "number": number,
                "name": _file_name(part),
                "email": part.get_content_type() == "message/rfc822",
            }
            for number, part in enumerate(parts, 1)
        ],
    }


def _header(message: EmailMessage, name: str) -> str:
    try:
        return str(message[name] or "")
    except (LookupError, ValueError):
        return ""


def _attachments(message: EmailMessage) -> Iterator[EmailMessage]:
    if message.is_multipart() and message.get_content_maintype() == "multipart":
        for part in message.iter_attachments():
            if isinstance(part, EmailMessage):
                yield part


def _attachment(message: EmailMessage, number: str) -> EmailMessage:
    parts = list(_attachments(message))
    if not (number.isascii() and number.isdigit()) or not 1 <= int(number) <= len(parts):
        raise NotThere
    return parts[int(number) - 1]


def _file_name(part: EmailMessage) -> str:
    """Return a name to save an attachment under that can't leave the folder it is saved in."""
    named = one_line(part.get_filename() or "").replace("\\", "/").rpartition("/")[2]
    return named.lstrip(".")[:100] or "attachment"
