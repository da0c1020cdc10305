"""The findings beside a comparison: timing, volume, slices, and what the mistakes are about."""

from __future__ import annotations

import json
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any, ClassVar

from handoff_eval.conversation import Split
from handoff_eval.encoders.base import Encoder
from handoff_eval.errors import DataError
from handoff_eval.evaluation.comparison.plots import shown_arm
from handoff_eval.evaluation.comparison.result import Comparison
from handoff_eval.evaluation.findings.mistakes import missed_handoffs, needless_emails
from handoff_eval.evaluation.findings.reliability import Reliability, measure_reliability
from handoff_eval.evaluation.findings.slice_variables import slice_variables
from handoff_eval.evaluation.findings.slices import Slices, measure_slices
from handoff_eval.evaluation.findings.timing import Timing, measure_timing
from handoff_eval.evaluation.findings.topics import Topics, group_by_topic
from handoff_eval.evaluation.look import WIDE
from handoff_eval.evaluation.result import Result
from handoff_eval.evaluation.volume.forecast import forecast_volume
from handoff_eval.evaluation.volume.forecast_result import Forecast
from handoff_eval.evaluation.volume.prevalence import PrevalenceEstimate
from handoff_eval.transcripts.read import Dataset

if TYPE_CHECKING:
    import pandas as pd

    from handoff_eval.evaluation.intervals import Estimate
    from handoff_eval.evaluation.look import Picture


@dataclass(frozen=True, slots=True)
class Finding:
    """A result with its place: `result` is a sentence where the data don't allow it.

    `key` names it in files and metrics, `title` on a page and in the terminal.
    """

    key: str
    title: str
    result: Result | str


@dataclass(frozen=True, slots=True)
class Timings(Result):
    """When each arm fires, one column an arm, told and drawn of one of them."""

    caption: ClassVar[str] = (
        "Early, on time, late and never are shares of the needed handoffs. GT is Golden Transfer "
        "within Tolerance (Liu et al., AAAI 2021), with a tolerance of 1, 2 and 3 turns: over all "
        "conversations, where silence scores well, over those in need, and with the first fire "
        "alone."
    )

    timings: tuple[Timing, ...]
    arm: str

    @property
    def shown(self) -> Timing:
        """The arm that is told of."""
        return next(timing for timing in self.timings if timing.trigger == self.arm)

    def sentences(self) -> tuple[str, ...]:
        """Return when that arm fires."""
        return self.shown.sentences()

    def frame(self) -> pd.DataFrame:
        """Return one row a measure and one column an arm, each value with its interval and n."""
        import pandas as pd

        columns = {
            timing.trigger: {name.replace("_", " "): str(found) for name, found in timing.items()}
            for timing in self.timings
        }
        return pd.DataFrame(columns).rename_axis("measure")

    def plot(self, *, width: int = WIDE) -> Picture:
        """Return how far that arm's emails lie from the due point."""
        return self.shown.plot(width=width)

    def measured(self) -> dict[str, Estimate | float]:
        """Return the measures of that arm."""
        return self.shown.measured()

    def to_dict(self) -> dict[str, Any]:
        """Return every arm's timing."""
        return {"arm": self.arm, "timings": [timing.to_dict() for timing in self.timings]}


