"""Was the forecast right? Held-out weeks, each forecast from the weeks before it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from handoff_eval.evaluation.intervals import Estimate, clopper_pearson
from handoff_eval.evaluation.look import WIDE
from handoff_eval.evaluation.volume.daily_counts import (
    MIN_WEEKS,
    WEEK,
    DailyCounts,
    Pattern,
    draw_counts,
)

if TYPE_CHECKING:
    from handoff_eval.evaluation.look import Picture

STATED = 0.8
"""Coverage of the band that is tested on held-out weeks."""
EMAILS, CONVERSATIONS = "emails", "conversations"
DRAWS = 2000


@dataclass(frozen=True, slots=True)
class HeldOutDay:
    """What came on one day, and the 10th, 50th and 90th percentile it was forecast with."""

    day: date
    low: float
    median: float
    high: float
    actual: int


@dataclass(frozen=True, slots=True)
class Backtest:
    """How often held-out days and weeks fell into a band that should hold `STATED` of them.

    Attributes
    ----------
    what : str
        What was forecast and counted: `emails`, or `conversations` where no traffic was scored.
    days, weeks : Estimate
        Share within; the limits take days (weeks) as independent.
    high_days : Estimate
        Share of days at or below the forecast's 90th percentile.
    weeks_over : Estimate
        Share of weeks with more than the budget allows.
    weeks_over_forecast : float
        The mean of the chances that were forecast for that.
    limit : float
        How many of them a day the budget allows at this traffic.
    held_out : tuple of HeldOutDay
    """

    what: str
    days: Estimate
    weeks: Estimate
    high_days: Estimate
    weeks_over: Estimate
    weeks_over_forecast: float
    limit: float
    held_out: tuple[HeldOutDay, ...]

    def sentence(self) -> str:
        """Return how the forecast did, in words."""
        over = round(self.weeks_over.value * self.weeks_over.n)
        weeks = "1 week" if self.weeks.n == 1 else f"{self.weeks.n} weeks"
        said = (
            f"Tested on {self.what} of held-out weeks, each forecast from the weeks before: "
            f"{self.days.value:.0%} of {self.days.n} days ({self.days.low:.0%} to "
            f"{self.days.high:.0%}) and {self.weeks.value:.0%} of {weeks} fell into a "
            f"band meant for at least {STATED:.0%}; {over} of {weeks} broke the "
            f"budget, where {self.weeks_over_forecast * self.weeks_over.n:.1f} were forecast."
        )
        if self.what == CONVERSATIONS:
            said += " That is before the trigger, at its mean rate; traffic would test emails."
        return said

    def plot(self, *, width: int = WIDE) -> Picture:
        """Return each held-out day in the band it was forecast with."""
        from handoff_eval.evaluation.volume.plots import backtest_plot

        return backtest_plot(self, width=width)

    def to_dict(self) -> dict[str, Any]:
        """Return the test as JSON values."""
        return {
            "what": self.what,
            "stated": STATED,
            "days": self.days.to_dict(),
            "weeks": self.weeks.to_dict(),
            "days_up_to_p90": self.high_days.to_dict(),
            "weeks_over": self.weeks_over.to_dict(),
            "weeks_over_forecast": self.weeks_over_forecast,
            "limit": self.limit,
            "held_out": [
                {
                    "day": d.day.isoformat(),
                    "p10": d.low,
                    "p50": d.median,
                    "p90": d.high,
                    "actual": d.actual,
                }
                for d in self.held_out
            ],
        }


def backtest(
    conversations: DailyCounts,
    emails: NDArray[np.int64] | None,
    *,
    allowed: float,
    seed: int = 0,
) -> Backtest | None:
    """Forecast each week from the weeks before it alone; None where none can be held out.

    Rolling origin (Tashman, Int. J. of Forecasting 16 (2000) 437-450), from `MIN_WEEKS` weeks on.
    Pattern and dispersion are those of the earlier conversations; emails a conversation are drawn
    from the Jeffreys posterior of the earlier ones, Beta(e + 1/2, c - e + 1/2). The threshold was
    chosen on tune, so no week had a part in it.

    Parameters
    ----------
    conversations : DailyCounts
    emails : int array, shape (days,), optional
        How many of each day's fired; None forecasts the conversations themselves.
    allowed : float
        How many of what is forecast the budget allows for each conversation.
    seed : int
        Of the simulation.
    """
    rng = np.random.default_rng(seed)
    tail = 100 * (1 - STATED) / 2
    limit = allowed * float(conversations.counts.mean())
    came = conversations.counts if emails is None else emails
    held_out: list[HeldOutDay] = []
    within_weeks: list[bool] = []
    over: list[bool] = []
    chances: list[float] = []
    for week in range(MIN_WEEKS, conversations.whole_weeks):
        start = week * WEEK
        simulated = _simulated(conversations, emails, start, rng)
        actual = came[start : start + WEEK]
        bands = np.percentile(simulated, [tail, 50, 100 - tail], axis=0)
        for i, (low, median, high) in enumerate(bands.T.tolist()):
            day = conversations.first + timedelta(days=start + i)
            held_out.append(HeldOutDay(day, low, median, high, int(actual[i])))
        sums = simulated.sum(axis=1)
        least, most = np.percentile(sums, [tail, 100 - tail])
        within_weeks.append(bool(least <= actual.sum() <= most))
        over.append(bool(actual.sum() > WEEK * limit))
        chances.append(float((sums > WEEK * limit).mean()))
    if not within_weeks:
        return None
    return Backtest(
        what=CONVERSATIONS if emails is None else EMAILS,
        days=_share([d.low <= d.actual <= d.high for d in held_out]),
        weeks=_share(within_weeks),
        high_days=_share([d.actual <= d.high for d in held_out]),
        weeks_over=_share(over),
        weeks_over_forecast=float(np.mean(chances)),
        limit=limit,
        held_out=tuple(held_out),
    )


def _simulated(
    conversations: DailyCounts,
    emails: NDArray[np.int64] | None,
    start: int,
    rng: np.random.Generator,
) -> NDArray[np.int64]:
    """Return the week from day `start` on, as the days before foretell it, shape (DRAWS, 7)."""
    pattern = Pattern.fit(conversations.until(start))
    means = pattern.draw_means(DRAWS, rng)[:, conversations.weekdays[start : start + WEEK]]
    if emails is not None:
        came, sent = int(conversations.counts[:start].sum()), int(emails[:start].sum())
        means *= rng.beta(sent + 0.5, came - sent + 0.5, size=(DRAWS, 1))
    return draw_counts(means, pattern.dispersion, rng)


def _share(hits: Sequence[bool]) -> Estimate:
    low, high = clopper_pearson(sum(hits), len(hits))
    return Estimate(sum(hits) / len(hits), low, high, len(hits), "exact binomial")
