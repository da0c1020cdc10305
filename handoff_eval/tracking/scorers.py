"""Our measures as scorers of `mlflow.genai.evaluate`: decisions and summaries, row by row.

Rows name conversations by id; what was said stays outside of MLflow, but for the lines that a
summary quotes, which are what is judged.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from handoff_eval.conversation import LabeledConversation, Role
from handoff_eval.decision import Decision
from handoff_eval.encoders.base import Encoder
from handoff_eval.evaluation.findings.mistakes import VERDICTS
from handoff_eval.summaries.metrics import SummaryScore, score_summary
from handoff_eval.summaries.moment import labelled_decision
from handoff_eval.summaries.summary import Statement, Summarizer
from handoff_eval.transcripts.read import Dataset

if TYPE_CHECKING:
    from mlflow.genai.scorers import Scorer

Row = dict[str, Any]


def decision_rows(
    labeled: Sequence[LabeledConversation], decisions: Sequence[Decision]
) -> list[Row]:
    """Return one row a decision with what the label expects, for `decision_scorers`.

    Parameters
    ----------
    labeled : sequence of LabeledConversation
        Those that were decided, or more.
    decisions : sequence of Decision

    Raises
    ------
    KeyError
        When a conversation that was decided has no label.
    """
    item_of = {item.conversation.id: item for item in labeled}
    rows = []
    for decision in decisions:
        item = item_of[decision.conversation_id]
        points = item.conversation.decision_points()
        expected: Row = {"handoff": item.label.handoff}
        if item.due is not None:
            due = points[item.due]
            expected |= {"due_turns": due.turns, "due_closed": due.closed}
        rows.append(
            {
                "inputs": {"conversation": decision.conversation_id},
                "outputs": {
                    "fired": decision.fired,
                    "turns": decision.turns,
                    "closed": decision.closed,
                    "score": decision.score,
                },
                "expectations": expected,
            }
        )
    return rows


def decision_scorers() -> list[Scorer]:
    """Return the scorers of `decision_rows`.

    `handoff_right` says whether the email was sent or left out as the label asks, with the verdict
    in words; `handoff_on_time`, of needed handoffs alone, whether it fired no later than due.
    """
    from mlflow.entities import Feedback
    from mlflow.genai.scorers import scorer

    def handoff_right(outputs: Row, expectations: Row) -> Feedback:
        needed, fired = bool(expectations["handoff"]), bool(outputs["fired"])
        return Feedback(value=needed == fired, rationale=VERDICTS[needed, fired])

    def handoff_on_time(outputs: Row, expectations: Row) -> Feedback | None:
        if not expectations["handoff"]:
            return None
        at = (outputs["turns"], outputs["closed"])
        due = (expectations["due_turns"], expectations["due_closed"])
        on_time = bool(outputs["fired"] and at <= due)
        return Feedback(value=on_time, rationale=f"due after {due[0]} turns, decided after {at[0]}")

    return [scorer(handoff_right), scorer(handoff_on_time)]


def summary_rows(labeled: Sequence[LabeledConversation], summarizer: Summarizer) -> list[Row]:
    """Return one row a summary, made at the labelled decision point, for `summary_scorers`."""
    rows = []
    for item in labeled:
        decision = labelled_decision(item.conversation, item.label)
        turns = item.conversation.turns[: decision.turns]
        summary = summarizer.summarize(turns, decision=decision)
        statements = [
            {"text": one.text, "turn": one.turn, "speaker": one.speaker and one.speaker.value}
            for one in summary.statements(turns)
        ]
        rows.append(
            {
                "inputs": {"conversation": item.conversation.id, "turns": decision.turns},
                "outputs": {"subject": summary.subject, "statements": statements},
            }
        )
    return rows


def summary_scorers(dataset: Dataset, *, encoder: Encoder | None = None) -> list[Scorer]:
    """Return the scorers of `summary_rows`.

    `summary_coverage` is the share of the needed reference facts that are kept, where the dataset
    has any; `summary_flawless` whether nothing is invented, unsupported or put into the wrong
    mouth, with what is wrong in words.

    Parameters
    ----------
    dataset : Dataset
        Holds the conversations and their reference facts.
    encoder : Encoder, optional
        Lets other words with the same meaning count.
    """
    from mlflow.entities import Feedback
    from mlflow.genai.scorers import scorer

    conversation_of = {conversation.id: conversation for conversation in dataset.conversations}

    def score(inputs: Row, outputs: Row) -> SummaryScore:
        key = inputs["conversation"]
        return score_summary(
            [
                Statement(one["text"], one["turn"], one["speaker"] and Role(one["speaker"]))
                for one in outputs["statements"]
            ],
            turns=conversation_of[key].turns[: inputs["turns"]],
            facts=dataset.facts.get(key, ()),
            subject=outputs["subject"],
            encoder=encoder,
        )

    def summary_coverage(inputs: Row, outputs: Row) -> Feedback | None:
        if inputs["conversation"] not in dataset.facts:
            return None
        found = score(inputs, outputs)
        missing = "; ".join(fact.text for fact in found.missing)
        return Feedback(value=found.coverage, rationale=f"missing: {missing or 'nothing'}")

    def summary_flawless(inputs: Row, outputs: Row) -> Feedback:
        faults = score(inputs, outputs).faults()
        return Feedback(value=not faults, rationale="; ".join(faults) or "nothing wrong")

    return [scorer(summary_coverage), scorer(summary_flawless)]