@dataclass(frozen=True, slots=True)
class Analysis:
    """What a team asks next, of test at the operating points of a comparison.

    Attributes
    ----------
    arm : str
        The chosen arm, or the first where none was: all but timing is of this one.
    timings : tuple of Timing
        One an arm, in the order of the comparison.
    forecast : Forecast or None
    forecast_note : str
        Why there is no forecast; empty where there is one.
    reliability : Reliability
    slices : Slices
    needless, missed : Topics
    prevalence : PrevalenceEstimate or None
        From traffic, where there was some.
    """

    arm: str
    timings: tuple[Timing, ...]
    forecast: Forecast | None
    forecast_note: str
    reliability: Reliability
    slices: Slices
    needless: Topics
    missed: Topics
    prevalence: PrevalenceEstimate | None = None

    def timing_of(self, arm: str) -> Timing:
        """Return the timing of one arm."""
        return next(timing for timing in self.timings if timing.trigger == arm)

    def findings(self) -> tuple[Finding, ...]:
        """Return every finding in the order in which it is shown, wherever that is."""
        forecast: Result | str = self.forecast or self.forecast_note
        estimated = (
            ()
            if self.prevalence is None
            else (Finding("traffic", "How many conversations need a handoff", self.prevalence),)
        )
        return (
            *estimated,
            Finding("timing", "When the email comes", Timings(self.timings, self.arm)),
            Finding("volume", "Emails a day", forecast),
            Finding("reliability", "What a score means", self.reliability),
            Finding("slices", "Where it does better or worse", self.slices),
            Finding("topics/needless", "Needless emails by topic", self.needless),
            Finding("topics/missed", "Missed handoffs by topic", self.missed),
        )

    def text(self) -> str:
        """Return the findings as the terminal shows them."""
        lines = [f"Findings of {self.arm}, on test"]
        for finding in self.findings():
            result = finding.result
            said = result if isinstance(result, str) else result.text()
            lines += ["", f"{finding.title}:", said]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        return "".join(
            f"<h3>{escape(finding.title)}</h3>"
            + (
                f"<p>{escape(finding.result)}</p>"
                if isinstance(finding.result, str)
                else finding.result._repr_html_()
            )
            for finding in self.findings()
        )

    def to_json(self) -> str:
        """Return `to_dict` as indented JSON."""
        return json.dumps(self.to_dict(), indent=2, allow_nan=False)

    def to_dict(self, *, with_words: bool = True) -> dict[str, Any]:
        """Return the findings as JSON values; `with_words` keeps what customers wrote."""
        topics = (self.needless, self.missed)
        return {
            "arm": self.arm,
            "timing": [timing.to_dict() for timing in self.timings],
            "forecast": None if self.forecast is None else self.forecast.to_dict(),
            "forecast_note": self.forecast_note,
            "reliability": self.reliability.to_dict(),
            "slices": self.slices.to_dict(),
            "topics": [(t if with_words else t.without_words()).to_dict() for t in topics],
        }


def analyse(
    comparison: Comparison, dataset: Dataset, *, encoder: Encoder | None = None, seed: int = 0
) -> Analysis:
    """Return the findings beside a comparison.

    Parameters
    ----------
    comparison : Comparison
    dataset : Dataset
        What was compared on; all its conversations with a start time, labelled or not, give the
        pattern of the traffic where there was none to compare on.
    encoder : Encoder, optional
        Whose vectors group the mistakes; MiniLM with its cache when None.
    seed : int
        Of every draw.

    Raises
    ------
    ValueError
        When the dataset isn't the one that was compared.
    """
    if dataset.digest != comparison.digest:
        raise ValueError(
            f"Expected the dataset with digest {comparison.digest[:12]} that was compared; "
            f"got {dataset.name} with {dataset.digest[:12]}."
        )
    test = dataset.labeled(Split.TEST)
    item_of = {item.conversation.id: item for item in test}
    shown = shown_arm(comparison)
    items = [item_of[i] for i in shown.test.replay.ids]
    forecast, note = None, ""
    try:
        forecast = forecast_volume(
            shown.test,
            test,
            shown.point,
            dataset.conversations,
            budget=comparison.budget,
            prevalence=comparison.prevalence,
            traffic=shown.traffic,
            seed=seed,
        )
    except DataError as error:
        note = f"No forecast. {error}"
    if encoder is None:
        from handoff_eval.encoders.minilm import cached_minilm

        encoder = cached_minilm()
    background = [item.conversation for item in items]
    return Analysis(
        arm=shown.name,
        timings=tuple(
            measure_timing(arm.test, test, arm.point, prevalence=comparison.prevalence, seed=seed)
            for arm in comparison.arms
        ),
        forecast=forecast,
        forecast_note=note,
        reliability=measure_reliability(shown.test, seed=seed),
        slices=measure_slices(
            shown.test, shown.point, slice_variables(items, dataset.conversations), seed=seed
        ),
        needless=group_by_topic(
            needless_emails(shown, test), encoder, background, kind="needless emails"
        ),
        missed=group_by_topic(
            missed_handoffs(shown, test), encoder, background, kind="missed handoffs"
        ),
        prevalence=comparison.deployment.estimate,
    )
