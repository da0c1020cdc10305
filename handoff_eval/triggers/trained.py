"""The trained arms by name: from labelled conversations to a trigger."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from handoff_eval.conversation import LabeledConversation
from handoff_eval.encoders.base import Encoder
from handoff_eval.encoders.cache import CachedEncoder
from handoff_eval.settings import cache_dir, static_model
from handoff_eval.triggers.classifier import ClassifierTrigger


def cached_minilm() -> CachedEncoder:
    """Return MiniLM with the cache that every arm shares."""
    from handoff_eval.encoders.minilm import load_minilm

    return CachedEncoder(load_minilm(), cache_dir() / "vectors.sqlite")


def _static() -> Encoder:
    from handoff_eval.encoders.static import load_static

    return load_static(static_model())


ENCODERS: dict[str, tuple[Callable[[], Encoder] | None, bool]] = {
    "tfidf": (None, True),
    "static": (_static, False),
    "minilm": (cached_minilm, False),
    "minilm_words": (cached_minilm, True),
}
"""Each trained arm: what gives its turn vectors, and whether words take part."""


def train_arm(
    name: str, labeled: Sequence[LabeledConversation], *, seed: int = 0
) -> ClassifierTrigger:
    """Return the arm, trained on these conversations.

    Parameters
    ----------
    name : str
        One of `ENCODERS`.
    labeled : sequence of LabeledConversation
        Of the train split.
    seed : int
        Of the folds.
    """
    from handoff_eval.triggers.train import train_classifier

    encoder, words = ENCODERS[name]
    return train_classifier(
        labeled, None if encoder is None else encoder(), words=words, name=name, seed=seed
    )
