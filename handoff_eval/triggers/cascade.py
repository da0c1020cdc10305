"""The cascade: a trained head decides, and a language model is asked only where it is unsure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from handoff_eval.conversation import LabeledConversation, Split, Turn
from handoff_eval.errors import DataError, LeakageError, SettingsError
from handoff_eval.trigger import Explanation, Trigger
from handoff_eval.triggers.prompt import PromptTrigger
from handoff_eval.triggers.train_only import check_train_only

DEFAULT_SHARE = 0.2
"""Share of decisions that a model is asked, where none is stated."""


@dataclass(frozen=True, slots=True)
class Band:
    """The scores of the first trigger at which the second is asked: `low` <= score < `high`.

    Attributes
    ----------
    low, high : float
        0 <= low < high <= 1.
    share : float
        Share of train's decision points inside, by out-of-fold scores.
    chosen_on : Split
        Train; a band chosen on tune would void every certificate of the cascade.

    Raises
    ------
    LeakageError
        When it was chosen on another split.
    """

    low: float
    high: float
    share: float
    chosen_on: Split = Split.TRAIN

    def __post_init__(self) -> None:
        if self.chosen_on is not Split.TRAIN:
            raise LeakageError(
                f"Expected a band chosen on train; got one of {self.chosen_on}. A threshold "
                "certified on data that chose the band would prove nothing."
            )
        if not 0 <= self.low < self.high <= 1:
            raise ValueError(f"Expected 0 <= low < high <= 1; got {self.low} and {self.high}.")

    def __contains__(self, score: float) -> bool:
        return self.low <= score < self.high or score == self.high == 1

    def place(self, score: float) -> float:
        """Return where a score in [0, 1] of the second trigger lies among those of the first."""
        return self.low + (self.high - self.low) * score


class CascadeTrigger:
    """Scores as the first trigger does, but orders what lies in the band by the prompt.

    Outside the band the score is the first trigger's; inside it is the prompt's, mapped linearly
    into the band. So all scores are on one scale, nothing leaves its side of the band, and one
    threshold cuts them.

    Parameters
    ----------
    first : Trigger
        Cheap; asked at every decision.
    prompt : PromptTrigger
        Dear; asked inside the band.
    band : Band
        From `choose_band`.
    name : str
        The arm's name in tables.
    """

    def __init__(
        self, first: Trigger, prompt: PromptTrigger, band: Band, *, name: str = "cascade"
    ) -> None:
        self.name = name
        self.first = first
        self.prompt = prompt
        self.band = band
        self.description = (
            f"{first.name} ({first.description}); where its score lies from {band.low:.4f} to "
            f"{band.high:.4f}, {prompt.description}"
        )

    @property
    def state_parts(self) -> tuple[Trigger, ...]:
        """What the states are of, one after the other."""
        return self.first, self.prompt

    def encode(self, turns: Sequence[Turn]) -> list[tuple[Any, Turn]]:
        """Return the first trigger's observation of each turn beside the turn itself."""
        return list(zip(self.first.encode(turns), turns, strict=True))

    def start(self) -> tuple[Any, tuple[Turn, ...]]:
        """Return the state before the first turn."""
        return self.first.start(), self.prompt.start()

    def update(
        self, state: tuple[Any, tuple[Turn, ...]], observation: tuple[Any, Turn]
    ) -> tuple[Any, tuple[Turn, ...]]:
        """Return the state after one more turn."""
        return (
            self.first.update(state[0], observation[0]),
            self.prompt.update(state[1], observation[1]),
        )

    def score(
        self, states: Sequence[tuple[Any, tuple[Turn, ...]]], closed: Sequence[bool]
    ) -> list[float]:
        """Return one score in [0, 1] a state; those in the band are asked in one batch.

        Raises
        ------
        EndpointError
            When the model can't be reached, or its answer can't be ranked.
        """
        scores = list(self.first.score([state for state, _ in states], closed))
        unsure = [place for place, score in enumerate(scores) if score in self.band]
        asked = self.prompt.score([states[i][1] for i in unsure], [closed[i] for i in unsure])
        for place, score in zip(unsure, asked, strict=True):
            scores[place] = self.band.place(score)
        return scores

    def explain(self, turns: Sequence[Turn], *, closed: bool) -> Explanation:
        """Return the explanation of whichever of the two gave the score of this prefix."""
        state = self.first.start()
        for observation in self.first.encode(turns):
            state = self.first.update(state, observation)
        (score,) = self.first.score([state], [closed])
        said: Trigger = self.prompt if score in self.band else self.first
        return said.explain(turns, closed=closed)


