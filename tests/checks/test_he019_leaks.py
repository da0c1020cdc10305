# ruff: noqa: ARG001, ARG005 - the changes share one signature
"""HE019: what predicts the label without a word being read."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from handoff_eval.conversation import Conversation, Role, Turn
from handoff_eval.evaluation.checks.base import Finding
from handoff_eval.evaluation.checks.features import features
from handoff_eval.evaluation.intervals import by_customer
from handoff_eval.evaluation.metrics import area_under_curve
from handoff_eval.transcripts.read import Dataset
from tests.builders import labeled, talk
from tests.checks.build import answers, dataset, found, talks, why_not


def made(number: int, change: Callable[[Conversation, bool, int], dict[str, Any]]) -> Dataset:
    """Return as many of each kind in random order, each changed by its label and number."""
    handoff = [True] * number + [False] * number
    random.Random(2).shuffle(handoff)
    conversations = [
        replace(c, started_at=None, **change(c, yes, i))
        for i, (c, yes) in enumerate(zip(talks(2 * number), handoff, strict=True))
    ]
    labels = [
        label
        for c, yes in zip(conversations, handoff, strict=True)
        for label in answers([c], handoff=yes)
    ]
    return dataset(conversations, labels)


def test_a_level_is_scored_by_hand() -> None:
    """Of fold 1 three of four on the web are positive and none of two in chat; 3 of 6 in all.

    Fold 0 gets (3 + .5) / (4 + 1) - .5 = .2 for the web and (0 + .5) / (2 + 1) - .5 = -1/3.
    """
    inside, outside = (customer_of_fold(fold) for fold in (1, 0))
    rows = [(inside, "web", yes) for yes in (True, True, True, False)]
    rows += [(inside, "chat", False), (inside, "chat", False)]
    rows += [(outside, "web", True), (outside, "chat", False)]
    items = [
        labeled(
            replace(talk("C: a", "A: b", id=str(i), customer=who), channel=channel), handoff=yes
        )
        for i, (who, channel, yes) in enumerate(rows)
    ]

    (channel,) = (feature for feature in features(items) if feature.name == "channel")

    assert channel.scores[-2:] == pytest.approx([0.2, -1 / 3])


def customer_of_fold(fold: int) -> str:
    """Return the first customer whose digest falls into a fold."""
    names = (f"u{i}" for i in range(100))
    return next(
        name for name in names
        if int.from_bytes(hashlib.sha256(f"customer:{name}".encode()).digest()[:4]) % 5 == fold
    )  # fmt: skip


def names(finding: Finding) -> list[str]:
    """Return the names of the features in a finding."""
    return [example.rpartition(":")[0] for example in finding.examples]


def test_a_field_of_metadata_that_knows_is_told() -> None:
    """A queue that only positives are in is an artefact; one drawn at random is not."""
    chance = random.Random(3)
    data = made(
        40,
        lambda c, yes, i: {
            "metadata": {"queue": "vip" if yes else "std", "day": chance.choice("abc")}
        },
    )

    (finding,) = found("HE019", data)

    assert (finding.severity, names(finding)) == ("warning", ["metadata.queue"])
    assert "metadata.queue: 1.00 [no interval] n=80; find out why" in finding.sentence


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("score", lambda yes, i: 5 + yes + i % 2),
        ("scores", lambda yes, i: [1, yes + 0.5]),
        ("by", lambda yes, i: f"agent-{i}" if yes else None),
        ("flags", lambda yes, i: ["late", "angry"] if yes else []),
    ],
)
def test_numbers_lists_and_presence_count(field: str, value: Callable[[bool, int], Any]) -> None:
    """Numbers, means of lists, lists as levels and whether a free text is given are all tried."""
    (finding,) = found("HE019", made(40, lambda c, yes, i: {"metadata": {field: value(yes, i)}}))

    assert names(finding) in ([f"metadata.{field}"], [f"whether metadata.{field} is given"])


def test_a_number_that_falls_counts_as_much() -> None:
    """A feature that is low for positives predicts as well as one that is high."""
    (finding,) = found("HE019", made(40, lambda c, yes, i: {"metadata": {"n": -i - 200 * yes}}))

    assert finding.examples == ("metadata.n: 1.00 [no interval] n=80",)


def test_the_order_of_the_file_is_a_leak() -> None:
    """Positives first and negatives after is something a split by place would see."""
    conversations = talks(60)
    labels = answers(conversations[:30], handoff=True) + answers(conversations[30:], handoff=False)

    findings = found("HE019", dataset([replace(c, started_at=None) for c in conversations], labels))

    assert [names(finding) for finding in findings] == [["place in the file"]]


def test_length_is_natural_until_it_tells_all() -> None:
    """Somewhat longer positives are an info; positives that are all longer are a warning."""

    def longer(share: float) -> Dataset:
        chance = random.Random(4)
        return made(
            60,
            lambda c, yes, i: {"turns": c.turns * (2 if yes and chance.random() < share else 1)},
        )

    (somewhat,) = found("HE019", longer(0.6))
    (always,) = found("HE019", longer(1.0))

    assert (somewhat.severity, always.severity) == ("info", "warning")
    assert "number of turns" in names(somewhat)
    assert "that is natural" in somewhat.sentence


def test_who_speaks_last_is_tried() -> None:
    """Conversations cut after the customer's turn give the label away."""
    last = Turn(Role.CUSTOMER, "On its way?")
    data = made(40, lambda c, yes, i: {"turns": (c.turns[0], last) if yes else c.turns})

    (finding,) = found("HE019", data)

    assert "who speaks last" in names(finding)


