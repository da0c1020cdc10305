"""ROUGE F-measures (Lin, ROUGE: a package for automatic evaluation of summaries, 2004).

Written here, in thirty lines, for a side column: the usual package was last released in 2022 and
brings NLTK. Tokens are runs of letters and digits in lower case, without stemming; equal to
rouge-score 0.1.2 with its own tokenizer on ASCII text.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Hashable, Sequence

_TOKEN = re.compile(r"[^\W_]+")


def rouge_n(summary: str, reference: str, *, n: int = 1) -> float:
    """Return the F-measure of common n-grams, in [0, 1]; 0 where either text has none.

    It says how alike two wordings are. It misleads wherever being right matters: a changed order
    number costs it next to nothing, and a good summary in other words scores low.
    """
    ours, theirs = _grams(_tokens(summary), n), _grams(_tokens(reference), n)
    return _f_measure((ours & theirs).total(), ours.total(), theirs.total())


def rouge_l(summary: str, reference: str) -> float:
    """Return the F-measure of the longest common subsequence of words, in [0, 1]."""
    ours, theirs = _tokens(summary), _tokens(reference)
    return _f_measure(_common_subsequence(ours, theirs), len(ours), len(theirs))


def _tokens(text: str) -> list[str]:
    return _TOKEN.findall(text.casefold())


def _grams(tokens: Sequence[str], n: int) -> Counter[Hashable]:
    return Counter(tuple(tokens[i : i + n]) for i in range(len(tokens) - n + 1))


def _f_measure(common: int, ours: int, theirs: int) -> float:
    return 2 * common / (ours + theirs) if common else 0.0


def _common_subsequence(first: Sequence[str], second: Sequence[str]) -> int:
    row = [0] * (len(second) + 1)
    for word in first:
        diagonal = 0
        for place, other in enumerate(second, start=1):
            above = row[place]
            row[place] = diagonal + 1 if word == other else max(above, row[place - 1])
            diagonal = above
    return row[-1]
