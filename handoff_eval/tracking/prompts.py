"""The instruction as a versioned prompt: a new version only when its text is new."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mlflow import MlflowClient

_EXPERIMENTS_TAG = "_mlflow_experiment_ids"
_LINKED_TAG = "mlflow.linkedPrompts"
_DIGEST_TAG = "sha256"


@dataclass(frozen=True, slots=True)
class PromptVersion:
    """One version of an instruction in the registry."""

    name: str
    version: int

    @property
    def uri(self) -> str:
        """The address under which MLflow loads it."""
        return f"prompts:/{self.name}/{self.version}"


def prompt_name(handoff: str) -> str:
    """Return the registry's name for the instruction of a handoff."""
    return registry_name("handoff-instruction", handoff)


def registry_name(prefix: str, handoff: str) -> str:
    """Return the registry's name for something that a handoff has.

    The registry takes letters, digits, `_`, `-` and `.` alone, so a name with anything else gets
    a mark of its own and no two handoffs share one.
    """
    plain = re.sub(r"[^A-Za-z0-9_.-]+", "-", handoff).strip("-")
    if plain != handoff:
        plain = f"{plain}-{hashlib.sha256(handoff.encode()).hexdigest()[:6]}"
    return f"{prefix}.{plain}"


def register_instruction(
    client: MlflowClient, *, handoff: str, instruction: str, experiment_id: str
) -> PromptVersion:
    """Return the version that holds this text, making it only when no version does.

    `MlflowClient.register_prompt` isn't used: it links the prompt, from a thread, to whichever
    experiment is globally active.
    """
    name = prompt_name(handoff)
    prompt = client.get_prompt(name)
    if prompt is None:
        client.create_prompt(
            name,
            description=f"When the handoff {handoff!r} is triggered.",
            tags={_EXPERIMENTS_TAG: f",{experiment_id},"},
        )
    else:
        linked = (prompt.tags or {}).get(_EXPERIMENTS_TAG, "").strip(",").split(",")
        if experiment_id not in linked:
            ids = ",".join([*filter(None, linked), experiment_id])
            client.set_prompt_tag(name, _EXPERIMENTS_TAG, f",{ids},")
        for version in client.search_prompt_versions(name, max_results=1000):
            if version.template == instruction:
                return PromptVersion(name, int(version.version))
    digest = hashlib.sha256(instruction.encode("utf-8", "surrogatepass")).hexdigest()
    made = client.create_prompt_version(name, template=instruction, tags={_DIGEST_TAG: digest})
    return PromptVersion(name, int(made.version))


def link_tag(prompt: PromptVersion) -> tuple[str, str]:
    """Return name and value of the tag that links a run to a prompt."""
    return _LINKED_TAG, json.dumps([{"name": prompt.name, "version": str(prompt.version)}])
