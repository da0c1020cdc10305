"""Fine-tuning the encoder: it learns, it is kept, and it exports like the original."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from handoff_eval.conversation import Split
from handoff_eval.encoders.fine_tune import fine_tune
from handoff_eval.encoders.minilm import load_minilm
from handoff_eval.errors import DataError
from handoff_eval.evaluation.operating_point import OperatingPoint
from handoff_eval.evaluation.replay import replay
from handoff_eval.production.bundle import read_bundle, write_bundle
from handoff_eval.production.parity import check_parity
from handoff_eval.triggers.trained import train_setfit
from tests.training import ASKS, QUESTIONS, TRAINING

pytestmark = pytest.mark.slow

TEXTS = [*(ask for ask, _ in ASKS), *QUESTIONS]
NEEDED = [True] * len(ASKS) + [False] * len(QUESTIONS)


def _gap(vectors: np.ndarray) -> float:
    """Return the mean cosine within the asks minus that between asks and questions."""
    asks, questions = vectors[: len(ASKS)], vectors[len(ASKS) :]
    return float((asks @ asks.T).mean() - (asks @ questions.T).mean())


def test_kinds_move_apart_and_the_result_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A few steps widen the gap between the kinds; the same call gives the same file."""
    before = _gap(load_minilm().encode(TEXTS))
    monkeypatch.setenv("HANDOFF_EVAL_CACHE", str(tmp_path / "cache"))

    tuned = fine_tune(TEXTS, NEEDED, steps=6)
    written = tuned.model.stat().st_mtime_ns

    assert _gap(tuned.encode(TEXTS)) > before + 0.01
    assert fine_tune(TEXTS, NEEDED, steps=6).model.stat().st_mtime_ns == written


def test_the_arm_exports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A trigger on the tuned encoder decides the same from its bundle."""
    monkeypatch.setenv("HANDOFF_EVAL_CACHE", str(tmp_path / "cache"))
    trigger = train_setfit(TRAINING, steps=2)
    talks = [item.conversation for item in TRAINING[:6]]
    played = replay(trigger, talks)
    point = OperatingPoint("setfit", 0.4999, Split.TUNE, None, "")

    write_bundle(trigger, point, handoff="s", instruction="i", to=tmp_path / "bundle")

    assert check_parity(read_bundle(tmp_path / "bundle"), talks, played).changed == 0


def test_one_kind_alone_is_refused() -> None:
    """There are no pairs to tell apart."""
    with pytest.raises(DataError, match="2 texts of either kind"):
        fine_tune(["a", "b"], [True, True])
