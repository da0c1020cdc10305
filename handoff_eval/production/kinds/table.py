"""All kinds of trigger that a bundle can hold, and the two ways through the table."""

from __future__ import annotations

from pathlib import Path

from handoff_eval.errors import BundleError
from handoff_eval.production.kinds import cascade, classifier, keyword, prompt, similarity
from handoff_eval.production.kinds.base import Files, Kind, Spec
from handoff_eval.trigger import Trigger

KINDS: tuple[Kind, ...] = (
    keyword.KIND,
    similarity.KIND,
    classifier.KIND,
    prompt.KIND,
    cascade.KIND,
)


def asks_a_model(trigger: Trigger) -> bool:
    """Return whether scoring it needs an endpoint outside the bundle."""
    return any(kind.asks_a_model for kind in KINDS if isinstance(trigger, kind.trigger))


def write_trigger(trigger: Trigger, folder: Path) -> Spec:
    """Put a trigger's files into a folder and return its spec with its kind.

    Raises
    ------
    BundleError
        When the trigger is of a kind that can't leave the workbench.
    """
    for kind in KINDS:
        if isinstance(trigger, kind.trigger):
            return {"kind": kind.name, **kind.write(trigger, folder)}
    raise BundleError(
        f"Expected a trigger that runs without the workbench "
        f"({', '.join(kind.name for kind in KINDS)}); got {trigger.name!r} "
        f"({trigger.description})."
    )


def read_trigger(spec: Spec, files: Files) -> Trigger:
    """Return the trigger that `write_trigger` wrote.

    Raises
    ------
    BundleError
        When its kind is unknown.
    """
    for kind in KINDS:
        if kind.name == spec["kind"]:
            return kind.read(spec, files)
    raise BundleError(
        f"Expected a trigger of kind {', '.join(kind.name for kind in KINDS)}; got "
        f"{spec['kind']!r}. Read the bundle with the version of handoff-eval that wrote it."
    )
