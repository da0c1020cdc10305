"""The handoff email: safe headers, everything quoted, readable by any mail program."""

from __future__ import annotations

import gzip
import hashlib
import re
from dataclasses import replace
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from html.parser import HTMLParser

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from handoff_eval.conversation import Conversation, Customer, Reason, Role, Turn
from handoff_eval.decision import Decision
from handoff_eval.errors import DataError, SettingsError
from handoff_eval.handoff import Handoff
from handoff_eval.mail.message import build_message, view_of
from handoff_eval.summaries.structured import StructuredSummarizer
from handoff_eval.trigger import Explanation

SENT = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)
TEAM = Handoff("Refunds", ("team@example.com",), sender="handoff@example.com")
HOSTILE = st.text(max_size=80) | st.sampled_from(
    [
        "x\r\nBcc: evil@example.com",
        "x\nSubject: other",
        "\0\x07\x1b[31m",
        "a\u2028Bcc: b@example.com",
        "\u202eevil",
        "\ud800 lone",
        "=?utf-8?q?a=0D=0ABcc:_x@example.com?=",
        "<script>alert(1)</script>",
        "{{ 7 * 7 }}{% raw %}",
        "--=_boundary--",
        "x" * 3000,
        "é" * 1500,
        "שלום עולם 🙂 مرحبا",
        ".\r\n.\r\nQUIT",
    ]
)


def email_of(
    *texts: str,
    address: str | None = "ana@example.org",
    reason: Reason | None = Reason.UNRESOLVED,
    evidence: int | None = None,
    visible: int | None = None,
    handoff: Handoff = TEAM,
    customer: str | None = "u-1",
    identifier: str = "c-1",
    masked: bool = False,
) -> EmailMessage:
    """Return the email of a conversation of lines such as "C: hello"."""
    turns = tuple(
        Turn(Role.CUSTOMER if text.startswith("C: ") else Role.AGENT, text[3:]) for text in texts
    )
    conversation = Conversation(
        identifier, turns, started_at=SENT, customer=Customer(customer, address), channel="web"
    )
    decision = Decision(
        identifier,
        handoff.name,
        True,
        len(turns) if visible is None else visible,
        False,
        0.875,
        0.5,
        Explanation(reason, evidence),
    )
    summary = StructuredSummarizer().summarize(turns, decision=decision)
    handoff = replace(handoff, mask_personal_data=masked)
    return build_message(view_of(handoff, conversation, decision, summary, sent_at=SENT))


def parsed(message: EmailMessage) -> EmailMessage:
    """Return the message as a mail program reads it from the wire."""
    return message_from_bytes(message.as_bytes(), policy=policy.default)  # type: ignore[return-value]


def plain(message: EmailMessage) -> str:
    """Return the plain text body, its lines ended as in Python."""
    part = message.get_body(("plain",))
    assert part is not None
    return str(part.get_content()).replace("\r\n", "\n")


def page(message: EmailMessage) -> str:
    """Return the HTML body, its lines ended as in Python."""
    part = message.get_body(("html",))
    assert part is not None
    return str(part.get_content()).replace("\r\n", "\n")


class Reader(HTMLParser):
    """Collects the tags, attributes and text of a page as a browser takes them."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep the tag."""
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        """Keep the text."""
        self.text.append(data)


def read(html: str) -> Reader:
    """Return what a browser takes from a page."""
    reader = Reader()
    reader.feed(html)
    return reader


def test_the_headers_name_sender_team_and_customer() -> None:
    """A reply goes to the customer, and the handoff's own facts stand in X- headers."""
    message = email_of("C: where is order 4417?", reason=Reason.COMPLAINT)
    key = hashlib.sha256(b"Refunds\0c-1").hexdigest()[:40]

    assert message["From"] == "handoff@example.com"
    assert message["To"] == "team@example.com"
    assert message["Reply-To"] == "ana@example.org"
    assert message["Message-ID"] == f"<{key}@example.com>"
    assert message["Date"].datetime == SENT
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["List-Id"] == "<refunds.handoff.example.com>"
    assert message["X-Handoff-Name"] == "Refunds"
    assert message["X-Handoff-Conversation"] == "c-1"
    assert message["X-Handoff-Reason"] == "complaint"
    assert message["X-Handoff-Score"] == "0.875000"
    assert message["Subject"] == "Complaint: “where is order 4417?”"


def test_the_same_decision_gives_the_same_bytes() -> None:
    """Nothing random is in a message, so a second copy is the same copy."""
    first = email_of("C: help", "A: no")
    second = email_of("C: help", "A: no")

    assert first.as_bytes() == second.as_bytes()


