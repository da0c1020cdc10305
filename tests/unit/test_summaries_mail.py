"""An email shows whichever summary it is given, a model's words as a model's."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from handoff_eval.conversation import Conversation, Role
from handoff_eval.decision import Decision
from handoff_eval.encoders.hashing import HashingEncoder
from handoff_eval.handoff import Handoff
from handoff_eval.mail.dispatch import queue_emails
from handoff_eval.mail.message import build_message, view_of
from handoff_eval.mail.sqlite_outbox import SqliteOutbox
from handoff_eval.summaries.extractive import ExtractiveSummarizer
from handoff_eval.summaries.sentences import Line
from handoff_eval.summaries.summary import Summary, Written
from tests.builders import talk

TALK = talk("C: order 4417 is broken", "A: I can't refund <b>that</b>.", "C: then who can?")


def bodies(summary: Summary, conversation: Conversation = TALK) -> tuple[str, str]:
    """Return the plain text and the HTML of the email of a summary."""
    handoff = Handoff(name="support", recipients=("team@example.com",))
    decision = Decision(conversation.id, "support", True, 3, False, 0.9, 0.5)
    sent_at = datetime(2026, 3, 2, tzinfo=UTC)
    message = build_message(view_of(handoff, conversation, decision, summary, sent_at=sent_at))
    parts = [message.get_body((kind,)) for kind in ("plain", "html")]
    plain, html = (str(part.get_content()).replace("\r\n", "\n") for part in parts if part)
    return plain, html


def test_a_models_words_stand_apart() -> None:
    """They have a heading that says whose they are, a note, and no markup of their own."""
    summary = Summary(
        "Unresolved",
        written=(Written("The customer says <i>order 4417</i> is broken.", Role.CUSTOMER),),
        note="Written by a language model.",
    )

    plain, html = bodies(summary)

    heading = "IN A LANGUAGE MODEL'S WORDS\n  The customer says <i>order 4417</i> is broken.\n"
    assert heading in plain
    assert "\nWritten by a language model.\n" in plain
    assert "&lt;i&gt;order 4417&lt;/i&gt;" in html
    assert "In a language model&#39;s words" in html or "In a language model's words" in html
    assert "Nothing was asked" not in plain + html


def test_an_extract_is_quoted_with_its_turns() -> None:
    """Each central sentence has its speaker and turn, and isn't called an ask."""
    summary = Summary("Unresolved", overview=(Line("then who can?", 2), Line("I can't refund", 1)))

    plain, html = bodies(summary)

    assert (
        "IN SHORT\n  Customer: “then who can?” (turn 3)\n  Agent: “I can't refund” (turn 2)"
        in plain
    )
    assert "In short" in html
    assert "WHAT THEY ASK" not in plain
    assert "What they ask" not in html


def test_the_queue_takes_any_summarizer(tmp_path: Path) -> None:
    """What is queued says what the summariser that was given made of the conversation."""
    handoff = Handoff(name="support", recipients=("team@example.com",))
    decision = Decision(TALK.id, "support", True, 3, False, 0.9, 0.5)
    outbox = SqliteOutbox(tmp_path / "outbox.sqlite")

    queued = queue_emails(
        outbox,
        handoff,
        {TALK.id: TALK},
        [decision],
        sent_at=datetime(2026, 3, 2, tzinfo=UTC),
        summarizer=ExtractiveSummarizer(HashingEncoder(64)),
    )

    lease = outbox.take("worker", seconds=60)
    outbox.close()
    assert queued == 1
    assert lease is not None
    assert b"IN SHORT" in lease.content
