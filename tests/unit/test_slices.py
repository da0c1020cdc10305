"""Slices: intervals of each, and a flag only where a difference was shown."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from math import isnan

import numpy as np
import pytest
from scipy.stats import fisher_exact

from handoff_eval.conversation import Conversation, Customer, Reason, Split
from handoff_eval.errors import LeakageError
from handoff_eval.evaluation.findings.language import language_of
from handoff_eval.evaluation.findings.slice_variables import slice_variables
from handoff_eval.evaluation.findings.slices import measure_slices
from handoff_eval.evaluation.operating_point import OperatingPoint
from tests.builders import labeled, scored, talk

POINT = OperatingPoint("arm", 0.5, Split.TUNE, None, "test")
GERMAN = "Guten Tag, meine Bestellung ist leider noch nicht angekommen, können Sie mir helfen?"
ENGLISH = "Good morning, my order has not arrived yet and I would like to know where it is."


def test_lengths_come_in_their_order() -> None:
    """Short before long, though `8 to 12` comes before `up to 7` in the alphabet."""
    values = ["over 12 turns", "up to 7 turns", "8 to 12 turns"] * 10
    split = scored([0.9] * 30, [0.1], split=Split.TEST)

    found = measure_slices(split, POINT, {"length": [*values, None]})

    assert [s.value for s in found.slices] == ["up to 7 turns", "8 to 12 turns", "over 12 turns"]


def test_a_slice_that_differs_is_flagged_by_hand() -> None:
    """Recall 2 of 20 on one channel against 18 of 20 on the other; false positives alike."""
    split = scored([0.9] * 2 + [0.1] * 18 + [0.9] * 18 + [0.1] * 2, [0.1] * 40, split=Split.TEST)
    channel = ["web"] * 20 + ["app"] * 20 + ["web"] * 20 + ["app"] * 20

    found = measure_slices(split, POINT, {"channel": channel})

    recall = {s.value: s for s in found.slices if s.metric == "recall"}
    assert recall["web"].inside.value == pytest.approx(0.1)
    assert recall["web"].difference.value == pytest.approx(-0.8)
    # two tests in all, recall and false positives, since either channel is the other's rest
    assert found.tests == 2
    p = fisher_exact([[2, 18], [18, 2]]).pvalue
    assert recall["web"].p_adjusted == pytest.approx(2 * p)
    assert recall["app"].p_adjusted == recall["web"].p_adjusted
    assert all(s.differs for s in recall.values())
    assert not any(s.differs for s in found.slices if s.metric == "false_positive_rate")
    assert "Recall of arm where channel is app: 90% (n 20), +80 points" in found.sentences()[0]


def test_customers_count_once() -> None:
    """Twenty conversations of one customer are no evidence that their slice differs."""
    split = scored(
        [0.1] * 20 + [0.9] * 40, [0.1] * 5, split=Split.TEST,
        groups=["one"] * 20 + [f"u{i}" for i in range(45)],
    )  # fmt: skip
    channel = ["web"] * 20 + ["app"] * 40 + ["app"] * 5

    found = measure_slices(split, POINT, {"channel": channel})

    web = next(s for s in found.slices if s.value == "web")
    assert web.inside.value == 0
    assert isnan(web.p_adjusted)
    assert not web.differs


def test_alike_slices_are_seldom_flagged() -> None:
    """With no difference anywhere, at most about one draw in twenty flags any slice."""
    rng = np.random.default_rng(7)
    variables = {
        name: [str(v) for v in rng.integers(0, 4, size=120)] for name in ("channel", "vertical")
    }
    flagged = 0
    for _ in range(30):
        fires = np.where(rng.random(120) < 0.5, 0.9, 0.1)
        split = scored(fires[:60].tolist(), fires[60:].tolist(), split=Split.TEST)
        flagged += any(s.differs for s in measure_slices(split, POINT, variables).slices)

    # P(Binomial(30, .05) > 6) < .001
    assert flagged <= 6


def test_negatives_have_no_reason() -> None:
    """A variable that says nothing of negatives has recall alone."""
    split = scored([0.9] * 3, [0.1] * 3, split=Split.TEST)

    found = measure_slices(split, POINT, {"reason": ["complaint"] * 3 + [None] * 3})

    assert [s.metric for s in found.slices] == ["recall"]
    assert isnan(found.slices[0].difference.value)
    assert found.tests == 0
    assert "No slice was shown to differ" in found.sentences()[0]


def _conversation(i: int, customer: str | None, day: int) -> Conversation:
    made = talk(*[f"C: {ENGLISH}"] * (i + 1), id=f"c{i}")
    return replace(
        made,
        customer=Customer(id=customer),
        channel="web",
        started_at=datetime(2026, 3, 2, tzinfo=UTC) + timedelta(days=day),
        metadata={"vertical": "travel"} if i else {},
    )


def test_variables_by_hand() -> None:
    """Reason, vertical, channel, thirds of length, language, and who comes back."""
    talks = [
        _conversation(0, "ana", 5), _conversation(1, "bo", 0), _conversation(2, None, 3),
    ]  # fmt: skip
    items = [
        labeled(talks[0], handoff=True, reasons=[Reason.COMPLAINT, Reason.OTHER]),
        labeled(talks[1], handoff=False),
        labeled(talks[2], handoff=False),
    ]

    variables = slice_variables(items, [*talks, _conversation(9, "ana", 1)])

    assert variables["reason"] == ["complaint", None, None]
    assert variables["vertical"] == [None, "travel", "travel"]
    assert variables["channel"] == ["web"] * 3
    assert variables["length"] == ["up to 1 turns", "2 to 2 turns", "over 2 turns"]
    assert variables["language"] == ["en"] * 3
    assert variables["customer"] == ["returning", "new", None]


def test_language_by_metadata_then_by_words() -> None:
    """What the metadata states wins; else the customer's own words, when there are enough."""
    assert language_of(talk(f"C: {GERMAN}", f"A: {ENGLISH}")) == "de"
    assert language_of(talk(f"C: {ENGLISH}")) == "en"
    assert language_of(talk("C: ok 12345")) is None
    stated = replace(talk(f"C: {ENGLISH}"), metadata={"language": "pt-BR"})
    assert language_of(stated) == "pt-BR"


def test_slices_are_refused_on_what_chose_the_point() -> None:
    """Slices of tune would be judged on the data that set the threshold."""
    split = scored([0.9], [0.1], split=Split.TUNE)
    with pytest.raises(LeakageError, match="reported on the test split"):
        measure_slices(split, POINT, {"channel": ["web", "web"]})


def test_slices_show_themselves() -> None:
    """The table, the JSON and the picture come from the same values."""
    split = scored([0.9] * 12 + [0.1] * 12, [0.1] * 24, split=Split.TEST)
    found = measure_slices(split, POINT, {"channel": (["web"] * 12 + ["app"] * 12) * 2})

    assert found.frame().loc[("channel", "web", "recall"), "differs"] == "yes"
    assert found.to_dict()["slices"][0]["value"] == "app"
    assert found.plot().svg().startswith("<svg")
