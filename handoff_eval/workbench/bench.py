"""The notebook widget in which an instruction is edited beside what the edit changes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from handoff_eval.conversation import Split
from handoff_eval.errors import LeakageError, SettingsError
from handoff_eval.evaluation.threshold_difference import Flip
from handoff_eval.evaluation.volume.deployment import deployment_prevalence
from handoff_eval.evaluation.wordings.scores import Build, Wordings
from handoff_eval.evaluation.wordings.versions import (
    VersionComparison,
    compare_versions,
    word_changes,
)
from handoff_eval.handoff import Handoff
from handoff_eval.transcripts.read import Dataset
from handoff_eval.workbench.findings import findings_of, findings_table
from handoff_eval.workbench.screen import Screen, script, style, traitlets
from handoff_eval.workbench.static import Element, element, table
from handoff_eval.workbench.transcript import sentence_on, transcript_of

SLOW_TURNS = 16
"""Turns scored together by a slow arm, so that progress is seen."""


class InstructionBench(Screen):
    """Edits an instruction: findings as you type, what flipped either way, those conversations.

    Both wordings get their threshold on tune by the same rule; the flips are of train, which may
    be read and written for. `n` and `p` read the flipped conversations one after the other.

    Parameters
    ----------
    dataset : Dataset
    handoff : Handoff
        Its instruction is the baseline, its budget the rule.
    build : callable
        Makes a trigger of an instruction's text, such as
        `lambda text: SimilarityTrigger(text, encoder)`. It must not have learnt from train.
    split : Split
        Whose conversations are compared and read.
    slow : bool
        Wait for Run instead of comparing as you type: for an arm that asks a model.
    max_decisions : int, optional
        Where a decision is dear: as many as each wording is asked for on each split.
    seed : int

    Attributes
    ----------
    text : str
        As it stands in the editor.
    comparison : VersionComparison or None
        Of that text with the baseline; None before there is one.

    Raises
    ------
    LeakageError
        On tune, where thresholds are chosen, and on test, which nobody may write for.
    SettingsError
        When the handoff states no budget.

    Examples
    --------
    >>> bench = InstructionBench(
    ...     dataset, handoff, lambda text: SimilarityTrigger(text, cached_minilm())
    ... )  # doctest: +SKIP
    """

    _esm = script("transcript", "findings", "bench")
    _css = style("transcript", "findings", "bench")
    progress = traitlets.Unicode("").tag(sync=True)

    def __init__(
        self,
        dataset: Dataset,
        handoff: Handoff,
        build: Build,
        *,
        split: Split = Split.TRAIN,
        slow: bool = False,
        max_decisions: int | None = None,
        seed: int = 0,
    ) -> None:
        if split is not Split.TRAIN:
            raise LeakageError(
                f"Expected to edit an instruction on train; got {split.value!r}. Thresholds are "
                "chosen on tune, and a wording written after reading test can't be reported there."
            )
        if handoff.budget is None:
            raise SettingsError(
                f"Expected the handoff {handoff.name!r} to state a budget, at which wordings are "
                "compared; it has none. Add [handoff.budget]."
            )
        self._budget = handoff.budget
        self._prevalence = deployment_prevalence(handoff.budget, dataset.labeled(Split.TUNE))
        self._build = build
        self._split = split
        self._slow = slow
        self._seed = seed
        self._wordings = Wordings(
            build,
            dataset,
            max_decisions=max_decisions,
            batch_turns=SLOW_TURNS if slow else 2048,
            seed=seed,
            on_progress=self._count,
        )
        self.baseline = handoff.instruction
        self.text = handoff.instruction
        self.comparison: VersionComparison | None = None
        self._reading: str | None = None
        self._ticket = 0
        super().__init__()

    def compare(self, text: str) -> VersionComparison | None:
        """Put a text into the editor and compare it with the baseline; None where it is the same.

        Raises
        ------
        SettingsError
            When no trigger can be made of the text.
        """
        try:
            self._compare(text)
        finally:
            self._ticket += 1
            self._refresh()
        return self.comparison

    def _compare(self, text: str) -> None:
        try:
            self._compare_with_baseline(text)
        finally:
            self.progress = ""

    def _compare_with_baseline(self, text: str) -> None:
        self.text = text
        self.comparison, self._reading = None, None
        if text != self.baseline:
            self.comparison = compare_versions(
                self.baseline,
                text,
                self._wordings,
                self._budget,
                prevalence=self._prevalence,
                split=self._split,
                seed=self._seed,
            )
            flipped = self._flips()
            self._reading = flipped[0].item.conversation.id if flipped else None

    def _count(self, title: str, done: int, total: int) -> None:
        if self._slow:
            self.progress = f"{title}: {done} of {total} conversations"

    def _flips(self) -> list[Flip]:
        """Return the flips, those that started before those that stopped."""
        if self.comparison is None:
            return []
        return sorted(self.comparison.flips, key=lambda flip: not flip.started)

    def _act(self, action: str, content: Mapping[str, Any]) -> None:
        if action == "read":
            self._reading = str(content["id"])
            return
        text = str(content.get("text", self.text))
        if action == "type" and self._slow:
            if text != self.text:
                self.text, self.comparison, self._reading = text, None, None
        elif action in ("type", "run"):
            self._compare(text)
        elif action == "baseline":
            self.baseline = text
            self._compare(text)

    def _transcript(self) -> dict[str, Any] | None:
        flip = next((f for f in self._flips() if f.item.conversation.id == self._reading), None)
        if flip is None or self.comparison is None:
            return None
        before, after = (
            self._scores(text, flip.item.conversation.id) for text in (self.baseline, self.text)
        )
        return transcript_of(
            flip.item,
            scores=after,
            threshold=self.comparison.points[1].threshold,
            before=before,
            trigger=None if self._slow else self._build(self.text),
        )

    def _scores(self, text: str, conversation_id: str) -> list[float]:
        played = self._wordings.scored(text, self._split).replay
        row = played.ids.index(conversation_id)
        start, stop = played.offsets[row : row + 2]
        scores: list[float] = played.scores[start:stop].tolist()
        return scores

    def _figures(self) -> list[list[str]]:
        compared = self.comparison
        if compared is None:
            return []
        volume, cut = compared.at_volume.difference, compared.at_thresholds
        emails = cut.email_rate.scaled(self._budget.conversations_per_day)
        at = f"at {self._budget.max_emails_per_day:g} emails a day"
        return [
            [f"recall {at}", volume.short, f"{compared.positives} positives"],
            ["recall, each at its threshold", cut.recall.short, f"{cut.recall.n} positives"],
            ["emails a day, each at its threshold", emails.short,
             f"{cut.email_rate.n} conversations"],
        ]  # fmt: skip

    def _state(self) -> dict[str, Any]:
        shown = self._transcript()
        flips = self._flips()
        return {
            "ticket": self._ticket,
            "text": self.text,
            "baseline": self.baseline,
            "findings": findings_of(self.text),
            "changes": [
                {"kind": change.kind, "text": change.text}
                for change in word_changes(self.baseline, self.text)
            ],
            "slow": self._slow,
            "compared": self.comparison is not None,
            "figures": self._figures(),
            "verdict": self._verdict(),
            "flips": [{**flip.to_dict(), "words": _flip_words(flip)} for flip in flips],
            "reading": self._reading,
            "conversation": shown,
            "sentence": "" if shown is None else sentence_on(shown),
        }

    def _verdict(self) -> str:
        if self.text == self.baseline:
            return "This is the baseline: change its words to see what they do."
        if self.comparison is None:
            return "Not compared yet." + (" Press Run." if self._slow else "")
        return f"{self.comparison.trigger} on {self._split.value}: {self.comparison.verdict}"

    def _picture(self) -> list[Element]:
        tags = {"same": "span", "removed": "del", "added": "ins"}
        changes = [
            element(tags[change.kind], change.text)
            for change in word_changes(self.baseline, self.text)
        ]
        parts = [
            element("p", *changes, style="white-space:pre-wrap"),
            *findings_table(self.text),
            element("p", self._verdict()),
        ]
        if self.comparison is None:
            return parts
        rows = [
            [flip.item.conversation.id, "started" if flip.started else "stopped",
             "yes" if flip.item.label.handoff else "no", f"{flip.before:.3f}", f"{flip.after:.3f}"]
            for flip in self._flips()
        ]  # fmt: skip
        head = ["conversation", "email", "needed", "score before", "score after"]
        return [
            *parts,
            table(["after minus before", "difference with 95 % interval", "n"], self._figures()),
            table(head, rows),
        ]

    def _words(self) -> str:
        flips = self._flips()
        started = sum(flip.started for flip in flips)
        return (
            f"{self._verdict()} {started} emails started, {len(flips) - started} stopped, "
            f"{sum(flip.better for flip in flips)} of them rightly."
        )


def _flip_words(flip: Flip) -> str:
    needed = "needed" if flip.item.label.handoff else "not needed"
    return f"{needed}, {flip.before:.3f} → {flip.after:.3f}"
