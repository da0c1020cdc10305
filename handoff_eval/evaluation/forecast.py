"""Emails a day as a distribution: what a usual day, a bad day and a week will bring."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from handoff_eval.conversation import Conversation, LabeledConversation
from handoff_eval.evaluation.daily_counts import (
    FEW_WEEKS,
    STATED,
    WEEK,
    Backtest,
    DailyCounts,
    Pattern,
    backtest,
    draw_counts,
)
from handoff_eval.evaluation.intervals import (
    LEVEL,
    Estimate,
    clopper_pearson,
    cluster_weights,
    percentile_estimate,
)
from handoff_eval.evaluation.metrics import at_prevalence, email_rate
from handoff_eval.evaluation.operating_point import OperatingPoint
from handoff_eval.evaluation.result import Result
from handoff_eval.evaluation.scored import ScoredSplit
from handoff_eval.handoff import Budget

if TYPE_CHECKING:
    import pandas as pd

    from handoff_eval.evaluation.look import Picture

WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
RATE_DRAWS = 200
WEEKS_EACH = 500


@dataclass(frozen=True, slots=True)
class Weekday:
    """Emails on one day of the week: their 10th, 50th and 90th percentile."""

    name: str
    low: float
    median: float
    high: float
    days: int


@dataclass(frozen=True, slots=True)
class Part:
    """Mean emails a day of one kind, such as those of a channel."""

    name: str
    emails: Estimate


@dataclass(frozen=True, slots=True)
class Forecast(Result):
    """Emails a day at the stated traffic and prevalence.

    The value of each estimate is of the whole predictive distribution; its limits are where 95%
    of the values lie over resampled email rates and weekday patterns. n is the number of days the
    pattern rests on.

    Attributes
    ----------
    trigger : str
    budget : Budget
    prevalence : float
    median_day, high_day : Estimate
        50th and 90th percentile of emails on a day, any weekday alike.
    day_over, week_over : Estimate
        Chance that a day has more emails than the budget, and that a week has more than seven
        times the budget.
    weekdays : tuple of Weekday
        Monday first.
    parts : dict
        Mean emails a day `by hour`, `by reason` and `by channel`.
    dispersion : float
        a in Var = mean + a mean^2 of a day's conversations; 0 is chance alone.
    weeks : int
        Whole weeks of traffic behind it.
    tested : Backtest or None
        On conversations a day, each week forecast from those before it.
    """

    trigger: str
    budget: Budget
    prevalence: float
    median_day: Estimate
    high_day: Estimate
    day_over: Estimate
    week_over: Estimate
    weekdays: tuple[Weekday, ...]
    parts: dict[str, tuple[Part, ...]]
    dispersion: float
    weeks: int
    tested: Backtest | None

    def items(self) -> list[tuple[str, Estimate]]:
        """Return name and estimate of what is forecast."""
        names = ("median_day", "high_day", "day_over", "week_over")
        return [(name, getattr(self, name)) for name in names]

    def sentences(self) -> tuple[str, ...]:
        """Return the usual day, the bad day, the budget and how far to trust it, in words."""
        limit = f"{self.budget.max_emails_per_day:g}"
        high = self.high_day
        said = [
            f"{self.trigger} sends {self.median_day.value:.0f} emails on a usual day and more than "
            f"{high.value:.0f} ({high.low:.0f} to {high.high:.0f}) on one day in ten.",
            f"A day has more than {limit} in {_percent(self.day_over)}, and a week more than "
            f"{limit} a day on average in {_percent(self.week_over)}.",
        ]
        if self.tested is None:
            said.append(f"{self.weeks} weeks of traffic are too few to hold one out and test this.")
        else:
            said.append(
                f"On held-out weeks {self.tested.days.value:.0%} of {self.tested.days.n} days "
                f"({self.tested.days.low:.0%} to {self.tested.days.high:.0%}) and "
                f"{self.tested.weeks.value:.0%} of {self.tested.weeks.n} weeks fell into a band "
                f"meant for {STATED:.0%}; this tests the conversations a day, before the trigger."
            )
        if self.weeks < FEW_WEEKS:
            said.append(
                f"The pattern rests on {self.weeks} weeks, and fewer than {FEW_WEEKS} show neither "
                "seasons nor how often a bad day comes."
            )
        return tuple(said)

    def frame(self) -> pd.DataFrame:
        """Return one row a weekday."""
        import pandas as pd

        rows = [
            {
                "weekday": day.name,
                "10th percentile": day.low,
                "median": day.median,
                "90th percentile": day.high,
                "days seen": day.days,
            }
            for day in self.weekdays
        ]
        return pd.DataFrame(rows).set_index("weekday")

    def parts_frame(self) -> pd.DataFrame:
        """Return mean emails a day by hour, reason and channel."""
        import pandas as pd

        rows = [
            {"by": by, "value": p.name, "emails a day": p.emails.short, "n": p.emails.n}
            for by, parts in self.parts.items()
            for p in parts
        ]
        return pd.DataFrame(rows, columns=["by", "value", "emails a day", "n"]).set_index(
            ["by", "value"]
        )

    def plot(self) -> Picture:
        """Return the band of each weekday with the budget."""
        from handoff_eval.evaluation.analysis_plots import forecast_plot

        return forecast_plot(self)

    def to_dict(self) -> dict[str, Any]:
        """Return the forecast with its test."""
        tested = self.tested
        return {
            "trigger": self.trigger,
            "conversations_per_day": self.budget.conversations_per_day,
            "max_emails_per_day": self.budget.max_emails_per_day,
            "prevalence": self.prevalence,
            "weeks": self.weeks,
            "dispersion": self.dispersion,
            **{name: estimate.to_dict() for name, estimate in self.items()},
            "weekdays": [
                {"name": d.name, "p10": d.low, "p50": d.median, "p90": d.high, "days": d.days}
                for d in self.weekdays
            ],
            "parts": {
                by: [{"name": p.name, **p.emails.to_dict()} for p in parts]
                for by, parts in self.parts.items()
            },
            "backtest": None
            if tested is None
            else {
                "stated": STATED,
                "days": tested.days.to_dict(),
                "weeks": tested.weeks.to_dict(),
                "days_up_to_p90": tested.high_days.to_dict(),
            },
        }


def forecast_volume(
    scored: ScoredSplit,
    labeled: Sequence[LabeledConversation],
    point: OperatingPoint,
    traffic: Sequence[Conversation],
    *,
    budget: Budget,
    prevalence: float,
    seed: int = 0,
) -> Forecast:
    """Return emails a day under an operating point.

    The traffic gives the pattern over days and hours, the scored split the email rate at the
    deployment prevalence; that the rate is the same on every day is an assumption.

    Parameters
    ----------
    scored : ScoredSplit
        The trigger on test.
    labeled : sequence of LabeledConversation
        Those conversations, in any order; further ones are left out.
    point : OperatingPoint
    traffic : sequence of Conversation
        All that arrived, labelled or not; those without a start time are left out.
    budget : Budget
        Its conversations per day are the mean that the pattern is scaled to.
    prevalence : float
        Of the deployment.
    seed : int
        Of resampling and simulation.

    Raises
    ------
    DataError
        When the traffic spans fewer than two weeks.
    LeakageError
        When the split is not test.
    """
    point.check_reportable_on(scored.split)
    counts = DailyCounts.of(traffic)
    pattern = Pattern.fit(counts)
    rng = np.random.default_rng(seed)
    means = pattern.draw_means(RATE_DRAWS, rng)
    means *= budget.conversations_per_day / means.mean(axis=1, keepdims=True)
    rates = rate_draws(scored, point, prevalence, rng)
    expected = (means * rates[:, np.newaxis])[:, np.newaxis, :]
    emails = draw_counts(
        np.broadcast_to(expected, (RATE_DRAWS, WEEKS_EACH, WEEK)), pattern.dispersion, rng
    )
    limit = budget.max_emails_per_day
    days = emails.reshape(RATE_DRAWS, -1)
    over = (days > limit).mean(axis=1)
    weeks_over = (emails.sum(axis=2) > WEEK * limit).mean(axis=1)
    n = len(counts.counts)
    low, middle, high = np.percentile(emails.reshape(-1, WEEK), [10, 50, 90], axis=0)
    item_of = {item.conversation.id: item for item in labeled}
    items = [item_of[i] for i in scored.replay.ids]
    mean = budget.conversations_per_day * float(rates.mean())
    return Forecast(
        trigger=scored.replay.trigger,
        budget=budget,
        prevalence=prevalence,
        median_day=_spread(np.percentile(days, 50), np.percentile(days, 50, axis=1), n),
        high_day=_spread(np.percentile(days, 90), np.percentile(days, 90, axis=1), n),
        day_over=_spread(over.mean(), over, n),
        week_over=_spread(weeks_over.mean(), weeks_over, n),
        weekdays=tuple(
            Weekday(name, float(low[i]), float(middle[i]), float(high[i]), int(pattern.days[i]))
            for i, name in enumerate(WEEKDAYS)
        ),
        parts={
            "hour": _by_hour(traffic, mean),
            "reason": _parts(scored, point, [_reason(i) for i in items], budget, prevalence, seed),
            "channel": _parts(
                scored,
                point,
                [i.conversation.channel or "unknown" for i in items],
                budget,
                prevalence,
                seed,
            ),
        },
        dispersion=pattern.dispersion,
        weeks=counts.whole_weeks,
        tested=backtest(counts, seed=seed),
    )


def rate_draws(
    scored: ScoredSplit, point: OperatingPoint, prevalence: float, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Return emails per conversation over resampled customers, shape (RATE_DRAWS,).

    A rate of exactly 0 or 1 has no bootstrap spread; it is drawn from its Jeffreys posterior,
    Beta(x + 1/2, n - x + 1/2) with customers as units, instead.
    """
    fired, positive = scored.peak >= point.threshold, scored.positive
    resampled = cluster_weights(scored.groups, replicates=RATE_DRAWS, seed=int(rng.integers(2**31)))
    weights = resampled * scored.weight
    rates = []
    for among in (positive, ~positive):
        share = float(np.average(fired[among], weights=scored.weight[among]))
        if share in (0.0, 1.0):
            n = len({group for group, a in zip(scored.groups, among, strict=True) if a})
            rates.append(rng.beta(share * n + 0.5, (1 - share) * n + 0.5, size=RATE_DRAWS))
            continue
        with np.errstate(invalid="ignore", divide="ignore"):
            drawn = (weights @ (fired & among)) / (weights @ among.astype(float))
        rates.append(np.where(np.isfinite(drawn), drawn, share))
    return email_rate(rates[0], rates[1], prevalence)


