"""How many reviews an audit needs for an interval of a wanted width."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from handoff_eval.errors import SettingsError
from handoff_eval.evaluation.audit.estimate import gamma_limits
from handoff_eval.evaluation.audit.plan import FLOOR_SHARE, allocate, strata_sizes
from handoff_eval.evaluation.intervals import LEVEL

DRAWS = 2000
MET = 0.85
"""Share of simulated audits that must be as narrow as wanted; above .8, for the draws vary."""


@dataclass(frozen=True, slots=True)
class ReviewsNeeded:
    """A number of reviews with what it rests on.

    Attributes
    ----------
    reviews : int
        Of unsent conversations.
    width : float
        Of the two-sided interval of recall that was asked for.
    met : float
        Share of simulated audits at least as narrow.
    expected_recall, expected_precision : float
        What was assumed; the misses were spread over all unsent conversations alike.
    """

    reviews: int
    width: float
    met: float
    expected_recall: float
    expected_precision: float

    def __str__(self) -> str:
        return (
            f"{self.reviews} reviews of unsent conversations give an interval of recall at most "
            f"{100 * self.width:g} points wide in {self.met:.0%} of simulated audits, if recall is "
            f"{self.expected_recall:.0%}, {self.expected_precision:.0%} of the sent emails are "
            "needed and all of them are read, and a miss is as likely at any score."
        )


def reviews_needed(
    *,
    sent: int,
    unsent: int,
    width: float,
    expected_recall: float,
    expected_precision: float,
    floor_share: float = FLOOR_SHARE,
    level: float = LEVEL,
    seed: int = 0,
) -> ReviewsNeeded:
    """Return the fewest reviews whose interval is narrow enough in most simulated audits.

    Parameters
    ----------
    sent, unsent : int
        Conversations of the period.
    width : float
        Upper minus lower limit of recall, in (0, 1).
    expected_recall, expected_precision : float
        A guess, in (0, 1); a lower recall needs more reviews.
    floor_share : float
        As in `make_plan`.
    level : float
        Two-sided coverage.
    seed : int
        Of the simulation.

    Raises
    ------
    SettingsError
        When a number is out of range, or reading everything would still be too wide.
    """
    for name, value in (
        ("width", width),
        ("expected_recall", expected_recall),
        ("expected_precision", expected_precision),
    ):
        if not 0 < value < 1:
            raise SettingsError(f"Expected {name} between 0 and 1, both excluded; got {value:g}.")
    caught = round(sent * expected_precision)
    missed = round(caught * (1 - expected_recall) / expected_recall)
    if caught < 1 or missed > unsent:
        raise SettingsError(
            f"Expected guesses that fit {sent} sent and {unsent} unsent conversations; they make "
            f"{caught} caught and {missed} missed handoffs."
        )
    sizes = strata_sizes(unsent)

    def share_met(reviews: int) -> float:
        drawn = allocate(sizes, reviews, floor_share=floor_share)
        found = simulate_found(sizes, drawn, missed, seed=seed)
        weights = np.array(sizes) / np.array(drawn)
        low, high = gamma_limits(found @ weights, found @ weights**2, weights.max(), level=level)
        widths = caught / (caught + low) - caught / (caught + np.minimum(high, unsent))
        return float(np.mean(widths <= width))

    fewest, most = len(sizes), unsent
    if share_met(most) < MET:
        raise SettingsError(
            f"Expected a width that {unsent} reviews can reach; with {caught} caught and {missed} "
            f"missed handoffs even reading everything leaves more than {100 * width:g} points. "
            "Ask for a wider interval, or audit a longer period."
        )
    while fewest < most:
        middle = (fewest + most) // 2
        if share_met(middle) >= MET:
            most = middle
        else:
            fewest = middle + 1
    return ReviewsNeeded(most, width, share_met(most), expected_recall, expected_precision)


def simulate_found(
    sizes: Sequence[int], drawn: Sequence[int], missed: int, *, seed: int, draws: int = DRAWS
) -> NDArray[np.int64]:
    """Return misses found in each stratum, shape (draws, strata).

    `missed` conversations lie anywhere among the unsent ones, each equally likely; of each
    stratum a fixed number is drawn without replacement.
    """
    rng = np.random.default_rng(seed)
    present = rng.multivariate_hypergeometric(sizes, missed, size=draws)
    found: NDArray[np.int64] = rng.hypergeometric(present, np.array(sizes) - present, drawn)
    return found
