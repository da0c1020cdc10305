"""Which conversation is labelled next, and with what chance."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handoff_eval.conversation import Label
from handoff_eval.errors import DataError, SettingsError
from handoff_eval.transcripts.label_queue import Draw, How, Queue, by_usefulness, pool_weights

IDS = ("a", "b", "c", "d")


def test_disagreement_comes_first_then_what_is_near_the_threshold() -> None:
    """Contradicting annotators, the trigger's surest contradiction, then distance to the cut."""
    labels = [
        Label("a", handoff=True, annotator="ana"),
        Label("a", handoff=False, annotator="ben"),
        Label("b", handoff=True, annotator="ana"),
        Label("c", handoff=False, annotator="ana"),
        Label("d", handoff=True, annotator="ana"),
    ]
    scores = {"b": 0.39, "c": 0.9, "d": 0.8, "e": 0.55, "f": 0.1}
    useful = by_usefulness("abcdefg", labels, scores=scores, threshold=0.5)

    # c: 0.9 against no, 0.4 off; b: 0.39 against yes, 0.11 off; e 0.05, d 0.3, f 0.4 from the cut.
    assert [i for i, _ in useful] == ["a", "c", "b", "e", "d", "f"]
    assert [how for _, how in useful] == [How.DISAGREEMENT] * 3 + [How.UNCERTAIN] * 3


def test_a_score_on_the_threshold_fires() -> None:
    """A decision is score >= threshold here as everywhere."""
    label = Label("a", handoff=False, annotator="ana")

    assert by_usefulness("a", [label], scores={"a": 0.5}) == (("a", How.DISAGREEMENT),)


@pytest.mark.parametrize(
    ("scores", "threshold", "message"),
    [
        ({"a": 1.2}, 0.5, "the score of 'a' to lie between 0 and 1; got 1.2"),
        ({"a": float("nan")}, 0.5, "got nan"),
        ({"z": 0.4}, 0.5, "none of the 1 is"),
        ({"a": 0.4}, float("inf"), "Expected threshold to lie between 0 and 1; got inf"),
    ],
)
def test_scores_that_cannot_order_are_refused(
    scores: dict[str, float], threshold: float, message: str
) -> None:
    """Scores of another dataset or out of range would order by chance without a word."""
    with pytest.raises(SettingsError, match=message):
        by_usefulness(IDS, scores=scores, threshold=threshold)


@pytest.mark.parametrize("share", [0.0, -0.1, 1.1, float("nan")])
def test_every_conversation_must_have_a_chance(share: float) -> None:
    """Without a random share nothing could be said of the pool, ever."""
    with pytest.raises(SettingsError, match="Expected random_share to be above 0"):
        Queue((), random_share=share)


def test_the_chance_stored_is_the_chance_it_had() -> None:
    """Over many seeds each conversation is served as often as its stored probability says."""
    counts = dict.fromkeys(IDS, 0)
    probability = {}
    for seed in range(4000):
        queue = Queue((("c", How.UNCERTAIN),), random_share=0.4, seed=str(seed))
        draw = queue.draw(IDS, drawn=0)
        counts[draw.conversation_id] += 1
        probability[draw.conversation_id] = draw.probability

    # 0.4 / 4 = 0.1 by lot each, and 0.6 more for the useful one.
    assert probability == pytest.approx({"a": 0.1, "b": 0.1, "c": 0.7, "d": 0.1})
    # The standard deviation of a share near 0.1 is sqrt(.09 / 4000) = 0.005.
    for i in IDS:
        assert counts[i] / 4000 == pytest.approx(probability[i], abs=0.03)


def test_without_anything_useful_the_lot_decides() -> None:
    """Fresh traffic with no scores is labelled as a plain random sample."""
    draw = Queue(()).draw(IDS, drawn=3)

    assert (draw.how, draw.probability, draw.pool) == (How.RANDOM, 0.25, 4)


def test_a_draw_is_repeated_after_a_restart() -> None:
    """The conversation on screen when the kernel died is the first one shown again."""
    queue = Queue((("b", How.UNCERTAIN),), random_share=0.5, seed="7:ana")
    draws = [queue.draw(IDS, drawn=k) for k in range(40)]

    assert draws == [queue.draw(IDS, drawn=k) for k in range(40)]
    assert len({draw.conversation_id for draw in draws}) > 1


