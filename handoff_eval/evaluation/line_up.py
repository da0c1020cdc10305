"""Build the arms of a comparison by name, trained where they need it on train alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from handoff_eval.conversation import Split
from handoff_eval.evaluation.compare import Arm
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

PROMPT_BATCH_TURNS = 16


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
    max_llm_decisions: int = 600,
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
        Gives the asker of the prompt arm; called only when that arm is named.
    rules : Path, optional
        Keyword rules instead of the shipped ones.
    max_llm_decisions : int
        Limit of the prompt arm.
    seed : int
        Of the folds of the trained head.
    """
    builders: dict[str, Callable[[], Arm]] = {
        "keyword": lambda: Arm(KeywordTrigger(read_rules(rules) if rules else default_rules())),
        "similarity": lambda: Arm(_similarity(instruction)),
        "minilm": lambda: Arm(train_minilm(dataset, seed=seed)),
        "prompt": lambda: _prompt(instruction, asker(), max_llm_decisions),
    }
    return [builders[name]() for name in names]


def train_minilm(dataset: Dataset, *, seed: int = 0) -> ClassifierTrigger:
    """Train the MiniLM arm on the train split; vectors come from the cache where they can."""
    from handoff_eval.triggers.train import train_classifier

    return train_classifier(dataset.labeled(Split.TRAIN), cached_minilm(), seed=seed)


def cached_minilm() -> CachedEncoder:
    """Return MiniLM with the cache that every arm shares."""
    from handoff_eval.encoders.cache import CachedEncoder
    from handoff_eval.encoders.minilm import load_minilm

    return CachedEncoder(load_minilm(), cache_dir() / "vectors.sqlite")


def _similarity(instruction: str) -> SimilarityTrigger:
    from handoff_eval.triggers.similarity import SimilarityTrigger

    return SimilarityTrigger(instruction, cached_minilm())


def _prompt(instruction: str, asker: Asker, max_decisions: int) -> Arm:
    from handoff_eval.triggers.prompt import PromptTrigger

    return Arm(
        PromptTrigger(instruction, asker),
        max_decisions=max_decisions,
        batch_turns=PROMPT_BATCH_TURNS,
    )
