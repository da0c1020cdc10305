"""Where an arm does better or worse: by reason, vertical, channel, length, language, customer."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import isnan
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from handoff_eval.evaluation.comparison.paired import holm
from handoff_eval.evaluation.intervals import (
    Estimate,
    percentile_estimate,
    proportion_estimate,
)
from handoff_eval.evaluation.look import WIDE
from handoff_eval.evaluation.operating_point import OperatingPoint
from handoff_eval.evaluation.promise.units import one_per_customer, thinned
from handoff_eval.evaluation.result import Result
from handoff_eval.evaluation.scored import ScoredSplit

if TYPE_CHECKING:
    import pandas as pd

    from handoff_eval.evaluation.look import Picture

MIN_CUSTOMERS = 10
"""Slices with fewer customers, in it or in the rest, are shown but not tested."""

RISK = 0.05
METRICS = {"recall": True, "false_positive_rate": False}


@dataclass(frozen=True, slots=True)
class Slice:
    """One metric on one part of test, beside the rest of test.

    Attributes
    ----------
    variable, value : str
        Such as `channel` and `web`.
    metric : str
        `recall` or `false_positive_rate`.
    inside, difference : Estimate
        The metric here, and here minus in the rest.
    p_adjusted : float
        Fisher's exact test against the rest, one conversation a customer, after Holm's
        correction over all that were tested; NaN where too few customers are in it.
    """

    variable: str
    value: str
    metric: str
    inside: Estimate
    difference: Estimate
    p_adjusted: float

    @property
    def differs(self) -> bool:
        """Whether a difference from the rest was shown."""
        return self.p_adjusted < RISK


@dataclass(frozen=True, slots=True)
class Slices(Result):
    """All slices of one arm at its operating point.

    Attributes
    ----------
    trigger : str
    slices : tuple of Slice
    tests : int
        Number of tests that were corrected for.
    """

    caption: ClassVar[str] = (
        "Every slice beside the rest of test. Tested by Fisher's exact test on one conversation a "
        "customer, corrected for their number (Holm)."
    )

    trigger: str
    slices: tuple[Slice, ...]
    tests: int

    def sentences(self) -> tuple[str, ...]:
        """Return the slices that differ, or that none was shown to."""
        found = [
            f"{s.metric.replace('_', ' ').capitalize()} of {self.trigger} where {s.variable} is "
            f"{s.value}: {s.inside.value:.0%} (n {s.inside.n}), {100 * s.difference.value:+.0f} "
            f"points from the rest ({100 * s.difference.low:+.0f} to "
            f"{100 * s.difference.high:+.0f})."
            for s in self.slices
            if s.differs
        ]
        if found:
            return (*found, f"Corrected for {self.tests} tests; the others may differ as well.")
        return (
            f"No slice was shown to differ from the rest in {self.tests} tests, corrected for "
            "their number. That is not proof that they are alike.",
        )

    def frame(self) -> pd.DataFrame:
        """Return one row a slice and metric."""
        import pandas as pd

        rows = [
            {
                "variable": s.variable,
                "value": s.value,
                "metric": s.metric,
                "estimate": s.inside.short,
                "n": s.inside.n,
                "minus the rest": s.difference.short,
                "p (Holm)": "not tested" if isnan(s.p_adjusted) else f"{s.p_adjusted:.3f}",
                "differs": "yes" if s.differs else "",
            }
            for s in self.slices
        ]
        return pd.DataFrame(rows).set_index(["variable", "value", "metric"])

    def plot(self, *, width: int = WIDE) -> Picture:
        """Return the recall of each slice with its interval."""
        from handoff_eval.evaluation.findings.plots import slices_plot

        return slices_plot(self, width=width)

    def measured(self) -> dict[str, Estimate | float]:
        """Return how many slices were shown to differ."""
        return {"differ": float(sum(s.differs for s in self.slices))}

    def text(self) -> str:
        """Return the sentences alone, since the table is long."""
        return "\n".join(self.sentences())

    def to_dict(self) -> dict[str, Any]:
        """Return every slice."""
        return {
            "trigger": self.trigger,
            "tests": self.tests,
            "slices": [
                {
                    "variable": s.variable,
                    "value": s.value,
                    "metric": s.metric,
                    "estimate": s.inside.to_dict(),
                    "difference": s.difference.to_dict(),
                    "p_adjusted": None if isnan(s.p_adjusted) else s.p_adjusted,
                    "differs": s.differs,
                }
                for s in self.slices
            ],
        }


def measure_slices(
    scored: ScoredSplit,
    point: OperatingPoint,
    variables: Mapping[str, Sequence[str | None]],
    *,
    seed: int = 0,
) -> Slices:
    """Return recall and false positive rate of each part, tested against the rest.

    Which slices are tested is decided by their size alone, before any outcome is looked at. Two
    parts that are each other's rest share one test.

    Parameters
    ----------
    scored : ScoredSplit
        The trigger on test.
    point : OperatingPoint
    variables : mapping of str to sequence of str or None
        For each variable the value of every conversation, in the order scored; None takes a
        conversation out.
    seed : int
        Of resampling, and of the draw of one conversation a customer.

    Raises
    ------
    LeakageError
        When the split is not test.
    """
    point.check_reportable_on(scored.split)
    fired = scored.peak >= point.threshold
    weights = scored.resampled(seed=seed)
    found: list[Slice] = []
    test_of: dict[int, bytes] = {}
    p_values: dict[bytes, float] = {}
    for variable, values in variables.items():
        array = np.array(values, dtype=object)
        known = np.array([value is not None for value in values])
        for metric, wanted in METRICS.items():
            among = known & (scored.positive == wanted)
            # A negative has no reason, so a variable may have nothing to say on one side.
            for value in sorted(set(array[among]), key=_by_number):
                inside = among & (array == value)
                rest = among & ~inside
                found.append(_slice(variable, value, metric, fired, inside, rest, scored, weights))
                table = _table(fired, inside, rest, scored, seed)
                if table is not None:
                    key = min(inside.tobytes(), rest.tobytes())
                    test_of[len(found) - 1] = key
                    p_values[key] = _fisher(table)
    adjusted = dict(zip(p_values, holm(list(p_values.values())), strict=True))
    return Slices(
        trigger=scored.replay.trigger,
        slices=tuple(
            replace(s, p_adjusted=adjusted[test_of[i]]) if i in test_of else s
            for i, s in enumerate(found)
        ),
        tests=len(p_values),
    )


def _by_number(value: str) -> tuple[int, str]:
    """Return a key that sorts lengths by their first number, and names after the alphabet."""
    number = re.search(r"\d+", value)
    return (int(number[0]) if number else 0, value)


def _slice(
    variable: str,
    value: str,
    metric: str,
    fired: NDArray[np.bool_],
    inside: NDArray[np.bool_],
    rest: NDArray[np.bool_],
    scored: ScoredSplit,
    weights: NDArray[np.float64],
) -> Slice:
    groups = np.array(scored.groups, dtype=object)
    estimate = proportion_estimate(
        fired[inside], list(groups[inside]), weights[:, inside], weight=scored.weight[inside]
    )
    with np.errstate(invalid="ignore", divide="ignore"):
        here, there = (
            (weights @ (fired & part)) / (weights @ part.astype(float)) for part in (inside, rest)
        )
    n = int(inside.sum() + rest.sum())
    value_there = float("nan")
    if rest.any():
        value_there = float(np.average(fired[rest], weights=scored.weight[rest]))
    difference = percentile_estimate(estimate.value - value_there, here - there, n)
    return Slice(variable, value, metric, estimate, difference, float("nan"))


def _table(
    fired: NDArray[np.bool_],
    inside: NDArray[np.bool_],
    rest: NDArray[np.bool_],
    scored: ScoredSplit,
    seed: int,
) -> list[list[int]] | None:
    """Return fires and non-fires inside and in the rest, one conversation a customer.

    None where either side has fewer than `MIN_CUSTOMERS`.
    """
    kept = thinned(scored.weight, inside | rest, seed)
    drawn = one_per_customer(scored.groups, kept, seed)
    sides = [fired[drawn][part[drawn]] for part in (inside, rest)]
    if min(len(side) for side in sides) < MIN_CUSTOMERS:
        return None
    return [[int(side.sum()), int((~side).sum())] for side in sides]


def _fisher(table: list[list[int]]) -> float:
    """Return the two-sided p of Fisher's exact test (Fisher, J. R. Stat. Soc. 98 (1935) 39-82)."""
    from scipy.stats import fisher_exact

    return float(fisher_exact(table).pvalue)
