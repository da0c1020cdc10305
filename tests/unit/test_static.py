"""Static embeddings: hand-computed means, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tokenizers import Tokenizer

from handoff_eval.encoders.static import load_static
from handoff_eval.errors import DataError, SettingsError
from tests.builders import static_encoder


def test_a_vector_by_hand(tmp_path: Path) -> None:
    """Means (1.5, 2) of length 2.5, and (3, 0); the unknown word doesn't count."""
    vectors = static_encoder(tmp_path).encode(["call me", "call xylophone"])

    assert vectors == pytest.approx(np.array([[0.6, 0.8], [1.0, 0.0]]))


def test_no_known_word_is_zero(tmp_path: Path) -> None:
    """Empty and unknown texts have no direction."""
    assert not static_encoder(tmp_path).encode(["", "xylophone"]).any()


def test_batches_change_nothing(tmp_path: Path) -> None:
    """A text has the same vector whoever stands beside it."""
    encoder = static_encoder(tmp_path)
    texts = ["call", "me me call", "me", ""]

    together = encoder.encode(texts)

    for text, vector in zip(texts, together, strict=True):
        assert np.array_equal(encoder.encode([text])[0], vector)


def test_a_table_too_short_is_refused(tmp_path: Path) -> None:
    """Each token needs its vector."""
    with pytest.raises(DataError, match=r"each of 3 tokens .* got shape \(2, 2\)"):
        static_encoder(tmp_path, [(9, 9), (3, 0)])


def test_a_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    """A folder that model2vec didn't write is a user's mistake."""
    with pytest.raises(SettingsError, match=r"model2vec saved; .*model.safetensors can't be read"):
        load_static(tmp_path)


# model2vec leaves the files open that it saves to.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_given_model_gives_its_own_vectors(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A model2vec folder is taken as it is, and encodes as model2vec does."""
    model2vec = pytest.importorskip("model2vec")
    monkeypatch.setenv("HANDOFF_EVAL_CACHE", str(tmp_path / "cache"))
    static_encoder(tmp_path)
    tokenizer = Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    model = model2vec.StaticModel(np.load(tmp_path / "vectors.npy"), tokenizer, normalize=True)
    model.save_pretrained(str(tmp_path / "given"))
    texts = ["call me", "me me call", "xylophone"]

    encoder = load_static(tmp_path / "given")

    assert encoder.revision.startswith("model2vec-")
    assert encoder.encode(texts) == pytest.approx(model.encode(texts), abs=1e-6)
    assert load_static(tmp_path / "given").revision == encoder.revision
