"""Encoders: unit vectors, stable across processes, each text computed once."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from handoff_eval.encoders.cache import CachedEncoder
from handoff_eval.encoders.hashing import HashingEncoder
from handoff_eval.encoders.onnx_encoder import cores
from handoff_eval.encoders.recent import RECENT_CHARACTERS, RECENT_TEXTS, RecentEncoder
from handoff_eval.errors import SettingsError


class Counting:
    """An encoder that remembers what it was asked."""

    def __init__(self, revision: str = "r1") -> None:
        self.inner = HashingEncoder(16)
        self.revision = revision
        self.dimension = 16
        self.asked: list[str] = []

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        self.asked += texts
        return self.inner.encode(texts)


@given(st.lists(st.text(max_size=30), max_size=5))
def test_hashing_vectors_are_unit_or_zero(texts: list[str]) -> None:
    """Any text gives a finite vector of length one, or zero without a letter."""
    vectors = HashingEncoder(32).encode(texts)

    assert vectors.shape == (len(texts), 32)
    assert np.all(np.isfinite(vectors))
    norms = np.linalg.norm(vectors, axis=1)
    assert np.all((np.abs(norms - 1) < 1e-5) | (norms == 0))


def test_hashing_is_the_same_everywhere() -> None:
    """The vector of a word is fixed, so that a bundle decides alike on every machine."""
    vector = HashingEncoder(8).encode(["refund"])[0]

    # seven signed pieces fall on three of eight places, once each after cancelling: 1 / sqrt(3)
    third = 3**-0.5
    assert vector == pytest.approx([0, 0, third, 0, 0, -third, third, 0], abs=1e-6)


def test_cache_computes_each_text_once(tmp_path: Path) -> None:
    """Repeats within a call, across calls and across objects are found, in the order asked."""
    first = Counting()
    CachedEncoder(first, tmp_path / "v.sqlite").encode(["a", "b", "a"])
    second = Counting()

    vectors = CachedEncoder(second, tmp_path / "v.sqlite").encode(["b", "c", "a"])

    assert first.asked == ["a", "b"]
    assert second.asked == ["c"]
    assert np.array_equal(vectors, HashingEncoder(16).encode(["b", "c", "a"]))


def test_cache_keeps_revisions_apart(tmp_path: Path) -> None:
    """Another model's vector for the same text is never returned."""
    CachedEncoder(Counting("r1"), tmp_path / "v.sqlite").encode(["a"])
    other = Counting("r2")

    CachedEncoder(other, tmp_path / "v.sqlite").encode(["a"])

    assert other.asked == ["a"]


def test_cache_of_nothing(tmp_path: Path) -> None:
    """No texts give no rows of the right width."""
    assert CachedEncoder(Counting(), tmp_path / "v.sqlite").encode([]).shape == (0, 16)


def test_cache_takes_more_texts_than_a_query_may_name(tmp_path: Path) -> None:
    """Look-ups are split below SQLite's limit on variables."""
    texts = [f"text {i}" for i in range(1300)]
    encoder = CachedEncoder(Counting(), tmp_path / "v.sqlite")
    encoder.encode(texts)

    assert np.array_equal(encoder.encode(texts), HashingEncoder(16).encode(texts))


def test_unusable_cache_is_a_sentence(tmp_path: Path) -> None:
    """A cache that can't be opened says which setting names another place."""
    (tmp_path / "file").write_text("")

    with pytest.raises(SettingsError, match="Set HANDOFF_EVAL_CACHE"):
        CachedEncoder(Counting(), tmp_path / "file" / "v.sqlite").encode(["a"])


def test_recent_texts_are_not_encoded_again() -> None:
    """What was just encoded is known; what is too long or too long ago is encoded anew."""
    counting = Counting()
    encoder = RecentEncoder(counting)
    long = "x" * (RECENT_CHARACTERS + 1)
    first = encoder.encode(["a", "b", "a", long])
    again = encoder.encode(["b", "a", long, "c"])

    assert counting.asked == ["a", "b", long, long, "c"]
    assert np.array_equal(first[[1, 0, 3]], again[:3])
    for start in range(0, RECENT_TEXTS, 4096):
        encoder.encode([f"n{i}" for i in range(start, start + 4096)])
    counting.asked.clear()
    encoder.encode(["a", f"n{RECENT_TEXTS - 1}"])
    assert counting.asked == ["a"]


def test_a_scheduler_says_how_many_cores_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """`OMP_NUM_THREADS` is a worker's share; without a number in it the machine is asked."""
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    assert cores() == 7
    for other in ("", "0", "many"):
        monkeypatch.setenv("OMP_NUM_THREADS", other)
        assert cores() >= 1


def test_onnx_runtime_reports_to_nobody(tmp_path: Path) -> None:
    """Imported here it leaves no device id and no queue of reports, where on its own it does."""
    root, left = Path(__file__).parents[2], {}
    for name, program in (
        ("ours", "from handoff_eval.encoders.onnx_encoder import onnxruntime as it"),
        ("own", "import onnxruntime as it"),
    ):
        home = tmp_path / name
        home.mkdir()
        # Nothing else of the environment, where a sign of CI would keep it quiet by itself.
        told = {"HOME": str(home), "PATH": os.environ["PATH"], "PYTHONPATH": str(root)}
        command = [sys.executable, "-c", f"{program}; it.InferenceSession"]
        subprocess.run(command, env=told, check=True)
        left[name] = [path.name for path in home.rglob("*") if path.is_file()]

    assert left["ours"] == []
    if not left["own"]:
        pytest.skip("this build of ONNX Runtime reports nothing by itself")
