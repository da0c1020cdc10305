"""What people said of logged conversations: labels in a folder, laid over the rows of the log.

A review is a label (`labels.jsonl`, docs/data-format.md) of somebody with a name, with the field
`answered` beside it where the customer has had an answer. Emails are always drawn to be read; an
unsent conversation has the probability of the audit plan, and counts for nothing without one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from handoff_eval.conversation import Label
from handoff_eval.errors import DataError
from handoff_eval.evaluation.audit.plan import AuditPlan
from handoff_eval.production.drift.log import LogRow
from handoff_eval.transcripts.jsonl import read_objects
from handoff_eval.transcripts.parse import parse_label
from handoff_eval.transcripts.read import of_record
from handoff_eval.transcripts.refusals import FieldError, Refusal
from handoff_eval.transcripts.write import LABELS

ANSWERED = "answered"
"""Field of a label that says that the customer has had an answer."""


@dataclass(frozen=True, slots=True)
class Reviews:
    """The labels of a folder, all of them and those of record, and the lines refused."""

    labels: tuple[Label, ...] = ()
    refusals: tuple[Refusal, ...] = ()

    def of_record(self) -> dict[str, Label]:
        """Return the label that counts of each conversation, by its id."""
        return of_record(self.labels)

    def answered(self) -> set[str]:
        """Return the ids of conversations whose customer had an answer, whoever says so."""
        return {one.conversation_id for one in self.labels if one.extra.get(ANSWERED) is True}


def read_reviews(folder: Path | None) -> Reviews:
    """Return the reviews of a folder; none where it is None or has no labels yet.

    Raises
    ------
    DataError
        When there are labels that can't be read.
    """
    if folder is None or not (folder / LABELS).exists():
        return Reviews()
    labels: list[Label] = []
    refusals: list[Refusal] = []
    try:
        with (folder / LABELS).open("rb") as stream:
            for line, document in read_objects(stream):
                try:
                    if isinstance(document, FieldError):
                        raise document
                    labels.append(parse_label(document))
                except FieldError as fault:
                    refusals.append(fault.at(LABELS, line))
    except OSError as error:
        raise DataError(f"{folder / LABELS}: expected reviews; {error.strerror}.") from None
    return Reviews(tuple(labels), tuple(refusals))


def with_reviews(
    rows: Iterable[LogRow], labels: Sequence[Label], plan: AuditPlan | None = None
) -> list[LogRow]:
    """Return the rows with what was said of them and how likely each was to be read.

    Parameters
    ----------
    rows : iterable of LogRow
    labels : sequence of Label
    plan : AuditPlan, optional
        The draw of the unsent; without it a review of one says nothing about the others, and its
        row stays as it is.
    """
    said = of_record(labels)
    drawn = {} if plan is None else {row.conversation_id: row.probability for row in plan.rows}
    found = []
    for row in rows:
        label = said.get(row.conversation_id)
        probability = drawn.get(row.conversation_id, 1.0 if row.fired else None)
        if probability is None or (label is None and row.conversation_id not in drawn):
            found.append(row)
            continue
        needed = row.needed if label is None else label.handoff
        found.append(replace(row, needed=needed, audit_probability=probability))
    return found
