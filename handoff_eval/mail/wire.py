"""A message in the bytes that go over the wire, and text from outside in one safe line."""

from __future__ import annotations

import re
from copy import copy
from dataclasses import dataclass
from email.errors import MessageError
from email.message import EmailMessage

from handoff_eval.errors import DataError

_MAX_WORDS = 1000
_ADDRESS = re.compile(r"[^\s<>@\x00-\x20\x7f]+@[^\s<>@\x00-\x20\x7f]+")


@dataclass(frozen=True, slots=True)
class WireMessage:
    """A message in the bytes that are sent, with its envelope."""

    message_id: str
    sender: str
    recipients: tuple[str, ...]
    content: bytes

    @classmethod
    def of(cls, message: EmailMessage) -> WireMessage:
        """Return the wire form of a message: CRLF line ends, seven bits, no Bcc.

        Only an address outside ASCII brings 8-bit headers, for it has no other spelling; such a
        message needs a server with SMTPUTF8.

        Raises
        ------
        DataError
            When Message-ID, From or every recipient is missing, or a part can't be written.
        """
        message_id = str(message["Message-ID"] or "").strip()
        if not re.fullmatch(r"<[^<>\s]+>", message_id):
            raise DataError(
                "Expected a message with a Message-ID such as <key@example.com>, which tells a "
                f"second copy from a second email; got {message_id!r}."
            )
        senders = _addresses(message, "From")
        recipients = _addresses(message, "To", "Cc", "Bcc")
        for address in (*senders, *recipients):
            if not _ADDRESS.fullmatch(address):
                raise DataError(
                    f"Expected addresses such as team@example.com; got {address!r} in {message_id}."
                )
        if len(senders) != 1 or not recipients:
            raise DataError(
                "Expected one address in From and at least one in To, Cc or Bcc; "
                f"got {senders!r} and {recipients!r} in {message_id}."
            )
        international = not all(
            address.isascii()
            for address in (*senders, *recipients, *_addresses(message, "Reply-To"))
        )
        policy = message.policy.clone(
            linesep="\r\n",
            cte_type="7bit",
            utf8=international,  # type: ignore[call-arg]
        )
        sent = copy(message)
        del sent["Bcc"]
        try:
            content = sent.as_bytes(policy=policy)
        except (UnicodeError, LookupError, MessageError) as error:
            raise DataError(
                f"Expected a message that can be written as mail; got {error} in {message_id}."
            ) from None
        return cls(
            message_id=message_id,
            sender=senders[0],
            recipients=tuple(dict.fromkeys(recipients)),
            content=content,
        )


def one_line(words: str) -> str:
    """Return text from outside as one printable line of at most 1000 characters."""
    printable = "".join(c if c.isprintable() else " " for c in words[: 4 * _MAX_WORDS])
    return " ".join(printable.split())[:_MAX_WORDS]


def _addresses(message: EmailMessage, *names: str) -> list[str]:
    headers = (header for name in names for header in message.get_all(name, []))
    return [address.addr_spec for header in headers for address in header.addresses]
