"""The test conversations an arm got wrong, for people to read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from handoff_eval.conversation import LabeledConversation
from handoff_eval.evaluation.comparison.result import ArmResult

VERDICTS = {
    (True, True): "caught",
    (True, False): "missed handoff",
    (False, True): "needless email",
    (False, False): "rightly silent",
}
"""In words, by whether a handoff was needed and whether the email was sent."""


@dataclass(frozen=True, slots=True)
class Mistake:
    """A test conversation that was decided wrongly, and where.

    Attributes
    ----------
    item : LabeledConversation
    score : float
        The highest score of the conversation.
    turn : int
        Index of the last turn visible at the fire, or where nothing fired at the highest score.
    closed : bool
        Whether that was at the close.
    fired : bool
        Whether the email was sent.
    """

    item: LabeledConversation
    score: float
    turn: int
    closed: bool
    fired: bool

    def marks(self, index: int) -> list[tuple[str, str]]:
        """Return kind and words of what is to be marked after one turn of the transcript."""
        label, last = self.item.label, len(self.item.conversation.turns) - 1
        marks = []
        if label.handoff and index == (last if label.at_turn is None else label.at_turn):
            marks.append(
                ("due", f"handoff due {'at the close' if label.at_turn is None else 'from here'}")
            )
        if index == self.turn:
            where = "at the close" if self.closed else "here"
            words = "email sent" if self.fired else f"highest score, {self.score:.2f},"
            marks.append(("fired" if self.fired else "peak", f"{words} {where}"))
        return marks


def missed_handoffs(arm: ArmResult, test: Sequence[LabeledConversation]) -> list[Mistake]:
    """Return the test conversations that needed a handoff and got none, lowest score first."""
    wrong = arm.test.positive & (arm.test.peak < arm.point.threshold)
    return sorted(_mistakes(arm, test, wrong.tolist()), key=lambda mistake: mistake.score)


def needless_emails(arm: ArmResult, test: Sequence[LabeledConversation]) -> list[Mistake]:
    """Return the test conversations that got an email nobody needed, highest score first."""
    wrong = ~arm.test.positive & (arm.test.peak >= arm.point.threshold)
    return sorted(_mistakes(arm, test, wrong.tolist()), key=lambda mistake: -mistake.score)


def verdicts(arm: ArmResult) -> dict[str, str]:
    """Return for each test conversation that was asked whether it was decided rightly.

    `caught` and `rightly silent` are right, `missed handoff` and `needless email` are not.
    """
    fired = arm.test.peak >= arm.point.threshold
    cases = zip(arm.test.replay.ids, arm.test.positive, fired, strict=True)
    return {i: VERDICTS[bool(needed), bool(sent)] for i, needed, sent in cases}


def _mistakes(
    arm: ArmResult, test: Sequence[LabeledConversation], wrong: Sequence[bool]
) -> list[Mistake]:
    items = {item.conversation.id: item for item in test}
    replay = arm.test.replay
    if unknown := sorted(set(replay.ids) - set(items)):
        raise ValueError(
            f"Expected the labelled test conversations that were compared; {unknown[0]!r} is not "
            "among those given. Give dataset.labeled(Split.TEST) of the same dataset."
        )
    first_fire = replay.first_fire(arm.point.threshold)
    found = []
    for i, conversation_id in enumerate(replay.ids):
        if not wrong[i]:
            continue
        start, stop = int(replay.offsets[i]), int(replay.offsets[i + 1])
        fired = first_fire[i] >= 0
        at = start + int(first_fire[i] if fired else replay.scores[start:stop].argmax())
        found.append(
            Mistake(
                item=items[conversation_id],
                score=float(arm.test.peak[i]),
                turn=int(replay.turns[at]) - 1,
                closed=at == stop - 1,
                fired=bool(fired),
            )
        )
    return found
