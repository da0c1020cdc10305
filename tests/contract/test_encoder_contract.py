"""What every encoder keeps: order, one vector a text whatever its batch, unit length, empty."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from handoff_eval.encoders.base import Encoder
from handoff_eval.encoders.hashing import HashingEncoder
from handoff_eval.encoders.recent import RecentEncoder

TEXTS = [
    "My parcel never came.",
    "ok",
    "",
    "I have asked three times now and nobody can tell me why the invoice is wrong! " * 30,
    "¿Me pueden llamar mañana? 😀",
    "ok",
    *(f"order {number} is late by {number % 9} days" for number in range(40)),
]


def hashing() -> Encoder:
    return HashingEncoder(64)


def recent() -> Encoder:
    return RecentEncoder(HashingEncoder(64))


def minilm() -> Encoder:
    from handoff_eval.encoders.minilm import load_minilm

    return load_minilm()


def minilm_int8() -> Encoder:
    from handoff_eval.encoders.minilm import load_minilm_int8

    return load_minilm_int8()


@pytest.fixture(
    scope="module",
    params=[
        hashing,
        recent,
        pytest.param(minilm, marks=pytest.mark.slow),
        pytest.param(minilm_int8, marks=pytest.mark.slow),
    ],
    ids=lambda make: make.__name__,
)
def encoder(request: pytest.FixtureRequest) -> Encoder:
    make: Callable[[], Encoder] = request.param
    return make()


def test_shape_and_kind(encoder: Encoder) -> None:
    """One float32 row of the stated width a text."""
    vectors = encoder.encode(TEXTS)

    assert vectors.shape == (len(TEXTS), encoder.dimension)
    assert vectors.dtype == np.float32


def test_unit_length(encoder: Encoder) -> None:
    """A text with words has a vector of length one."""
    norms = np.linalg.norm(encoder.encode([text for text in TEXTS if text]), axis=1)

    assert norms == pytest.approx(1, abs=1e-5)


def test_a_text_has_one_vector_whatever_its_batch(encoder: Encoder) -> None:
    """Alone, among others and in another order, a text gets the same vector."""
    together = encoder.encode(TEXTS)

    assert encoder.encode(TEXTS[::-1])[::-1] == pytest.approx(together, abs=1e-6)
    assert np.concatenate([encoder.encode([text]) for text in TEXTS]) == pytest.approx(
        together, abs=1e-6
    )


def test_equal_texts_have_equal_vectors(encoder: Encoder) -> None:
    """A repeated text gets its vector again, bit for bit."""
    vectors = encoder.encode(TEXTS)

    assert np.array_equal(vectors[1], vectors[5])
    assert not np.array_equal(vectors[0], vectors[1])


def test_nothing_in_gives_nothing_out(encoder: Encoder) -> None:
    """No texts give no rows of the right width."""
    assert encoder.encode([]).shape == (0, encoder.dimension)
