"""Budget in, threshold out: the closed form by hand, and the promise tested on many draws."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest
from scipy.stats import binom

from handoff_eval.conversation import Split
from handoff_eval.errors import DataError, LeakageError
from handoff_eval.evaluation.exact import largest_count, positives_needed
from handoff_eval.evaluation.operating_point import OperatingPoint, Shortfall, WayOut
from handoff_eval.evaluation.promise.budget import choose_operating_point
from handoff_eval.evaluation.promise.evidence import gather, try_promises
from handoff_eval.evaluation.promise.units import lowest_of_each, one_per_customer, thinned
from handoff_eval.evaluation.replay import Replay
from handoff_eval.evaluation.scored import ScoredSplit
from handoff_eval.evaluation.traffic import ScoredTraffic
from handoff_eval.handoff import Budget
from tests.builders import scored

NOW = datetime(2026, 3, 1, tzinfo=UTC)
BUDGET = Budget(max_emails_per_day=20, min_recall=0.8, conversations_per_day=200, prevalence=0.05)


def choose(
    split_scores: ScoredSplit,
    budget: Budget = BUDGET,
    tries: int = 1,
    traffic: ScoredTraffic | None = None,
) -> OperatingPoint:
    return choose_operating_point(
        split_scores,
        budget,
        prevalence=0.05,
        tries=tries,
        dataset_digest="d",
        traffic=traffic,
        now=NOW,
    )


def traffic_of(peaks: Sequence[float], days: Sequence[date | None] | None = None) -> ScoredTraffic:
    n = len(peaks)
    return ScoredTraffic(
        "calls sha256 0",
        np.array(peaks, dtype=float),
        tuple(f"t{i}" for i in range(n)),
        tuple(days) if days is not None else (None,) * n,
    )


@pytest.mark.parametrize(
    ("min_recall", "risk", "needed"),
    [(0.8, 0.05, 14), (0.9, 0.05, 29), (0.95, 0.05, 59), (0.8, 0.025, 17), (0.9, 0.025, 36),
     (0.95, 0.025, 72)],
)  # fmt: skip
def test_positives_needed_without_a_miss(min_recall: float, risk: float, needed: int) -> None:
    """The least n such that min_recall ** n <= risk, as the design states them."""
    assert positives_needed(min_recall, risk) == needed


def test_largest_count_by_hand() -> None:
    """With 29 positives none may be missed for .9 at 5 %, with 28 nothing can be shown."""
    # .9 ** 29 = .0471, .9 ** 28 = .0523
    assert largest_count(29, 0.1, 0.05) == 0
    assert largest_count(28, 0.1, 0.05) == -1
    # three misses of 80 at .025: P(Bin(80, .1) <= 2) = .0107, <= 3 = .0353
    assert largest_count(80, 0.1, 0.025) == 2


def test_perfect_trigger_is_certified_in_the_gap() -> None:
    """Scores that part the classes give a threshold midway between them."""
    point = choose(scored([0.9] * 60, [0.1] * 200, split=Split.TUNE))

    assert point.certificate is not None
    assert point.threshold == pytest.approx(0.5)
    assert point.certificate.recall.units == 60
    assert "With 95% confidence" in point.note


def test_edges_are_order_statistics() -> None:
    """The edges are the (c+1)-th largest negative and the (j+1)-th smallest positive."""
    positives = np.linspace(0.5, 0.95, 60)
    negatives = np.linspace(0.05, 0.55, 200)
    split = scored(positives, negatives, split=Split.TUNE)

    evidence = gather(split, BUDGET, prevalence=0.05, traffic=None, seed=0)
    verdict = try_promises(evidence, 0.8, 0.05)

    # v = .1, so F <= (.1 - .05) / .95 = .0526; what recall can't spend of .025 goes to volume
    assert evidence.max_share == pytest.approx(0.05 / 0.95)
    j = max(i for i in range(60) if binom.cdf(i, 60, 0.2) <= 0.025)
    left = 0.05 - binom.cdf(j, 60, 0.2)
    c = max(i for i in range(200) if binom.cdf(i, 200, 0.05 / 0.95) <= left)
    assert (verdict.misses, verdict.fires) == (j, c)
    assert verdict.recall_risk + verdict.volume_risk == pytest.approx(0.05)
    assert verdict.highest == pytest.approx(np.sort(positives)[j])
    assert verdict.lowest == pytest.approx(np.sort(negatives)[::-1][c])


def test_threshold_never_sits_on_a_tied_score() -> None:
    """With eleven levels the threshold lies strictly between two of them."""
    rng = np.random.default_rng(0)
    positives = rng.integers(7, 11, 80) / 10
    negatives = rng.integers(0, 5, 300) / 10

    point = choose(scored(positives, negatives, split=Split.TUNE))

    levels = np.unique(np.concatenate([positives, negatives]))
    assert point.certificate is not None
    assert np.min(np.abs(levels - point.threshold)) > 0.01


def test_too_few_positives_are_told_how_many_more() -> None:
    """Ten positives without a miss can't show .8; 17 could, or a recall of 69.1 % can be shown."""
    point = choose(scored([0.9] * 10, [0.1] * 200, split=Split.TUNE))

    # .8 ** 17 = .0225 <= .025 < .8 ** 16; .691 ** 10 = .0248 <= .025 < .692 ** 10 = .0252
    assert point.shortfall is not None
    assert point.shortfall.side == "recall"
    ways = {way.change: way.needed for way in point.shortfall.ways_out}
    assert ways == {"positives": 17, "recall": 0.691}
    assert point.note.startswith("Chosen, not certified. 10 positives in tune are too few")
    assert point.note.endswith("instead of 80%. More emails would not.")


