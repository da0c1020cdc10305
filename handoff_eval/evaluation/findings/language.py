"""The language that a customer writes, from the metadata or by guessing from the words."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from handoff_eval.conversation import Conversation, Role
from handoff_eval.errors import MissingExtraError

SURE = 0.9
MIN_LETTERS = 20


def language_of(conversation: Conversation) -> str | None:
    """Return the ISO 639-1 code of what the customer writes; None where that isn't clear.

    `metadata.language` wins where it is a text. Else it is guessed from all customer turns with
    the model of py3langid (Lui and Baldwin, langid.py, ACL 2012), which is wrong more often the
    shorter the text: it isn't clear below `MIN_LETTERS` letters or a probability of `SURE`.

    Raises
    ------
    MissingExtraError
        When py3langid is needed and not installed.
    """
    stated = conversation.metadata.get("language")
    if isinstance(stated, str) and stated:
        return stated
    text = " ".join(turn.text for turn in conversation.turns if turn.role is Role.CUSTOMER)
    if sum(letter.isalpha() for letter in text) < MIN_LETTERS:
        return None
    code, probability = _identifier().classify(text)
    return str(code) if probability >= SURE else None


@lru_cache(maxsize=1)
def _identifier() -> Any:
    try:
        from py3langid.langid import MODEL_FILE, LanguageIdentifier
    except ImportError:
        raise MissingExtraError(
            "Expected py3langid to tell languages apart; it is not installed. "
            "Run pip install 'handoff-eval[bench]', or state metadata.language."
        ) from None
    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
