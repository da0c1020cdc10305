"""Decide conversations while they go on, one turn at a time, with a state that can be saved."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from handoff_eval.conversation import Role, Turn
from handoff_eval.errors import DataError
from handoff_eval.production.bundle import Bundle
from handoff_eval.production.state import state_from_json, state_to_json, state_type


@dataclass(frozen=True, slots=True)
class Standing:
    """Where one conversation stands: a constant size, however long it gets.

    Attributes
    ----------
    state : object
        The trigger's.
    turns : int
        Turns seen.
    peak : float
        Highest score so far; goes on being kept after a fire, since volume at a stricter threshold
        can't be read from a log that ends there.
    fired_at : int, optional
        Turns visible when it fired; None while it hasn't.
    closed : bool
        Whether the conversation has ended.
    """

    state: Any
    turns: int = 0
    peak: float = 0.0
    fired_at: int | None = None
    closed: bool = False


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one step gave.

    Attributes
    ----------
    standing : Standing
        Where the conversation stands now.
    score : float, optional
        None where the step was no decision point.
    fires : bool
        Whether this step sends the conversation's only email.
    """

    standing: Standing
    score: float | None
    fires: bool


class Decider:
    """Applies a bundle to growing conversations; it keeps nothing between calls.

    The same trigger and threshold as `decide`, which replays complete conversations: both give the
    same decision at the same point.

    Parameters
    ----------
    bundle : Bundle
    """

    def __init__(self, bundle: Bundle) -> None:
        self.bundle = bundle
        self._trigger = bundle.trigger
        self._threshold = bundle.point.threshold

    def start(self) -> Standing:
        """Return where a conversation without turns stands."""
        return Standing(self._trigger.start())

    def add(self, standings: Sequence[Standing], turns: Sequence[Turn]) -> list[Verdict]:
        """Return one verdict a conversation after one more turn of each, scored in one batch.

        A decision point comes after a customer's turn.

        Raises
        ------
        DataError
            When a conversation is closed.
        """
        self._check_open(standings)
        grown = [
            replace(
                standing,
                state=self._trigger.update(standing.state, seen),
                turns=standing.turns + 1,
            )
            for standing, seen in zip(standings, self._trigger.encode(turns), strict=True)
        ]
        asked = [i for i, turn in enumerate(turns) if turn.role is Role.CUSTOMER]
        verdicts = [Verdict(standing, None, fires=False) for standing in grown]
        for i, verdict in zip(asked, self._score([grown[i] for i in asked]), strict=True):
            verdicts[i] = verdict
        return verdicts

    def close(self, standings: Sequence[Standing]) -> list[Verdict]:
        """Return one verdict a conversation at its close, the last decision point.

        Raises
        ------
        DataError
            When one was closed before.
        """
        self._check_open(standings)
        return self._score([replace(standing, closed=True) for standing in standings])

    def save(self, standing: Standing) -> str:
        """Return a standing as one line of JSON, which holds no text of a conversation.

        The prompt arm is the exception: its state is the turns.
        """
        return json.dumps(
            {
                "trigger": self._trigger.description,
                "state": state_to_json(standing.state),
                "turns": standing.turns,
                "peak": standing.peak,
                "fired_at": standing.fired_at,
                "closed": standing.closed,
            },
            allow_nan=False,
        )

    def restore(self, saved: str) -> Standing:
        """Return the standing that `save` wrote.

        Raises
        ------
        DataError
            When it is damaged, or was saved under another trigger.
        """
        try:
            values = json.loads(saved)
            trigger = values.pop("trigger")
            state = values.pop("state")
            standing = Standing(None, **values)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise DataError(
                f"Expected a saved conversation; {type(error).__name__}: {error}. "
                "Replay its turns instead."
            ) from None
        if trigger != self._trigger.description:
            raise DataError(
                f"Expected a conversation saved under {self._trigger.description!r}; got one of "
                f"{trigger!r}. Replay its turns instead."
            )
        return replace(standing, state=state_from_json(state_type(self._trigger), state))

    def _score(self, standings: Sequence[Standing]) -> list[Verdict]:
        scores = self._trigger.score(
            [standing.state for standing in standings], [standing.closed for standing in standings]
        )
        verdicts = []
        for standing, score in zip(standings, scores, strict=True):
            fires = standing.fired_at is None and score >= self._threshold
            after = replace(
                standing,
                peak=max(standing.peak, score),
                fired_at=standing.turns if fires else standing.fired_at,
            )
            verdicts.append(Verdict(after, score, fires))
        return verdicts

    def _check_open(self, standings: Sequence[Standing]) -> None:
        if any(standing.closed for standing in standings):
            raise DataError(
                "Expected a conversation that goes on; it was closed. Open a new one under its "
                "own id."
            )
