"""Each wrong decision of an arm, and what a language model was asked along each conversation.

One trace a conversation, one span a decision that the model was asked: prompt, reply, score,
whether it fires, latency and tokens. `errors.csv` names the trace of each conversation that was
decided wrongly, and a trace is tagged with its verdict. Nothing here talks to MLflow.
"""

from __future__ import annotations

import csv
import io
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence

from handoff_eval.conversation import LabeledConversation
from handoff_eval.evaluation.comparison.arm_scores import Arm
from handoff_eval.evaluation.comparison.result import ArmResult
from handoff_eval.evaluation.findings.mistakes import missed_handoffs, needless_emails, verdicts
from handoff_eval.llm.cost import Meter
from handoff_eval.llm.question import Question, Reply
from handoff_eval.tracking.entries import AskedDecision, Entry, File, Trace
from handoff_eval.triggers.cascade import CascadeTrigger
from handoff_eval.triggers.prompt import NO, YES, PromptTrigger

MAX_DECISIONS = 300
"""Traced for each arm, wrong conversations first: a few seconds of writing, enough to read."""

ERRORS = "errors.csv"
_WRONG_FIRST = ("missed handoff", "needless email", "caught", "rightly silent")


def decision_entries(
    arm: Arm,
    result: ArmResult,
    test: Sequence[LabeledConversation],
    *,
    mask: Callable[[str], str],
    max_decisions: int = MAX_DECISIONS,
) -> Iterator[Entry]:
    """Yield the conversations decided wrongly, as a table, and what a model was asked, as traces.

    Parameters
    ----------
    arm : Arm
        One without a model has no traces.
    result : ArmResult
        What was found for it.
    test : sequence of LabeledConversation
        Those that were compared, or more.
    mask : callable
        Given each text of a prompt and each reply; returns what may be kept of it.
    max_decisions : int
        Traced at most; conversations stay whole, and those decided wrongly come first.
    """
    traces = list(_traces(arm, result, test, mask, max_decisions))
    yield from traces
    yield File(ERRORS, _errors(result, test, {t.conversation_id: t.key for t in traces}).encode())


def _errors(
    result: ArmResult, test: Sequence[LabeledConversation], trace_of: Mapping[str, str]
) -> str:
    """Return one row a wrong conversation, with the turn of the fire or of the highest score."""
    verdict_of = verdicts(result)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["conversation", "verdict", "score", "after_turn", "at_close", "trace"])
    for mistake in (*missed_handoffs(result, test), *needless_emails(result, test)):
        key = mistake.item.conversation.id
        closed = "yes" if mistake.closed else "no"
        row = [key, verdict_of[key], f"{mistake.score:.4f}", mistake.turn, closed]
        writer.writerow([*row, trace_of.get(key, "")])
    return text.getvalue()


def _traces(
    arm: Arm,
    result: ArmResult,
    test: Sequence[LabeledConversation],
    mask: Callable[[str], str],
    left: int,
) -> Iterator[Trace]:
    prompt = arm.trigger.prompt if isinstance(arm.trigger, CascadeTrigger) else arm.trigger
    if not isinstance(prompt, PromptTrigger) or arm.meter is None:
        return
    item_of = {item.conversation.id: item for item in test}
    verdict_of = verdicts(result)
    for key in sorted(verdict_of, key=lambda i: _WRONG_FIRST.index(verdict_of[i])):
        item = item_of[key]
        asked = tuple(_asked(prompt, arm.meter, result, item, mask))
        left -= len(asked)
        if left < 0:
            return
        if asked:
            yield Trace(
                key=f"tr-{uuid.uuid4().hex}",
                arm=arm.trigger.name,
                model=prompt.asker.identity,
                conversation_id=key,
                customer=item.conversation.group,
                needed=item.label.handoff,
                needed_from=item.label.at_turn,
                verdict=verdict_of[key],
                threshold=result.point.threshold,
                decisions=asked,
            )


def _asked(
    prompt: PromptTrigger,
    meter: Meter,
    result: ArmResult,
    item: LabeledConversation,
    mask: Callable[[str], str],
) -> Iterator[AskedDecision]:
    """Yield the decisions of a conversation at which the model was asked, in their order."""
    replay = result.test.replay
    place = replay.ids.index(item.conversation.id)
    scores = replay.scores[replay.offsets[place] : replay.offsets[place + 1]]
    for point, score in zip(item.conversation.decision_points(), scores, strict=True):
        question = prompt.question(item.conversation.turns[: point.turns], closed=point.closed)
        reply = meter.reply(question)
        if reply is not None:
            yield AskedDecision(
                turns=point.turns,
                closed=point.closed,
                messages=tuple((m.role, mask(m.text)) for m in question.messages),
                reply=_words(question, reply, mask),
                score=float(score),
                fires=bool(score >= result.point.threshold),
                seconds=reply.seconds,
                prompt_tokens=reply.prompt_tokens,
                completion_tokens=reply.completion_tokens,
            )


def _words(question: Question, reply: Reply, mask: Callable[[str], str]) -> str:
    """Return a reply as it is read: what was weighed, or what was said."""
    if question.answers:
        return f"Yes {reply.probability(YES):.3f}, No {reply.probability(NO):.3f}"
    return mask(reply.text)
