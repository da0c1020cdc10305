"""Two frozen triggers: the paired change by hand, with conversations that stand for several."""

from __future__ import annotations

import pytest

from handoff_eval.conversation import Split
from handoff_eval.evaluation.threshold_difference import threshold_difference
from tests.builders import scored


def test_the_change_counts_what_each_conversation_stands_for() -> None:
    """A positive gained that stands for 3 of 6 weighs half, a negative gained for 1 of 8 little."""
    weight = [3, 1, 1, 1, 1, 1, 2, 4]
    before = scored([0.2, 0.9, 0.9, 0.2], [0.2, 0.2, 0.2, 0.9], split=Split.TEST, weight=weight)
    after = scored([0.9, 0.9, 0.2, 0.2], [0.9, 0.2, 0.2, 0.9], split=Split.TEST, weight=weight)

    found = threshold_difference(before, after, thresholds=(0.5, 0.5), prevalence=0.25)

    # recall (3 - 1) / 6 = 1/3; false positives 1 / 8; emails 1/4 (1/3) + 3/4 (1/8) = .1771
    assert found.recall.value == pytest.approx(1 / 3)
    assert found.email_rate.value == pytest.approx(0.25 / 3 + 0.75 / 8)
    assert (found.started, found.stopped) == (2, 1)
    assert found.recall.low <= 1 / 3 <= found.recall.high
