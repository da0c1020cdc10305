"""What an analyst works with inside a notebook: widgets that keys alone can use.

Each shows a static picture of itself where no kernel is alive. docs/workbench.md says how to use
them.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from handoff_eval.workbench.bench import InstructionBench
    from handoff_eval.workbench.form import HandoffForm
    from handoff_eval.workbench.labeler import Labeler
    from handoff_eval.workbench.preview import EmailPreview
    from handoff_eval.workbench.slider import ThresholdSlider
    from handoff_eval.workbench.viewer import ConversationViewer

__all__ = [
    "ConversationViewer",
    "EmailPreview",
    "HandoffForm",
    "InstructionBench",
    "Labeler",
    "ThresholdSlider",
]

_ROOMS = {
    "ConversationViewer": "viewer",
    "EmailPreview": "preview",
    "HandoffForm": "form",
    "InstructionBench": "bench",
    "Labeler": "labeler",
    "ThresholdSlider": "slider",
}


def __getattr__(name: str) -> Any:
    """Import a widget when it is first asked for, since ipywidgets takes a while."""
    if name not in _ROOMS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_ROOMS[name]}"), name)
