"""Build the arms of a comparison by name, trained where they need it on train alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from handoff_eval.conversation import LabeledConversation, Split
from handoff_eval.evaluation.compare import Arm
from handoff_eval.evaluation.llm_arms import LlmArms, LlmPlan
from handoff_eval.llm.asker import Asker
from handoff_eval.settings import cache_dir
from handoff_eval.transcripts.read import Dataset
from handoff_eval.triggers.classifier import ClassifierTrigger
from handoff_eval.triggers.keyword import KeywordTrigger, default_rules, read_rules

if TYPE_CHECKING:
    from handoff_eval.encoders.cache import CachedEncoder
    from handoff_eval.triggers.similarity import SimilarityTrigger

RECORDED_REPLIES = "replies.jsonl"
"""File of a dataset folder with the replies of an earlier run, so that nobody has to ask again."""


def recorded_replies(dataset: Dataset) -> Path | None:
    """Return the file of replies that came with a dataset; None where there is none."""
    path = dataset.path / RECORDED_REPLIES
    return path if path.is_file() else None


def line_up(
    names: Sequence[str],
    dataset: Dataset,
    *,
    instruction: str,
    asker: Callable[[], Asker],
    rules: Path | None = None,
    llm: LlmPlan | None = None,
    seed: int = 0,
) -> list[Arm]:
    """Return the arms named, in that order.

    Parameters
    ----------
    names : sequence of str
        Some of `triggers.arms.ARMS`.
    dataset : Dataset
        Its train split is learnt from.
    instruction : str
        The condition in plain language, for the arms that read it.
    asker : callable
        Gives the asker of the arms that need one; called once, and only where one is named.
    rules : Path, optional
        Keyword rules instead of the shipped ones.
    llm : LlmPlan, optional
        How language models take part.
    seed : int
        Of the folds of the trained head.
    """

    def fit_minilm(labeled: Sequence[LabeledConversation]) -> ClassifierTrigger:
        return _train_minilm(labeled, seed=seed)

    minilm = cache(lambda: train_minilm(dataset, seed=seed))
    asking = LlmArms(
        dataset.labeled(Split.TRAIN),
        instruction=instruction,
        asker=asker,
        encoder=cached_minilm,
        plan=llm or LlmPlan(),
    )
    builders: dict[str, Callable[[], Arm]] = {
        "keyword": lambda: Arm(KeywordTrigger(read_rules(rules) if rules else default_rules())),
        "similarity": lambda: Arm(_similarity(instruction)),
        "tfidf": lambda: Arm(train_tfidf(dataset, seed=seed)),
        "minilm": lambda: Arm(minilm()),
        "minilm_words": lambda: Arm(train_minilm(dataset, words=True, seed=seed)),
        "prompt": asking.prompt,
        "cascade": lambda: asking.cascade(fit_minilm, minilm(), seed=seed),
    }
    return [builders[name]() for name in names]


def train_tfidf(dataset: Dataset, *, seed: int = 0) -> ClassifierTrigger:
    """Train the words arm on the train split."""
    from handoff_eval.triggers.train import train_classifier

    return train_classifier(dataset.labeled(Split.TRAIN), None, words=True, name="tfidf", seed=seed)


def train_minilm(dataset: Dataset, *, words: bool = False, seed: int = 0) -> ClassifierTrigger:
    """Train a MiniLM arm on the train split; vectors come from the cache where they can."""
    return _train_minilm(dataset.labeled(Split.TRAIN), words=words, seed=seed)


def _train_minilm(
    labeled: Sequence[LabeledConversation], *, words: bool = False, seed: int
) -> ClassifierTrigger:
    from handoff_eval.triggers.train import train_classifier

    return train_classifier(
        labeled, cached_minilm(), words=words, name="minilm_words" if words else "minilm", seed=seed
    )


def cached_minilm() -> CachedEncoder:
    """Return MiniLM with the cache that every arm shares."""
    from handoff_eval.encoders.cache import CachedEncoder
    from handoff_eval.encoders.minilm import load_minilm

    return CachedEncoder(load_minilm(), cache_dir() / "vectors.sqlite")


def _similarity(instruction: str) -> SimilarityTrigger:
    from handoff_eval.triggers.similarity import SimilarityTrigger

    return SimilarityTrigger(instruction, cached_minilm())
