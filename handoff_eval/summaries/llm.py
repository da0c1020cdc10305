"""A language model's summary, used only where every sentence of it can be checked.

The transcript goes into the prompt as quoted data and out of it as reported speech: a sentence that
doesn't say who said it is refused, so whatever a customer dictates can only appear as their words.
Where the model fails, invents or steps out of that form, the structured summary stands in and a
note says why. The note never repeats what was refused.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

from handoff_eval.conversation import Role, Turn
from handoff_eval.decision import Decision
from handoff_eval.encoders.base import Encoder
from handoff_eval.errors import EndpointError
from handoff_eval.llm.asker import Asker
from handoff_eval.llm.question import Message, Question
from handoff_eval.llm.quoting import quote_transcript
from handoff_eval.summaries.claims import Spoken, find_claims
from handoff_eval.summaries.reading import Reading
from handoff_eval.summaries.selection import find_asks
from handoff_eval.summaries.sentences import one_line, split
from handoff_eval.summaries.structured import StructuredSummarizer, frame_summary
from handoff_eval.summaries.summary import Statement, Summary, Written
from handoff_eval.summaries.support import Evidence

MAX_TRANSCRIPT_BYTES = 12_000
MAX_TOKENS = 320
MOST = 8
"""Sentences taken at most; a model that writes more isn't summarising."""

_SENTENCE = 300
_SPEAKERS = (Role.CUSTOMER, Role.AGENT, Role.HUMAN)
_ITEM = re.compile(r"^\s*(?:[-*•–]|\d{1,2}[.)])\s+")
_REPORTED = re.compile(
    r"(?:the (?P<customer>customer)|the (?P<agent>agent)|a (?P<human>colleague))(?!\w)",
    re.IGNORECASE,
)
_SUBJECT = r"(?:(?:the|an?|our|your)\s+)?(?:customer|agent|colleague|team|company|support|we)(?!\w)"
_CLAUSE = re.compile(
    r"(?:[,;:–—]|(?<!\w)(?:and|but|so|while|that|because|as|since|after|when|if|then))\s+"
    rf"(?={_SUBJECT})",
    re.IGNORECASE,
)
"""Where a sentence goes on with a subject of its own."""


class LlmSummarizer:
    """Asks a language model and checks what it writes; falls back on the structured summary.

    Parameters
    ----------
    asker : Asker
        The model, with the replies that are kept.
    encoder : Encoder, optional
        Lets a sentence in other words than the turns' count as borne out by them.
    """

    name = "llm"

    def __init__(self, asker: Asker, *, encoder: Encoder | None = None) -> None:
        self._asker = asker
        self._encoder = encoder
        self._fallback = StructuredSummarizer()
        digest = hashlib.sha256(_instructions().encode()).hexdigest()[:12]
        self.description = f"{asker.identity}, prompt {digest}, checked sentence by sentence"

    def summarize(self, turns: Sequence[Turn], *, decision: Decision) -> Summary:
        """Return the model's summary, or the structured one with a note of why.

        Parameters
        ----------
        turns : sequence of Turn
            The conversation; only the first `decision.turns` are read.
        decision : Decision
            Says which turn is the evidence and why it fired.
        """
        visible = tuple(turns[: decision.turns])
        if not visible:
            return self._fallback.summarize(turns, decision=decision)
        try:
            (reply,) = self._asker.ask([question(visible)])
        except EndpointError:
            return self._instead(turns, decision, "the language model gave no answer")
        sentences = read_reply(reply.text)
        why = find_fault(sentences, Evidence(visible, self._encoder))
        if why:
            return self._instead(turns, decision, why)
        text = Reading.of(visible, decision.explanation)
        return replace(
            frame_summary(text, find_asks(text)),
            written=tuple(Written(s.text, s.speaker) for s in sentences if s.speaker is not None),
            note="Written by a language model; its numbers and names were checked against the "
            "conversation, its wording was not.",
        )

    def _instead(self, turns: Sequence[Turn], decision: Decision, why: str) -> Summary:
        summary = self._fallback.summarize(turns, decision=decision)
        note = f"Quoted from the conversation, since {why}."
        return replace(summary, note=note, fell_back=True)


def question(turns: Sequence[Turn]) -> Question:
    """Return what the model is asked; the same turns give the same question."""
    transcript = quote_transcript(turns, max_bytes=MAX_TRANSCRIPT_BYTES)
    user = f"<transcript>\n{transcript}\n</transcript>\n\nWrite the summary."
    messages = (Message("system", _instructions()), Message("user", user))
    return Question(messages, max_tokens=MAX_TOKENS)


def read_reply(text: str) -> tuple[Statement, ...]:
    """Return the sentences of a reply; one that doesn't say who said it has no speaker."""
    lines = [_ITEM.sub("", line) for line in text.splitlines()]
    sentences = split(Turn(Role.SYSTEM, "\n".join(lines)), 0)
    return tuple(_reported(one_line(sentence.text)) for sentence in sentences)


def clauses_of(sentence: Statement) -> tuple[Statement, ...]:
    """Return the clauses of a sentence that have a subject each, with whom it names.

    "The customer is upset, and the agent promised a refund" reports on two, and each must be true.
    """
    return tuple(_reported(clause) for clause in _CLAUSE.split(sentence.text))


def find_fault(sentences: Sequence[Statement], evidence: Evidence) -> str:
    """Return why a reply can't be used, in words of our own; empty where it can.

    What staff are said to have done must be borne out by what staff wrote, so that a promise which
    a customer dictates is never reported as one that was made.
    """
    if not 1 <= len(sentences) <= MOST or any(len(s.text) > _SENTENCE for s in sentences):
        return "the language model's answer was not a short summary"
    clauses = [clause for sentence in sentences for clause in clauses_of(sentence)]
    if any(clause.speaker is None for clause in clauses):
        return "the language model wrote a sentence that doesn't say who said it"
    spoken = Spoken(turn.text for turn in evidence.turns)
    if any(not spoken.holds(claim) for s in sentences for claim in find_claims(s.text)):
        return "the language model wrote a number, name or address that nobody had written"
    for clause in clauses:
        if evidence.is_swapped(clause):
            return "the language model gave one side the other's words"
        side = (Role.CUSTOMER,) if clause.speaker is Role.CUSTOMER else (Role.AGENT, Role.HUMAN)
        theirs = tuple(turn for turn in evidence.turns if turn.role in side)
        if not Evidence(theirs, evidence.encoder).is_supported(clause):
            return "the language model wrote a sentence that the conversation doesn't bear out"
    return ""


def _reported(text: str) -> Statement:
    match = _REPORTED.match(text)
    named = [] if match is None else [role for role in _SPEAKERS if match[role.value]]
    return Statement(text, None, named[0] if named else None)


@cache
def _instructions() -> str:
    return Path(__file__).with_name("prompt.txt").read_text(encoding="utf-8").strip()
