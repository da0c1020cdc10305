"""Reliability: hand-computed bins, Brier score and excess."""

from __future__ import annotations

import numpy as np
import pytest

from handoff_eval.conversation import Split
from handoff_eval.evaluation.findings.reliability import measure_reliability
from tests.builders import scored


def test_figures_by_hand() -> None:
    """Two bins: of scores .2, 1 in 4 needs; of scores .8, 3 in 4.

    Brier: (3 * .04 + .64 + 3 * .04 + .64) / 8 = .19. Excess: mean .5 minus share .5 = 0.
    """
    found = measure_reliability(
        scored([0.2, 0.8, 0.8, 0.8], [0.2, 0.2, 0.2, 0.8], split=Split.TUNE), bins=2
    )

    assert [b.mean for b in found.bins] == pytest.approx([0.2, 0.8])
    assert [b.needed.value for b in found.bins] == pytest.approx([0.25, 0.75])
    assert [b.needed.n for b in found.bins] == [4, 4]
    assert found.brier.value == pytest.approx(0.19)
    assert found.excess.value == pytest.approx(0)
    assert "not shown to be off" in found.sentences()[0]


def test_what_a_conversation_stands_for_counts() -> None:
    """The share in need, the mean score, Brier score and excess are of all that was drawn from.

    One bin: scores .4 (need, weight 3), .8 (no need, 1). Share 3/4; mean score
    (3 * .4 + .8) / 4 = .5; excess .5 - .75 = -.25; Brier (3 * .36 + .64) / 4 = .43.
    """
    found = measure_reliability(scored([0.4], [0.8], split=Split.TUNE, weight=[3, 1]), bins=1)

    assert found.bins[0].needed.value == pytest.approx(0.75)
    assert found.bins[0].mean == pytest.approx(0.5)
    assert found.excess.value == pytest.approx(-0.25)
    assert found.brier.value == pytest.approx(0.43)


def test_promising_too_much_is_said() -> None:
    """Scores of .9 where one in four needs are called too high."""
    random = np.random.default_rng(0)
    high = 0.9 + 0.05 * random.random(80)

    found = measure_reliability(scored(high[:20], high[20:], split=Split.TEST))

    assert "promise more need than there is on test" in found.sentences()[0]
    assert found.frame()["n"].sum() == 80
    assert found.plot().svg().startswith("<svg")
    assert found.to_dict()["bins"][0]["needed"]["n"] == 16


def test_one_score_for_all_is_one_bin() -> None:
    """A constant trigger has one bin and no error."""
    found = measure_reliability(scored([0.5] * 3, [0.5] * 5, split=Split.TUNE))

    assert [b.needed.n for b in found.bins] == [8]
