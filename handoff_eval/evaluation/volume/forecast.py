"""Forecast emails a day from the pattern of the traffic and the rate of an operating point."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from handoff_eval.conversation import Conversation, LabeledConversation
from handoff_eval.evaluation.intervals import (
    LEVEL,
    Estimate,
    cluster_weights,
    percentile_estimate,
)
from handoff_eval.evaluation.metrics import at_prevalence, email_rate
from handoff_eval.evaluation.operating_point import OperatingPoint
from handoff_eval.evaluation.scored import ScoredSplit
from handoff_eval.evaluation.traffic import ScoredTraffic
from handoff_eval.evaluation.volume.backtest import Backtest, backtest
from handoff_eval.evaluation.volume.daily_counts import WEEK, DailyCounts, Pattern, draw_counts
from handoff_eval.evaluation.volume.forecast_result import Forecast, Part, Weekday
from handoff_eval.handoff import Budget

WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
RATE_DRAWS = 200
WEEKS_EACH = 500


def forecast_volume(
    scored: ScoredSplit,
    labeled: Sequence[LabeledConversation],
    point: OperatingPoint,
    arrived: Sequence[Conversation],
    *,
    budget: Budget,
    prevalence: float,
    traffic: ScoredTraffic | None = None,
    seed: int = 0,
) -> Forecast:
    """Return emails a day under an operating point.

    Conversations give the pattern over days. Emails a conversation come from traffic where there
    is some, which takes neither label nor prevalence, else from the scored split at the deployment
    prevalence. That the rate is the same on every day is an assumption; with traffic it is tested
    on the emails of held-out weeks, else the conversations are, before the trigger.

    Parameters
    ----------
    scored : ScoredSplit
        The trigger on test.
    labeled : sequence of LabeledConversation
        Those conversations, in any order; further ones are left out.
    point : OperatingPoint
    arrived : sequence of Conversation
        All that came, labelled or not, for the pattern where there is no traffic; those without a
        start time are left out.
    budget : Budget
        Its conversations per day are the mean that the pattern is scaled to.
    prevalence : float
        Of the deployment.
    traffic : ScoredTraffic, optional
        The trigger on unlabelled conversations.
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
    item_of = {item.conversation.id: item for item in labeled}
    items = [item_of[i] for i in scored.replay.ids]
    rng = np.random.default_rng(seed)
    counts = DailyCounts.of(
        [c.started_at and c.started_at.date() for c in arrived] if traffic is None else traffic.days
    )
    pattern = Pattern.fit(counts)
    means = pattern.draw_means(RATE_DRAWS, rng)
    means *= budget.conversations_per_day / means.mean(axis=1, keepdims=True)
    of_test = rate_draws(scored, point, prevalence, rng)
    rates = of_test if traffic is None else _traffic_rates(traffic, point, rng)
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
    kinds = {
        "hour": _hours(scored, items, point),
        "reason": [_reason(item) for item in items],
        "channel": [item.conversation.channel or "unknown" for item in items],
    }
    parts = _Parts(scored, point, budget, prevalence, seed)
    scale = 1.0 if traffic is None else float(rates.mean() / of_test.mean())
    return Forecast(
        trigger=scored.replay.trigger,
        budget=budget,
        prevalence=prevalence,
        source="test" if traffic is None else "traffic",
        median_day=_spread(np.percentile(days, 50), np.percentile(days, 50, axis=1), n),
        high_day=_spread(np.percentile(days, 90), np.percentile(days, 90, axis=1), n),
        day_over=_spread(over.mean(), over, n),
        week_over=_spread(weeks_over.mean(), weeks_over, n),
        weekdays=tuple(
            Weekday(name, float(low[i]), float(middle[i]), float(high[i]), int(pattern.days[i]))
            for i, name in enumerate(WEEKDAYS)
        ),
        parts={by: parts.of(values, scale) for by, values in kinds.items()},
        dispersion=pattern.dispersion,
        weeks=counts.whole_weeks,
        tested=_tested(counts, traffic, point, budget, float(rates.mean()), seed),
    )


