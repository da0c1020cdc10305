"""A labelling session without its screen: what is shown next, what an answer does.

Each answer is on the disk before the next conversation is shown, and everything else follows from
the dataset folder, so a session that was killed goes on where its annotator stopped.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from handoff_eval.conversation import (
    ADJUDICATED,
    Conversation,
    Label,
    LabeledConversation,
    Reason,
    Split,
)
from handoff_eval.errors import DataError, HandoffEvalError, SettingsError
from handoff_eval.transcripts.label_queue import RANDOM_SHARE, Draw, Queue, by_usefulness
from handoff_eval.transcripts.label_store import check_annotator, labels_of, save_labels
from handoff_eval.transcripts.parse import parse_label
from handoff_eval.transcripts.read import Dataset, read_dataset
from handoff_eval.transcripts.refusals import FieldError
from handoff_eval.workbench.transcript import turns_of

ALL_DONE = "Everything is answered: thank you. Press u to look at your answers again."
REASONS: Mapping[Reason, tuple[str, str]] = {
    Reason.FOLLOW_UP_REQUESTED: ("Follow-up requested", "wants an answer, call or email later"),
    Reason.HUMAN_REQUESTED: ("Human requested", "asks for a person, with no condition"),
    Reason.UNRESOLVED: ("Unresolved", "need still open, agent out of ways"),
    Reason.HUMAN_REVIEW: ("Human review", "only a person may grant or judge it"),
    Reason.COMPLAINT: ("Complaint", "wants it recorded, or reports conduct"),
    Reason.OTHER: ("Other", "a person must know, for another reason"),
}
"""Name of each reason on screen and when it holds, shortened from the labelling guide."""


class LabelingSession:
    """One annotator's way through a dataset.

    Parameters
    ----------
    folder : Path
        The dataset.
    annotator : str
        Whose answers these are. `adjudicated` is served the conversations on which the others
        contradict each other, and sees their answers; anybody else labels blind.
    split : Split, optional
        Serve one split only.
    only : collection of str, optional
        Serve these conversations only.
    scores : mapping of str to float, optional
        A trigger's highest score of each conversation: those near the threshold come earlier.
    threshold : float
        Where the trigger's decision turns.
    random_share : float
        Share of the conversations served by lot, in (0, 1].
    goal : int, optional
        How many answers are wanted; all when None.
    seed : int
        Of the lots.

    Raises
    ------
    DataError, SettingsError
        When the dataset can't be read, or nothing is left of it to label.
    """

    def __init__(
        self,
        folder: Path,
        *,
        annotator: str,
        split: Split | None = None,
        only: Collection[str] | None = None,
        scores: Mapping[str, float] | None = None,
        threshold: float = 0.5,
        random_share: float = RANDOM_SHARE,
        goal: int | None = None,
        seed: int = 0,
    ) -> None:
        self.annotator = check_annotator(annotator)
        dataset = read_dataset(folder)
        self._folder = dataset.path
        self._refusals = [str(refusal) for refusal in dataset.refusals]
        self._others = [label for label in dataset.labels if label.annotator != self.annotator]
        wanted = _scope(dataset, split, only)
        if self.annotator == ADJUDICATED:
            disputed = _disputed(wanted, self._others)
            wanted = [conversation for conversation in wanted if conversation.id in disputed]
        if not wanted:
            raise SettingsError(
                f"Expected conversations to label in {dataset.name!r}; none is left of "
                f"{len(dataset.conversations)} with these settings. Change split or only; to "
                f"adjudicate, two annotators must contradict each other."
            )
        if goal is not None and goal < 1:
            raise SettingsError(f"Expected goal to be at least 1; got {goal!r}.")
        self._conversations = {conversation.id: conversation for conversation in wanted}
        self._labels = {
            i: label
            for i, label in labels_of(dataset, self.annotator).items()
            if i in self._conversations
        }
        self.goal = len(wanted) if goal is None else min(goal, len(wanted))
        self._queue = Queue(
            by_usefulness(
                list(self._conversations), self._others, scores=scores, threshold=threshold
            ),
            random_share=random_share,
            seed=f"{seed}:{self.annotator}",
        )
        self._draw = self._next_draw()
        self._revising: str | None = None
        self._ticket = 0
        self._message = ("info", self._greeting())

    @property
    def done(self) -> int:
        """Number of conversations answered."""
        return len(self._labels)

    @property
    def shown(self) -> str | None:
        """Id of the conversation on screen; None when all are answered."""
        if self._revising is not None:
            return self._revising
        return None if self._draw is None else self._draw.conversation_id

    def answer(self, content: Mapping[str, Any]) -> None:
        """Save an answer and go on to the next conversation.

        Parameters
        ----------
        content : mapping
            Fields of a label: `conversation_id`, `handoff`, `at_turn`, `reasons`, `note`. An
            answer that can't be used or saved changes nothing but the message on screen.
        """
        if content.get("conversation_id") != self.shown or self.shown is None:
            # The second of two quick key presses: what it meant is saved already.
            return
        try:
            label = self._label(content)
            save_labels(self._folder, [label])
        except HandoffEvalError as error:
            self._message = ("error", f"Not saved. {error}")
            return
        was = self._labels.pop(label.conversation_id, None)
        self._labels[label.conversation_id] = label
        self._show(None)
        said = f"{'Saved' if was is None else 'Changed'}: {_in_words(label)}."
        self._message = ("info", said if self._draw is not None else f"{said} {ALL_DONE}")

    def back(self) -> None:
        """Show the answer before the one on screen, to be changed."""
        answered = list(self._labels)
        place = len(answered) if self._revising is None else answered.index(self._revising)
        if place == 0:
            self._message = ("info", "There is no earlier answer.")
            return
        self._message = ("info", "Your earlier answer: change it and save, or leave with Esc.")
        self._show(answered[place - 1])

    def leave(self) -> None:
        """Return from an earlier answer to the next conversation, changing nothing."""
        if self._revising is not None:
            self._message = ("info", "Left as it was.")
            self._show(None)

    def view(self) -> dict[str, Any]:
        """Return all that the screen shows, as JSON values."""
        shown = self.shown
        earlier = None if self._revising is None else self._labels[self._revising]
        kind, text = self._message
        return {
            "ticket": self._ticket,
            "annotator": self.annotator,
            "done": self.done,
            "goal": self.goal,
            "revising": self._revising is not None,
            "conversation": None if shown is None else turns_of(self._conversations[shown]),
            "answer": None if earlier is None else _answer_of(earlier),
            "others": self._others_on(shown),
            "message": {"kind": kind, "text": text},
            "refusals": self._refusals,
        }

    def _show(self, revising: str | None) -> None:
        self._revising = revising
        self._ticket += 1
        if revising is None:
            self._draw = self._next_draw()

    def _next_draw(self) -> Draw | None:
        pool = [i for i in self._conversations if i not in self._labels]
        if not pool or self.done >= self.goal:
            return None
        return self._queue.draw(pool, drawn=self.done)

    def _label(self, content: Mapping[str, Any]) -> Label:
        fields = ("conversation_id", "handoff", "at_turn", "reasons", "note")
        try:
            label = parse_label({name: content.get(name) for name in fields})
        except FieldError as fault:
            raise DataError(
                f"Expected {fault.field} to be {fault.expected}; got {fault.got}."
            ) from None
        last = len(self._conversations[label.conversation_id].turns) - 1
        if label.at_turn is not None and label.at_turn > last:
            raise DataError(f"Expected a turn up to {last}, the last one; got {label.at_turn}.")
        if label.handoff and not label.reasons:
            raise DataError("Expected a reason for the handoff; got none. Press 1 to 6.")
        earlier = self._labels.get(label.conversation_id)
        if earlier is not None:
            extra = dict(earlier.extra)
        else:
            extra = {} if self._draw is None else {"sampling": self._draw.to_dict()}
        return replace(
            label,
            annotator=self.annotator,
            labeled_at=datetime.now(UTC).replace(microsecond=0),
            note=(label.note or "").strip() or None,
            extra=extra,
        )

    def _others_on(self, conversation_id: str | None) -> list[dict[str, Any]]:
        if self.annotator != ADJUDICATED:
            return []
        return [
            {"annotator": label.annotator or "unnamed", **_answer_of(label)}
            for label in self._others
            if label.conversation_id == conversation_id
        ]

    def _greeting(self) -> str:
        if self._draw is None:
            return ALL_DONE
        if self.done:
            return f"Welcome back, {self.annotator}: you stopped after {self.done}."
        return "Press ? for the keys."


def _scope(
    dataset: Dataset, split: Split | None, only: Collection[str] | None
) -> list[Conversation]:
    wanted = [c for c in dataset.conversations if split is None or c.split is split]
    if only is None:
        return wanted
    unknown = set(only) - {conversation.id for conversation in wanted}
    if unknown:
        raise SettingsError(
            f"Expected only to name conversations of {dataset.name!r}; {len(unknown)} are not "
            f"among those to label, such as {min(unknown)!r}."
        )
    return [conversation for conversation in wanted if conversation.id in only]


def _disputed(conversations: Collection[Conversation], labels: Collection[Label]) -> set[str]:
    """Return the ids where answers differ, or turns by more than one decision point."""
    by_id = {conversation.id: conversation for conversation in conversations}
    dues: dict[str, list[int | None]] = {}
    for label in labels:
        if label.conversation_id in by_id:
            due = LabeledConversation(by_id[label.conversation_id], label).due
            dues.setdefault(label.conversation_id, []).append(due)
    return {i for i, found in dues.items() if _apart(found)}


def _apart(dues: list[int | None]) -> bool:
    points = [due for due in dues if due is not None]
    if len(points) < len(dues):
        return bool(points)
    return max(points) - min(points) > 1


def _answer_of(label: Label) -> dict[str, Any]:
    return {
        "handoff": label.handoff,
        "at_turn": label.at_turn,
        "reasons": [reason.value for reason in label.reasons],
        "note": label.note or "",
    }


def _in_words(label: Label) -> str:
    if not label.handoff:
        return f"{label.conversation_id}, no handoff"
    place = "at the close" if label.at_turn is None else f"after turn {label.at_turn}"
    reasons = ", ".join(REASONS[reason][0].lower() for reason in label.reasons)
    return f"{label.conversation_id}, handoff {place}" + (f" ({reasons})" if reasons else "")
