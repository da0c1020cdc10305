"""The pictures: what is drawn is what was measured, and nothing is fetched to draw it."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pytest

from handoff_eval.conversation import Split
from handoff_eval.errors import MissingExtraError
from handoff_eval.evaluation.comparison.arms_look import arm_words
from handoff_eval.evaluation.comparison.plots import (
    deployed_curve,
    precision_band,
    precision_recall_plot,
    volume_recall_plot,
)
from handoff_eval.evaluation.comparison.result import Comparison
from handoff_eval.evaluation.intervals import Estimate
from handoff_eval.evaluation.look import NARROW, SHAPES, WIDE, Picture
from handoff_eval.evaluation.replay import Replay
from handoff_eval.evaluation.scored import ScoredSplit

PLOTS = (volume_recall_plot, precision_recall_plot)


def _split(scores: list[float], positive: list[bool]) -> ScoredSplit:
    n = len(scores)
    peaks = np.array(scores)
    replay = Replay(
        "hand", tuple(f"c{i}" for i in range(n)), np.arange(n + 1), np.ones(n, np.int64), peaks
    )
    return ScoredSplit(
        replay=replay,
        split=Split.TEST,
        positive=np.array(positive),
        groups=tuple(f"u{i}" for i in range(n)),
        due=np.where(positive, 0, -1),
        peak=peaks,
        on_time_peak=np.where(positive, peaks, np.nan),
        weight=np.ones(n),
        emailed=np.zeros(n, dtype=bool),
    )


def test_curve_restates_the_sample_at_the_deployment_prevalence(comparison: Comparison) -> None:
    """Each threshold emails p R + (1 - p) F of the conversations."""
    split = _split([0.9, 0.8, 0.7, 0.6], [True, False, True, False])
    arm = replace(comparison.arms[0], test=split)

    curve = deployed_curve(arm, 0.2)

    # R is 1/2, 1/2, 1, 1 and F is 0, 1/2, 1/2, 1: .2 R + .8 F = .1, .5, .6, 1
    assert curve.threshold.tolist() == [np.inf, 0.9, 0.8, 0.7, 0.6]
    assert curve.recall == pytest.approx([0, 0.5, 0.5, 1, 1])
    assert curve.volume == pytest.approx([0, 0.1, 0.5, 0.6, 1])


def test_precision_band_is_the_share_of_needed_emails(comparison: Comparison) -> None:
    """Precision at recall R is p R over the emails it takes to reach R."""
    split = _split([0.9, 0.8, 0.7, 0.6], [True, False, True, False])
    arm = replace(comparison.arms[0], test=split)

    band = precision_band(arm, 0.2)

    # full recall takes .2 * 1 + .8 * 1/2 = .6 of the emails, of which .2 are needed
    assert band.recall[-1] == 1
    assert band.middle[-1] == pytest.approx(0.2 / 0.6)
    assert band.low[-1] <= band.middle[-1] <= band.high[-1]


def test_operating_points_lie_on_their_curves(comparison: Comparison) -> None:
    """The dot of each arm is a point of its own curve."""
    for arm in comparison.arms:
        curve = deployed_curve(arm, comparison.prevalence)
        there = np.interp(arm.measures.email_rate.value, curve.volume, curve.recall)

        assert there == pytest.approx(arm.measures.recall.value)


@pytest.mark.parametrize("plot", PLOTS)
@pytest.mark.parametrize("width", [WIDE, NARROW])
def test_pictures_are_small_and_stand_alone(plot: type, width: int, comparison: Comparison) -> None:
    """An SVG fits its width, stays small, names every arm and refers to nothing outside."""
    svg = plot(comparison, width=width).svg()
    root = ElementTree.fromstring(svg)
    words = " ".join(root.itertext())

    assert float(root.attrib["width"]) <= 1.05 * width
    assert len(svg) < 60_000
    assert {element.tag.split("}")[-1] for element in root.iter()}.isdisjoint({"image", "script"})
    assert svg.count("http") == svg.count("http://www.w3.org/")
    for expected in (
        "budget",
        "recall floor",
        *(arm_words(comparison, a) for a in comparison.arms),
    ):
        assert expected in words


def test_headline_picture_states_catch_cost_and_wish(comparison: Comparison) -> None:
    """The title gives recall and volume of the chosen arm beside the budget."""
    arm = comparison.arm("minilm")

    description = volume_recall_plot(comparison).description

    assert description.startswith(
        f"minilm catches {arm.measures.recall.value:.0%} of needed handoffs with "
        f"{arm.measures.emails_per_day.value:.0f} emails a day (wanted: 80% with at most 20)"
    )


def test_axes_name_what_they_count(comparison: Comparison) -> None:
    """Both axes of the headline picture carry their unit."""
    chart = volume_recall_plot(comparison).chart.to_json()

    assert "emails a day" in chart
    assert "recall (share of needed handoffs caught)" in chart


def test_notebook_shows_a_png(comparison: Comparison) -> None:
    """A notebook gets a PNG at the picture's width and its words, with no renderer to set."""
    data, metadata = volume_recall_plot(comparison)._repr_mimebundle_()

    assert data["image/png"].startswith(b"\x89PNG")
    assert metadata["image/png"] == {"width": WIDE}
    assert "minilm" in data["text/plain"]


def test_arm_without_email_is_drawn_without_a_dot(comparison: Comparison) -> None:
    """Where precision is undefined the picture says so and keeps the curve."""
    undefined = Estimate(float("nan"), 0.0, 1.0, 48, "undefined")
    arms = tuple(
        replace(arm, measures=replace(arm.measures, precision=undefined)) for arm in comparison.arms
    )

    picture = precision_recall_plot(replace(comparison, arms=arms))

    assert picture.description.startswith("minilm sends no email")
    assert isinstance(picture, Picture)
    assert "recall floor" in picture.svg()


def test_arms_differ_by_shape_as_well_as_colour() -> None:
    """No two of the first seven arms share a shape, so that colour is never the only sign."""
    assert len(set(SHAPES)) == len(SHAPES) == 7


def test_importing_the_plots_loads_no_altair() -> None:
    """Importing does nothing: altair is loaded by the first picture."""
    program = "import sys, handoff_eval.evaluation.comparison.plots; print('altair' in sys.modules)"

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)

    assert done.stdout == "False\n"


def test_missing_altair_is_a_sentence(
    comparison: Comparison, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the workbench the error says what to install."""
    monkeypatch.setitem(sys.modules, "altair", None)

    with pytest.raises(MissingExtraError, match=r"altair is not installed.*handoff-eval\[bench\]"):
        volume_recall_plot(comparison)
