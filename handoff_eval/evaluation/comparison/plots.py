"""The two pictures of a comparison, in one look for the notebook, MLflow and the report.

Both show test at the deployment prevalence, with the budget and the recall floor drawn in, so
that "does this arm keep both promises?" is answered by where its dot lies.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from handoff_eval.evaluation.comparison.arms_look import ArmsLook
from handoff_eval.evaluation.intervals import cluster_weights
from handoff_eval.evaluation.look import WIDE, Picture, Row, require_altair
from handoff_eval.evaluation.metrics import at_prevalence, volume_recall_curve

if TYPE_CHECKING:
    from handoff_eval.evaluation.comparison.result import ArmResult, Comparison

CURVE_POINTS = 240
BAND_POINTS = 48
BAND_REPLICATES = 500
FIRST_CAUGHT = 5
"""A precision curve starts here: before, one conversation more or less moves it by half."""


@dataclass(frozen=True, slots=True)
class Curve:
    """One arm on test at the deployment prevalence, over all thresholds.

    Attributes
    ----------
    threshold : float array, shape (k,)
        Falling, from infinity, at which nothing fires.
    volume : float array, shape (k,)
        Emails per conversation, rising from 0 to 1.
    recall : float array, shape (k,)
        Share of needed handoffs that fire, rising from 0 to 1.
    """

    threshold: NDArray[np.float64]
    volume: NDArray[np.float64]
    recall: NDArray[np.float64]


def deployed_curve(arm: ArmResult, prevalence: float) -> Curve:
    """Return what each threshold of an arm would email and catch."""
    positive = arm.test.positive
    weights = at_prevalence(positive, arm.test.weight, prevalence)
    threshold, volume, recall = volume_recall_curve(arm.test.peak, positive, weights)
    return Curve(np.append(np.inf, threshold), np.append(0.0, volume), np.append(0.0, recall))


def volume_recall_plot(comparison: Comparison, *, width: int = WIDE) -> Picture:
    """Draw recall against emails a day for every arm on test: the headline picture.

    The dot of an arm is its operating point with the intervals of recall and volume. It lies in
    the marked corner when both promises are kept.

    Parameters
    ----------
    comparison : Comparison
    width : int
        Of the whole picture in pixels; 356 fits a telephone.

    Raises
    ------
    MissingExtraError
        When altair or vl-convert is not installed.
    """
    alt = require_altair()
    budget = comparison.budget
    furthest = max(arm.measures.emails_per_day.value for arm in comparison.arms)
    right = min(budget.conversations_per_day, max(3 * budget.max_emails_per_day, 1.15 * furthest))
    look = ArmsLook(comparison, width, x=(0.0, right), y=(0.0, 1.0))
    lines: list[Row] = []
    points: list[Row] = []
    volumes = np.linspace(0.0, right, CURVE_POINTS)
    for arm in comparison.arms:
        curve = deployed_curve(arm, comparison.prevalence)
        recalls = np.interp(volumes / budget.conversations_per_day, curve.volume, curve.recall)
        lines += look.rows(arm, x=volumes, y=recalls)
        points += look.point(arm, arm.measures.emails_per_day, arm.measures.recall)
    x = alt.X("x:Q", title="emails a day", scale=look.x_scale)
    y = alt.Y("y:Q", title="recall (share of needed handoffs caught)", scale=look.y_scale)
    y = y.axis(format=".0%")
    limit, floor = budget.max_emails_per_day, budget.min_recall
    layers = [
        look.region([{"x": at, "y": floor, "y1": 1.0} for at in (0.0, limit)]),
        look.promise((limit, 0.0), (limit, 1.0)),
        look.promise((0.0, floor), (right, floor)),
        *look.lines(lines, x, y),
        *look.dots(points, x, y),
        *look.note("target", 0.0, 1.0, dx=6, dy=11),
        *look.note("budget", limit, 0.0, dx=5, dy=-7),
        *look.note("recall floor", right, floor, align="right", dx=-4, dy=-8),
    ]
    return look.picture(layers, _volume_title(comparison), look.test_words)


def precision_recall_plot(comparison: Comparison, *, width: int = WIDE) -> Picture:
    """Draw precision against recall for every arm on test, at the deployment prevalence.

    The band of an arm is 95% of its precision at each recall over resampled customers; an arm
    asked on a sample has none, and no curve starts before it has caught `FIRST_CAUGHT` handoffs.
    The budget is the slanted line: at recall R, precision below `prevalence * R / email rate`
    costs more emails than it allows.

    Parameters
    ----------
    comparison : Comparison
    width : int
        Of the whole picture in pixels.

    Raises
    ------
    MissingExtraError
        When altair or vl-convert is not installed.
    """
    alt = require_altair()
    budget, prevalence = comparison.budget, comparison.prevalence
    floor, steepness = budget.min_recall, prevalence / budget.email_rate
    bands = {arm.name: precision_band(arm, prevalence) for arm in comparison.arms}
    heights = [float(band.middle.max()) for band in bands.values()]
    heights += [float(bands[arm.name].high[-1]) for arm in comparison.arms if not arm.sampled]
    top = min(1.0, math.ceil(11 * max(*heights, min(1.0, steepness))) / 10)
    look = ArmsLook(comparison, width, x=(0.0, 1.0), y=(0.0, top))
    lines: list[Row] = []
    banded: list[Row] = []
    points: list[Row] = []
    for arm in comparison.arms:
        band = bands[arm.name]
        rows = look.rows(arm, x=band.recall, y=band.middle, low=band.low, high=band.high)
        lines += rows
        banded += [] if arm.sampled else rows
        points += look.point(arm, arm.measures.recall, arm.measures.precision)
    x = alt.X("x:Q", title="recall (share of needed handoffs caught)", scale=look.x_scale)
    y = alt.Y("y:Q", title="precision (share of emails needed)", scale=look.y_scale)
    x, y = x.axis(format=".0%"), y.axis(format=".0%")
    stop = min(1.0, top / steepness)
    kept = [{"x": at, "y": min(top, at * steepness), "y1": top} for at in (min(floor, stop), stop)]
    layers = [
        look.region(kept),
        look.promise((floor, 0.0), (floor, top)),
        look.promise((0.0, 0.0), (stop, stop * steepness)),
        look.band(banded, x),
        *look.lines(lines, x, y),
        *look.dots(points, x, y),
        *look.note("recall floor", floor, top, align="right", dx=-5, dy=9),
        *look.note("budget", 0.62 * stop, 0.62 * stop * steepness, dx=4, dy=11),
    ]
    title = _precision_title(comparison)
    return look.picture(layers, title, f"{look.test_words} Bands: 95% over customers.")


@dataclass(frozen=True, slots=True)
class PrecisionBand:
    """Precision of one arm on test at each recall, with its 2.5 and 97.5% points over customers."""

    recall: NDArray[np.float64]
    middle: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]


def precision_band(arm: ArmResult, prevalence: float) -> PrecisionBand:
    """Return an arm's precision at each recall, at the deployment prevalence.

    Between two thresholds a share of the conversations tied at the lower one is taken, as in
    `metrics.recall_at_volume`.
    """
    positive, peak = arm.test.positive, arm.test.peak
    recall = np.linspace(min(1.0, FIRST_CAUGHT / positive.sum()), 1.0, BAND_POINTS)
    resampled = cluster_weights(arm.test.groups, replicates=BAND_REPLICATES) * arm.test.weight
    weights = np.concatenate([arm.test.weight[None], resampled])
    _, volumes, recalls = volume_recall_curve(
        peak, positive, at_prevalence(positive, weights, prevalence)
    )
    # A recall that several thresholds share is reached at the first of them.
    sent = [
        np.interp(recall - 1e-9, np.append(0.0, caught), np.append(0.0, volume))
        for caught, volume in zip(recalls, volumes, strict=True)
        if np.isfinite(caught).all()
    ]
    precision = prevalence * recall / np.array(sent)
    low, high = np.percentile(precision[1:], [2.5, 97.5], axis=0)
    return PrecisionBand(recall, precision[0], low, high)


def catch_words(arm: ArmResult) -> str:
    """Return in one clause what an arm catches and what it costs."""
    recall, volume = arm.measures.recall.value, arm.measures.emails_per_day.value
    return f"{arm.name} catches {recall:.0%} of needed handoffs with {volume:.0f} emails a day"


def _volume_title(comparison: Comparison) -> str:
    budget = comparison.budget
    return (
        f"{catch_words(shown_arm(comparison))} "
        f"(wanted: {budget.min_recall:.0%} with at most {budget.max_emails_per_day:g})"
    )


def _precision_title(comparison: Comparison) -> str:
    arm = shown_arm(comparison)
    precision = arm.measures.precision.value
    if np.isnan(precision):
        return f"{arm.name} sends no email"
    return (
        f"{precision:.0%} of {arm.name}'s emails are needed ones, at a prevalence of "
        f"{comparison.prevalence:.1%}"
    )


def shown_arm(comparison: Comparison) -> ArmResult:
    """Return the chosen arm, or the first where none could be chosen."""
    return comparison.arm(comparison.chosen) if comparison.chosen else comparison.arms[0]