def check_share(share: float) -> float:
    """Return the share of decisions to ask where it is one.

    Raises
    ------
    SettingsError
        When it is not above 0 and below 1.
    """
    if not 0 < share < 1:
        raise SettingsError(f"Expected the cascade's share to lie between 0 and 1; got {share}.")
    return share


def choose_band(
    labeled: Sequence[LabeledConversation],
    scores: Sequence[NDArray[np.float64]],
    *,
    share: float = DEFAULT_SHARE,
) -> Band:
    """Return the band of a stated share of decisions that holds most of the first one's mistakes.

    A mistake is a discordant pair: a decision point where no handoff is due that scores above one
    where it is. They are what a second opinion can put right at any threshold. Among windows of
    the sorted scores that hold the share, the one with the most such pairs inside is taken, and
    where none has any, the one with the most pairs. Its ends lie midway between two scores; where
    scores are equal it is wider than the share.

    Parameters
    ----------
    labeled : sequence of LabeledConversation
        Of the train split.
    scores : sequence of float arrays
        For each conversation the first trigger's scores at its decision points, each from a model
        that saw no conversation of this customer.
    share : float
        Of decision points inside, above 0 and below 1.

    Raises
    ------
    LeakageError
        When a conversation is not of train.
    DataError
        When decision points of one kind are missing.
    SettingsError
        When the share is out of range.
    """
    check_share(share)
    check_train_only(labeled, "a band")
    due = np.concatenate([_due(item) for item in labeled] or [np.zeros(0, bool)])
    flat = np.concatenate([*scores, np.zeros(0)])
    if len(flat) != len(due):
        raise ValueError(f"Expected a score for each of {len(due)} points; got {len(flat)}.")
    if due.all() or not due.any():
        raise DataError(
            "Expected decision points with and without a handoff due in train to choose the "
            "cascade's band; got one kind alone. Label more conversations."
        )
    # Among equal scores those where nothing is due come first, so that a tie is no mistake.
    order = np.lexsort((due, flat))
    ordered, needs = flat[order], due[order]
    width = min(max(1, round(share * len(ordered))), len(ordered) - 1)
    places = np.arange(len(ordered) - width + 1)
    # Equal scores lie on one side of any cut, so a window is as wide as its ends' equals.
    begin = np.searchsorted(ordered, ordered[places], side="left")
    end = np.searchsorted(ordered, ordered[places + width - 1], side="right")
    part = end - begin < len(ordered)
    if not part.any():
        raise DataError(
            "Expected scores that differ to choose the cascade's band; got equal ones at nearly "
            "all decision points. Train on more conversations."
        )
    wrong, pairs = _pairs_inside(needs, begin[part], end[part])
    best = int(np.lexsort((-pairs, -wrong))[0])
    first, last = int(begin[part][best]), int(end[part][best])
    return Band(_cut(ordered, first), _cut(ordered, last), share=(last - first) / len(ordered))


def _due(item: LabeledConversation) -> NDArray[np.bool_]:
    points = len(item.conversation.decision_points())
    return np.arange(points) >= (points if item.due is None else item.due)


def _pairs_inside(
    needs: NDArray[np.bool_], begin: NDArray[np.int64], end: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return discordant pairs and all pairs of a due and a not due point in each window."""
    due = np.concatenate([[0], np.cumsum(needs)])
    not_due = np.concatenate([[0], np.cumsum(~needs)])
    # Below each due point: how many not due ones come before it, summed up to each place.
    before = np.concatenate([[0], np.cumsum(np.where(needs, not_due[1:], 0))])
    many = due[end] - due[begin]
    wrong = many * not_due[end] - (before[end] - before[begin])
    return wrong, many * (not_due[end] - not_due[begin])


def _cut(ordered: NDArray[np.float64], place: int) -> float:
    """Return the middle between two neighbouring scores, or the end of the scale."""
    if place == 0:
        return 0.0
    if place == len(ordered):
        return 1.0
    return float((ordered[place - 1] + ordered[place]) / 2)