def test_each_way_out_would_do_and_a_step_less_would_not() -> None:
    """Running the choice again with the recall or the emails it names gives a certificate."""
    rng = np.random.default_rng(2)
    split = scored(rng.beta(4, 2, 80), rng.beta(2, 4, 400), split=Split.TUNE)
    point = choose(split)

    assert point.shortfall is not None
    assert point.shortfall.side == "both"
    ways = {way.change: way.needed for way in point.shortfall.ways_out}
    emails, recall = ways["emails_per_day"], ways["recall"]
    assert choose(split, replace(BUDGET, max_emails_per_day=emails)).certificate is not None
    assert choose(split, replace(BUDGET, max_emails_per_day=emails - 1)).certificate is None
    assert choose(split, replace(BUDGET, min_recall=recall)).certificate is not None
    assert choose(split, replace(BUDGET, min_recall=recall + 0.001)).certificate is None


def test_ways_that_lead_nowhere_are_named() -> None:
    """A user who wonders about labels or recall reads that neither would do by itself."""
    emails = WayOut("emails_per_day", 20, 30, "read 30 emails a day instead of 20")

    assert str(Shortfall("both", "No threshold.", (emails,))) == (
        "No threshold. This would do: read 30 emails a day instead of 20. Neither more labels "
        "like these nor half the recall would."
    )


def test_more_labels_are_a_way_out_where_the_trigger_is_good_enough() -> None:
    """Three misses of 60 are too many for .9; about twice as many like them would do."""
    positives = [0.9] * 57 + [0.2] * 3
    point = choose(
        scored(positives, [0.3] * 300, split=Split.TUNE), replace(BUDGET, min_recall=0.9)
    )

    # .05 of n missed: P(Bin(n, .1) <= .05 n) <= .025 first holds near n = 150
    assert point.shortfall is not None
    (labels,) = (way for way in point.shortfall.ways_out if way.change == "positives")
    n = int(labels.needed)
    assert 120 <= n <= 180
    assert binom.cdf(round(0.05 * n), n, 0.1) <= 0.026


def test_ties_at_the_top_never_put_the_threshold_on_a_score() -> None:
    """When even the highest score is too frequent, the threshold lies above all of them."""
    point = choose(scored([1.0] * 40, [1.0] * 30 + [0.1] * 30, split=Split.TUNE))

    assert point.certificate is None
    assert point.threshold > 1


def test_budget_below_the_prevalence_is_named() -> None:
    """Ten emails a day can't hold 5 % of 400 conversations."""
    budget = Budget(10, 0.8, 400, prevalence=0.05)

    point = choose(scored([0.9] * 60, [0.1] * 200, split=Split.TUNE), budget)

    assert "leaves no room above the prevalence" in point.note


def test_best_guess_keeps_the_estimated_volume() -> None:
    """Without a certificate the lowest threshold whose estimated volume fits is taken."""
    rng = np.random.default_rng(2)
    split = scored(rng.beta(4, 2, 60), rng.beta(2, 4, 200), split=Split.TUNE)

    point = choose(split)

    fired = split.peak >= point.threshold
    rate = 0.05 * fired[split.positive].mean() + 0.95 * fired[~split.positive].mean()
    assert point.certificate is None
    assert rate <= 0.1


