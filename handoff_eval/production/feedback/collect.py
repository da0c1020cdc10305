"""The way back: reviewed emails and audited conversations as a dataset, with their probabilities.

Every row says how likely it was to be there: the draw's probability times the share of its
stratum that was read, since a drawn conversation that nobody read is taken to be like the read
ones. Reviews that no draw accounts for are left out where there is a plan. Without one the emails
are all there is; they are marked as emailed, and what the trigger missed is not among them, so
they certify no recall (`evaluation.evidence` refuses them).

An emailed conversation ends where the email was sent: what the agent says of it afterwards would
give the answer away.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from handoff_eval.conversation import Conversation, Label
from handoff_eval.errors import DataError
from handoff_eval.evaluation.audit.plan import AuditPlan
from handoff_eval.production.drift.log import LogRow
from handoff_eval.production.feedback.logged import Logged
from handoff_eval.production.feedback.reviews import ANSWERED, Reviews
from handoff_eval.transcripts.mask import Masker
from handoff_eval.transcripts.parse import parse_conversation
from handoff_eval.transcripts.split import assign_splits
from handoff_eval.transcripts.write import (
    DATASHEET,
    TRANSCRIPTS,
    conversation_to_dict,
    write_dataset,
)

EMAILS = "emails"
"""Name of the only stratum where there is no plan."""


@dataclass(frozen=True, slots=True)
class Stratum:
    """Rows with one probability: how many were drawn and read, and what it comes to."""

    name: str
    drawn: int
    read: int
    probability: float


@dataclass(frozen=True, slots=True)
class Collected:
    """A dataset made of reviews.

    Attributes
    ----------
    conversations : tuple of Conversation
        With splits and with `metadata.emailed`.
    labels : tuple of Label
        With their sampling probabilities, those of every reviewer.
    strata : tuple of Stratum
    left_out : int
        Reviewed conversations that no draw accounts for, or without a transcript.
    """

    conversations: tuple[Conversation, ...]
    labels: tuple[Label, ...]
    strata: tuple[Stratum, ...]
    left_out: int

    @property
    def emailed(self) -> int:
        """How many of the conversations were emailed."""
        return sum(conversation.emailed for conversation in self.conversations)


def collect(
    logged: Logged, reviews: Reviews, plan: AuditPlan | None = None, *, seed: int = 0
) -> Collected:
    """Return the dataset that the reviews of a log make.

    Parameters
    ----------
    logged : Logged
        Its conversations give the texts, its rows say which were emailed and when.
    reviews : Reviews
    plan : AuditPlan, optional
        The draw that was reviewed.
    seed : int
        Of the splits, where start times don't decide.

    Raises
    ------
    DataError
        When nothing reviewed can be used.
    """
    rows = {row.conversation_id: row for row in logged.rows}
    said = {key for key in reviews.of_record() if key in rows}
    stratum_of = _strata_of(logged.rows, plan)
    usable = {key for key in said if key in stratum_of and key in logged.conversations}
    order = [EMAILS] if plan is None else [stratum.name for stratum in plan.strata]
    drawn: dict[str, list[str]] = {name: [] for name in order}
    for key, (name, _) in stratum_of.items():
        drawn[name].append(key)
    chances = dict(stratum_of.values())
    strata = {
        name: Stratum(
            name,
            len(keys),
            read := sum(key in usable for key in keys),
            chances[name] * read / len(keys),
        )
        for name, keys in drawn.items()
        if keys
    }
    if not usable:
        raise DataError(
            "Expected reviews of conversations in the log with their transcripts; got none. Review "
            "some with 'handoff-eval review', and give the plan that drew them."
        )
    ends = {key: _end(rows[key], logged.conversations[key]) for key in usable}
    kept = [
        replace(
            conversation,
            turns=conversation.turns[: ends[key]],
            split=None,
            metadata={**conversation.metadata, "emailed": rows[key].fired},
        )
        for key, conversation in logged.conversations.items()
        if key in usable
    ]
    labels = [
        _as_label(label, ends[label.conversation_id], strata[stratum_of[label.conversation_id][0]])
        for label in reviews.labels
        if label.conversation_id in usable
    ]
    return Collected(
        conversations=assign_splits(kept, seed=seed),
        labels=tuple(labels),
        strata=tuple(strata.values()),
        left_out=len(said) - len(usable),
    )


def write_collected(found: Collected, folder: Path, *, source: str, masker: Masker | None) -> None:
    """Write the dataset into a new folder, with a datasheet that says how it was drawn.

    Parameters
    ----------
    found : Collected
    folder : Path
    source : str
        What the datasheet calls the log.
    masker : Masker, optional
        Replaces personal data in transcripts and notes.

    Raises
    ------
    DataError
        When the folder has transcripts already, or can't be written.
    """
    if (folder / TRANSCRIPTS).exists():
        raise DataError(
            f"Expected a folder without {TRANSCRIPTS}; {folder} has one. Choose another folder."
        )
    conversations: Iterable[Conversation] = found.conversations
    labels: Iterable[Label] = found.labels
    if masker is not None:
        masked = [masker.document(conversation_to_dict(one)) for one in conversations]
        conversations = [parse_conversation(document) for document in masked]
        labels = [replace(one, note=one.note and masker.text(one.note)) for one in labels]
    try:
        write_dataset(folder, conversations=conversations, labels=labels)
        (folder / DATASHEET).write_text(_datasheet(found, source), encoding="utf-8")
    except OSError as error:
        raise DataError(f"{folder}: can't be written ({error.strerror}).") from None


def _strata_of(rows: Iterable[LogRow], plan: AuditPlan | None) -> Mapping[str, tuple[str, float]]:
    """Return stratum and probability of each conversation that was to be read."""
    if plan is None:
        return {row.conversation_id: (EMAILS, 1.0) for row in rows if row.fired}
    return {row.conversation_id: (row.stratum, row.probability) for row in plan.rows}


def _end(row: LogRow, conversation: Conversation) -> int:
    if not row.fired or row.turns is None:
        return len(conversation.turns)
    return max(1, min(row.turns, len(conversation.turns)))


def _as_label(label: Label, end: int, stratum: Stratum) -> Label:
    """Return a review as a label; a turn behind the end is the close of what is left."""
    turn = label.at_turn
    return replace(
        label,
        at_turn=None if turn is None or turn >= end else turn,
        sampling_probability=stratum.probability,
        extra={name: value for name, value in label.extra.items() if name != ANSWERED},
    )


def _datasheet(found: Collected, source: str) -> str:
    of_record = Reviews(found.labels).of_record().values()
    weights = [label.weight for label in of_record]
    needed = sum(w for w, label in zip(weights, of_record, strict=True) if label.handoff)
    strata = "\n".join(
        f"| {s.name} | {s.drawn} | {s.read} | {s.probability:.4g} |" for s in found.strata
    )
    names = ", ".join(sorted({label.annotator or "nobody named" for label in found.labels}))
    draw = (
        "The emails alone, so nothing is known of what was missed: no recall can be certified."
        if any(s.name == EMAILS for s in found.strata)
        else "Emails and a draw of what was not sent, with known probabilities."
    )
    return f"""# Reviewed conversations of {source}

* **Origin.** {len(found.conversations)} conversations of the decision log, {found.emailed} of them
  emailed (`metadata.emailed`); those end where the email was sent. Your own data, your licence.
* **Labels.** By {names}, on the review page, without sight of the score.
* **Draw.** {draw}
* **Prevalence.** {needed / sum(weights):.1%} in need, weighted by 1 / probability.
* **Splits.** By customer; where all starts are known, test is the latest.
* **Limits.** A drawn one that nobody read is taken to be like the read ones of its stratum.

| stratum | drawn | read | probability of a row |
|---|---|---|---|
{strata}
"""