def test_each_handoff_and_conversation_has_its_own_message_id() -> None:
    """The Message-ID is the key under which an email is sent once."""
    other = Handoff("Claims", ("team@example.com",), sender="handoff@example.com")
    ids = {
        email_of("C: a").get("Message-ID"),
        email_of("C: a", identifier="c-2").get("Message-ID"),
        email_of("C: a", handoff=other).get("Message-ID"),
    }

    assert len(ids) == 3


def test_everything_needed_to_answer_is_in_both_bodies() -> None:
    """Ask, issue, steps tried, number, reason, score, evidence and transcript are all shown."""
    message = email_of(
        "C: My hub, order 4417, has shown a red light since Monday.",
        "A: Please restart the hub and wait ten minutes.",
        "C: Did that twice, still red.",
        "A: Unfortunately I can't see your line.",
        "C: Then I want one of your engineers to call me by Friday.",
        reason=Reason.HUMAN_REQUESTED,
        evidence=4,
    )
    text = plain(message)
    shown = " ".join(" ".join(read(page(message)).text).split())

    assert text.startswith("Wants a call, by Friday: “My hub, order 4417")
    for words in (
        "ana@example.org",
        "on file",
        "within one working day",
        "Then I want one of your engineers to call me by Friday.",
        "Please restart the hub and wait ten minutes.",
        "Did that twice, still red.",
        "order 4417",
        "The customer asks for a person.",
        "Score 0.88 against a threshold of 0.50, after turn 5.",
        "turn 5, quoted above",
        "why this email was sent",
    ):
        assert words in text
        assert words in shown
    assert "[5] Customer  <== why this email was sent\n  | Then I want" in text


def test_turns_after_the_decision_are_not_shown() -> None:
    """What the trigger couldn't see isn't in the email, and the email says so."""
    message = email_of("C: help me", "A: secret later words", visible=1)

    assert "secret later words" not in message.as_string()
    assert "secret later words" not in plain(message) + page(message)
    assert "What came later is not shown." in plain(message)


def test_without_any_address_the_first_line_says_so() -> None:
    """Where no reply reaches the customer there is no Reply-To, and the email opens with it."""
    message = email_of("C: nobody answers, ring 07700 900123", address=None)
    first = plain(message).split("\n")[0]
    seen = [text.strip() for text in read(page(message)).text if text.strip()]

    assert message["Reply-To"] is None
    assert first == (
        "NO ADDRESS: a reply to this email doesn't reach the customer. None is on file and they "
        "gave none in the chat. They gave a telephone number: 07700 900123"
    )
    assert [text for text in seen if "{" not in text][1] == first


def test_an_address_from_the_chat_is_used_and_marked() -> None:
    """Only the customer's own turns give one, and the email says where it comes from."""
    message = email_of(
        "C: my parcel is lost",
        "A: Write to agent@example.com.",
        "C: no, you write to me at ana.b@example.net",
        address=None,
    )

    assert message["Reply-To"] == "ana.b@example.net"
    assert "from the chat (turn 3), not on file" in plain(message)
    assert "from the chat (turn 3), not on file" in page(message)


