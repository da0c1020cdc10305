"""A cascade in a bundle: its trained head, its prompt, and the band between them."""

from __future__ import annotations

from pathlib import Path

from handoff_eval.conversation import Split
from handoff_eval.errors import BundleError
from handoff_eval.production.kinds import classifier, prompt
from handoff_eval.production.kinds.base import Files, Kind, Spec
from handoff_eval.triggers.cascade import Band, CascadeTrigger
from handoff_eval.triggers.classifier import ClassifierTrigger


def _write(trigger: CascadeTrigger, folder: Path) -> Spec:
    if not isinstance(trigger.first, ClassifierTrigger):
        raise BundleError(
            f"Expected a cascade that begins with a trained head; got {trigger.first.name!r}."
        )
    band = trigger.band
    return {
        "first": {"name": trigger.first.name, **classifier.KIND.write(trigger.first, folder)},
        "prompt": {"name": trigger.prompt.name, **prompt.KIND.write(trigger.prompt, folder)},
        "band": {
            "low": band.low,
            "high": band.high,
            "share": band.share,
            "chosen_on": band.chosen_on.value,
        },
    }


def _read(spec: Spec, files: Files) -> CascadeTrigger:
    band = spec["band"]
    return CascadeTrigger(
        classifier.KIND.read(spec["first"], files),
        prompt.read_prompt(spec["prompt"], files),
        Band(band["low"], band["high"], band["share"], Split(band["chosen_on"])),
        name=spec["name"],
    )


KIND = Kind("cascade", CascadeTrigger, _write, _read, asks_a_model=True)
