"""Budget in, threshold out: the closed form by hand, and the promise tested on many draws."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom

from handoff_eval.conversation import Split
from handoff_eval.errors import LeakageError
from handoff_eval.evaluation.budget import (
    certified_edges,
    choose_operating_point,
    largest_count,
    one_per_customer,
    positives_needed,
)
from handoff_eval.evaluation.operating_point import OperatingPoint
from handoff_eval.evaluation.scored import ScoredSplit
from handoff_eval.handoff import Budget
from tests.builders import scored

BUDGET = Budget(max_emails_per_day=20, min_recall=0.8, conversations_per_day=200, prevalence=0.05)


def choose(split_scores: ScoredSplit, budget: Budget = BUDGET, tries: int = 1) -> OperatingPoint:
    return choose_operating_point(
        split_scores, budget, prevalence=budget.prevalence, tries=tries, dataset_digest="d"
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
    assert point.certificate.positives == 60
    assert "With 95% confidence" in point.note


def test_edges_are_order_statistics() -> None:
    """The edges are the (c+1)-th largest negative and the (j+1)-th smallest positive."""
    positives = np.linspace(0.5, 0.95, 60)
    negatives = np.linspace(0.05, 0.55, 200)

    edges = certified_edges(
        scored(positives, negatives, split=Split.TUNE),
        min_recall=0.8,
        max_fpr=0.05,
        risk=0.025,
        seed=0,
    )

    j = max(i for i in range(60) if binom.cdf(i, 60, 0.2) <= 0.025)
    c = max(i for i in range(200) if binom.cdf(i, 200, 0.05) <= 0.025)
    assert (edges.misses_allowed, edges.fires_allowed) == (j, c)
    assert edges.highest == pytest.approx(np.sort(positives)[j])
    assert edges.lowest == pytest.approx(np.sort(negatives)[::-1][c])


def test_threshold_never_sits_on_a_tied_score() -> None:
    """With eleven levels the threshold lies strictly between two of them."""
    rng = np.random.default_rng(0)
    positives = rng.integers(7, 11, 80) / 10
    negatives = rng.integers(0, 5, 300) / 10

    point = choose(scored(positives, negatives, split=Split.TUNE))

    levels = np.unique(np.concatenate([positives, negatives]))
    assert point.certificate is not None
    assert np.min(np.abs(levels - point.threshold)) > 0.01


def test_too_few_positives_are_counted() -> None:
    """The note says how many there are and how many are needed."""
    point = choose(scored([0.9] * 10, [0.1] * 200, split=Split.TUNE))

    assert point.certificate is None
    assert point.note.startswith("Chosen, not certified: 10 positives in tune, 17 needed")


def test_too_many_misses_are_counted() -> None:
    """A trigger that misses too much at the allowed volume is told how far it is off."""
    rng = np.random.default_rng(1)
    point = choose(scored(rng.random(60), rng.random(200), split=Split.TUNE))

    assert point.certificate is None
    assert "misses of this threshold" in point.note


def test_too_many_fires_are_counted() -> None:
    """Where recall holds and the volume can't be shown, the note speaks of the negatives."""
    budget = Budget(15, 0.8, 100, prevalence=0.05)
    point = choose(scored([0.9] * 100, [0.95] * 6 + [0.1] * 54, split=Split.TUNE), budget)

    assert point.certificate is None
    assert "0 misses, 11 allowed), but 6 of 60 negatives fire and 1 are allowed" in point.note


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


def test_more_tries_divide_the_risk() -> None:
    """Choosing among three arms leaves each a third of the risk."""
    point = choose(scored([0.9] * 60, [0.1] * 200, split=Split.TUNE), tries=3)

    assert point.certificate is not None
    assert point.certificate.recall_risk == pytest.approx(0.05 / 2 / 3)


@pytest.mark.medium
@pytest.mark.parametrize("levels", [None, 11, 3], ids=["continuous", "11 levels", "3 levels"])
def test_the_promise_is_kept(levels: int | None) -> None:
    """Over 2,000 draws P(issued and broken) stays within 5 % and 3 standard errors."""
    rng = np.random.default_rng(11)

    def draw(a: float, b: float, n: int) -> np.ndarray:
        values = rng.beta(a, b, n)
        return values if levels is None else np.floor(values * levels) / levels

    population = {True: draw(5, 2, 400_000), False: draw(1.5, 6, 400_000)}
    for sample in population.values():
        sample.sort()
    draws, issued, broken = 2000, 0, 0
    for _ in range(draws):
        split = scored(draw(5, 2, 60), draw(1.5, 6, 150), split=Split.TUNE)
        point = choose(split)
        if point.certificate is None:
            continue
        issued += 1
        recall, fpr = (
            1 - np.searchsorted(population[kind], point.threshold, side="left") / 400_000
            for kind in (True, False)
        )
        broken += recall < 0.8 or fpr > point.certificate.max_false_positive_rate

    assert issued > 0 or levels == 3
    assert broken / draws <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / draws)
