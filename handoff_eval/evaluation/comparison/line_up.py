"""Build the arms of a comparison by name, trained where they need it on train alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

from handoff_eval.conversation import Split
from handoff_eval.encoders.minilm import cached_minilm
from handoff_eval.evaluation.comparison.arm_scores import Arm
from handoff_eval.evaluation.comparison.llm_arms import LlmArms, LlmPlan
from handoff_eval.llm.asker import Asker
from handoff_eval.transcripts.read import Dataset
from handoff_eval.triggers.arms import TRAINED
from handoff_eval.triggers.keyword import KeywordTrigger, default_rules, read_rules
from handoff_eval.triggers.trained import train_arm

if TYPE_CHECKING:
    from handoff_eval.triggers.similarity import SimilarityTrigger

CASCADE_STANDS_ON = "minilm_words"
"""The arm that decides outside the cascade's band: the best of the trained ones on train."""

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
    train = dataset.labeled(Split.TRAIN)
    trained = cache(partial(train_arm, labeled=train, seed=seed))
    asking = LlmArms(
        train,
        instruction=instruction,
        asker=asker,
        encoder=cached_minilm,
        plan=llm or LlmPlan(),
    )
    builders: dict[str, Callable[[], Arm]] = {
        "keyword": lambda: Arm(KeywordTrigger(read_rules(rules) if rules else default_rules())),
        "similarity": lambda: Arm(_similarity(instruction)),
        "prompt": asking.prompt,
        "cascade": lambda: asking.cascade(trained(CASCADE_STANDS_ON)),
    }
    return [Arm(trained(name)) if name in TRAINED else builders[name]() for name in names]


def _similarity(instruction: str) -> SimilarityTrigger:
    from handoff_eval.triggers.similarity import SimilarityTrigger

    return SimilarityTrigger(instruction, cached_minilm())
