"""Log a comparison whole: what was found, what its arms need to be exported, what was asked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import chain
from typing import TYPE_CHECKING

from handoff_eval.conversation import Split
from handoff_eval.production.draft import draft_entries
from handoff_eval.tracking.asked import decision_entries
from handoff_eval.tracking.log import log_comparison
from handoff_eval.transcripts.mask import Masker, key_of

if TYPE_CHECKING:
    from handoff_eval.evaluation.comparison.arm_scores import Arm
    from handoff_eval.evaluation.comparison.result import Comparison
    from handoff_eval.evaluation.findings.analysis import Analysis
    from handoff_eval.handoff import Handoff
    from handoff_eval.transcripts.read import Dataset


def keep_comparison(
    comparison: Comparison,
    arms: Sequence[Arm],
    *,
    dataset: Dataset,
    handoff: Handoff,
    seed: int = 0,
    analysis: Analysis | None = None,
    log_text: bool = False,
    say: Callable[[str], None] | None = None,
) -> str:
    """Log a comparison so that any of its arms can be exported, and return the id of its run.

    Each arm's run also lists its wrong decisions, with traces of what a language model was asked.

    Parameters
    ----------
    comparison : Comparison
    arms : sequence of Arm
        Those that were compared.
    dataset : Dataset
        What was compared on.
    handoff : Handoff
    seed : int
        Of the comparison.
    analysis : Analysis, optional
        The findings beside it, logged with it.
    log_text : bool
        Whether prompts are kept unmasked, and bundles whose prompt quotes conversations at all.
    say : callable, optional
        Told what takes long.

    Raises
    ------
    MissingExtraError, SettingsError, ValueError
        As `tracking.log.log_comparison` does.
    """
    test = dataset.labeled(Split.TEST)
    mask = str if log_text else Masker(key_of(dataset.path)).text
    return log_comparison(
        comparison,
        dataset=dataset,
        handoff=handoff,
        seed=seed,
        say=say,
        analysis=analysis,
        of_arms={
            arm.trigger.name: chain(
                draft_entries(arm, comparison, handoff, log_text=log_text),
                decision_entries(arm, comparison.arm(arm.trigger.name), test, mask=mask),
            )
            for arm in arms
        },
    )
