"""Names for groups of texts: the words and pairs of words that set them apart from the rest."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

WORD = r"\b[^\W\d_]{3,}\b(?!['’]\w)"
"""Three letters or more, without digits, and no half of a contraction."""

ADDRESS = re.compile(r"[^\s@]{0,64}@\S+|\b\w{1,16}://\S+|\bwww\.\S+")
"""An email address or a link, whose parts say nothing of a topic."""

TERMS = 3
COMMON = 1 / 3
"""Share of a topic's conversations that its terms come in, so that they tell of most of it."""


def distinctive_terms(
    texts: Sequence[str], groups: NDArray[np.int64], others: Sequence[str]
) -> list[tuple[str, ...]]:
    """Return the terms of each group; a term counts once a conversation, however often it comes.

    A term that few conversations of a group have names the group badly, so the usual ones come
    first: those of a third of it, or else of two conversations of it.
    """
    from sklearn.feature_extraction.text import CountVectorizer

    vectorizer = CountVectorizer(
        binary=True, stop_words="english", token_pattern=WORD, ngram_range=(1, 2)
    )
    number = int(groups.max()) + 1
    try:
        present = vectorizer.fit_transform([ADDRESS.sub(" ", text) for text in (*texts, *others)])
    except ValueError:  # not a single word is left
        return [()] * number
    words = vectorizer.get_feature_names_out()
    overall = np.asarray(present.sum(axis=0), dtype=np.float64).ravel()
    names = []
    for group in range(number):
        members = np.flatnonzero(groups == group)
        inside = np.asarray(present[members].sum(axis=0), dtype=np.float64).ravel()
        scores = distinctiveness(inside, overall - inside)
        common = inside >= max(min(2, len(members)), COMMON * len(members))
        enough = common if (common & (scores > 0)).any() else inside >= min(2, len(members))
        order = np.lexsort((words, -np.where(enough, scores, -np.inf)))
        names.append(_apart([str(words[i]) for i in order if enough[i] and scores[i] > 0]))
    return names


def _apart(terms: Sequence[str]) -> tuple[str, ...]:
    """Return the first terms that share no word with one before."""
    taken: list[str] = []
    for term in terms:
        if len(taken) < TERMS and not set(term.split()) & set(" ".join(taken).split()):
            taken.append(term)
    return tuple(taken)


def distinctiveness(
    inside: NDArray[np.float64], outside: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return how many standard errors each word is more usual inside than outside.

    Log odds ratio with an informative Dirichlet prior (Monroe, Colaresi and Quinn, Fightin' Words,
    Political Analysis 16 (2008) 372-403, eq. 15-22): the prior has the words' overall shares and
    weighs as much as the inside, so that rare words don't win by chance.

    Parameters
    ----------
    inside, outside : float arrays, shape (words,)
        Counts.
    """
    n, m = inside.sum(), outside.sum()
    prior = n * (inside + outside) / (n + m)
    with np.errstate(invalid="ignore", divide="ignore"):
        odds = (inside + prior) / (n + n - inside - prior)
        other = (outside + prior) / (m + n - outside - prior)
        ratio = np.log(odds) - np.log(other)
        scores: NDArray[np.float64] = ratio / np.sqrt(1 / (inside + prior) + 1 / (outside + prior))
    return np.where(np.isfinite(scores), scores, 0.0)
