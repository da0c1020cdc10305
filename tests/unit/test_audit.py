"""An audit of what was not sent: the plan, the estimate and its limits."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from math import isnan, log, sqrt
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chi2

from handoff_eval.errors import DataError, SettingsError
from handoff_eval.evaluation.audit.estimate import estimate_recall, gamma_limits
from handoff_eval.evaluation.audit.plan import (
    AuditPlan,
    AuditRow,
    Design,
    Stratum,
    allocate,
    make_plan,
    read_plan,
    strata_sizes,
)
from handoff_eval.evaluation.audit.size import reviews_needed, simulate_found
from handoff_eval.evaluation.decision_log import LoggedConversation, read_decision_log

LOG = [LoggedConversation(f"c{i}", i < 20, 1 - i / 1000) for i in range(1000)]


def _plan(design: Design = Design.STRATIFIED) -> AuditPlan:
    """Return 2 of 2 sent, 2 of 4 high and 2 of 20 low conversations."""
    strata = (
        Stratum("sent", True, 0.8, 0.9, 2, 1.0),
        Stratum("unsent 1", False, 0.5, 0.6, 4, 0.5),
        Stratum("unsent 2", False, 0.1, 0.4, 20, 0.1),
    )
    rows = tuple(
        AuditRow(f"{stratum.name}-{i}", stratum.name, stratum.probability, 0.5)
        for stratum in strata
        for i in range(2)
    )
    return AuditPlan(design, 0, None, strata, rows)


def _answers(plan: AuditPlan, *needed: str) -> dict[str, bool]:
    return {row.conversation_id: row.conversation_id in needed for row in plan.rows}


def test_estimate_by_hand() -> None:
    """Each miss counts as often as its stratum was thinned."""
    plan = _plan()

    found = estimate_recall(plan, _answers(plan, "sent-0", "sent-1", "unsent 1-0", "unsent 2-0"))

    # missed: 1 * 4/2 + 1 * 20/2 = 12; recall 2 / (2 + 12)
    assert found.missed.value == pytest.approx(12)
    assert found.recall.value == pytest.approx(2 / 14)
    # y = 12, v = 4 + 100 = 104, w = 10 (Fay and Feuer, eq. 4):
    # L = v/(2y) chi2(.025; 2y^2/v), U = (v + w^2) / (2 (y + w)) chi2(.975; 2 (y + w)^2 / (v + w^2))
    low = 104 / 24 * chi2.ppf(0.025, 2 * 144 / 104)
    high = 204 / 44 * chi2.ppf(0.975, 2 * 22**2 / 204)
    assert found.missed.low == pytest.approx(low)
    assert high > 24
    assert found.missed.high == 24
    assert found.recall.low == pytest.approx(2 / 26)
    assert found.recall.high == pytest.approx(2 / (2 + low))


def test_limits_of_counts_are_exact_poisson_limits() -> None:
    """With weights of one the gamma limits are those of a Poisson count."""
    low, high = gamma_limits(3, 3, 1)

    # chi2(.025; 6) / 2 and chi2(.975; 8) / 2
    assert low == pytest.approx(chi2.ppf(0.025, 6) / 2)
    assert high == pytest.approx(chi2.ppf(0.975, 8) / 2)


def test_standard_errors_differ_by_design() -> None:
    """Fixed strata and Poisson draws have different variances."""
    needed = ("unsent 1-0", "unsent 2-0")
    fixed, poisson = (
        estimate_recall(plan, _answers(plan, *needed)) for plan in (_plan(), _plan(Design.POISSON))
    )

    # s^2 = 2 * .5 * .5 = .5: 16 * (1 - 1/2) * .5 / 2 + 400 * (1 - 1/10) * .5 / 2 = 2 + 90
    assert fixed.missed_standard_error == pytest.approx(sqrt(92))
    # w (w - 1): 2 * 1 + 10 * 9
    assert poisson.missed_standard_error == pytest.approx(sqrt(92))
    both = _answers(_plan(), "unsent 1-0", "unsent 1-1", "unsent 2-0")
    # fixed: 0 + 90; poisson: 2 * 2 + 90
    assert estimate_recall(_plan(), both).missed_standard_error == pytest.approx(sqrt(90))
    other = estimate_recall(_plan(Design.POISSON), both)
    assert other.missed_standard_error == pytest.approx(sqrt(94))


def test_no_miss_found_is_not_a_recall_of_one() -> None:
    """Without a found miss the upper limit is 1 and the lower one says how many there may be."""
    plan = _plan()

    found = estimate_recall(plan, _answers(plan, "sent-0", "sent-1"))

    # largest weight 10: high = 10 ln(1 / .025) = 36.9, of 24 there are
    assert found.missed.high == 24
    assert 10 * log(40) > 24
    assert found.recall.low == pytest.approx(2 / 26)
    assert found.recall.high == 1
    assert any("does not show" in sentence for sentence in found.sentences())


def test_unread_rows_are_non_response_not_negatives() -> None:
    """An unread row leaves its stratum to the read ones, and the worst case is stated."""
    plan = _plan()
    answers = _answers(plan, "sent-0", "sent-1", "unsent 1-0")
    del answers["unsent 1-1"]

    found = estimate_recall(plan, answers)

    # one read row of the stratum stands for all 4: recall 2 / (2 + 4)
    assert found.missed.value == pytest.approx(4)
    # were the unread one a miss: 2 + 2 misses: 2 / (2 + 4)
    assert found.recall_if_unread_missed == pytest.approx(2 / 6)
    assert "1 of 6 drawn conversations were not read" in found.sentences()[-1]


def test_unread_sent_emails_widen_the_interval() -> None:
    """Sent emails that nobody read are estimated from those read, with their own error."""
    plan = _plan()
    whole = _answers(plan, "sent-0", "unsent 1-0")
    part = {key: value for key, value in whole.items() if key != "sent-1"}

    assert estimate_recall(plan, whole).caught.value == 1
    found = estimate_recall(plan, part)
    assert found.caught.value == pytest.approx(2)
    # n = 1 of 1 needed at level .975: low = .0125 of 2
    assert found.caught.low == pytest.approx(2 * 0.0125)


def test_a_stratum_that_nobody_read_is_refused() -> None:
    """Nothing can be said of conversations none of whose kind was read."""
    plan = _plan()
    answers = {k: v for k, v in _answers(plan).items() if not k.startswith("unsent 2")}
    with pytest.raises(DataError, match="'unsent 2'; none of its 2 drawn"):
        estimate_recall(plan, answers)


def test_nothing_sent_has_a_recall_of_nought() -> None:
    """With nothing caught the recall is 0 where misses were found, and open where none was."""
    plan = _plan()
    plan = replace(plan, strata=plan.strata[1:], rows=plan.rows[2:])

    assert estimate_recall(plan, _answers(plan, "unsent 1-0")).recall.value == 0
    nothing = estimate_recall(plan, _answers(plan))
    assert isnan(nothing.recall.value)
    assert (nothing.recall.low, nothing.recall.high) == (0, 1)


@pytest.mark.parametrize("design", list(Design))
def test_plan_keeps_each_rows_probability_above_the_floor(design: Design) -> None:
    """Every unsent conversation can be drawn, and a row carries its stratum's probability."""
    plan = make_plan(LOG, reviews=200, design=design, seed=3)

    probability = {stratum.name: stratum.probability for stratum in plan.strata}
    assert sum(s.size for s in plan.strata if not s.sent) == 980
    # 80 % of the reviews, spread evenly, less what rounding takes off
    assert min(probability.values()) >= 0.8 * 200 / 980 - 1 / 49
    assert all(row.probability == probability[row.stratum] for row in plan.rows)
    assert probability["unsent 1"] > probability["unsent 4"]
    if design is Design.STRATIFIED:
        drawn = Counter(row.stratum for row in plan.rows)
        assert drawn["sent"] == 20
        assert sum(drawn.values()) == 220
    assert make_plan(LOG, reviews=200, design=design, seed=3) == plan
    assert make_plan(LOG, reviews=200, design=design, seed=4) != plan


