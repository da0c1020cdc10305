"""The scores of one kind of trigger under any wording of its instruction, each computed once."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from handoff_eval.conversation import LabeledConversation, Split
from handoff_eval.errors import DataError
from handoff_eval.evaluation.comparison.arm_scores import sample_conversations
from handoff_eval.evaluation.replay import replay
from handoff_eval.evaluation.scored import ScoredSplit
from handoff_eval.transcripts.read import Dataset
from handoff_eval.trigger import Trigger

Build = Callable[[str], Trigger]
"""Makes a trigger of an instruction's text. What it learnt, it must not have learnt from the split
that is looked at: a trigger with examples from train is judged on train by nobody."""


class Wordings:
    """Scores by wording and split; every wording is asked on the same conversations.

    Parameters
    ----------
    build : callable
        Makes a trigger of an instruction's text.
    dataset : Dataset
    max_decisions : int, optional
        Where a decision is dear: whole conversations are drawn until this many points are filled,
        the same for every wording.
    batch_turns : int
        Turns scored together.
    seed : int
        Of the draw.
    on_progress : callable, optional
        Called with a title, conversations done and conversations in all.
    """

    def __init__(
        self,
        build: Build,
        dataset: Dataset,
        *,
        max_decisions: int | None = None,
        batch_turns: int = 2048,
        seed: int = 0,
        on_progress: Callable[[str, int, int], None] | None = None,
    ) -> None:
        self.dataset = dataset
        self.sampled = max_decisions is not None
        self._build = build
        self._max_decisions = max_decisions
        self._batch_turns = batch_turns
        self._seed = seed
        self._on_progress = on_progress
        self._scored: dict[tuple[str, Split], ScoredSplit] = {}
        self._items: dict[Split, Sequence[LabeledConversation]] = {}

    def items(self, split: Split) -> Sequence[LabeledConversation]:
        """Return the labelled conversations of a split that every wording is asked on.

        Raises
        ------
        DataError
            When they are all of one kind.
        """
        if split not in self._items:
            items = self.dataset.labeled(split)
            if self._max_decisions is not None:
                items = sample_conversations(items, self._max_decisions, seed=self._seed)
            if {item.label.handoff for item in items} != {True, False}:
                raise DataError(
                    f"Expected conversations with and without a handoff in the {split.value} split "
                    f"of {self.dataset.name}; got {len(items)} that can't show both. Label more, "
                    "or raise the number of decisions."
                )
            self._items[split] = items
        return self._items[split]

    def scored(self, text: str, split: Split) -> ScoredSplit:
        """Return the scores of the trigger that reads this text, on one split."""
        key = (text, split)
        if key not in self._scored:
            items = self.items(split)
            done = 0

            def advance(conversations: int) -> None:
                nonlocal done
                done += conversations
                if self._on_progress is not None:
                    title = f"wording {len(self._scored) + 1} on {split.value}"
                    self._on_progress(title, done, len(items))

            played = replay(
                self._build(text),
                [item.conversation for item in items],
                batch_turns=self._batch_turns,
                on_progress=advance,
            )
            self._scored[key] = ScoredSplit.join(played, items, split)
        return self._scored[key]