def test_useful_ones_that_are_done_are_passed_over() -> None:
    """The next useful one still in the pool is served."""
    useful = (("a", How.DISAGREEMENT), ("d", How.UNCERTAIN))
    served = [
        Queue(useful, random_share=0.01, seed=str(s)).draw(("b", "d"), drawn=1) for s in range(5)
    ]

    assert Draw("d", How.UNCERTAIN, 0.995, 2) in served


def test_an_empty_pool_is_a_bug() -> None:
    """There is nothing to draw, and the caller knows."""
    with pytest.raises(ValueError, match="at least one conversation"):
        Queue(()).draw((), drawn=0)


def sessions(
    pool: tuple[str, ...], useful: tuple[tuple[str, How], ...], share: float, count: int
) -> Iterator[tuple[float, list[Draw]]]:
    """Every way a session of `count` draws can go, with its chance."""
    if count == 0:
        yield 1.0, []
        return
    first = next((item for item in useful if item[0] in pool), None)
    for i in pool:
        chance = 1 / len(pool) if first is None else share / len(pool)
        if first is not None and i == first[0]:
            chance += 1 - share
        draw = Draw(i, How.RANDOM, chance, len(pool))
        left = tuple(other for other in pool if other != i)
        for later, rest in sessions(left, useful, share, count - 1):
            yield chance * later, [draw, *rest]


@given(
    handoffs=st.lists(st.booleans(), min_size=4, max_size=4),
    share=st.floats(0.05, 1),
    count=st.integers(1, 4),
    useful=st.permutations([(i, How.UNCERTAIN) for i in IDS]),
    known=st.integers(0, 4),
)
def test_weighted_labels_estimate_the_pool_without_bias(
    handoffs: list[bool],
    share: float,
    count: int,
    useful: list[tuple[str, How]],
    known: int,
) -> None:
    """Over all sessions there can be, weight times handoff has the pool's share as its mean."""
    truth = dict(zip(IDS, handoffs, strict=True))
    expected = 0.0
    for chance, draws in sessions(IDS, tuple(useful[:known]), share, count):
        labels = [
            Label(d.conversation_id, truth[d.conversation_id], extra={"sampling": d.to_dict()})
            for d in draws
        ]
        weights = pool_weights(labels)
        expected += chance * sum(w * truth[i] for i, w in weights.items()) / count

    assert expected == pytest.approx(sum(handoffs) / 4)


def drawn(pool: int, /, **changes: object) -> Label:
    """Return a label drawn from a pool of this size."""
    sampling = {"how": "random", "probability": 0.5, "pool": pool} | changes
    return Label(f"c-{pool}", handoff=False, extra={"sampling": sampling})


def test_weights_by_hand() -> None:
    """Two draws of three, the first with chance .5 and the second with .5."""
    # N = 3, M = 2. m = 1: 1 + 1/2 (1 / (3 * .5) - 1) = 1 - 1/6.
    # m = 2: 1 + 1/1 (1 / (2 * .5) - 1) = 1.
    assert pool_weights([drawn(2), drawn(3)]) == pytest.approx({"c-3": 5 / 6, "c-2": 1.0})
    assert pool_weights([]) == {}


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([drawn(5), drawn(3)], "a pool that shrinks from 5 by one"),
        ([drawn(5), replace(drawn(5), conversation_id="x")], "some are missing"),
        ([Label("c-1", handoff=True)], "got None"),
        ([drawn(5, probability=0)], "say in 'sampling' how it was drawn"),
        ([drawn(5, how="whim")], "say in 'sampling' how it was drawn"),
        ([drawn(5, pool="many")], "say in 'sampling' how it was drawn"),
    ],
)
def test_labels_that_are_no_session_get_no_weights(labels: list[Label], message: str) -> None:
    """Weights of half a session would be wrong without looking so."""
    with pytest.raises(DataError, match=message):
        pool_weights(labels)