@given(st.integers(1, 3000), st.data())
def test_allocation_spends_the_reviews(conversations: int, data: st.DataObject) -> None:
    """Strata hold every conversation once; the drawn add up, none beyond its stratum."""
    sizes = strata_sizes(conversations)
    reviews = data.draw(st.integers(len(sizes), conversations))
    drawn = allocate(sizes, reviews, floor_share=data.draw(st.floats(0.1, 1)))

    assert sum(sizes) == conversations
    assert sum(drawn) == reviews
    assert all(1 <= d <= size for d, size in zip(drawn, sizes, strict=True))


def test_plan_survives_its_file(tmp_path: Path) -> None:
    """A plan is the same after being written as JSON, and other files are refused."""
    plan = make_plan(LOG, reviews=50, design=Design.POISSON)
    path = tmp_path / "plan.json"
    path.write_text(json.dumps(plan.to_dict()))

    assert read_plan(path) == plan
    path.write_text('{"format": 2}')
    with pytest.raises(DataError, match="format 1; got 2"):
        read_plan(path)
    path.write_text('{"format": 1}')
    with pytest.raises(DataError, match="made by 'handoff-eval audit plan'"):
        read_plan(path)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"reviews": 981}, "between 4 and 980 reviews"),
        ({"reviews": 50, "sent_reviews": 21}, "between 1 and 20 sent"),
        ({"reviews": 50, "floor_share": 0.0}, "floor_share in"),
    ],
)
def test_impossible_plans_are_refused(options: dict[str, float], message: str) -> None:
    """A plan that can't be drawn says what would be possible."""
    with pytest.raises(SettingsError, match=message):
        make_plan(LOG, **options)  # type: ignore[arg-type]


