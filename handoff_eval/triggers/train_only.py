"""The check that what is fitted saw the train split alone."""

from __future__ import annotations

from collections.abc import Sequence

from handoff_eval.conversation import LabeledConversation, Split
from handoff_eval.errors import LeakageError


def check_train_only(labeled: Sequence[LabeledConversation], what: str) -> None:
    """Refuse conversations of another split than train.

    Parameters
    ----------
    labeled : sequence of LabeledConversation
        What a choice is made on.
    what : str
        The choice, as a noun for the sentence.

    Raises
    ------
    LeakageError
        When one is of tune or test, or of no split.
    """
    for item in labeled:
        split = item.conversation.split
        if split is not Split.TRAIN:
            raise LeakageError(
                f"Expected {what} to be chosen on the train split alone; conversation "
                f"{item.conversation.id!r} is of {split.value if split else 'no split'}. "
                "A threshold or figure on data that chose it would prove nothing."
            )