def test_channel_and_hours_are_tried() -> None:
    """Where a conversation came from, and when, is compared with the label too."""

    def change(c: Conversation, yes: bool, i: int) -> dict[str, Any]:
        return {"channel": "web" if yes else "app"}

    data = made(40, change)
    starts = {label.conversation_id: 3 if label.handoff else 15 for label in data.labels}
    base = talks(1)[0].started_at
    assert base is not None
    timed = [replace(c, started_at=base.replace(hour=starts[c.id])) for c in data.conversations]

    (finding,) = found("HE019", dataset(timed, data.labels))

    assert names(finding) == ["channel", "hour of day"]


def test_chance_is_not_told() -> None:
    """Levels that have nothing to do with the label, many or few, pass."""
    chance = random.Random(6)
    data = made(
        50,
        lambda c, yes, i: {
            "metadata": {"few": chance.choice("ab"), "many": chance.randint(0, 40), "own": str(i)}
        },
    )

    assert found("HE019", data) == []


def test_it_needs_both_kinds() -> None:
    """With too few of a kind nothing can be said of what predicts it."""
    assert why_not("HE019", made(5, lambda c, yes, i: {})) == "there are fewer than 20 positives"


def test_the_area_counts_ties_as_half() -> None:
    """Of positives {1, 2} and negatives {1, 0}: (half + 1 + 1 + 1) / 4 = .875."""
    scores, positive = np.array([1.0, 2.0, 1.0, 0.0]), np.array([True, True, False, False])

    areas = area_under_curve(
        scores, positive, np.array([[1.0, 1, 1, 1], [1, 0, 1, 0], [1, 1, 0, 0]])
    )

    assert areas[0] == pytest.approx(0.875)
    assert areas[1] == pytest.approx(0.5)
    assert np.isnan(areas[2])


def test_resampling_takes_customers_whole() -> None:
    """One customer has no spread, since every replicate is the sample itself, so no limits."""
    values = np.array([0.0, 1.0, 1.0, 0.0])

    def mean(weights: Any) -> Any:
        return weights @ values / weights.sum(axis=1)

    alone = by_customer(mean, ["u"] * 4)
    apart = by_customer(mean, ["a", "b", "c", "d"])

    assert alone.value == 0.5
    assert np.isnan(alone.low)
    assert apart.low < 0.25 < 0.75 < apart.high
    assert by_customer(mean, ["a", "b", "c", "d"]) == apart
