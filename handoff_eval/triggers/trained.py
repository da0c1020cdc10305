"""The trained arms by name: from labelled conversations to a trigger."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from random import Random

from handoff_eval.conversation import LabeledConversation, Role
from handoff_eval.encoders.base import Encoder
from handoff_eval.encoders.cache import CachedEncoder
from handoff_eval.encoders.minilm import cached_minilm
from handoff_eval.settings import cache_dir, static_model
from handoff_eval.triggers.classifier import ClassifierTrigger


def _static() -> Encoder:
    from handoff_eval.encoders.static import load_static

    return load_static(static_model())


ENCODERS: dict[str, tuple[Callable[[], Encoder] | None, bool]] = {
    "tfidf": (None, True),
    "static": (_static, False),
    "minilm": (cached_minilm, False),
    "minilm_int8": (partial(cached_minilm, int8=True), False),
    "minilm_words": (cached_minilm, True),
}
"""Each trained arm: what gives its turn vectors, and whether words take part."""


def train_setfit(
    labeled: Sequence[LabeledConversation], *, seed: int = 0, steps: int | None = None
) -> ClassifierTrigger:
    """Return the arm whose encoder is fine-tuned too, in the SetFit way.

    The encoder learns from half of the customers and the head from the other half: a head that
    was judged out of fold on vectors that had seen its labels would look better than it is.

    Parameters
    ----------
    labeled : sequence of LabeledConversation
        Of the train split.
    seed : int
        Of the halves, the pairs and the folds.
    steps : int, optional
        Of the fine-tuning.
    """
    from handoff_eval.encoders.fine_tune import STEPS, fine_tune
    from handoff_eval.triggers.train import train_classifier

    first, second = _halves(labeled, seed)
    random = Random(seed)  # noqa: S311 - a draw, not a secret
    tuned = fine_tune(
        [_telling_turn(item, random) for item in first],
        [item.label.handoff for item in first],
        seed=seed,
        steps=STEPS if steps is None else steps,
    )
    encoder = CachedEncoder(tuned, cache_dir() / "vectors.sqlite")
    return train_classifier(second, encoder, name="setfit", seed=seed)


def _halves(
    labeled: Sequence[LabeledConversation], seed: int
) -> tuple[list[LabeledConversation], list[LabeledConversation]]:
    """Split by customer, those with a needed handoff and those without each in half."""
    needing = {item.conversation.group for item in labeled if item.label.handoff}
    customers = list(dict.fromkeys(item.conversation.group for item in labeled))
    Random(seed).shuffle(customers)  # noqa: S311 - a draw, not a secret
    ordered = sorted(customers, key=lambda customer: customer in needing)
    inside = set(ordered[::2])
    return (
        [item for item in labeled if item.conversation.group in inside],
        [item for item in labeled if item.conversation.group not in inside],
    )


def _telling_turn(item: LabeledConversation, random: Random) -> str:
    """Return the customer's turn at which the need is due, or any one of a negative."""
    points = item.conversation.decision_points()
    turns = item.conversation.turns
    if item.due is not None:
        turns = turns[: points[item.due].turns]
    said = [turn.text for turn in turns if turn.role is Role.CUSTOMER] or [""]
    return said[-1] if item.due is not None else random.choice(said)


def train_arm(
    name: str, labeled: Sequence[LabeledConversation], *, seed: int = 0
) -> ClassifierTrigger:
    """Return the arm, trained on these conversations.

    Parameters
    ----------
    name : str
        One of `arms.TRAINED`.
    labeled : sequence of LabeledConversation
        Of the train split.
    seed : int
        Of the folds.
    """
    from handoff_eval.triggers.train import train_classifier

    if name == "setfit":
        return train_setfit(labeled, seed=seed)
    encoder, words = ENCODERS[name]
    return train_classifier(
        labeled, None if encoder is None else encoder(), words=words, name=name, seed=seed
    )