@pytest.mark.parametrize("split", [Split.TRAIN, Split.TEST])
def test_choosing_elsewhere_than_on_tune_is_leakage(split: Split) -> None:
    """Train flatters and test is for reporting."""
    with pytest.raises(LeakageError, match="choose a threshold on the tune split"):
        choose(scored([0.9] * 60, [0.1] * 200, split=split))


def test_one_conversation_per_customer() -> None:
    """Each customer gives one unit, the same for the same seed."""
    groups = ("a", "a", "b", "c", "c")
    eligible = np.array([True, True, True, True, True])

    picked = one_per_customer(groups, eligible, seed=4)

    assert len(picked) == 3
    assert [groups[i] for i in picked] == ["a", "b", "c"]
    assert picked.tolist() == one_per_customer(groups, eligible, seed=4).tolist()


def test_conversations_of_one_customer_are_one_unit() -> None:
    """Three of each make 60 positives, 90 negatives or 120 of traffic a third as many units."""
    groups = [f"u{i // 3}" for i in range(60)] + [f"n{i // 3}" for i in range(90)]
    split = scored([0.9] * 60, [0.1] * 90, split=Split.TUNE, groups=groups)
    traffic = replace(traffic_of([0.1] * 120), groups=tuple(f"t{i // 3}" for i in range(120)))

    alone = gather(split, BUDGET, prevalence=0.05, traffic=None, seed=0)
    beside = gather(split, BUDGET, prevalence=0.05, traffic=traffic, seed=0)

    assert (len(alone.positives), len(alone.volume)) == (20, 30)
    assert (len(beside.positives), len(beside.volume)) == (20, 40)


def test_more_tries_divide_the_risk() -> None:
    """Choosing among three arms leaves each a third of the risk, spent by both tests together."""
    point = choose(scored([0.9] * 60, [0.1] * 200, split=Split.TUNE), tries=3)

    assert point.certificate is not None
    risks = point.certificate.recall.risk, point.certificate.volume.risk
    assert sum(risks) == pytest.approx(0.05 / 3)


def test_traffic_shows_the_volume_without_a_prevalence() -> None:
    """With traffic the lower edge is its order statistic and the promise names its source."""
    traffic = traffic_of(np.linspace(0, 0.8, 400))
    point = choose(scored([0.9] * 60, [0.85] * 200, split=Split.TUNE), traffic=traffic)

    # the negatives fire everywhere and don't matter; c = max P(Bin(400, .1) <= c) <= .05 - spent
    assert point.certificate is not None
    volume = point.certificate.volume
    c = largest_count(400, 0.1, 0.05 - point.certificate.recall.risk)
    assert (volume.units, volume.allowed, volume.prevalence) == (400, c, None)
    assert point.certificate.lowest == pytest.approx(np.linspace(0, 0.8, 400)[-c - 1])
    assert volume.source == "calls sha256 0"


def test_days_are_the_units_of_a_promise_for_days() -> None:
    """Each day's (B+1)-th largest score is its edge; with 35 days none may go above."""
    start = date(2026, 1, 1)
    days = [start + timedelta(days=d) for d in range(37) for _ in range(10)]
    peaks = [score for d in range(37) for score in np.linspace(0, 0.5 + d / 100, 10)]
    budget = Budget(2, 0.8, 10, max_days_above=0.1)
    point = choose(
        scored([0.95] * 60, [0.1] * 9, split=Split.TUNE), budget, traffic=traffic_of(peaks, days)
    )

    # 35 days without the first and last; .9 ** 35 = .025 <= .05 - spent, so 0 may go above.
    # The highest third largest is that of day 35: (0.5 + .35) * 7/9
    assert point.certificate is not None
    volume = point.certificate.volume
    assert (volume.units, volume.allowed) == (35, 0)
    assert point.certificate.lowest == pytest.approx(0.85 * 7 / 9)
    assert "the 5 whole weeks seen" in volume.assumption


def test_whole_weeks_are_kept_where_there_are_enough() -> None:
    """Of 40 days 38 are whole, which are five weeks and three days left out."""
    days = [date(2026, 1, 1) + timedelta(days=d) for d in range(40)]

    edges, per_day, assumed = traffic_of([0.5] * 40, days).daily(0)

    assert (len(edges), per_day) == (35, 1.0)
    assert assumed == "days to come are like the 5 whole weeks seen"