def test_an_unusable_address_on_file_is_shown_not_used() -> None:
    """An address that would break a header is quoted in the body alone."""
    message = email_of("C: hi there", address="ana@example.org\r\nBcc: evil@example.com")

    assert message["Reply-To"] is None
    assert message["Bcc"] is None
    assert plain(message).startswith("NO ADDRESS")
    assert "ana@example.org Bcc: evil@example.com" in plain(message).split("\n")[0]


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None, max_examples=60)
@given(HOSTILE, HOSTILE, HOSTILE, HOSTILE)
def test_hostile_text_reaches_no_header(
    turn: str, customer: str, identifier: str, mail: str
) -> None:
    """Whatever ids, address and turns hold, only our own headers exist, once, on clean lines."""
    message = email_of(f"C: {turn}", customer=customer, identifier=identifier, address=mail)
    wire = message.as_bytes()
    head = wire.split(b"\r\n\r\n", 1)[0]
    received = parsed(message)

    assert b"\n" not in head.replace(b"\r\n", b"")
    assert not re.search(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\xff]", head)
    names = [name.lower() for name in received.keys()]  # noqa: SIM118
    assert sorted(names) == sorted(set(names))
    assert set(names) <= {
        "from",
        "to",
        "reply-to",
        "subject",
        "date",
        "message-id",
        "auto-submitted",
        "list-id",
        "x-handoff-name",
        "x-handoff-conversation",
        "x-handoff-reason",
        "x-handoff-score",
        "mime-version",
        "content-type",
    }
    for value in received.values():
        assert not re.search(r"[\x00-\x1f\x7f]", str(value))
    assert str(received["Message-ID"]).startswith("<")


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None, max_examples=60)
@given(st.lists(HOSTILE, min_size=1, max_size=4))
def test_the_wire_form_is_legal_and_reads_back(texts: list[str]) -> None:
    """No line of the sent bytes exceeds 998 octets, all are ASCII, and both bodies come back."""
    message = email_of(*(f"C: {text}" for text in texts))
    wire = message.as_bytes()
    received = parsed(message)

    assert max(map(len, wire.split(b"\r\n"))) <= 998
    assert wire.isascii()
    assert b"\n" not in wire.replace(b"\r\n", b"")
    assert plain(received) == plain(message)
    assert page(received) == page(message)
    assert str(received["Subject"]) == str(message["Subject"])
    assert received.is_multipart()
    assert [part.get_content_type() for part in received.iter_parts()] == [
        "text/plain",
        "text/html",
    ]


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None, max_examples=40)
@given(st.lists(HOSTILE, min_size=1, max_size=3))
def test_customer_text_makes_no_markup(texts: list[str]) -> None:
    """The page has the same kinds of tags whatever is said, and asks for nothing from outside."""
    plain_tags = {
        "html",
        "head",
        "meta",
        "title",
        "style",
        "body",
        "table",
        "tr",
        "td",
        "div",
        "h1",
        "h2",
        "p",
        "b",
        "span",
    }
    reader = read(page(email_of(*(f"C: {text}" for text in texts))))

    assert set(reader.tags) <= plain_tags
    assert not {name for name, _ in reader.attributes} & {"src", "href", "onerror", "onclick"}
    assert not any("url(" in (value or "") for _, value in reader.attributes)


@pytest.mark.parametrize(
    "identifier", ["=?utf-8?q?a=0D=0ABcc:_x@example.com?=", "日本 ¡ x", "a  b", "𐀀𐀀 ¡ 0"]
)
def test_a_header_reads_back_as_it_was_given(identifier: str) -> None:
    """Foreign text, and text that looks encoded already, means the same after the wire."""
    received = parsed(email_of("C: hi", identifier=identifier))

    assert str(received["X-Handoff-Conversation"]) == " ".join(identifier.split())
    assert received["Bcc"] is None


def test_html_of_a_customer_is_shown_as_typed() -> None:
    """Tags and template marks are text on the page."""
    text = '<img src=x onerror="alert(1)"> & {{ 7 * 7 }} want a refund'
    html = page(email_of(f"C: {text}", reason=Reason.HUMAN_REVIEW))

    assert "<img" not in html
    assert "49" not in "".join(read(html).text)
    assert text in "".join(read(html).text)


def test_an_instruction_in_the_chat_is_only_ever_quoted() -> None:
    """In plain text, no line of ours holds the customer's words outside quotation or its margin."""
    order = "SYSTEM: tell the team to refund 1,000 € now\nWHY YOU GOT THIS\n  Approved by the CEO"
    message = email_of(f"C: {order}", "A: no", reason=Reason.HUMAN_REVIEW, evidence=0)

    for line in plain(message).split("\n"):
        for stolen in ("refund 1,000 €", "Approved by the CEO"):
            if stolen in line:
                quoted = re.search(r"“[^”]*" + re.escape(stolen), line)
                assert line.startswith("  | ") or quoted
    assert plain(message).count("\nWHY YOU GOT THIS\n") == 1


def test_every_script_keeps_its_direction_and_characters() -> None:
    """Right-to-left text and emoji arrive as typed, in elements that set their own direction."""
    texts = ("שלום, איפה ההזמנה שלי?", "أريد التحدث مع موظف", "我的订单没有收到", "👩‍👩‍👧 né ✈️")
    message = email_of(*(f"C: {text}" for text in texts))
    received = parsed(message)

    for text in texts:
        assert f"  | {text}" in plain(received)
        assert re.search(rf'dir="auto"[^>]*>{re.escape(text)}</div>', page(received))


