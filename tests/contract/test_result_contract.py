"""Every result shows itself in the same ways: words, table, picture, values, notebook and page."""

from __future__ import annotations

import json
from collections.abc import Callable
from math import isnan
from pathlib import Path

import numpy as np
import pytest

from handoff_eval.conversation import Split
from handoff_eval.evaluation.audit.estimate import estimate_recall
from handoff_eval.evaluation.findings.analysis import Timings
from handoff_eval.evaluation.findings.reliability import measure_reliability
from handoff_eval.evaluation.findings.slices import measure_slices
from handoff_eval.evaluation.findings.timing import measure_timing
from handoff_eval.evaluation.gate.gate import gate
from handoff_eval.evaluation.intervals import Estimate
from handoff_eval.evaluation.learning.result import LearningCurve
from handoff_eval.evaluation.look import NARROW, WIDE
from handoff_eval.evaluation.pages.result_page import render_result
from handoff_eval.evaluation.result import Result
from handoff_eval.evaluation.volume.prevalence import estimate_prevalence
from handoff_eval.evaluation.wordings.ablation import ablate
from handoff_eval.evaluation.wordings.scores import Wordings
from handoff_eval.evaluation.wordings.set_objective import Objective
from handoff_eval.evaluation.wordings.tuning import tune_instruction
from handoff_eval.evaluation.wordings.tuning_tries import TriesLedger
from handoff_eval.evaluation.wordings.versions import compare_versions
from handoff_eval.tracking.entries import File, Metric
from handoff_eval.tracking.findings import result_entries
from tests.unit import (
    test_ablation,
    test_audit,
    test_forecast,
    test_learning,
    test_prevalence,
    test_topics,
)
from tests.wordings import LastWordTrigger, word_dataset


def _forecast(_: Path) -> Result:
    return test_forecast._forecast([10] * 28)


def _timing(_: Path) -> Result:
    items, point = test_forecast._items(), test_forecast.POINT
    timing = measure_timing(test_forecast.SCORED, items, point, prevalence=0.1)
    return Timings((timing,), timing.trigger)


def _reliability(_: Path) -> Result:
    return measure_reliability(test_forecast.SCORED)


def _slices(_: Path) -> Result:
    channels = ["web" if i % 3 else "app" for i in range(len(test_forecast.SCORED.peak))]
    return measure_slices(test_forecast.SCORED, test_forecast.POINT, {"channel": channels})


def _topics(_: Path) -> Result:
    return test_topics._topics([*test_topics.PARCELS, *test_topics.INVOICES])


def _prevalence(_: Path) -> Result:
    return estimate_prevalence(*test_prevalence.drawn(np.random.default_rng(1), 0.1))


def _audit(_: Path) -> Result:
    plan = test_audit._plan()
    return estimate_recall(plan, test_audit._answers(plan, "sent-0", "unsent 1-0"))


def _gate(_: Path) -> Result:
    positive = np.arange(200) < 80
    fired = positive & (np.arange(200) % 8 != 0)
    groups = [f"u{i}" for i in range(200)]
    return gate(fired, fired, positive=positive, groups=groups, prevalence=0.05)


def _ablation(_: Path) -> Result:
    wordings = Wordings(LastWordTrigger, word_dataset())
    return ablate(test_ablation.BOTH, wordings, test_ablation.BUDGET, prevalence=1 / 3)


def _versions(_: Path) -> Result:
    wordings = Wordings(LastWordTrigger, word_dataset())
    return compare_versions(
        test_ablation.CUES,
        test_ablation.BOTH,
        wordings,
        test_ablation.BUDGET,
        prevalence=1 / 3,
        split=Split.TEST,
    )


def _tuning(folder: Path) -> Result:
    wordings = Wordings(LastWordTrigger, word_dataset())
    objective = Objective(test_ablation.BUDGET, 1 / 3)
    ledger = TriesLedger(folder / "tries.json")
    return tune_instruction(test_ablation.CUES, wordings, objective, ledger, max_candidates=6)


def _learning(_: Path) -> Result:
    sizes = ((40, (0.2, 0.1, 0.3)), (80, (0.3, 0.2, 0.4)))
    points = tuple(test_learning._point(size, ahead) for size, ahead in sizes)
    return LearningCurve("parcels", points, Estimate(0.3, 0.2, 0.4, 40, "given"), 3)


MADE: tuple[Callable[[Path], Result], ...] = (
    _timing,
    _forecast,
    _reliability,
    _slices,
    _topics,
    _prevalence,
    _audit,
    _gate,
    _ablation,
    _versions,
    _tuning,
    _learning,
)


@pytest.fixture(scope="module", params=MADE, ids=lambda made: made.__name__[1:])
def result(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Result:
    """Return one real result of each kind."""
    made: Callable[[Path], Result] = request.param
    return made(tmp_path_factory.mktemp("result"))


def test_words_table_and_values(result: Result) -> None:
    """Sentences end as such, the table has rows, and the values are JSON without NaN."""
    assert all(sentence.endswith((".", "…")) for sentence in result.sentences())
    assert len(result.frame()) > 0
    assert json.loads(result.to_json()) == json.loads(json.dumps(result.to_dict()))
    assert result.sentences()[0] in result.text()
    assert "<table" in result._repr_html_()


@pytest.mark.medium
def test_pictures_keep_their_width(result: Result) -> None:
    """Each picture is a PNG in a notebook and fits its width, wide or on a telephone."""
    assert next(iter(result.pictures())) == ""
    for draw in result.pictures().values():
        for width in (WIDE, NARROW):
            picture = draw(width)
            drawn = float(picture.svg().split('width="')[1].split('"')[0])
            assert 0.85 * width <= drawn <= width + 2
        data, _ = picture._repr_mimebundle_()
        assert data["image/png"].startswith(b"\x89PNG")
        assert data["text/plain"] == picture.description


@pytest.mark.medium
def test_page_holds_the_result_alone(result: Result) -> None:
    """The page has its first sentence, its pictures inside, no script, and no address."""
    page = render_result(result, title="A title.", about="a test", context={"Dataset": "tiny"})

    assert "<h1>A title</h1>" in page
    assert page.count("<svg") == 2 * len(result.pictures())
    assert "<script" not in page
    assert "http" not in page.replace("http://www.w3.org", "").replace("http-equiv", "")


@pytest.mark.medium
def test_run_holds_numbers_tables_and_pictures(result: Result) -> None:
    """What goes to the tracking store is named after the key, and no number is NaN."""
    entries = list(result_entries("key", result))

    assert all(not isnan(entry.value) for entry in entries if isinstance(entry, Metric))
    assert any(isinstance(entry, Metric) for entry in entries)
    names = {entry.name for entry in entries if isinstance(entry, File)}
    assert {"key.csv", "key.png"} <= names
