"""What a comparison leaves in the tracking store, as a stream of small values.

Nothing here talks to MLflow. No entry holds what customers or annotators wrote: only numbers,
ids, and the words of the project. A trace alone quotes them, masked unless the user wants it plain.

MLflow sorts metrics by name wherever it shows them. So the few that decide have plain names, and
all others a prefix that comes after these.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from math import isnan

from handoff_eval.evaluation.comparison.plots import (
    deployed_curve,
    precision_recall_plot,
    volume_recall_plot,
)
from handoff_eval.evaluation.comparison.result import ArmResult, Comparison
from handoff_eval.evaluation.intervals import Estimate
from handoff_eval.evaluation.pages.report import headline
from handoff_eval.handoff import Handoff
from handoff_eval.tracking.origin import Origin

CURVE_FILE = "curve.csv"
HEADLINE = ("average_precision", "emails_per_day", "precision", "recall", "recall_on_time")
"""Measures that stand first where two runs are compared; the rest is `secondary/`."""


@dataclass(frozen=True, slots=True)
class Param:
    """A setting of the run."""

    name: str
    value: str


@dataclass(frozen=True, slots=True)
class Metric:
    """A number that was measured."""

    name: str
    value: float


@dataclass(frozen=True, slots=True)
class Tag:
    """A fact about the run that isn't a setting."""

    name: str
    value: str


@dataclass(frozen=True, slots=True)
class File:
    """An artifact; its name may hold one folder."""

    name: str
    content: bytes


@dataclass(frozen=True, slots=True)
class AskedDecision:
    """One decision that a language model was asked: the prompt, its reply, and what follows."""

    turns: int
    closed: bool
    messages: tuple[tuple[str, str], ...]
    reply: str
    score: float
    fires: bool
    seconds: float
    prompt_tokens: int | None
    completion_tokens: int | None


@dataclass(frozen=True, slots=True)
class Trace:
    """What a model was asked along one conversation, and how that was decided."""

    key: str
    arm: str
    model: str
    conversation_id: str
    customer: str
    needed: bool
    needed_from: int | None
    verdict: str
    threshold: float
    decisions: tuple[AskedDecision, ...]


Entry = Param | Metric | Tag | File | Trace


def comparison_entries(
    comparison: Comparison, *, handoff: Handoff, seed: int, origin: Origin, report: str
) -> Iterator[Entry]:
    """Yield what the parent run holds; `report` is the page without transcripts."""
    budget = comparison.budget
    yield Tag("handoff_eval.kind", "comparison")
    yield Tag("mlflow.note.content", "\n\n".join(headline(comparison)))
    yield from origin_tags(origin)
    params = {
        "dataset": comparison.dataset,
        "dataset_digest": comparison.digest,
        "handoff": handoff.name,
        "seed": seed,
        "arms": ", ".join(arm.name for arm in comparison.arms),
        "chosen": comparison.chosen or "none",
        "max_emails_per_day": f"{budget.max_emails_per_day:g}",
        "min_recall": f"{budget.min_recall:g}",
        "conversations_per_day": f"{budget.conversations_per_day:g}",
        "confidence": f"{budget.confidence:g}",
        "prevalence": f"{comparison.prevalence:.6g}",
        "prevalence_note": comparison.prevalence_note,
    }
    params |= {
        name: str(value)
        for name in ("max_days_above", "customers", "on_time_within")
        if (value := getattr(budget, name))
    }
    if comparison.traffic is not None:
        params["traffic"] = comparison.traffic
    for name, value in params.items():
        yield Param(name, str(value))
    yield Metric("secondary/prevalence_deployed", comparison.prevalence)
    yield from estimate_metrics("secondary/prevalence_in_sample", comparison.deployment.test)
    if comparison.deployment.estimate is not None:
        estimated = comparison.deployment.estimate.em
        yield from estimate_metrics("secondary/prevalence_estimated", estimated)
    if comparison.chosen is not None:
        yield from _arm_metrics(comparison.arm(comparison.chosen))
    for pair in comparison.pairs:
        name = f"versus/{pair.first}-{pair.second}"
        yield from estimate_metrics(name, pair.difference)
        yield Metric(f"uncertainty/{name}.p_holm", pair.p_adjusted)
    yield File("report.html", report.encode())
    yield File("volume_recall.png", volume_recall_plot(comparison).png())
    yield File("precision_recall.png", precision_recall_plot(comparison).png())
    yield File("arms.csv", comparison.frame().to_csv().encode())
    if comparison.pairs:
        yield File("pairs.csv", comparison.pairs_frame().to_csv().encode())
    yield File("comparison.json", f"{comparison.to_json()}\n".encode())
    yield File("instruction.txt", f"{handoff.instruction}\n".encode())
    yield File("packages.txt", "".join(f"{line}\n" for line in origin.packages).encode())


