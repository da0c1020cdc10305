"""Put what was measured of an instruction into MLflow: one run, linked to the version it is of."""

from __future__ import annotations

from collections.abc import Callable

from handoff_eval.evaluation.wordings.ablation import Ablation
from handoff_eval.evaluation.wordings.tuning_result import Tuning
from handoff_eval.evaluation.wordings.versions import VersionComparison
from handoff_eval.tracking.prompts import PromptVersion
from handoff_eval.tracking.results import log_result
from handoff_eval.tracking.store import EXPERIMENT
from handoff_eval.transcripts.read import Dataset


def log_instruction(
    report: Ablation | Tuning | VersionComparison,
    *,
    dataset: Dataset,
    version: PromptVersion,
    experiment: str = EXPERIMENT,
    say: Callable[[str], None] | None = None,
) -> str:
    """Log an ablation, a search or a comparison of versions, and return the id of its run.

    Parameters
    ----------
    report : Ablation, Tuning or VersionComparison
    dataset : Dataset
        What it was measured on.
    version : PromptVersion
        The instruction that was ablated, the winner, or the version after.
    experiment : str
        Name of the MLflow experiment.
    say : callable, optional
        Told what takes long: making the store the first time.

    Raises
    ------
    SettingsError
        When the store can't be used.
    """
    kind, params = _described(report)
    return log_result(
        report,
        kind=kind,
        dataset=dataset,
        params={"trigger": report.trigger, **params},
        version=version,
        experiment=experiment,
        say=say,
    )


def _described(report: Ablation | Tuning | VersionComparison) -> tuple[str, dict[str, str]]:
    match report:
        case Ablation():
            clauses = enumerate(report.contributions, 1)
            texts = {f"clause_{number}": c.clause.text for number, c in clauses}
            return "ablation", {"split": report.split.value, **texts}
        case VersionComparison():
            return "versions", {"split": report.split.value, "before": report.before}
        case Tuning():
            return "tuning", {
                "candidates": str(len(report.candidates)),
                "tries": str(report.tries),
                "looks": str(report.looks),
                "note": report.note,
                "verdict": report.verdict,
            }
