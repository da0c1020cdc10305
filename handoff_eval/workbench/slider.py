"""The notebook widget that shows what a threshold catches, sends, costs and promises."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from handoff_eval.conversation import Split
from handoff_eval.evaluation.intervals import Estimate
from handoff_eval.evaluation.operating_point import OperatingPoint
from handoff_eval.evaluation.promise.budget import choose_operating_point
from handoff_eval.evaluation.promise.evidence import Verdict, gather, try_promises
from handoff_eval.evaluation.promise.threshold_curve import ThresholdCurve, threshold_curve
from handoff_eval.evaluation.scored import ScoredSplit
from handoff_eval.evaluation.traffic import ScoredTraffic
from handoff_eval.handoff import Budget
from handoff_eval.workbench.curves import (
    LEFT,
    RIGHT,
    WIDTH,
    Panel,
    Stretch,
    draw_curves,
    round_up,
)
from handoff_eval.workbench.fields import read_number
from handoff_eval.workbench.screen import Screen, script, style, traitlets
from handoff_eval.workbench.static import Element, element, table, to_svg

FOR_CHOOSING = (
    "All figures are of the tune split, where the threshold is chosen, each with its 95 % "
    "interval; they flatter a threshold that was picked because it looks good. Report it on test."
)
WHAT_IF = (
    "This is not the budget that was stated. It shows what would have been certified had it been "
    "stated before anybody looked at these curves; to promise it, state it and use fresh labels."
)


class ThresholdSlider(Screen):
    """Moves a threshold over recall, emails a day and cost, beside what is certified there.

    The slider moves from keys (arrows, Page Up and Down, Home, End); `b` returns to the threshold
    that was chosen for the budget. The two fields try another budget, and the certified interval
    moves with it; `budget` is stated again by `r`.

    Parameters
    ----------
    scored : ScoredSplit
        The trigger on tune, such as `comparison.arm(name).tune`.
    budget : Budget
        As stated. With `needless_email_cost` and `lost_customer_cost`, cost is shown too.
    prevalence : float
        Deployment prevalence.
    tries : int
        Number of triggers among which one is chosen on tune; divides the risk. The certificate
        of a trigger that was picked from five needs 5 here.
    dataset_digest : str
        Kept in the certificate.
    traffic : ScoredTraffic, optional
        The same trigger on unlabelled traffic.
    seed : int

    Attributes
    ----------
    step : int
        Number of the threshold that the slider stands at.

    Raises
    ------
    LeakageError
        When the split is not tune: a threshold picked by looking at test can't be reported there.

    Examples
    --------
    >>> arm = comparison.arm("minilm")  # doctest: +SKIP
    >>> slider = ThresholdSlider(arm.tune, comparison.budget, prevalence=.05)  # doctest: +SKIP
    >>> slider.point.threshold  # doctest: +SKIP
    """

    _esm = script("slider")
    _css = style("slider")
    step = traitlets.Int().tag(sync=True)
    readings = traitlets.List().tag(sync=True)

    def __init__(
        self,
        scored: ScoredSplit,
        budget: Budget,
        *,
        prevalence: float,
        tries: int = 1,
        dataset_digest: str = "",
        traffic: ScoredTraffic | None = None,
        seed: int = 0,
    ) -> None:
        self._scored = scored
        self._stated = budget
        self._budget = budget
        self._choice: dict[str, Any] = {
            "prevalence": prevalence,
            "tries": tries,
            "dataset_digest": dataset_digest,
            "traffic": traffic,
            "seed": seed,
        }
        self._decide()
        self._curve = self._measure(self._chosen.threshold)
        step = self._step_at(self._chosen.threshold)
        super().__init__(step=step, readings=self._readings())

    @property
    def threshold(self) -> float:
        """Where the slider stands."""
        return float(self._curve.thresholds[self.step])

    @property
    def point(self) -> OperatingPoint:
        """The operating point at the slider: certified where the certificate reaches it."""
        certificate = self._chosen.certificate
        if certificate is not None and self._budget == self._stated and self._inside(self.step):
            moved = replace(certificate, threshold=self.threshold)
            return replace(self._chosen, threshold=self.threshold, certificate=moved)
        note = f"Picked on tune at {self.threshold:.4f}, not certified."
        return OperatingPoint(self._curve.trigger, self.threshold, Split.TUNE, None, note)

    def _decide(self) -> None:
        self._chosen = choose_operating_point(self._scored, self._budget, **self._choice)
        evidence = gather(
            self._scored,
            self._budget,
            prevalence=self._choice["prevalence"],
            traffic=self._choice["traffic"],
            seed=self._choice["seed"],
        )
        risk = (1 - self._budget.confidence) / self._choice["tries"]
        self._verdict: Verdict = try_promises(evidence, self._budget.min_recall, risk)

    def _measure(self, *include: float) -> ThresholdCurve:
        return threshold_curve(
            self._scored,
            self._stated,
            prevalence=self._choice["prevalence"],
            traffic=self._choice["traffic"],
            include=include,
            seed=self._choice["seed"],
        )

    def _step_at(self, threshold: float) -> int:
        return int(np.argmin(np.abs(self._curve.thresholds - threshold)))

    def _keeps(self, step: int) -> tuple[bool, bool]:
        """Return whether recall and volume are proved at a threshold."""
        threshold = self._curve.thresholds[step]
        verdict = self._verdict
        recall = verdict.misses >= 0 and threshold <= verdict.highest
        volume = verdict.fires >= 0 and threshold > verdict.lowest
        return bool(recall), bool(volume)

    def _inside(self, step: int) -> bool:
        return all(self._keeps(step))

    def _kept(self) -> Stretch | None:
        inside = [k for k in range(len(self._curve.thresholds)) if self._inside(k)]
        return Stretch(inside[0], inside[-1]) if inside else None

    def _panels(self) -> list[Panel]:
        curve, budget = self._curve, self._budget
        emails = [e.value for e in curve.emails_per_day]
        top = round_up(min(max(emails), max(3 * budget.max_emails_per_day, 1.0)))
        panels = [
            Panel("Recall (share of needed handoffs caught)", curve.recall, 1.0,
                  budget.min_recall, percent=True),
            Panel("Emails a day", curve.emails_per_day, top, budget.max_emails_per_day),
        ]  # fmt: skip
        if curve.expected_cost is not None:
            highest = max(e.value for e in curve.expected_cost)
            panels.append(Panel("Cost of a conversation", curve.expected_cost, round_up(highest)))
        return panels

    def _readings(self) -> list[dict[str, Any]]:
        """Return what the browser says at each threshold, so that moving asks nobody."""
        curve = self._curve
        rows: list[tuple[str, tuple[Estimate, ...], bool]] = [
            ("Recall", curve.recall, True),
            ("Recall on time", curve.recall_on_time, True),
            ("Emails a day", curve.emails_per_day, False),
        ]
        if curve.expected_cost is not None:
            rows.append(("Cost of a conversation", curve.expected_cost, False))
        return [
            {
                "threshold": f"{threshold:.4f}",
                "rows": [[name, *_cells(values[k], percent)] for name, values, percent in rows],
            }
            for k, threshold in enumerate(curve.thresholds)
        ]

    def _sentence(self, step: int) -> str:
        """Return what is promised at a threshold."""
        recall, volume = self._keeps(step)
        budget = self._budget
        sure = f"With {budget.confidence:.0%} confidence"
        caught = f"a recall of {budget.min_recall:.0%}"
        sent = f"{budget.max_emails_per_day:g} emails a day"
        if recall and volume:
            return f"{sure} both promises are kept here: {caught} and at most {sent}."
        if recall:
            return f"{sure} {caught} is kept here, but not at most {sent}: go higher."
        if volume:
            return f"{sure} at most {sent} are sent here, but {caught} is not shown: go lower."
        return f"Neither {caught} nor at most {sent} is shown here."

    def _interval(self) -> str:
        verdict = self._verdict
        if self._chosen.certificate is not None:
            low = "0" if verdict.lowest == -np.inf else f"{verdict.lowest:.4f}"
            return f"Certified for thresholds above {low} and up to {verdict.highest:.4f}."
        return str(self._chosen.shortfall)

    def _state(self) -> dict[str, Any]:
        kept = self._kept()
        return {
            "picture": to_svg(
                draw_curves(self._panels(), self._curve.thresholds.tolist(), self.step, kept)
            ),
            "cursor": {"from": LEFT, "span": WIDTH - LEFT - RIGHT},
            "promises": [self._sentence(k) for k in range(len(self._curve.thresholds))],
            "kept": None if kept is None else [kept.first, kept.last],
            "interval": self._interval(),
            "chosen": self._step_at(self._chosen.threshold),
            "trigger": self._curve.trigger,
            "budget": {
                "max_emails_per_day": f"{self._budget.max_emails_per_day:g}",
                "min_recall": f"{100 * self._budget.min_recall:g}",
            },
            "note": FOR_CHOOSING if self._budget == self._stated else f"{WHAT_IF} {FOR_CHOOSING}",
            "stated": self._budget == self._stated,
        }

    def _act(self, action: str, content: Mapping[str, Any]) -> None:
        if action == "budget":
            emails = read_number(content["max_emails_per_day"])
            percent = read_number(content["min_recall"])
            self._budget = replace(
                self._stated, max_emails_per_day=emails, min_recall=percent / 100
            )
        elif action == "stated":
            self._budget = self._stated
        self._decide()
        # Where scores are many not each is a step; a certified stretch holds one all the same.
        stands = self.threshold
        self._curve = self._measure(self._chosen.threshold, stands)
        with self.hold_sync():
            self.readings = self._readings()
            self.step = self._step_at(stands)

    def _picture(self) -> list[Element]:
        reading = self.readings[self.step]
        return [
            element("p", self._words()),
            table(["measure on tune", "value", "95 % interval", "n"], reading["rows"]),
            draw_curves(self._panels(), self._curve.thresholds.tolist(), self.step, self._kept()),
            element("p", FOR_CHOOSING),
        ]

    def _words(self) -> str:
        return (
            f"{self._curve.trigger} at threshold {self.threshold:.4f}. "
            f"{self._sentence(self.step)} {self._interval()}"
        )


def _cells(estimate: Estimate, percent: bool) -> list[str]:
    unit = 100.0 if percent else 1.0
    sign = " %" if percent else ""
    digits = 0 if percent else 1 if abs(estimate.value) >= 2 else 2

    def text(value: float) -> str:
        return "undefined" if np.isnan(value) else f"{unit * value:.{digits}f}{sign}"

    interval = (
        "none" if np.isnan(estimate.low) else f"{text(estimate.low)} to {text(estimate.high)}"
    )
    return [text(estimate.value), interval, str(estimate.n)]