def test_a_promise_for_days_needs_whole_days() -> None:
    """Neither no traffic nor a thin sample of it can show how many emails a day brings."""
    budget = Budget(2, 0.8, 10, max_days_above=0.1)
    split = scored([0.9] * 60, [0.1] * 9, split=Split.TUNE)
    sparse = traffic_of([0.5] * 40, [date(2026, 1, 1) + timedelta(days=d) for d in range(40)])

    with pytest.raises(DataError, match="promise a share of days; got none"):
        choose(split, budget)
    with pytest.raises(DataError, match=r"has 1\.0\. Give whole days"):
        choose(split, budget, traffic=sparse)
    with pytest.raises(DataError, match="40 have no started_at"):
        choose(split, budget, traffic=traffic_of([0.5] * 40))


def test_conversations_already_emailed_fire_at_every_threshold() -> None:
    """A log that ends at the fire can't make a stricter threshold look quieter than it is."""
    quiet = traffic_of([0.1] * 380 + [0.2] * 20)
    cut = traffic_of([0.1] * 320 + [np.inf] * 80)
    split = scored([0.9] * 60, [0.1] * 200, split=Split.TUNE)

    assert choose(split, traffic=quiet).certificate is not None
    assert choose(split, traffic=cut).certificate is None


def test_positives_found_by_the_former_trigger_certify_nothing() -> None:
    """Where all positives were emailed, what the old trigger missed can't be seen."""
    split = scored([0.9] * 60, [0.1] * 200, split=Split.TUNE)
    emailed = replace(split, emailed=split.positive)

    with pytest.raises(DataError, match="apart from the emails already sent; all 60"):
        choose(emailed)


def test_customers_never_missed_go_by_their_lowest_score() -> None:
    """The estimand is another: each customer's lowest positive must lie above the threshold."""
    groups = ["a", "a", "b", "b", "b", "c"]
    scores = np.array([0.9, 0.4, 0.8, 0.7, 0.1, 0.6])
    eligible = np.array([True, True, True, True, False, True])

    assert lowest_of_each(scores, groups, eligible).tolist() == [0.4, 0.7, 0.6]
    twice = scored(
        [0.9, 0.5] * 30,
        [0.1] * 200,
        split=Split.TUNE,
        groups=[*(f"u{i // 2}" for i in range(60)), *(f"n{i}" for i in range(200))],
    )
    point = choose(twice, replace(BUDGET, customers=True))
    assert point.certificate is not None
    assert point.certificate.recall.units == 30
    assert point.certificate.highest == 0.5


def test_recall_on_time_counts_scores_up_to_the_due_point_and_tolerance() -> None:
    """A positive that reaches its score one decision late counts with a tolerance of one only."""
    split = scored([0.9] * 3, [0.1] * 2, split=Split.TUNE)
    twice = Replay(
        "arm",
        split.replay.ids,
        2 * np.arange(6),
        np.ones(10, dtype=np.int64),
        np.array([0.2, 0.9, 0.9, 0.3, 0.4, 0.9, 0.1, 0.1, 0.1, 0.1]),
    )
    split = replace(split, replay=twice)

    for within, expected in ((0, [0.2, 0.9, 0.4]), (1, [0.9] * 3), (7, [0.9] * 3)):
        budget = replace(BUDGET, on_time_within=within)
        evidence = gather(split, budget, prevalence=0.05, traffic=None, seed=0)
        assert evidence.positives.tolist() == expected


def test_weighted_rows_are_thinned_to_equal_chances() -> None:
    """A row drawn at half the chance of another stays twice as often; equal ones all stay."""
    weight = np.array([1.0, 2.0] * 5000)
    everyone = np.ones(10_000, dtype=bool)

    stays = thinned(weight, everyone, seed=3)

    assert stays[1::2].all()
    assert stays[::2].mean() == pytest.approx(0.5, abs=0.03)
    assert thinned(np.ones(10), everyone[:10], seed=3).all()


def test_unequal_weights_refuse_the_promise_for_customers() -> None:
    """A customer whose conversations were drawn at different chances is no unit."""
    weight = [1.0] * 30 + [4.0] * 30 + [1.0] * 200
    split = scored([0.9] * 60, [0.1] * 200, split=Split.TUNE, weight=weight)

    point = choose(split)

    assert point.certificate is not None
    assert 30 <= point.certificate.recall.units < 60
    with pytest.raises(DataError, match="equal sampling probabilities"):
        choose(split, replace(BUDGET, customers=True))
