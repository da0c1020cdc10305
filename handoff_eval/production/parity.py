"""Does the export decide as it was measured? Shown on a whole evaluation set, or refused."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from handoff_eval.conversation import Conversation
from handoff_eval.errors import ParityError
from handoff_eval.evaluation.replay import Replay, replay
from handoff_eval.production.bundle import Bundle

TOLERANCE = 1e-5


@dataclass(frozen=True, slots=True)
class Parity:
    """What was compared.

    Attributes
    ----------
    conversations, decisions : int
        How many were scored by both.
    largest_difference : float
        Between the two scores of a decision point.
    changed : int
        Conversations whose first fire moved, appeared or vanished.
    """

    conversations: int
    decisions: int
    largest_difference: float
    changed: int

    def __str__(self) -> str:
        return (
            f"{self.decisions} decisions in {self.conversations} conversations: {self.changed} "
            f"changed, largest score difference {self.largest_difference:.1e}"
        )


def check_parity(bundle: Bundle, conversations: Sequence[Conversation], measured: Replay) -> Parity:
    """Replay the bundle and compare it with what was measured.

    Raises
    ------
    ParityError
        When a score differs by more than 1e-5 or any decision changed.
    """
    exported = replay(bundle.trigger, conversations)
    if exported.ids != measured.ids:
        raise ValueError("Expected the replay of the same conversations; got another.")
    threshold = bundle.point.threshold
    parity = Parity(
        conversations=len(conversations),
        decisions=len(exported.scores),
        largest_difference=float(np.max(np.abs(exported.scores - measured.scores), initial=0.0)),
        changed=int(np.sum(exported.first_fire(threshold) != measured.first_fire(threshold))),
    )
    if parity.changed or not parity.largest_difference <= TOLERANCE:
        raise ParityError(
            f"Expected the export to score within {TOLERANCE:g} of the measured trigger and to "
            f"change no decision; got {parity}. Don't ship it: export again."
        )
    return parity
