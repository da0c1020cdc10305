"""What there is to review, in which order, and what has been said of it so far."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from handoff_eval.conversation import Conversation, Label, Reason
from handoff_eval.errors import DataError
from handoff_eval.evaluation.audit.plan import AuditPlan
from handoff_eval.production.feedback.logged import Logged
from handoff_eval.production.feedback.reviews import ANSWERED, read_reviews
from handoff_eval.transcripts.label_store import save_labels

CLAIM_SECONDS = 600.0
"""How long an item that is shown to one reviewer isn't offered to another."""


@dataclass(frozen=True, slots=True)
class Item:
    """One conversation to review.

    Attributes
    ----------
    conversation : Conversation
    sent_after : int or None
        Turns visible when the email was sent; None where the reviewer is not to know.
    """

    conversation: Conversation
    sent_after: int | None


@dataclass(frozen=True, slots=True)
class Mark:
    """What a reviewer says of one conversation.

    Attributes
    ----------
    needed : bool
    at_turn : int or None
        First turn after which a person was needed; None for the close, and where none was.
    reasons : tuple of Reason
        Why a person was needed; empty where none was.
    note : str
    answered : bool
        Whether the customer has had an answer.
    """

    needed: bool
    at_turn: int | None = None
    reasons: tuple[Reason, ...] = ()
    note: str = ""
    answered: bool = False


class ReviewQueue:
    """The items, and the folder in which the marks are kept as labels.

    Parameters
    ----------
    items : sequence of Item
    folder : Path
        Made where it is missing. Several people and several processes may save at once.
    clock : callable
        Seconds, for how long an item stays with who opened it.

    Raises
    ------
    DataError
        When there is nothing to review, or the folder can't be made.
    """

    def __init__(
        self, items: Sequence[Item], folder: Path, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        if not items:
            raise DataError(
                "Expected something to review; no email of the log has its transcript here. Give "
                "--transcripts with the conversations that were decided."
            )
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise DataError(f"{folder}: expected a folder for reviews; {error.strerror}.") from None
        self.items = tuple(items)
        self._folder = folder
        self._clock = clock
        self._claims: dict[int, tuple[str, float]] = {}
        self._claiming = threading.Lock()

    def labels(self) -> dict[str, dict[str, Label]]:
        """Return what is said so far: by conversation id, then by reviewer."""
        said: dict[str, dict[str, Label]] = {}
        for label in read_reviews(self._folder).labels:
            if label.annotator is not None:
                said.setdefault(label.conversation_id, {})[label.annotator] = label
        return said

    def next_for(self, reviewer: str, *, after: int = -1) -> int | None:
        """Return the next item that nobody has reviewed or holds open; None where all are.

        The search begins behind `after` and goes around, so that a skipped item comes last.
        """
        said, now = self.labels(), self._clock()
        order: list[int] = [*range(after + 1, len(self.items)), *range(after + 1)]
        with self._claiming:
            for number in order:
                holder, until = self._claims.get(number, (reviewer, 0.0))
                if self.items[number].conversation.id in said:
                    continue
                if holder != reviewer and now < until:
                    continue
                self._claims[number] = (reviewer, now + CLAIM_SECONDS)
                return number
        return None

    def save(self, number: int, mark: Mark, *, reviewer: str) -> None:
        """Keep a mark; it is on the disk when this returns.

        Raises
        ------
        DataError
            When it can't be written.
        """
        conversation_id = self.items[number].conversation.id
        held = self.labels().get(conversation_id, {}).get(reviewer)
        extra = {} if held is None else {k: v for k, v in held.extra.items() if k != ANSWERED}
        if mark.answered:
            extra[ANSWERED] = True
        label = Label(
            conversation_id,
            mark.needed,
            at_turn=mark.at_turn,
            reasons=mark.reasons,
            annotator=reviewer,
            labeled_at=datetime.now(UTC).replace(microsecond=0),
            note=mark.note or None,
            extra=extra,
        )
        if held is None or replace(label, labeled_at=held.labeled_at) != held:
            save_labels(self._folder, [label])


def items_to_review(logged: Logged, plan: AuditPlan | None = None) -> list[Item]:
    """Return what there is to review: the emails, oldest first, or what an audit has drawn.

    Of a draw neither the score nor whether an email was sent is shown, and the emails stand among
    the others in the draw's random order.

    Raises
    ------
    DataError
        When a drawn conversation has no transcript.
    """
    known: Mapping[str, Conversation] = logged.conversations
    if plan is None:
        return [
            Item(known[row.conversation_id], row.turns or len(known[row.conversation_id].turns))
            for row in logged.rows
            if row.fired and row.conversation_id in known
        ]
    drawn = [row.conversation_id for row in plan.rows]
    if missing := [key for key in drawn if key not in known]:
        raise DataError(
            f"Expected the transcript of every drawn conversation; {len(missing)} are not there, "
            f"such as {missing[0]!r}. Give --transcripts."
        )
    return [Item(known[key], None) for key in drawn]
