"""Measures of an operating point, and the guard against judging on what chose it."""

from __future__ import annotations

import numpy as np
import pytest

from handoff_eval.conversation import Split
from handoff_eval.errors import LeakageError
from handoff_eval.evaluation.operating_point import OperatingPoint
from handoff_eval.evaluation.replay import replay
from handoff_eval.evaluation.scored import ScoredSplit, measure, rank
from handoff_eval.triggers.keyword import KeywordTrigger, default_rules
from tests.builders import labeled, scored, talk

POINT = OperatingPoint("arm", 0.5, Split.TUNE, None, "test")
TEST = scored(
    [0.9, 0.8, 0.6, 0.2],
    [0.7, 0.3, 0.2, 0.1, 0.1, 0.1, 0.1, 0.1],
    on_time=[0.9, 0.3, 0.6, 0.2],
    split=Split.TEST,
)


def test_measures_by_hand() -> None:
    """Recall 3/4, on time 2/4, false positives 1/8, and volume at the deployment prevalence."""
    measures = measure(TEST, POINT, prevalence=0.1, conversations_per_day=100)

    assert measures.recall.value == pytest.approx(0.75)
    assert measures.recall.n == 4
    assert measures.recall_on_time.value == pytest.approx(0.5)
    assert measures.false_positive_rate.value == pytest.approx(0.125)
    # .1 * .75 + .9 * .125 = .1875
    assert measures.emails_per_day.value == pytest.approx(18.75)
    # .075 / .1875
    assert measures.precision.value == pytest.approx(0.4)
    assert measures.precision_in_sample.value == pytest.approx(0.75)


def test_every_measure_has_an_interval_around_it() -> None:
    """No metric comes without limits, and they hold the value."""
    for name, estimate in measure(TEST, POINT, prevalence=0.1, conversations_per_day=100).items():
        assert estimate.low <= estimate.value <= estimate.high, name


def test_no_false_positive_still_leaves_room_for_some() -> None:
    """At a rate of zero the volume's upper limit comes from the exact limits of both rates."""
    split = scored([0.9] * 10, [0.1] * 10, split=Split.TEST)

    volume = measure(split, POINT, prevalence=0.1, conversations_per_day=100).emails_per_day

    # .1 * 1 + .9 * (1 - .025 ** .1)
    assert volume.high == pytest.approx(100 * (0.1 + 0.9 * (1 - 0.025**0.1)))


@pytest.mark.parametrize("split", [Split.TRAIN, Split.TUNE])
def test_reporting_on_what_chose_the_point_is_an_error(split: Split) -> None:
    """Figures on train or tune are refused, not warned about."""
    with pytest.raises(LeakageError, match="reported on the test split"):
        measure(scored([0.9], [0.1], split=split), POINT, prevalence=0.1, conversations_per_day=100)


def test_on_time_ranking_ignores_what_is_said_after_the_need() -> None:
    """A positive whose score rises only after the due point ranks by what stood there."""
    late = scored([0.9] * 5, [0.5] * 20, on_time=[0.1] * 5, split=Split.TEST)

    ranking = rank(late, prevalence=0.1)

    assert ranking.average_precision.value == pytest.approx(1.0)
    assert ranking.average_precision_on_time.value == pytest.approx(5 / 25)


def test_join_reads_due_points_from_the_labels() -> None:
    """The score on time is the highest up to the labelled turn's decision point."""
    items = [
        labeled(talk("C: hello", "A: hi", "C: I want a human", id="p"), handoff=True, at=0),
        labeled(talk("C: bye", id="n"), handoff=False),
    ]
    trigger = KeywordTrigger(default_rules())

    joined = ScoredSplit.join(
        replay(trigger, [item.conversation for item in items]), items, Split.TEST
    )

    assert joined.positive.tolist() == [True, False]
    assert joined.peak[0] > 0
    assert joined.on_time_peak[0] == 0
    assert np.isnan(joined.on_time_peak[1])


def test_join_refuses_another_order() -> None:
    """Scores are never put beside the labels of other conversations."""
    items = [labeled(talk("C: a", id=i), handoff=False) for i in ("1", "2")]
    played = replay(KeywordTrigger(default_rules()), [i.conversation for i in items])

    with pytest.raises(ValueError, match="in the order of the replay"):
        ScoredSplit.join(played, items[::-1], Split.TEST)


def test_subset_keeps_scores_with_their_conversations() -> None:
    """Part of a split holds the same peaks in the order asked for."""
    part = TEST.subset(["c2", "c0", "c4"])

    assert part.peak.tolist() == [0.6, 0.9, 0.7]
    assert part.positive.tolist() == [True, True, False]
    assert part.replay.peak.tolist() == part.peak.tolist()
