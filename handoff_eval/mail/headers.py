"""Headers of the emails to a team: addresses, identities and text from outside on one line."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Sequence
from datetime import datetime
from email.errors import MessageError
from email.header import Header
from email.headerregistry import Address
from email.message import EmailMessage

from handoff_eval.errors import SettingsError

_HEADER = 200


def set_team_headers(
    message: EmailMessage,
    *,
    handoff: str,
    sender: str,
    recipients: Sequence[str],
    subject: str,
    sent_at: datetime,
    key: str,
    reply_to: str | None = None,
) -> None:
    """Set what every email to a team has.

    Parameters
    ----------
    handoff : str
        Its name, of which the List-Id is made.
    key : str
        The Message-ID's left side; the same key is the same email.
    reply_to : str, optional
        The customer's address.

    Raises
    ------
    SettingsError
        When an address doesn't fit into a mail header.
    """
    domain = _ascii_domain(sender, handoff)
    slug = re.sub(r"[^a-z0-9]+", "-", handoff.casefold()).strip("-")[:40]
    message["From"] = _address(sender, handoff)
    message["To"] = [_address(recipient, handoff) for recipient in recipients]
    if reply_to is not None:
        message["Reply-To"] = _address(reply_to, handoff)
    set_text(message, "Subject", subject)
    message["Date"] = sent_at
    message["Message-ID"] = f"<{key}@{domain}>"
    message["Auto-Submitted"] = "auto-generated"
    message["List-Id"] = f"<{slug or 'handoff'}.handoff.{domain}>"
    set_text(message, "X-Handoff-Name", handoff)


def email_key(*parts: str) -> str:
    """Return 40 hexadecimal digits that are always the same for the same parts."""
    joined = "\0".join(parts).encode("utf-8", "surrogatepass")
    return hashlib.sha256(joined).hexdigest()[:40]


def set_text(message: EmailMessage, name: str, text: str) -> None:
    """Set a header to text from outside, on one short line of its own."""
    kept = "".join(
        " " if unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp") else c
        for c in text[: 4 * _HEADER]
        if c not in "\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
    )
    line = " ".join(kept.split())
    line = line if len(line) <= _HEADER else line[: _HEADER - 1] + "…"
    if line.isascii() and "=?" not in line:
        message[name] = line
    else:
        # EmailMessage folds foreign text so that a space between two encoded words is lost.
        encoded = Header(line, "utf-8", maxlinelen=75, header_name=name).encode(linesep="\r\n")
        message.set_raw(name, encoded)


def add_bodies(message: EmailMessage, *, plain: str, html: str) -> None:
    """Add the plain text and the HTML of a message, each in the encoding that suits it."""
    message.set_content(plain, charset="utf-8", cte=_transfer_encoding(plain))
    message.add_alternative(html, subtype="html", charset="utf-8", cte=_transfer_encoding(html))


def set_boundaries(message: EmailMessage, key: str) -> None:
    """Give each part a boundary that depends on the key alone, so that bytes can be compared.

    Emails inside the message keep their own.
    """
    parts = [message]
    for number, part in enumerate(parts):
        # "=_" can't occur in quoted-printable or base64, so no text can end a part.
        part.set_boundary(f"=_{key[:24]}_{number}")
        inner = part.get_payload()
        parts += [
            child
            for child in (inner if isinstance(inner, list) else [])
            if isinstance(child, EmailMessage) and child.get_content_maintype() == "multipart"
        ]


def _transfer_encoding(body: str) -> str:
    foreign = sum(len(run) for run in re.findall(r"[^\x00-\x7f]+", body))
    return "base64" if foreign > len(body) / 6 else "quoted-printable"


def _address(spec: str, handoff: str) -> Address:
    try:
        return Address(addr_spec=spec)
    except (ValueError, MessageError) as error:
        raise SettingsError(
            f"Expected addresses such as team@example.com in {handoff!r}; got {spec!r} ({error})."
        ) from None


def _ascii_domain(sender: str, handoff: str) -> str:
    try:
        return sender.rpartition("@")[2].encode("idna").decode("ascii")
    except UnicodeError as error:
        raise SettingsError(
            f"Expected the sender of {handoff!r} to be on a domain such as example.com; "
            f"got {sender!r} ({error})."
        ) from None