def _by_hour(traffic: Iterable[Conversation], mean: float) -> tuple[Part, ...]:
    """Return mean emails of each hour of the day: the traffic's share of it times the mean."""
    hours = [c.started_at.hour for c in traffic if c.started_at is not None]
    counts = np.bincount(hours, minlength=24)
    parts = []
    for hour, count in enumerate(counts):
        limits = clopper_pearson(int(count), len(hours))
        share = Estimate(count / len(hours), *limits, len(hours), "exact binomial")
        parts.append(Part(f"{hour:02d}", share.scaled(mean)))
    return tuple(parts)


def _parts(
    scored: ScoredSplit,
    point: OperatingPoint,
    values: Sequence[str],
    budget: Budget,
    prevalence: float,
    seed: int,
) -> tuple[Part, ...]:
    """Return mean emails a day of each value that any email has, most first."""
    fired = scored.peak >= point.threshold
    n = len(fired)
    weights = at_prevalence(scored.positive, scored.resampled(seed=seed), prevalence)
    once = at_prevalence(scored.positive, scored.weight, prevalence)
    parts = []
    for value in sorted(set(values)):
        hits = (fired & (np.array(values, dtype=object) == value)).astype(float)
        if hits.any():
            per_conversation = percentile_estimate(float(once @ hits), weights @ hits, n)
            parts.append(Part(value, per_conversation.scaled(budget.conversations_per_day)))
    return tuple(sorted(parts, key=lambda part: -part.emails.value))


def _reason(item: LabeledConversation) -> str:
    if not item.label.handoff:
        return "not needed"
    return item.label.reasons[0].value if item.label.reasons else "not stated"


def _spread(value: float, draws: NDArray[np.float64], n: int) -> Estimate:
    tail = 100 * (1 - LEVEL) / 2
    low, high = np.percentile(draws, [tail, 100 - tail])
    value = float(value)
    return Estimate(value, min(float(low), value), max(float(high), value), n, "simulation")


def _percent(chance: Estimate) -> str:
    return f"{chance.value:.0%} of cases ({chance.low:.0%} to {chance.high:.0%})"