def arm_entries(comparison: Comparison, arm: ArmResult, *, origin: Origin) -> Iterator[Entry]:
    """Yield what the child run of one arm holds."""
    point = arm.point
    yield Tag("handoff_eval.kind", "arm")
    yield Tag("mlflow.note.content", f"{arm.description}. {point.note}")
    yield from origin_tags(origin)
    params = {
        "dataset": comparison.dataset,
        "dataset_digest": comparison.digest,
        "arm": arm.name,
        "description": arm.description,
        "chosen": "yes" if arm.name == comparison.chosen else "no",
        "sampled": "yes" if arm.sampled else "no",
        "threshold": repr(point.threshold),
        "threshold_chosen_on": point.chosen_on.value,
        "certified": "yes" if point.certificate else "no",
    }
    if point.certificate is not None:
        params["certificate"] = point.certificate.id
    for name, value in params.items():
        yield Param(name, value)
    yield from _arm_metrics(arm)
    yield File("operating_point.json", f"{json.dumps(point.to_dict(), indent=2)}\n".encode())
    yield File(CURVE_FILE, curve_csv(comparison, arm).encode())


def curve_csv(comparison: Comparison, arm: ArmResult) -> str:
    """Return each threshold of an arm on test with its volume, recall and precision."""
    curve = deployed_curve(arm, comparison.prevalence)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["threshold", "emails_per_day", "recall", "precision"])
    for threshold, volume, recall in zip(
        curve.threshold[1:], curve.volume[1:], curve.recall[1:], strict=True
    ):
        emails = volume * comparison.budget.conversations_per_day
        precision = comparison.prevalence * recall / volume
        writer.writerow([f"{value:.6g}" for value in (threshold, emails, recall, precision)])
    return text.getvalue()


def _arm_metrics(arm: ArmResult) -> Iterator[Metric]:
    for name, estimate in arm.estimates():
        shown = name if name in HEADLINE else f"secondary/{name}"
        yield from estimate_metrics(shown, estimate)
    yield Metric("secondary/milliseconds_per_decision", arm.milliseconds_per_decision)
    if arm.llm is not None:
        for name, value in arm.llm.to_dict().items():
            if value is not None:
                yield Metric(f"secondary/llm_{name}", float(value))


def estimate_metrics(name: str, estimate: Estimate) -> Iterator[Metric]:
    """Yield value, limits and n; what the data can't say is left out."""
    parts = {"low": estimate.low, "high": estimate.high, "n": estimate.n}
    values = {name: estimate.value, **{f"uncertainty/{name}.{p}": v for p, v in parts.items()}}
    for shown, value in values.items():
        if not isnan(value):
            yield Metric(shown, float(value))


def origin_tags(origin: Origin) -> Iterator[Tag]:
    """Yield what code the run was made with."""
    yield Tag("mlflow.source.type", "LOCAL")
    yield Tag("mlflow.source.name", "handoff-eval")
    if origin.revision is not None:
        yield Tag("mlflow.source.git.commit", origin.revision)
        yield Tag("mlflow.source.git.dirty", "true" if origin.dirty else "false")
    for name, version in origin.versions.items():
        yield Tag(f"version.{name}", version)
