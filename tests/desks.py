"""Local servers that speak as Intercom and Zendesk do by their published APIs, faults included."""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

TOKEN = "token-1"
USER = "agent@acme.example"


class DeskServer(ThreadingHTTPServer):
    """Keeps what it took; `faults` are played before the next requests, one each."""

    daemon_threads = True

    def __init__(self, handler: type[BaseHTTPRequestHandler]) -> None:
        super().__init__(("127.0.0.1", 0), handler)
        self.taken: list[dict[str, Any]] = []
        self.contacts: dict[str, dict[str, Any]] = {}
        self.keys: dict[str, dict[str, Any]] = {}
        self.requests: list[str] = []
        self.faults: list[str] = []

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    """Faults that any server may show; a desk adds its own answers."""

    server: DeskServer
    limited: tuple[dict[str, str], dict[str, Any]]

    def log_message(self, *_: object) -> None:
        """Print nothing."""

    def do_POST(self) -> None:
        """Play the next fault, or answer."""
        size = int(self.headers.get("Content-Length", 0))
        body = json.loads(self.rfile.read(size) or b"{}")
        self.server.requests.append(self.path)
        fault = self.server.faults.pop(0) if self.server.faults else None
        if fault == "drop":
            self.connection.close()
        elif fault == "drop after taking":
            self.answer(body, reply=False)
        elif fault == "slow":
            time.sleep(0.6)
            self.reply(201, {})
        elif fault == "drip":
            self.send_response(200)
            self.send_header("Content-Length", "1000")
            self.end_headers()
            for _ in range(20):
                self.wfile.write(b" ")
                self.wfile.flush()
                time.sleep(0.05)
        elif fault == "not json":
            self.reply_bytes(200, b"<html>maintenance</html>", {})
        elif fault == "no reference":
            self.reply(201, {"type": "something"})
        elif fault == "redirect":
            self.reply_bytes(302, b"", {"Location": "http://127.0.0.1:1/"})
        elif fault == "500":
            self.reply_bytes(500, b"oops", {})
        elif fault == "429":
            headers, document = self.limited
            self.reply(429, document, headers)
        else:
            self.answer(body, reply=True)

    def answer(self, body: dict[str, Any], *, reply: bool) -> None:
        """Do what the path asks for."""
        raise NotImplementedError

    def reply(
        self, status: int, document: dict[str, Any], headers: dict[str, str] | None = None
    ) -> None:
        """Send JSON."""
        content = json.dumps(document).encode()
        self.reply_bytes(status, content, {"Content-Type": "application/json", **(headers or {})})

    def reply_bytes(self, status: int, content: bytes, headers: dict[str, str]) -> None:
        """Send a complete answer."""
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


class Zendesk(Handler):
    """`POST /api/v2/tickets.json`: 201 with the ticket, the same one again for the same key."""

    limited = ({"Retry-After": "30"}, {"error": "APIRateLimitExceeded", "description": "Slow down"})

    def answer(self, body: dict[str, Any], *, reply: bool) -> None:
        """Create a ticket, or refuse as Zendesk does."""
        login = base64.b64encode(f"{USER}/token:{TOKEN}".encode()).decode()
        if self.headers["Authorization"] != f"Basic {login}":
            self.reply(401, {"error": "Couldn't authenticate you"})
            return
        ticket = body.get("ticket", {})
        if not ticket.get("comment", {}).get("body"):
            details = {"comment": [{"description": "Description: cannot be blank"}]}
            self.reply(
                422,
                {
                    "error": "RecordInvalid",
                    "description": "Record validation errors",
                    "details": details,
                },
            )
            return
        key = self.headers["Idempotency-Key"]
        lookup = "hit" if key in self.server.keys else "miss"
        if lookup == "miss":
            self.server.keys[key] = {"id": 35436 + len(self.server.taken), **ticket}
            self.server.taken.append(ticket)
        if reply:
            self.reply(201, {"ticket": self.server.keys[key]}, {"X-Idempotency-Lookup": lookup})


class Intercom(Handler):
    """Contacts and conversations; a limit names the second at which its window ends."""

    @property
    def limited(self) -> tuple[dict[str, str], dict[str, Any]]:  # type: ignore[override]
        """The answer to a request too many."""
        return (
            {
                "X-RateLimit-Limit": "166",
                "X-RateLimit-Remaining": "0",
                "X-RateLimit-Reset": str(int(time.time()) + 8),
            },
            errors("rate_limit_exceeded", "You have exceeded the rate limit"),
        )

    def answer(self, body: dict[str, Any], *, reply: bool) -> None:
        """Search, create a contact or open a conversation."""
        if self.headers["Authorization"] != f"Bearer {TOKEN}":
            self.reply(401, errors("unauthorized", "Access Token Invalid"))
        elif self.path == "/contacts/search":
            wanted = {query["value"] for query in body["query"]["value"]}
            found = [
                contact
                for contact in self.server.contacts.values()
                if wanted & {contact.get("email"), contact.get("external_id")}
            ]
            self.reply(200, {"type": "list", "data": found, "total_count": len(found)})
        elif self.path == "/contacts":
            number = f"contact-{len(self.server.contacts)}"
            contact = {"type": "contact", "id": number, **body}
            self.server.contacts[number] = contact
            self.reply(200, contact)
        elif body["from"]["id"] not in self.server.contacts:
            self.reply(404, errors("not_found", "Resource Not Found"))
        else:
            self.server.taken.append(body)
            if reply:
                message = {"type": "user_message", "id": "403918330", "body": body["body"]}
                self.reply(200, message | {"conversation_id": f"36{len(self.server.taken)}"})


def errors(code: str, message: str) -> dict[str, Any]:
    """Return Intercom's list of errors."""
    listed = [{"code": code, "message": message}]
    return {"type": "error.list", "request_id": "b68959ea6328", "errors": listed}


@contextmanager
def serving(handler: type[Handler]) -> Iterator[DeskServer]:
    """Run a desk on a free port of loopback."""
    with DeskServer(handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield server
        server.shutdown()
        thread.join()
