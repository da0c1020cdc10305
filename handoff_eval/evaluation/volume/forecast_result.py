"""Emails a day as a distribution: what a usual day, a bad day and a week will bring."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from handoff_eval.evaluation.intervals import Estimate
from handoff_eval.evaluation.look import WIDE
from handoff_eval.evaluation.result import Draw, Result, ResultTable
from handoff_eval.evaluation.volume.backtest import Backtest
from handoff_eval.evaluation.volume.daily_counts import FEW_WEEKS
from handoff_eval.handoff import Budget

if TYPE_CHECKING:
    import pandas as pd

    from handoff_eval.evaluation.look import Picture


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
    source : str
        Where the emails a conversation come from: `traffic`, or `test` at the prevalence.
    median_day, high_day : Estimate
        50th and 90th percentile of emails on a day, any weekday alike.
    day_over, week_over : Estimate
        Chance that a day has more emails than the budget, and that a week has more than seven
        times the budget.
    weekdays : tuple of Weekday
        Monday first.
    parts : dict
        Mean emails a day by `hour` of the email, `reason` and `channel`.
    dispersion : float
        a in Var = mean + a mean^2 of a day's conversations; 0 is chance alone.
    weeks : int
        Whole weeks of traffic behind it.
    tested : Backtest or None
        On held-out weeks, each forecast from those before it.
    """

    trigger: str
    budget: Budget
    prevalence: float
    source: str
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
            said.append(self.tested.sentence())
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

    def plot(self, *, width: int = WIDE) -> Picture:
        """Return the band of each weekday with the budget."""
        from handoff_eval.evaluation.volume.plots import forecast_plot

        return forecast_plot(self, width=width)

    def pictures(self) -> dict[str, Draw]:
        """Return the forecast, and each held-out day in its band where there are some."""
        drawn: dict[str, Draw] = {"": lambda width: self.plot(width=width)}
        if (tested := self.tested) is not None:
            drawn["held_out"] = lambda width: tested.plot(width=width)
        return drawn

    def tables(self) -> dict[str, ResultTable]:
        """Return the weekdays and the parts."""
        return {
            "": ResultTable("Emails on each weekday.", self.frame()),
            "parts": ResultTable(
                "Mean emails a day by hour, main reason and channel.", self.parts_frame()
            ),
        }

    def measured(self) -> dict[str, Estimate | float]:
        """Return what is forecast, and how often held-out days and weeks fell into the band."""
        found: dict[str, Estimate | float] = dict(self.items())
        if self.tested is not None:
            found |= {"held_out_days": self.tested.days, "held_out_weeks": self.tested.weeks}
        return found

    def text(self) -> str:
        """Return the sentences, the weekdays and the parts."""
        return "\n".join([super(Forecast, self).text(), "", self.parts_frame().to_string()])

    def to_dict(self) -> dict[str, Any]:
        """Return the forecast with its test."""
        tested = self.tested
        return {
            "trigger": self.trigger,
            "conversations_per_day": self.budget.conversations_per_day,
            "max_emails_per_day": self.budget.max_emails_per_day,
            "prevalence": self.prevalence,
            "source": self.source,
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
            "backtest": None if tested is None else tested.to_dict(),
        }


def _percent(chance: Estimate) -> str:
    return f"{chance.value:.0%} of cases ({chance.low:.0%} to {chance.high:.0%})"
