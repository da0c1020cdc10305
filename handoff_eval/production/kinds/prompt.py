"""A prompt in a bundle: its words and the model's name; the endpoint stays a setting."""

from __future__ import annotations

from pathlib import Path

from handoff_eval.conversation import Role, Turn
from handoff_eval.llm.asker import SettingsAsker
from handoff_eval.production.kinds.base import Files, Kind, Spec
from handoff_eval.triggers.prompt import PromptTrigger
from handoff_eval.triggers.prompt_template import PromptTemplate
from handoff_eval.triggers.shots import Shot

PROMPT = "prompt.txt"


def _write(trigger: PromptTrigger, folder: Path) -> Spec:
    (folder / PROMPT).write_text(trigger.template.text, encoding="utf-8", newline="\n")
    return {
        "instruction": trigger.instruction,
        "model": trigger.asker.identity,
        "max_bytes": trigger.max_bytes,
        "shots": [
            {
                "handoff": shot.handoff,
                "closed": shot.closed,
                "turns": [[turn.role.value, turn.text] for turn in shot.turns],
            }
            for shot in trigger.shots
        ],
    }


def read_prompt(spec: Spec, files: Files) -> PromptTrigger:
    """Return the prompt with whatever endpoint the settings name when it is first asked."""
    path = files[PROMPT]
    shots = [
        Shot(
            tuple(Turn(Role(role), text) for role, text in shot["turns"]),
            closed=shot["closed"],
            handoff=shot["handoff"],
        )
        for shot in spec["shots"]
    ]
    return PromptTrigger(
        spec["instruction"],
        SettingsAsker(spec["model"]),
        template=PromptTemplate(path.read_text(encoding="utf-8"), source=str(path)),
        shots=shots,
        name=spec["name"],
        max_bytes=spec["max_bytes"],
    )


KIND = Kind("prompt", PromptTrigger, _write, read_prompt, asks_a_model=True)
