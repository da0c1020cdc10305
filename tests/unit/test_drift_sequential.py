"""The evidence against a promise, day by day."""

from __future__ import annotations

import numpy as np
import pytest

from handoff_eval.production.drift.conformal import conformal_martingale, conformal_p_values
from handoff_eval.production.drift.sequential import (
    BETS,
    e_detector,
    e_process,
    recall_excess,
    volume_excess,
)


def test_evidence_is_the_mean_over_bets_of_the_product() -> None:
    """Two days of excess .05 and -.1 at a bound of .1 give the mean of (1 + b/2)(1 - b)."""
    evidence = e_process(np.array([0.05, -0.1]), -0.1)

    # A bet b turns .05 into 1 + b * .05 / .1 and -.1 into 1 + b * -.1 / .1.
    assert evidence.values == pytest.approx(
        [np.mean(1 + BETS / 2), np.mean((1 + BETS / 2) * (1 - BETS))]
    )
    assert evidence.limit == 20


def test_the_detector_adds_one_before_each_factor() -> None:
    """R_1 = f_1 and R_2 = (1 + f_1) f_2, averaged over bets."""
    evidence = e_detector(np.array([0.05, -0.1]), -0.1, mean_run_length=100)

    first, second = 1 + BETS / 2, 1 - BETS
    assert evidence.values == pytest.approx([np.mean(first), np.mean((1 + first) * second)])
    assert evidence.limit == 100


def test_the_first_value_at_the_limit_raises_the_alarm() -> None:
    """Each stream has its own first alarm, -1 where there is none."""
    calm, loud = np.full(30, -0.05), np.full(30, 0.1)

    alarms = e_process(np.stack([calm, loud]), -0.1).alarm

    one = e_process(loud, -0.1)
    assert alarms.tolist() == [-1, int(np.flatnonzero(one.values >= 20)[0])]
    assert one.alarm == alarms[1]
    assert one.last == one.values[-1]


def test_a_quiet_time_blinds_the_process_and_not_the_detector() -> None:
    """After ninety days at 80 % of the bound only the detector sees a rise of a half at once."""
    excess = np.concatenate([np.full(90, -0.02), np.full(30, 0.05)])

    assert e_process(excess, -0.1).alarm == -1
    assert 90 < e_detector(excess, -0.1).alarm < 115


def test_an_impossible_excess_is_refused() -> None:
    """A day below the smallest possible excess would make the stake negative."""
    with pytest.raises(ValueError, match=r"at least -0\.1; got -0\.2"):
        e_process(np.array([-0.2]), -0.1)
    with pytest.raises(ValueError, match="below 0; got 0"):
        e_process(np.array([0.2]), 0.0)


def test_excess_of_volume_and_recall() -> None:
    """12 of 100 against .1 is .02; at recall .9 a miss of weight 4 is 3.6, a catch -.4."""
    assert volume_excess(np.array([12]), np.array([100]), 0.1) == pytest.approx([0.02])
    # 4 (1 - .1), 4 (0 - .1) and nothing needed.
    assert recall_excess(
        np.array([1, 0, 0]), np.array([1, 1, 0]), np.array([4.0, 4.0, 1.0]), 0.9
    ) == pytest.approx([3.6, -0.4, 0.0])


def test_ranks_count_those_above_and_a_share_of_the_equal() -> None:
    """In 1, 3, 2 the values have 0, 0 and 1 above them, and themselves as equals."""
    uniform = np.random.default_rng(0).random(3)

    p_values = conformal_p_values(np.array([1.0, 3.0, 2.0]))

    assert p_values == pytest.approx([uniform[0], uniform[1] / 2, (1 + uniform[2]) / 3])


def test_only_the_order_of_scores_counts() -> None:
    """Any increasing map of the stream leaves the p-values as they are."""
    stream = np.random.default_rng(3).random(50)

    assert conformal_p_values(stream).tolist() == conformal_p_values(np.exp(stream)).tolist()


def test_the_jumper_bets_both_ways() -> None:
    """After one p-value of 0 the capital is still 1: what one bet wins the other loses."""
    evidence = conformal_martingale(np.array([0.0, 0.0]))

    # Capitals (1.5, 1, .5) / 3 after the first; then a hundredth of 1 is shared, and again.
    stakes = 0.99 * np.array([1.5, 1.0, 0.5]) / 3 + 0.01 / 3
    assert evidence.values == pytest.approx([1.0, stakes @ np.array([1.5, 1.0, 0.5])])


@pytest.mark.parametrize("stream", ["independent", "weekday", "shock"])
def test_false_alarms_stay_within_what_is_stated(stream: str) -> None:
    """Over 400 years at exactly the bound the process alarms in at most alpha of them."""
    from benchmarks.drift_simulation import daily_shares

    shares = daily_shares(stream, 0.1, streams=400, days=365, seed=1)

    ever = float(np.mean(e_process(shares - 0.1, -0.1).alarm >= 0))

    # Three standard errors at .05 over 400 draws are .033.
    assert ever <= 0.05 + 0.033
