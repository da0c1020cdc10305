"""The notebook widget that labels conversations from keys alone."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from handoff_eval.conversation import Split
from handoff_eval.errors import MissingExtraError, SettingsError
from handoff_eval.transcripts.label_queue import RANDOM_SHARE
from handoff_eval.workbench.session import REASONS, LabelingSession

try:
    import anywidget
    import traitlets
except ImportError:
    raise MissingExtraError(
        "Expected the package anywidget to label in a notebook; it is not installed. "
        "Run: pip install 'handoff-eval[bench]'."
    ) from None

_HERE = Path(__file__).parent


class Labeler(anywidget.AnyWidget):  # type: ignore[misc]
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

    _esm = _HERE / "labeler.js"
    _css = _HERE / "labeler.css"
    view = traitlets.Dict().tag(sync=True)
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
            view=self.session.view(),
            reasons=[
                {"code": reason.value, "name": name, "when": when}
                for reason, (name, when) in REASONS.items()
            ],
            guide=guide or "",
        )
        self.on_msg(self._receive)

    def _receive(self, _: Any, content: Mapping[str, Any], __: Any) -> None:
        """Do what the screen asks; the new view is the sign that it is done."""
        action = content.get("action")
        if action == "answer":
            self.session.answer(content)
        elif action == "back":
            self.session.back()
        elif action == "leave":
            self.session.leave()
        # A view like the last one must reach the screen too, which waits for it.
        self.view = {**self.session.view(), "reply_to": content.get("request")}


def _split(name: str) -> Split:
    try:
        return Split(name)
    except ValueError:
        known = ", ".join(split.value for split in Split)
        raise SettingsError(f"Expected split to be one of {known}; got {name!r}.") from None