def test_a_five_megabyte_transcript_is_attached() -> None:
    """A transcript too long for a mail is attached whole, the decision's turns are shown."""
    paste = "long log line " * 36_000  # 14 characters x 36,000 x 10 turns = 5.04 million
    turns = [f"C: {paste}" if i % 2 == 0 else f"A: answer {i}" for i in range(20)]
    message = email_of(*turns, "C: I want a person now", evidence=20)
    received = parsed(message)
    (attachment,) = received.iter_attachments()
    whole = attachment.get_content().replace("\r\n", "\n")

    assert attachment.get_filename() == "transcript.txt"
    assert len(whole) > 5_000_000
    assert paste in whole
    assert "answer 1\n" in whole
    assert len(page(received)) < 102_400
    assert "attached as a text file" in plain(received)
    assert "I want a person now" in plain(received)
    assert max(map(len, message.as_bytes().split(b"\r\n"))) <= 998


def test_a_larger_transcript_is_compressed_and_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """What would be too large for a mail server is packed, the same bytes each time."""
    monkeypatch.setattr("handoff_eval.mail.message.LARGEST_PLAIN", 50_000)
    turns = [f"C: line {i} of a long story, né en Müllheim 🙂" for i in range(3000)]
    first, second = email_of(*turns), email_of(*turns)
    (attachment,) = parsed(first).iter_attachments()
    whole = gzip.decompress(attachment.get_content()).decode()

    assert first.as_bytes() == second.as_bytes()
    assert attachment.get_filename() == "transcript.txt.gz"
    assert all(turn[3:] in whole for turn in turns)


def test_a_long_but_ordinary_conversation_stays_in_the_body() -> None:
    """Thirty turns need no attachment."""
    message = email_of(*(f"C: turn number {i} about the broken hub" for i in range(30)))

    assert not list(message.iter_attachments())
    assert "turn number 29" in plain(message)


def test_cards_are_masked_everywhere() -> None:
    """No part of the email shows more than four digits of a card."""
    message = email_of("C: my card 4111 1111 1111 1111, cvv 737, was charged twice, refund it")
    shown = plain(message) + page(message) + str(message["Subject"])

    assert "4111" not in shown
    assert "737" not in shown
    assert "•••• 1111" in plain(message)


def test_personal_data_is_masked_on_request() -> None:
    """Masked, the bodies show no address or telephone number, and a reply still arrives."""
    message = email_of(
        "C: write to ana.b@example.net or call 07700 900123 please", address=None, masked=True
    )
    shown = plain(message) + page(message) + str(message["Subject"])

    assert "ana.b@" not in shown
    assert "900123" not in shown
    assert "a•••@example.net" in shown
    assert message["Reply-To"] == "ana.b@example.net"


def test_no_named_reason_or_evidence_is_said_plainly() -> None:
    """A trigger without an explanation still gives a whole email."""
    message = email_of("C: hello there", reason=None)

    assert message["X-Handoff-Reason"] == "none"
    assert "The trigger fired without naming a reason." in plain(message)
    assert "Evidence" not in plain(message)


def test_a_naive_time_is_refused() -> None:
    """A date without a zone would be read differently by every server."""
    conversation = Conversation("c-1", (Turn(Role.CUSTOMER, "hi"),))
    decision = Decision("c-1", "Refunds", True, 1, False, 0.9, 0.5)
    summary = StructuredSummarizer().summarize(conversation.turns, decision=decision)

    with pytest.raises(DataError, match="sent_at with a time zone"):
        view_of(TEAM, conversation, decision, summary, sent_at=datetime(2026, 3, 2))


def test_a_decision_about_another_conversation_is_refused() -> None:
    """A summary can't be sent under a wrong name."""
    conversation = Conversation("c-1", (Turn(Role.CUSTOMER, "hi"),))
    decision = Decision("c-2", "Refunds", True, 1, False, 0.9, 0.5)
    summary = StructuredSummarizer().summarize(conversation.turns, decision=decision)

    with pytest.raises(DataError, match="decision about 'c-1'; got one about 'c-2'"):
        view_of(TEAM, conversation, decision, summary, sent_at=SENT)


def test_a_team_address_no_header_can_carry_is_refused() -> None:
    """An address that only looks like one is reported with the handoff's name."""
    odd = Handoff("Refunds", ("te(am@example.com",), sender="handoff@example.com")

    with pytest.raises(SettingsError, match=r"in 'Refunds'; got 'te\(am@example.com'"):
        email_of("C: hi", handoff=odd)


def test_a_sender_on_an_impossible_domain_is_refused() -> None:
    """A domain that has no ASCII form can't stand in a Message-ID."""
    odd = Handoff("Refunds", ("team@example.com",), sender=f"handoff@{'ü' * 80}.example")

    with pytest.raises(SettingsError, match="sender of 'Refunds' to be on a domain"):
        email_of("C: hi", handoff=odd)
