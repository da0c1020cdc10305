"""The notebook widget that reads conversations with what a trigger made of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from handoff_eval.conversation import Conversation, LabeledConversation
from handoff_eval.errors import DataError, SettingsError
from handoff_eval.evaluation.replay import Replay
from handoff_eval.trigger import Trigger
from handoff_eval.workbench.screen import Screen, script, style
from handoff_eval.workbench.static import Element, element
from handoff_eval.workbench.transcript import (
    Outcome,
    outcome_of,
    sentence_on,
    transcript_of,
    transcript_table,
)

EVERYTHING = "all"


class ConversationViewer(Screen):
    """Shows one conversation after another: decision points, scores, the fire, label, evidence.

    → and ← go on and back, `v` changes what is shown (all, missed handoffs, needless emails …),
    `f`, `l` and `e` go to the fire, the labelled turn and the evidence; `?` shows all keys.

    Parameters
    ----------
    items : sequence of Conversation or LabeledConversation
        What is read, in this order.
    played : Replay, optional
        A trigger's scores; it must hold every conversation of `items`.
    threshold : float, optional
        Where the trigger fires, to be given with `played`.
    trigger : Trigger, optional
        The same trigger, asked which turn a fire rests on.
    start : str, optional
        Id of the conversation shown first.

    Raises
    ------
    DataError
        When there is no conversation, or `played` lacks one.
    SettingsError
        When a threshold is given without scores, or `start` isn't among the conversations.

    Examples
    --------
    >>> ConversationViewer(
    ...     dataset.labeled(Split.TEST), played=arm.test.replay, threshold=arm.point.threshold
    ... )  # doctest: +SKIP
    """

    _esm = script("transcript", "viewer")
    _css = style("transcript")

    def __init__(
        self,
        items: Sequence[Conversation | LabeledConversation],
        *,
        played: Replay | None = None,
        threshold: float | None = None,
        trigger: Trigger | None = None,
        start: str | None = None,
    ) -> None:
        if not items:
            raise DataError("Expected conversations to show; got none.")
        if threshold is not None and played is None:
            raise SettingsError("Expected played, the scores that the threshold cuts; got none.")
        self._items = {_id(item): item for item in items}
        self._ids = list(self._items)
        self._rows = {} if played is None else {id_: i for i, id_ in enumerate(played.ids)}
        unscored = [id_ for id_ in self._ids if played is not None and id_ not in self._rows]
        if unscored:
            raise DataError(
                f"Expected played to hold every conversation; {len(unscored)} are not in it, such "
                f"as {unscored[0]!r}. Replay the conversations that are shown."
            )
        self._played = played
        self._threshold = threshold
        self._trigger = trigger
        self._kind = EVERYTHING
        self._kinds = self._sort()
        self._shown_id = self._ids[0]
        if start is not None:
            self._go_to(start)
        super().__init__()

    @property
    def shown(self) -> str:
        """Id of the conversation on screen."""
        return self._shown_id

    def show(self, conversation_id: str) -> None:
        """Show a conversation.

        Raises
        ------
        SettingsError
            When it isn't among those given.
        """
        self._go_to(conversation_id)
        self._say("")
        self._refresh()

    def _go_to(self, conversation_id: str) -> None:
        if conversation_id not in self._items:
            raise SettingsError(
                f"Expected a conversation of the {len(self._ids)} given; got {conversation_id!r}."
            )
        if conversation_id not in self._kinds[self._kind]:
            self._kind = EVERYTHING
        self._shown_id = conversation_id

    def _sort(self) -> dict[str, list[str]]:
        """Return the ids by what became of them; the kinds that can't be told are left out."""
        kinds: dict[str, list[str]] = {EVERYTHING: self._ids}
        if self._played is None or self._threshold is None:
            return kinds
        peak = self._played.peak
        for outcome in (Outcome.MISSED, Outcome.NEEDLESS, Outcome.CAUGHT, Outcome.QUIET):
            kinds[outcome.value] = [
                id_
                for id_, item in self._items.items()
                if isinstance(item, LabeledConversation)
                and outcome
                is outcome_of(
                    needed=item.label.handoff, fired=bool(peak[self._rows[id_]] >= self._threshold)
                )
            ]
        return {kind: ids for kind, ids in kinds.items() if ids}

    def _transcript(self) -> dict[str, Any]:
        scores = None
        if self._played is not None:
            row = self._rows[self._shown_id]
            start, stop = self._played.offsets[row : row + 2]
            scores = self._played.scores[start:stop].tolist()
        return transcript_of(
            self._items[self._shown_id],
            scores=scores,
            threshold=self._threshold,
            trigger=self._trigger,
        )

    def _state(self) -> dict[str, Any]:
        ids = self._kinds[self._kind]
        shown = self._transcript()
        return {
            "conversation": shown,
            "sentence": sentence_on(shown),
            "place": ids.index(self._shown_id),
            "count": len(ids),
            "kind": self._kind,
            "kinds": [{"name": name, "count": len(ids)} for name, ids in self._kinds.items()],
            "trigger": "" if self._played is None else self._played.trigger,
        }

    def _act(self, action: str, content: Mapping[str, Any]) -> None:
        ids = self._kinds[self._kind]
        place = ids.index(self._shown_id)
        if action == "step":
            wanted = place + int(content["by"])
            if not 0 <= wanted < len(ids):
                self._say("This is the last one." if wanted > 0 else "This is the first one.")
            self._shown_id = ids[min(max(wanted, 0), len(ids) - 1)]
        elif action == "kind" and content["kind"] in self._kinds:
            self._kind = str(content["kind"])
            if self._shown_id not in self._kinds[self._kind]:
                self._shown_id = self._kinds[self._kind][0]

    def _picture(self) -> list[Element]:
        shown = self._transcript()
        return [element("p", self._words()), transcript_table(shown)]

    def _words(self) -> str:
        ids = self._kinds[self._kind]
        place = f"{ids.index(self._shown_id) + 1} of {len(ids)}"
        kind = "" if self._kind == EVERYTHING else f" ({self._kind})"
        return f"Conversation {self._shown_id}, {place}{kind}. {sentence_on(self._transcript())}"


def _id(item: Conversation | LabeledConversation) -> str:
    return item.id if isinstance(item, Conversation) else item.conversation.id