def test_missed_total_is_unbiased() -> None:
    """Over 2,000 draws the mean missed total is the truth, within two standard errors."""
    sizes = strata_sizes(10_000)
    drawn = allocate(sizes, 500)
    found = simulate_found(sizes, drawn, 60, seed=5)
    totals = found @ (np.array(sizes) / np.array(drawn))

    error = totals.std(ddof=1) / sqrt(len(totals))
    assert abs(totals.mean() - 60) < 2 * error


@pytest.mark.parametrize("missed", [60, 20, 4])
def test_limits_cover_with_few_misses(missed: int) -> None:
    """Each one-sided limit holds at least as often as stated, less a point for the draws."""
    sizes = strata_sizes(10_000)
    drawn = allocate(sizes, 500)
    weights = np.array(sizes) / np.array(drawn)
    found = simulate_found(sizes, drawn, missed, seed=6)

    low, high = gamma_limits(found @ weights, found @ weights**2, weights.max())

    assert np.mean(low <= missed) >= 0.975 - 0.01
    assert np.mean(high >= missed) >= 0.975 - 0.01


def test_planned_width_is_met() -> None:
    """The planned number of reviews is narrow enough in 80 % of fresh draws, and few would not."""
    planned = reviews_needed(
        sent=1000, unsent=5000, width=0.2, expected_recall=0.9, expected_precision=0.5
    )

    # 500 caught, 56 missed
    sizes = strata_sizes(5000)
    shares = {}
    for reviews in (planned.reviews, planned.reviews // 2):
        drawn = allocate(sizes, reviews)
        weights = np.array(sizes) / np.array(drawn)
        found = simulate_found(sizes, drawn, 56, seed=99)
        low, high = gamma_limits(found @ weights, found @ weights**2, weights.max())
        shares[reviews] = np.mean(500 / (500 + low) - 500 / (500 + high) <= 0.2)
    assert shares[planned.reviews] >= 0.8
    assert shares[planned.reviews // 2] < 0.8
    assert str(planned.reviews) in str(planned)


def test_width_out_of_reach_is_said() -> None:
    """Where even reading everything is too wide, no number is made up."""
    with pytest.raises(SettingsError, match="even reading everything"):
        reviews_needed(sent=10, unsent=500, width=0.05, expected_recall=0.5, expected_precision=0.5)


def test_log_keeps_fires_and_the_highest_score(tmp_path: Path) -> None:
    """A conversation decided twice counts once; unusable lines are told."""
    path = tmp_path / "decisions.jsonl"
    path.write_text(
        '{"conversation_id": "a", "handoff": "h", "fired": false, "score": 0.2}\n'
        '{"conversation_id": "a", "handoff": "h", "fired": true, "score": 0.1}\n'
        '{"conversation_id": "b", "handoff": "h", "fired": "no", "score": 0.1}\n'
        '{"conversation_id": "c", "handoff": "other", "fired": false, "score": 0.3}\n'
    )

    log_ = read_decision_log(path, handoff="h")

    assert log_.conversations == (LoggedConversation("a", True, 0.2),)
    assert [refusal.line for refusal in log_.refusals] == [3]
    with pytest.raises(DataError, match="'h', 'other'; say which"):
        read_decision_log(path)
    with pytest.raises(DataError, match="expected decisions of 'x'"):
        read_decision_log(path, handoff="x")


def test_audit_shows_itself() -> None:
    """The table has a row a stratum; words, JSON and picture come from the same values."""
    plan = _plan()
    found = estimate_recall(plan, _answers(plan, "sent-0", "sent-1", "unsent 2-0"))

    assert found.frame().loc["unsent 2", "each stands for"] == 10
    assert found.to_dict()["missed"]["value"] == pytest.approx(10)
    assert "Recall 17%" in found.sentences()[0]
    assert found.plot().svg().startswith("<svg")
