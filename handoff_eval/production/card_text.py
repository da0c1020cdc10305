"""A card's numbers in words: Markdown for whoever has to answer for the trigger."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from handoff_eval.evaluation.operating_point import OperatingPoint

_METRICS = {
    "recall": "needed handoffs caught (recall)",
    "recall_on_time": "caught by the labelled turn",
    "false_positive_rate": "needless emails among conversations without a need",
    "precision": "needed among emails, at the deployment's prevalence",
    "precision_in_sample": "needed among emails, in the sample",
    "email_rate": "emails a conversation, at the deployment's prevalence",
    "emails_per_day": "emails a day",
    "average_precision": "average precision",
    "average_precision_deployed": "average precision at the deployment's prevalence",
    "average_precision_on_time": "average precision on time",
    "implied_cost_ratio": "needless emails that a lost customer is worth, as the threshold implies",
    "expected_cost": "expected cost of a conversation",
}


def card_text(card: Mapping[str, Any], point: OperatingPoint) -> str:
    """Return a card as Markdown; every number in it is one of `card`."""
    trigger, lines = card["trigger"], []
    lines += [f"# {card['handoff']}: when to email a conversation to the team", ""]
    lines += [
        f"A trigger of the kind {trigger['kind']} (`{trigger['name']}`): {trigger['description']}. "
        f"It scores a conversation after each customer turn and at its close, and sends the only "
        f"email of the conversation at the first score of {point.threshold!r} or more.",
        "",
        *_quoted(card["instruction"]),
        "",
    ]
    if "instruction_version" in card:
        lines += [f"This instruction is `{card['instruction_version']}` in MLflow.", ""]
    lines += ["## What is promised", "", *_promise(point), ""]
    measured = card["measured"]
    lines += ["## How it was measured", ""]
    lines += ["Nobody handed the measurements over to this export."] if measured is None else []
    lines += [] if measured is None else list(_measured(measured, point))
    lines += ["", "## Limits", "", *(f"* {limit}" for limit in _limits(card, point)), ""]
    lines += ["## This export", "", *_export(card), ""]
    return "\n".join(lines)


def _quoted(text: str) -> list[str]:
    return [f"> {line}".rstrip() for line in text.splitlines()]


def _promise(point: OperatingPoint) -> Iterator[str]:
    certificate = point.certificate
    if certificate is None:
        yield f"Nothing: it is not certified. {point.shortfall or point.note}"
        return
    yield f"Certificate {certificate.id}, {certificate.status}. {certificate}"


def _measured(measured: Mapping[str, Any], point: OperatingPoint) -> Iterator[str]:
    data, counts = measured["dataset"], measured["dataset"]["counts"]
    splits = ", ".join(
        f"{split} {c['conversations']} conversations ({c['positives']} with a need, "
        f"{c['customers']} customers)"
        for split, c in counts.items()
    )
    yield (
        f"On `{data['name']}` (digest {data['digest'][:16]}): {splits}. The threshold was chosen "
        f"on {point.chosen_on.value}; every figure is of test ({measured['n']} conversations, "
        f"{measured['positives']} with a need). Prevalence: {measured['prevalence_note']}."
    )
    yield ""
    yield "| on test | value | limits | level | n | how the limits were made |"
    yield "|---|---:|---:|---:|---:|---|"
    for name, estimate in measured["metrics"].items():
        value, low, high = (_number(estimate[key]) for key in ("value", "low", "high"))
        yield (
            f"| {_METRICS.get(name, name)} | {value} | {low} to {high} | {estimate['level']:.0%} "
            f"| {estimate['n']} | {estimate['method']} |"
        )


def _number(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.3g}"


def _limits(card: Mapping[str, Any], point: OperatingPoint) -> Iterator[str]:
    measured, trigger = card["measured"], card["trigger"]
    yield (
        "The figures are of conversations like those of test. Other customers, another agent or "
        "other questions change them: `handoff-eval drift` watches for that over the decision log."
    )
    if point.certificate is None:
        yield "No promise on recall or volume stands behind the threshold."
    elif point.certificate.volume.assumption:
        yield f"The certificate assumes: {point.certificate.volume.assumption}."
    if measured is not None and measured["sampled"]:
        yield (
            f"It was asked on a draw of {measured['n']} test conversations only, so it could not "
            "be chosen by the comparison."
        )
    if trigger["asks_a_model"]:
        yield (
            "It asks a language model outside the bundle. The endpoint is a setting, no other "
            "model than the measured one is asked, and no golden scores can be checked on loading."
        )
    if "int8" in trigger["description"]:
        yield (
            "The encoder computes in int8 and was measured so. Processors without exact 8-bit "
            "products give other scores, which the golden scores show on loading."
        )
    yield "It says when to email, not what: the summary of the email is judged apart from it."


def _export(card: Mapping[str, Any]) -> Iterator[str]:
    parity, takes = card["parity"], card["footprint"]
    yield (
        f"Read back, it gave the scores that were measured on all {parity['conversations']} "
        f"conversations of test: {parity['decisions']} decisions, {parity['changed']} of them "
        f"changed, largest difference of a score {parity['largest_difference']:.1e} (allowed "
        f"{parity['tolerance']:g})."
    )
    yield ""
    yield "| what | measured |"
    yield "|---|---|"
    yield f"| size on disk | {takes['bytes_on_disk'] / 1e6:.2f} MB |"
    yield f"| import of the runtime | {takes['import_seconds']:.2f} s |"
    yield f"| loading, with digests and golden scores checked | {takes['load_seconds']:.2f} s |"
    yield f"| peak memory of a process that did both | {takes['memory_bytes'] / 1e6:.0f} MB |"
    yield f"| on | {takes['machine']} |"
    for name, version in {**card["packages"], **_made_with(card["measured"])}.items():
        yield f"| {name} | {version} |"
    if "run" in card:
        yield f"| MLflow run | {card['run']} |"
    yield f"| exported at | {card['exported_at']} |"
    yield f"| sha256 of `bundle.json` | `{card['bundle']}` |"


def _made_with(measured: Mapping[str, Any] | None) -> dict[str, str]:
    return {} if measured is None else dict(measured["packages"])
