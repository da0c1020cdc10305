"""Agreement of annotators and triggers."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from handoff_eval.conversation import Conversation, Label, Split
from handoff_eval.errors import DataError, LeakageError
from handoff_eval.evaluation.agreement import (
    Answers,
    agreement,
    agreement_frame,
    annotator_agreements,
    annotator_answers,
    annotators,
    cohen_kappa,
    trigger_answers,
)
from handoff_eval.evaluation.operating_point import OperatingPoint
from handoff_eval.evaluation.replay import Replay
from handoff_eval.transcripts.read import Dataset, read_dataset
from handoff_eval.transcripts.write import write_dataset
from tests.builders import talk

POINT = OperatingPoint("keyword", 0.5, Split.TUNE, None, "")


def talks(n: int, *, customers: int | None = None) -> list[Conversation]:
    """Return n conversations of three turns, by n customers or fewer."""
    return [
        talk("C: a", "A: b", "C: c", id=f"c-{i}", customer=f"u-{i * (customers or n) // n}")
        for i in range(n)
    ]


def answers(name: str, *points: int | None) -> Answers:
    """Return answers for c-0, c-1 and so on."""
    return Answers(name, {f"c-{i}": point for i, point in enumerate(points)})


def test_conversations_count_for_what_they_stand_for() -> None:
    """Four conversations, one a cell, that stand for 3, 1, 1 and 5."""
    found = agreement(
        talks(4),
        first=answers("ana", 1, 1, None, None),
        second=answers("ben", 1, None, 1, None),
        weight={"c-0": 3, "c-3": 5},
    )

    assert (found.both, found.first_only, found.second_only, found.neither) == (1, 1, 1, 1)
    # p_o = 8/10; both say yes to 4/10: p_e = .16 + .36 = .52; kappa = .28 / .48.
    assert found.same.value == pytest.approx(0.8)
    assert found.kappa.value == pytest.approx(0.28 / 0.48)


def test_the_matrix_and_kappa_by_hand() -> None:
    """50 conversations with 20, 5, 10 and 15 in the cells."""
    one = [1] * 25 + [None] * 25
    other = [1] * 20 + [None] * 5 + [1] * 10 + [None] * 15
    found = agreement(talks(50), first=answers("ana", *one), second=answers("ben", *other))

    assert (found.both, found.first_only, found.second_only, found.neither) == (20, 5, 10, 15)
    # p_o = 35/50 = .7; p = .5, q = .6: p_e = .3 + .2 = .5; kappa = .2 / .5.
    assert found.kappa.value == pytest.approx(0.4)
    # Fleiss, Cohen and Everitt (1969): standard error .127 here, so about .15 to .65.
    assert (found.kappa.low, found.kappa.high) == pytest.approx((0.15, 0.65), abs=0.05)
    assert found.kappa.n == 50
    assert found.same.value == pytest.approx(0.7)
    assert found.same.method == "exact binomial"
    assert found.different == tuple(f"c-{i}" for i in range(20, 35))


def test_turns_are_compared_in_decision_points_where_both_hand_off() -> None:
    """One point apart still counts as near; the exact limits are of 2 in 3."""
    found = agreement(
        talks(5), first=answers("a", 0, 0, 2, None, 1), second=answers("b", 0, 2, 1, None, None)
    )

    # c-0: 0 apart, c-1: 2 apart, c-2: 1 apart; Clopper-Pearson of 2 in 3: .094 to .992.
    assert found.within_one_point.value == pytest.approx(2 / 3)
    limits = (found.within_one_point.low, found.within_one_point.high)
    assert limits == pytest.approx((0.0943, 0.9916), abs=1e-4)
    assert (found.apart, found.different) == (("c-1",), ("c-4",))


def test_only_what_both_answered_counts() -> None:
    """A conversation one of them has not seen is neither agreement nor the opposite."""
    first, second = answers("a", 0, None, 0), Answers("b", {"c-1": None, "x": 0})

    found = agreement(talks(3), first=first, second=second)
    assert (found.conversations, found.neither) == (1, 1)
    assert math.isnan(found.kappa.value)
    assert math.isnan(found.within_one_point.value)
    assert found.to_dict()["kappa"]["value"] is None


def test_nothing_in_common_is_told() -> None:
    """No number comes from no conversation."""
    with pytest.raises(DataError, match="'a' and 'b' have both answered; there is none among 2"):
        agreement(talks(2), first=Answers("a", {"c-0": 0}), second=Answers("b", {"c-1": 0}))


def test_customers_who_come_back_widen_the_interval() -> None:
    """Ten conversations of one customer are not ten witnesses."""
    one = [1] * 20 + [None] * 20
    other = [1] * 15 + [None] * 25
    kappas = [
        agreement(talks(40, customers=n), first=answers("a", *one), second=answers("b", *other))
        for n in (40, 5)
    ]

    alone, together = (found.kappa for found in kappas)
    assert alone.value == together.value == pytest.approx(0.75)
    assert kappas[0].same.method == "exact binomial"
    assert kappas[1].same.method == "customer bootstrap"
    assert together.high - together.low > 1.2 * (alone.high - alone.low)


BOOLS = hnp.arrays(bool, 12)
ONCE = np.ones((1, 12))


@given(first=BOOLS, second=BOOLS)
def test_kappa_is_symmetric_and_blind_to_the_name_of_the_answer(
    first: np.ndarray, second: np.ndarray
) -> None:
    """Swapping annotators or calling yes no changes nothing, and it never exceeds 1."""
    kappa = cohen_kappa(first, second, ONCE)[0]

    assert cohen_kappa(second, first, ONCE)[0] == pytest.approx(kappa, nan_ok=True)
    assert cohen_kappa(~first, ~second, ONCE)[0] == pytest.approx(kappa, nan_ok=True)
    assert math.isnan(kappa) or -1 - 1e-12 <= kappa <= 1 + 1e-12


@settings(deadline=None)
@given(first=BOOLS, second=BOOLS)
def test_kappa_is_that_of_scikit_learn(first: np.ndarray, second: np.ndarray) -> None:
    """Where both answers occur, an independent implementation gives the same."""
    from sklearn.metrics import cohen_kappa_score

    if len({*first, *second}) == 2:
        expected = cohen_kappa_score(first, second)
        assert cohen_kappa(first, second, ONCE)[0] == pytest.approx(expected)


def test_a_weight_counts_a_conversation_that_often() -> None:
    """Replicates are computed together, each as if its conversations were repeated."""
    first, second = np.array([True, True, False]), np.array([True, False, False])
    weights = np.array([[1.0, 1.0, 1.0], [2.0, 0.0, 1.0]])

    # Row 0: p_o 2/3, p 2/3, q 1/3: p_e 4/9; (2/9) / (5/9) = .4. Row 1: equal throughout: 1.
    assert cohen_kappa(first, second, weights) == pytest.approx([0.4, 1.0])


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    """Make two conversations with labels of two annotators, one of them without a name."""
    write_dataset(
        tmp_path,
        conversations=talks(2),
        labels=[
            Label("c-0", handoff=True, at_turn=1, annotator="ana"),
            Label("c-1", handoff=True, annotator="ana"),
            Label("c-0", handoff=False),
        ],
    )
    return read_dataset(tmp_path)


def test_answers_of_an_annotator_are_decision_points(dataset: Dataset) -> None:
    """An agent turn is due at the next customer turn, no turn at the close."""
    assert annotators(dataset) == ("ana", "unnamed")
    # Points: after turn 0, after turn 2, the close.
    assert annotator_answers(dataset, "ana").points == {"c-0": 1, "c-1": 2}
    assert annotator_answers(dataset, "unnamed").points == {"c-0": None}


def test_an_annotator_who_never_labelled_is_told(dataset: Dataset) -> None:
    """The names that exist stand in the sentence."""
    with pytest.raises(DataError, match=r"'bob' in .* it has labels of 'ana', 'unnamed'"):
        annotator_answers(dataset, "bob")


def test_a_trigger_answers_with_its_first_fire() -> None:
    """The first point at or above the threshold, none where it stays below."""
    replay = Replay(
        "keyword", ("c-0", "c-1"), np.array([0, 3, 5]), np.ones(5, dtype=np.int64),
        np.array([0.1, 0.5, 0.9, 0.2, 0.49]),
    )  # fmt: skip

    found = trigger_answers(replay, POINT, split=Split.TEST)
    assert found == Answers("keyword", {"c-0": 1, "c-1": None})


@pytest.mark.parametrize("split", [Split.TRAIN, Split.TUNE])
def test_a_trigger_is_not_compared_on_what_chose_it(split: Split) -> None:
    """Agreement on the split of the threshold would flatter it."""
    replay = Replay("keyword", ("c",), np.array([0, 1]), np.array([1]), np.array([0.1]))
    with pytest.raises(LeakageError, match="reported on the test split"):
        trigger_answers(replay, POINT, split=split)


@settings(deadline=None)
@given(points=st.lists(st.none() | st.integers(0, 2), min_size=1, max_size=8))
def test_anybody_agrees_with_themselves(points: list[int | None]) -> None:
    """Kappa is 1, or undefined where there is only one kind of answer; nothing differs."""
    found = agreement(talks(len(points)), first=answers("a", *points), second=answers("b", *points))

    assert found.same.value == 1
    assert found.different == found.apart == ()
    assert math.isnan(found.kappa.value) or found.kappa.value == pytest.approx(1)


def test_every_two_annotators_who_share_a_conversation_are_compared(tmp_path: Path) -> None:
    """Adjudicated labels and people who share nothing make no pair; a row holds the matrix."""
    given = [("ana", 0, 0), ("ben", 0, None), ("ana", 1, 0), ("ben", 1, 0), ("cem", 2, 0)]
    write_dataset(
        tmp_path,
        conversations=talks(3),
        labels=[
            Label(f"c-{i}", handoff=turn is not None, at_turn=turn, annotator=name)
            for name, i, turn in [*given, ("adjudicated", 0, 0)]
        ],
    )

    pairs = annotator_agreements(read_dataset(tmp_path))
    row = agreement_frame(pairs).loc["ana, ben"]

    assert [(pair.first, pair.second) for pair in pairs] == [("ana", "ben")]
    assert row[["n", "both", "first only", "second only", "neither"]].tolist() == [2, 1, 1, 0, 0]
    assert row["within one decision point"].endswith("n=1")
