"""When a trigger fires against when a handoff was due: early, on time, late or never."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isnan
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from handoff_eval.conversation import LabeledConversation
from handoff_eval.evaluation.findings.golden_transfer import golden_transfers
from handoff_eval.evaluation.intervals import (
    Estimate,
    percentile_estimate,
    proportion_estimate,
)
from handoff_eval.evaluation.look import WIDE
from handoff_eval.evaluation.metrics import precision_at_prevalence
from handoff_eval.evaluation.operating_point import OperatingPoint
from handoff_eval.evaluation.result import Result
from handoff_eval.evaluation.scored import ScoredSplit

if TYPE_CHECKING:
    import pandas as pd

    from handoff_eval.evaluation.look import Picture

NEVER = np.iinfo(np.int64).max


@dataclass(frozen=True, slots=True)
class Timing(Result):
    """How the fires of one arm lie against the labelled decision points.

    The four outcomes are shares of the conversations that need a handoff, and add up to 1.

    Attributes
    ----------
    trigger : str
    tolerance : int
        Decision points by which a fire may be off and still count as on time.
    early, on_time, late, never : Estimate
        Fired more than `tolerance` points before the due one, within, after it, not at all.
    recall_on_time : Estimate
        Fired no later than the due point plus `tolerance`, early fires included: the form that
        falls with the threshold and can be certified.
    strict_precision : Estimate
        Share of emails that are needed where an early fire counts as needless, at the
        deployment prevalence.
    points_off, minutes_off : Estimate
        Median of fire minus due over the needed handoffs that fired, in decision points and,
        where both turns carry a time, in minutes; the close counts at its last turn's time.
    golden_transfer, golden_transfer_of_positives, first_fire_golden_transfer : dict
        GT-T by level (I, II, III): over all conversations, over those that need a handoff alone,
        and over all with the first fire as the only one, since it sends the only email. A
        trigger that never fires scores 1 minus the prevalence in the first and the third.
    delays : tuple of int
        Fire minus due in decision points, ascending, of the needed handoffs that fired.
    """

    trigger: str
    tolerance: int
    early: Estimate
    on_time: Estimate
    late: Estimate
    never: Estimate
    recall_on_time: Estimate
    strict_precision: Estimate
    points_off: Estimate
    minutes_off: Estimate
    golden_transfer: dict[str, Estimate]
    golden_transfer_of_positives: dict[str, Estimate]
    first_fire_golden_transfer: dict[str, Estimate]
    delays: tuple[int, ...]

    def measured(self) -> dict[str, Estimate | float]:
        """Return each measure under its name."""
        return dict(self.items())

    def items(self) -> list[tuple[str, Estimate]]:
        """Return name and estimate of each measure, in the order of the table."""
        plain = ("early", "on_time", "late", "never", "recall_on_time", "strict_precision")
        return [
            *((name, getattr(self, name)) for name in (*plain, "points_off", "minutes_off")),
            *((f"gt_{level}", e) for level, e in self.golden_transfer.items()),
            *(
                (f"gt_{level}_positives", e)
                for level, e in self.golden_transfer_of_positives.items()
            ),
            *(
                (f"first_fire_gt_{level}", e)
                for level, e in self.first_fire_golden_transfer.items()
            ),
        ]

    def sentences(self) -> tuple[str, ...]:
        """Return in words when the arm fires."""
        window = "at" if self.tolerance == 0 else f"within {self.tolerance} decision points of"
        said = [
            f"{self.trigger} fires early for {self.early.value:.0%} of the {self.early.n} needed "
            f"handoffs, {window} the due point for {self.on_time.value:.0%}, late for "
            f"{self.late.value:.0%} and never for {self.never.value:.0%}."
        ]
        if not isnan(self.points_off.value):
            minutes = (
                ""
                if isnan(self.minutes_off.value)
                else f" and {self.minutes_off.value:+.1f} minutes"
            )
            said.append(
                f"Where it fires, the middle email is {self.points_off.value:+.0f} decision "
                f"points{minutes} from due (n {self.points_off.n})."
            )
        if not isnan(self.strict_precision.value):
            said.append(
                f"Counting early emails as needless, {self.strict_precision.short} of the emails "
                "are needed."
            )
        return tuple(said)

    def frame(self) -> pd.DataFrame:
        """Return one row a measure."""
        import pandas as pd

        rows = [{"measure": name, "estimate": e.short, "n": e.n} for name, e in self.items()]
        return pd.DataFrame(rows).set_index("measure")

    def plot(self, *, width: int = WIDE) -> Picture:
        """Return the needed handoffs by how far the fire lies from the due point."""
        from handoff_eval.evaluation.findings.plots import timing_plot

        return timing_plot(self, width=width)

    def to_dict(self) -> dict[str, Any]:
        """Return every measure with its limits and n."""
        measures = {name: estimate.to_dict() for name, estimate in self.items()}
        return {
            "trigger": self.trigger,
            "tolerance": self.tolerance,
            "measures": measures,
            "delays": list(self.delays),
        }


def measure_timing(
    scored: ScoredSplit,
    labeled: Sequence[LabeledConversation],
    point: OperatingPoint,
    *,
    prevalence: float,
    tolerance: int = 0,
    seed: int = 0,
) -> Timing:
    """Return when an operating point fires against when it should have.

    Parameters
    ----------
    scored : ScoredSplit
        The trigger on test.
    labeled : sequence of LabeledConversation
        Those conversations, in any order; further ones are left out.
    point : OperatingPoint
    prevalence : float
        Of the deployment, for strict precision.
    tolerance : int
        In decision points, at least 0.
    seed : int
        Of the resampling.

    Raises
    ------
    LeakageError
        When the split is not test.
    """
    point.check_reportable_on(scored.split)
    if tolerance < 0:
        raise ValueError(f"Expected a tolerance of at least 0 decision points; got {tolerance}.")
    item_of = {item.conversation.id: item for item in labeled}
    items = [item_of[i] for i in scored.replay.ids]
    weights = scored.resampled(seed=seed)
    first = scored.replay.first_fire(point.threshold)
    delay = np.where(first >= 0, first - scored.due, NEVER)
    positive, fired = scored.positive, first >= 0
    outcomes = {
        "early": fired & (delay < -tolerance),
        "on_time": fired & (abs(delay) <= tolerance),
        "late": fired & (delay > tolerance),
        "never": ~fired,
        "recall_on_time": fired & (delay <= tolerance),
    }
    groups = np.array(scored.groups, dtype=object)

    def share(hits: NDArray[np.bool_], among: NDArray[np.bool_]) -> Estimate:
        return proportion_estimate(
            hits[among], list(groups[among]), weights[:, among], weight=scored.weight[among]
        )

    shares = {name: share(hits, positive) for name, hits in outcomes.items()}
    golden = golden_transfers(scored, items, point.threshold, first)

    def levels(kind: str, among: NDArray[np.bool_]) -> dict[str, Estimate]:
        return {
            level: _mean(values[among], weights[:, among], scored.weight[among])
            for level, values in golden[kind].items()
        }

    everything = np.ones(len(positive), dtype=bool)
    caught = positive & fired
    minutes = _minutes_off(scored, items, first)
    timed = caught & np.isfinite(minutes)
    return Timing(
        trigger=scored.replay.trigger,
        tolerance=tolerance,
        early=shares["early"],
        on_time=shares["on_time"],
        late=shares["late"],
        never=shares["never"],
        recall_on_time=shares["recall_on_time"],
        strict_precision=_strict_precision(
            outcomes["early"], fired, positive, weights, prevalence, share
        ),
        points_off=_median(delay[caught].astype(float), weights[:, caught], scored.weight[caught]),
        minutes_off=_median(minutes[timed], weights[:, timed], scored.weight[timed]),
        golden_transfer=levels("all", everything),
        golden_transfer_of_positives=levels("all", positive),
        first_fire_golden_transfer=levels("first", everything),
        delays=tuple(sorted(int(d) for d in delay[caught])),
    )


def _strict_precision(
    early: NDArray[np.bool_],
    fired: NDArray[np.bool_],
    positive: NDArray[np.bool_],
    weights: NDArray[np.float64],
    prevalence: float,
    share: Any,
) -> Estimate:
    """Return p S / (p S + p E + (1 - p) F): needed fires S over these, early ones E, false ones F.

    Bayes's theorem as in `precision_at_prevalence`: the early fires of positives are folded into
    the rate of needless ones, which makes it a precision at S and F + E p / (1 - p).
    """
    odds = prevalence / (1 - prevalence)
    hits = (fired & ~early, early, fired)
    among = (positive, positive, ~positive)
    good, soon, false = (share(h, a) for h, a in zip(hits, among, strict=True))
    n = len(fired)
    value = float(precision_at_prevalence(good.value, false.value + odds * soon.value, prevalence))
    if {good.value, soon.value, false.value} & {0.0, 1.0}:
        low, high = (
            float(precision_at_prevalence(g, f + odds * s, prevalence))
            for g, s, f in ((good.low, soon.high, false.high), (good.high, soon.low, false.low))
        )
        return Estimate(value, low, high, n, "limits of the rates")
    with np.errstate(invalid="ignore", divide="ignore"):
        g, s, f = (
            (weights @ (h & a)) / (weights @ a.astype(float))
            for h, a in zip(hits, among, strict=True)
        )
    return percentile_estimate(value, precision_at_prevalence(g, f + odds * s, prevalence), n)


def _minutes_off(
    scored: ScoredSplit, items: Sequence[LabeledConversation], first: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return minutes from due to fire, shape (n,); NaN where nothing fired or a time is unknown."""
    replay = scored.replay
    minutes = np.full(len(items), np.nan)
    for i, item in enumerate(items):
        if not scored.positive[i] or first[i] < 0:
            continue
        start = int(replay.offsets[i])
        due, fire = (
            item.conversation.turns[int(replay.turns[start + at]) - 1].at
            for at in (int(scored.due[i]), int(first[i]))
        )
        if due is not None and fire is not None:
            minutes[i] = (fire - due).total_seconds() / 60
    return minutes


def _mean(
    values: NDArray[np.float64], weights: NDArray[np.float64], weight: NDArray[np.float64]
) -> Estimate:
    if not len(values):
        return Estimate(float("nan"), float("nan"), float("nan"), 0, "undefined")
    with np.errstate(invalid="ignore", divide="ignore"):
        replicates = (weights @ values) / weights.sum(axis=1)
    return percentile_estimate(float(np.average(values, weights=weight)), replicates, len(values))


def _median(
    values: NDArray[np.float64], weights: NDArray[np.float64], weight: NDArray[np.float64]
) -> Estimate:
    """Return the lower median: the smallest value with half of the weight at or below it.

    The weighted median of Cormen, Leiserson, Rivest and Stein, Introduction to Algorithms, 2009,
    problem 9-2.
    """
    if not len(values):
        return Estimate(float("nan"), float("nan"), float("nan"), 0, "undefined")
    order = np.argsort(values, kind="stable")
    ordered = values[order]
    below = np.cumsum(np.vstack([weight[order], weights[:, order]]), axis=1)
    place = (below >= below[:, -1:] / 2).argmax(axis=1)
    medians = np.where(below[:, -1] > 0, ordered[place], np.nan)
    return percentile_estimate(float(medians[0]), medians[1:], len(values))