def rate_draws(
    scored: ScoredSplit, point: OperatingPoint, prevalence: float, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Return emails per conversation over resampled customers, shape (RATE_DRAWS,)."""
    fired = scored.peak >= point.threshold
    resampled = cluster_weights(scored.groups, replicates=RATE_DRAWS, seed=int(rng.integers(2**31)))
    weights = resampled * scored.weight
    recall, false_positives = (
        _share_draws(fired, among, scored.groups, scored.weight, weights, rng)
        for among in (scored.positive, ~scored.positive)
    )
    return email_rate(recall, false_positives, prevalence)


def _traffic_rates(
    traffic: ScoredTraffic, point: OperatingPoint, rng: np.random.Generator
) -> NDArray[np.float64]:
    fired = traffic.peak >= point.threshold
    weights = cluster_weights(traffic.groups, replicates=RATE_DRAWS, seed=int(rng.integers(2**31)))
    every, once = np.ones(len(fired), dtype=bool), np.ones(len(fired))
    return _share_draws(fired, every, traffic.groups, once, weights, rng)


def _share_draws(
    fired: NDArray[np.bool_],
    among: NDArray[np.bool_],
    groups: Sequence[str],
    weight: NDArray[np.float64],
    weights: NDArray[np.float64],
    rng: np.random.Generator,
) -> NDArray[np.float64]:
    """Return the share that fires over resampled customers, shape (RATE_DRAWS,).

    A share of exactly 0 or 1 has no bootstrap spread; it is drawn from its Jeffreys posterior,
    Beta(x + 1/2, n - x + 1/2) with customers as units, instead (Brown, Cai and DasGupta,
    Statistical Science 16 (2001) 101-133).
    """
    share = float(np.average(fired[among], weights=weight[among]))
    if share in (0.0, 1.0):
        n = len({group for group, a in zip(groups, among, strict=True) if a})
        return rng.beta(share * n + 0.5, (1 - share) * n + 0.5, size=RATE_DRAWS)
    with np.errstate(invalid="ignore", divide="ignore"):
        drawn = (weights @ (fired & among)) / (weights @ among.astype(float))
    return np.where(np.isfinite(drawn), drawn, share)


def _tested(
    counts: DailyCounts,
    traffic: ScoredTraffic | None,
    point: OperatingPoint,
    budget: Budget,
    rate: float,
    seed: int,
) -> Backtest | None:
    """Return the backtest on traffic's emails, or without traffic on conversations.

    Test's own emails would tell how conversations were drawn for test, such as the last weeks.
    """
    if traffic is None:
        return backtest(counts, None, allowed=budget.email_rate / rate, seed=seed)
    fired = traffic.peak >= point.threshold
    emails = counts.alongside([day for day, f in zip(traffic.days, fired, strict=True) if f])
    return backtest(counts, emails, allowed=budget.email_rate, seed=seed)


class _Parts:
    """Mean emails a day of each kind, with the same resampled customers for all kinds."""

    def __init__(
        self,
        scored: ScoredSplit,
        point: OperatingPoint,
        budget: Budget,
        prevalence: float,
        seed: int,
    ) -> None:
        self._fired = scored.peak >= point.threshold
        self._drawn = at_prevalence(scored.positive, scored.resampled(seed=seed), prevalence)
        self._once = at_prevalence(scored.positive, scored.weight, prevalence)
        self._per_day = budget.conversations_per_day

    def of(self, values: Sequence[str], scale: float) -> tuple[Part, ...]:
        """Return each value that any email has, hours in their order, the others most first."""
        array, parts = np.array(values, dtype=object), []
        for value in sorted(set(values)):
            hits = (self._fired & (array == value)).astype(float)
            if hits.any():
                each = percentile_estimate(
                    float(self._once @ hits), self._drawn @ hits, len(self._fired)
                )
                parts.append(Part(value, each.scaled(scale * self._per_day)))
        if all(part.name.isdecimal() for part in parts):
            return tuple(parts)
        return tuple(sorted(parts, key=lambda part: -part.emails.value))


def _hours(
    scored: ScoredSplit, items: Sequence[LabeledConversation], point: OperatingPoint
) -> list[str]:
    """Return the local hour of each email, that of the turn it follows; the start's without one."""
    hours = []
    first, replay = scored.replay.first_fire(point.threshold), scored.replay
    for i, item in enumerate(items):
        at = item.conversation.started_at
        if first[i] >= 0:
            last_seen = int(replay.turns[int(replay.offsets[i]) + int(first[i])]) - 1
            at = item.conversation.turns[last_seen].at or at
        hours.append("unknown" if at is None else f"{at.hour:02d}")
    return hours


def _reason(item: LabeledConversation) -> str:
    if not item.label.handoff:
        return "not needed"
    return item.label.reasons[0].value if item.label.reasons else "not stated"


def _spread(value: float, draws: NDArray[np.float64], n: int) -> Estimate:
    tail = 100 * (1 - LEVEL) / 2
    low, high = np.percentile(draws, [tail, 100 - tail])
    value = float(value)
    return Estimate(value, min(float(low), value), max(float(high), value), n, "simulation")
