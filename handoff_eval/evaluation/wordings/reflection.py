"""New wordings from a language model that reads what the trigger decided wrongly.

The engine is GEPA (Agrawal et al., GEPA: Reflective Prompt Evolution, 2025; package `gepa`), which
scores a candidate record by record and averages. Recall at a volume is no average over
conversations, so the records it is given are folds of customers: each is scored by its own recall
at the budget's volume. Whatever it proposes is judged once more on all of the split by `tuning`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from handoff_eval.conversation import LabeledConversation, Split
from handoff_eval.errors import HandoffEvalError, MissingExtraError, SettingsError
from handoff_eval.evaluation.scored import ScoredSplit
from handoff_eval.evaluation.wordings.scores import Wordings
from handoff_eval.evaluation.wordings.set_objective import Objective
from handoff_eval.instructions.acceptable import why_unacceptable
from handoff_eval.llm.asker import Asker
from handoff_eval.llm.question import Message, Question
from handoff_eval.llm.quoting import quote_transcript

Reflect = Callable[[str], Sequence[str]]
"""Gives new wordings for one, best guesses first or in any order."""

FOLDS = 4
FOLDS_READ = 2
"""Folds whose mistakes are read for one proposal."""
MISTAKES_READ = 3
"""Of each kind and fold: as many missed handoffs as needless emails at most."""
TRANSCRIPT_BYTES = 1500
REPLY_TOKENS = 500
_COMPONENT = "instruction"


def reflector(
    wordings: Wordings, asker: Asker, objective: Objective, *, proposals: int = 8, seed: int = 0
) -> Reflect:
    """Return a function that asks a capable model for better wordings.

    Parameters
    ----------
    wordings : Wordings
        Its train split is read, no other.
    asker : Asker
        Of a model that follows instructions well; its replies are kept, so that a search that was
        stopped goes on where it was.
    objective : Objective
        What a wording is scored by.
    proposals : int
        New wordings asked for at most.
    seed : int
        Of the folds and of the search.

    Raises
    ------
    MissingExtraError
        When the package gepa is not installed.

    Notes
    -----
    The function it returns raises what the asker raises: a search without the model that was
    configured must not pass for one with it.
    """
    try:
        import gepa
    except ImportError:
        raise MissingExtraError(
            "Expected the package gepa to reflect on wrong decisions; it is not installed. "
            "Run: pip install 'handoff-eval[bench]'."
        ) from None

    folds = customer_folds(wordings.items(Split.TRAIN), seed=seed)

    def reflect(text: str) -> Sequence[str]:
        failures: list[HandoffEvalError] = []
        adapter = _FoldAdapter(wordings, objective, failures)
        # An iteration costs its folds twice, before and after, and all folds where it improved.
        calls = len(folds) + proposals * (2 * FOLDS_READ + len(folds))
        asked: list[Question] = []

        def ask(prompt: Any) -> str:
            question = Question((Message("user", str(prompt)),), max_tokens=REPLY_TOKENS)
            asked.append(question)
            if failures:
                # GEPA tries again what failed; the endpoint has already done so where it helps.
                raise failures[0]
            with _noted(failures):
                return asker.ask([question])[0].text

        gepa.optimize(
            seed_candidate={_COMPONENT: text},
            trainset=folds,
            valset=folds,
            adapter=adapter,
            reflection_lm=ask,
            reflection_minibatch_size=min(FOLDS_READ, len(folds)),
            reflection_prompt_template=_template(),
            stop_callbacks=lambda _: len(asked) >= proposals or bool(failures),
            max_metric_calls=calls,
            logger=_Silent(),
            seed=seed,
            raise_on_exception=True,
        )
        if failures:
            raise failures[0]
        return [candidate for candidate in adapter.tried if candidate != text]

    return reflect


def customer_folds(items: Sequence[LabeledConversation], *, seed: int) -> list[tuple[str, ...]]:
    """Return ids of conversations in folds, whole customers each, the positives dealt evenly.

    Raises
    ------
    SettingsError
        When fewer than two customers have, or have not, a handoff.
    """
    positive = {item.conversation.group for item in items if item.label.handoff}
    others = {item.conversation.group for item in items} - positive
    count = min(FOLDS, len(positive), len(others))
    if count < 2:
        raise SettingsError(
            f"Expected at least 2 customers with and 2 without a handoff in train to reflect on; "
            f"got {len(positive)} and {len(others)}. Label more, or tune by clause edits alone."
        )
    rng = np.random.default_rng(seed)
    place: dict[str, int] = {}
    for group in (sorted(positive), sorted(others)):
        for i, index in enumerate(rng.permutation(len(group))):
            place[group[index]] = i % count
    return [
        tuple(item.conversation.id for item in items if place[item.conversation.group] == fold)
        for fold in range(count)
    ]


@dataclass
class _Batch:
    """What GEPA expects of an evaluation."""

    outputs: list[float]
    scores: list[float]
    trajectories: list[tuple[str, ...]] | None = None
    objective_scores: None = None
    num_metric_calls: int | None = None


class _FoldAdapter:
    """Scores a wording on folds, and tells what went wrong in them."""

    propose_new_texts = None

    def __init__(
        self, wordings: Wordings, objective: Objective, failures: list[HandoffEvalError]
    ) -> None:
        self._failures = failures
        self.tried: list[str] = []
        self._wordings = wordings
        self._objective = objective
        self._items = {i.conversation.id: i for i in wordings.items(Split.TRAIN)}

    def evaluate(
        self, batch: list[tuple[str, ...]], candidate: dict[str, str], capture_traces: bool = False
    ) -> _Batch:
        """Return the recall at the budget's volume of each fold, 0 for a refused wording."""
        text = candidate[_COMPONENT]
        if why_unacceptable(text) is not None:
            return _Batch([0.0] * len(batch), [0.0] * len(batch), list(batch))
        if text not in self.tried:
            self.tried.append(text)
        with _noted(self._failures):
            scored = self._wordings.scored(text, Split.TRAIN)
        recalls = [self._objective.recall(scored.subset(fold)) for fold in batch]
        return _Batch(recalls, recalls, list(batch) if capture_traces else None)

    def make_reflective_dataset(
        self, candidate: dict[str, str], eval_batch: _Batch, components_to_update: list[str]
    ) -> Mapping[str, Sequence[Mapping[str, Any]]]:
        """Return the worst decisions of these folds, each with what should have been done."""
        scored = self._wordings.scored(candidate[_COMPONENT], Split.TRAIN)
        cut = self._objective.cut(scored)
        records = [
            record
            for fold in eval_batch.trajectories or ()
            for record in self._wrong(scored.subset(fold), cut)
        ]
        return dict.fromkeys(components_to_update, records)

    def _wrong(self, scored: ScoredSplit, cut: float) -> list[dict[str, str]]:
        order = np.argsort(scored.peak, kind="stable")
        missed = [i for i in order if scored.positive[i] and scored.peak[i] < cut]
        needless = [i for i in order[::-1] if not scored.positive[i] and scored.peak[i] >= cut]
        return [
            self._record(scored.replay.ids[i])
            for i in (*missed[:MISTAKES_READ], *needless[:MISTAKES_READ])
        ]

    def _record(self, conversation_id: str) -> dict[str, str]:
        item = self._items[conversation_id]
        transcript = quote_transcript(item.conversation.turns, max_bytes=TRANSCRIPT_BYTES)
        if item.label.handoff:
            reasons = ", ".join(reason.value for reason in item.label.reasons) or "not stated"
            right = f"No email was sent. One should have been: a person is needed ({reasons})."
        else:
            right = "An email was sent. None should have been: nobody is needed."
        return {"Conversation": f"<transcript>\n{transcript}\n</transcript>", "Feedback": right}


@contextmanager
def _noted(failures: list[HandoffEvalError]) -> Iterator[None]:
    """Keep a failure that GEPA would log and go on from, so that it can be raised in the end."""
    try:
        yield
    except HandoffEvalError as error:
        failures.append(error)
        raise


class _Silent:
    """GEPA tells its progress to this; ours is told by the wordings."""

    def log(self, message: str, *_: Any, **__: Any) -> None:
        """Say nothing."""


def _template() -> str:
    return Path(__file__).with_name("reflection.txt").read_text(encoding="utf-8")
