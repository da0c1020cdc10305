"""Pairs of texts that are nearly the same, found exactly and without comparing all pairs.

Texts are sets of character 5-grams; two are near-duplicates when their Jaccard similarity is at
least the threshold t. If |A n B| / |A u B| >= t, A and B share a gram among the first
|A| - ceil(t |A|) + 1 of each under any common order, so only those prefixes are indexed, the
rarest grams first (prefix filtering: Chaudhuri, Ganti and Kaushik, ICDE 2006; Bayardo, Ma and
Srikant, WWW 2007). Unlike MinHash it misses nothing, needs no seed and no further package, and
support texts share few rare grams, which keeps the candidates few.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

GRAM = 5
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
_SPACES = re.compile(r"\s+")


@dataclass(frozen=True, slots=True)
class Pair:
    """Two texts by their places, first < second, and their Jaccard similarity."""

    first: int
    second: int
    similarity: float


def near_duplicates(texts: Sequence[str], *, threshold: float) -> list[Pair]:
    """Return all pairs with a similarity of at least the threshold, the most alike first.

    Case and spacing don't count. A text of fewer than five characters has no gram and no pair.
    """
    grams = [_grams(text) for text in texts]
    rarity = _rarity(grams)
    index: dict[int, list[int]] = {}
    pairs: list[Pair] = []
    for place in sorted(range(len(grams)), key=lambda i: len(grams[i])):
        own = grams[place]
        if not len(own):
            continue
        prefix = len(own) - math.ceil(threshold * len(own) - 1e-9) + 1
        rarest = own[np.argsort(rarity[place], kind="stable")[:prefix]]
        candidates: set[int] = set()
        for gram in rarest.tolist():
            held = index.setdefault(gram, [])
            candidates.update(held)
            held.append(place)
        for other in candidates:
            if len(grams[other]) < threshold * len(own):
                continue
            similarity = _jaccard(own, grams[other])
            if similarity >= threshold:
                pairs.append(Pair(min(place, other), max(place, other), similarity))
    return sorted(pairs, key=lambda pair: (-pair.similarity, pair.first, pair.second))


def _grams(text: str) -> NDArray[np.uint64]:
    """Return the distinct 5-grams of a text as sorted 64-bit hashes."""
    plain = _SPACES.sub(" ", text.lower()).strip()
    codes = np.frombuffer(plain.encode("utf-32-le"), dtype=np.uint32).astype(np.uint64)
    if len(codes) < GRAM:
        return np.empty(0, dtype=np.uint64)
    windows = np.lib.stride_tricks.sliding_window_view(codes, GRAM)
    hashes = np.zeros(len(windows), dtype=np.uint64)
    for column in windows.T:
        hashes = (hashes ^ column) * _MULTIPLIER
        hashes ^= hashes >> np.uint64(29)
    return np.unique(hashes)


def _rarity(grams: Sequence[NDArray[np.uint64]]) -> list[NDArray[np.int64]]:
    """Return for each gram of each text its rank in one order over all grams, rarest first."""
    if not grams:
        return []
    distinct, inverse, counts = np.unique(
        np.concatenate(grams), return_inverse=True, return_counts=True
    )
    rank = np.empty(len(distinct), dtype=np.int64)
    rank[np.argsort(counts, kind="stable")] = np.arange(len(distinct))
    edges = np.cumsum([len(one) for one in grams])[:-1]
    return np.split(rank[inverse], edges)


def _jaccard(first: NDArray[np.uint64], second: NDArray[np.uint64]) -> float:
    shared = len(np.intersect1d(first, second, assume_unique=True))
    return shared / (len(first) + len(second) - shared)
