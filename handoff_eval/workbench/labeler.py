"""The notebook widget that labels conversations from keys alone."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from handoff_eval.conversation import Split
from handoff_eval.errors import SettingsError
from handoff_eval.transcripts.label_queue import RANDOM_SHARE
from handoff_eval.workbench.screen import Screen, script, style, traitlets
from handoff_eval.workbench.session import REASONS, LabelingSession
from handoff_eval.workbench.static import Element, element


class Labeler(Screen):
    """Shows one conversation after another and saves each answer at once.

    Put it last in a notebook cell, click into it and press `?` for the keys. Run the cell again
    after a break: it goes on where this annotator stopped.

    Parameters
    ----------
    folder : str or Path
        The dataset; answers go to its `labels.jsonl`.
    annotator, split, only, scores, threshold, random_share, goal, seed
        As in `LabelingSession`.
    guide : str, optional
        Address of the team's labelling guide (http or https), linked from the widget.

    Examples
    --------
    >>> Labeler("datasets/mine", annotator="ana", goal=80)  # doctest: +SKIP
    """

    _esm = script("labeler")
    _css = style("labeler")
    reasons = traitlets.List().tag(sync=True)
    guide = traitlets.Unicode("").tag(sync=True)

    def __init__(
        self,
        folder: str | Path,
        *,
        annotator: str,
        split: Split | str | None = None,
        only: Collection[str] | None = None,
        scores: Mapping[str, float] | None = None,
        threshold: float = 0.5,
        random_share: float = RANDOM_SHARE,
        goal: int | None = None,
        seed: int = 0,
        guide: str | None = None,
    ) -> None:
        self.session = LabelingSession(
            Path(folder),
            annotator=annotator,
            split=None if split is None else _split(split),
            only=only,
            scores=scores,
            threshold=threshold,
            random_share=random_share,
            goal=goal,
            seed=seed,
        )
        super().__init__(
            reasons=[
                {"code": reason.value, "name": name, "when": when}
                for reason, (name, when) in REASONS.items()
            ],
            guide=guide or "",
        )

    def _shown(self, request: object) -> dict[str, Any]:
        return {**self.session.view(), "reply_to": request}

    def _act(self, action: str, content: Mapping[str, Any]) -> None:
        if action == "answer":
            self.session.answer(content)
        elif action == "back":
            self.session.back()
        elif action == "leave":
            self.session.leave()

    def _picture(self) -> list[Element]:
        return [element("p", self._words())]

    def _words(self) -> str:
        session = self.session
        return (
            f"Labelling as {session.annotator}: {session.done} of {session.goal} conversations "
            "answered. Run the cell to go on."
        )


def _split(name: str) -> Split:
    try:
        return Split(name)
    except ValueError:
        known = ", ".join(split.value for split in Split)
        raise SettingsError(f"Expected split to be one of {known}; got {name!r}.") from None
