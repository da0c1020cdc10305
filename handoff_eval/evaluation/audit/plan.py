"""Which conversations to review so that what was not sent can be judged: an audit's sampling plan.

Recall can't be seen from sent mail. Unsent conversations are drawn with known probabilities, by
strata of their score, and the probability is kept with each row. Every unsent conversation has a
floor probability, since one miss in a stratum that is hardly sampled stands for hundreds.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np

from handoff_eval.errors import DataError, SettingsError
from handoff_eval.evaluation.decision_log import LoggedConversation

FORMAT = 1
FLOOR_SHARE = 0.8
TOP_SHARES = (0.05, 0.2, 0.5, 1.0)
"""The strata of unsent conversations by score, as shares from the top."""


class Design(StrEnum):
    """How rows are drawn; the two have different variances.

    `STRATIFIED` draws a fixed number of each stratum, `POISSON` each row on its own at the same
    probability, so that its size varies.
    """

    STRATIFIED = "stratified"
    POISSON = "poisson"


@dataclass(frozen=True, slots=True)
class Stratum:
    """Conversations drawn at one probability.

    Attributes
    ----------
    name : str
    sent : bool
        Whether these conversations were emailed.
    lowest, highest : float
        Of their scores.
    size : int
        Number of conversations.
    probability : float
        With which each is drawn, in (0, 1].
    """

    name: str
    sent: bool
    lowest: float
    highest: float
    size: int
    probability: float


@dataclass(frozen=True, slots=True)
class AuditRow:
    """A conversation to review; reviewers see neither its stratum nor its score."""

    conversation_id: str
    stratum: str
    probability: float
    score: float


@dataclass(frozen=True, slots=True)
class AuditPlan:
    """What is reviewed, and with which probability it came in.

    Attributes
    ----------
    design : Design
    seed : int
    handoff : str or None
        Whose decisions they are.
    strata : tuple of Stratum
        The sent ones first, where there are any, then the unsent from the highest score down.
    rows : tuple of AuditRow
        In random order.
    """

    design: Design
    seed: int
    handoff: str | None
    strata: tuple[Stratum, ...]
    rows: tuple[AuditRow, ...]

    def stratum(self, name: str) -> Stratum:
        """Return one stratum."""
        return next(stratum for stratum in self.strata if stratum.name == name)

    def to_dict(self) -> dict[str, Any]:
        """Return the plan as JSON values."""
        return {
            "format": FORMAT,
            "design": self.design.value,
            "seed": self.seed,
            "handoff": self.handoff,
            "strata": [asdict(stratum) for stratum in self.strata],
            "rows": [asdict(row) for row in self.rows],
        }

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> AuditPlan:
        """Read what `to_dict` wrote.

        Raises
        ------
        DataError
            When it isn't a plan of this format.
        """
        try:
            if values["format"] != FORMAT:
                raise DataError(
                    f"Expected an audit plan of format {FORMAT}; got {values['format']!r}."
                )
            return cls(
                design=Design(values["design"]),
                seed=int(values["seed"]),
                handoff=values["handoff"],
                strata=tuple(Stratum(**stratum) for stratum in values["strata"]),
                rows=tuple(AuditRow(**row) for row in values["rows"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            if isinstance(error, DataError):
                raise
            raise DataError(
                f"Expected a plan made by 'handoff-eval audit plan'; got {error!r}."
            ) from None


def read_plan(path: Path) -> AuditPlan:
    """Read a plan file.

    Raises
    ------
    DataError
        When there is none, or it isn't a plan.
    """
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: expected an audit plan; {error}.") from None
    return AuditPlan.from_dict(values)


def make_plan(
    decisions: Sequence[LoggedConversation],
    *,
    reviews: int,
    sent_reviews: int | None = None,
    design: Design = Design.STRATIFIED,
    floor_share: float = FLOOR_SHARE,
    handoff: str | None = None,
    seed: int = 0,
) -> AuditPlan:
    """Draw conversations to review.

    Parameters
    ----------
    decisions : sequence of LoggedConversation
        All of a period, each once.
    reviews : int
        Unsent conversations to review: exactly with fixed strata, on average with Poisson.
    sent_reviews : int, optional
        Sent ones to review; None for all, which leaves recall without their error.
    design : Design
    floor_share : float
        Part of the reviews that is spread evenly over all unsent conversations, in (0, 1]; the
        rest goes in equal parts to the strata, which is denser where the scores are high. The
        floor decides the lower limit of recall, not the density near the threshold.
    handoff : str, optional
        Kept in the plan.
    seed : int
        Of the draw.

    Raises
    ------
    DataError
        When there is nothing unsent.
    SettingsError
        When more reviews are asked for than there are conversations, or too few.
    """
    unsent = [decision for decision in decisions if not decision.fired]
    sent = [decision for decision in decisions if decision.fired]
    if not unsent:
        raise DataError("Expected unsent conversations in the decision log; every one fired.")
    if not 0 < floor_share <= 1:
        raise SettingsError(f"Expected floor_share in (0, 1]; got {floor_share:g}.")
    members: list[tuple[Stratum, list[LoggedConversation]]] = []
    if sent:
        wanted = len(sent) if sent_reviews is None else sent_reviews
        if not 0 < wanted <= len(sent):
            raise SettingsError(
                f"Expected to review between 1 and {len(sent)} sent conversations; got {wanted}."
            )
        members.append((_stratum("sent", sent, wanted), sent))
    ranked = sorted(unsent, key=lambda decision: (-decision.score, decision.conversation_id))
    sizes = strata_sizes(len(ranked))
    start = 0
    for number, (size, drawn) in enumerate(
        zip(sizes, allocate(sizes, reviews, floor_share=floor_share), strict=True), 1
    ):
        some = ranked[start : start + size]
        members.append((_stratum(f"unsent {number}", some, drawn), some))
        start += size
    rng = np.random.default_rng(seed)
    rows: list[AuditRow] = []
    for stratum, some in members:
        if design is Design.STRATIFIED:
            count = round(stratum.probability * stratum.size)
            taken = rng.choice(stratum.size, size=count, replace=False)
        else:
            taken = np.flatnonzero(rng.random(stratum.size) < stratum.probability)
        rows += [
            AuditRow(some[i].conversation_id, stratum.name, stratum.probability, some[i].score)
            for i in taken
        ]
    order = rng.permutation(len(rows))
    return AuditPlan(
        design=design,
        seed=seed,
        handoff=handoff,
        strata=tuple(stratum for stratum, _ in members),
        rows=tuple(rows[i] for i in order),
    )


def strata_sizes(conversations: int) -> list[int]:
    """Return how many of the unsent conversations fall into each stratum, highest scores first."""
    edges = sorted({round(share * conversations) for share in TOP_SHARES} - {0})
    return [int(size) for size in np.diff([0, *edges])]


def allocate(sizes: Sequence[int], reviews: int, *, floor_share: float = FLOOR_SHARE) -> list[int]:
    """Return how many of each stratum are drawn; they add up to `reviews`.

    Each stratum gets its floor, `floor_share` of the reviews in proportion to its size, then an
    equal part of the rest, as far as it has conversations; none gets nothing.

    Raises
    ------
    SettingsError
        When the reviews are fewer than the strata or more than the conversations.
    """
    total = sum(sizes)
    if not len(sizes) <= reviews <= total:
        raise SettingsError(
            f"Expected between {len(sizes)} and {total} reviews of unsent conversations; "
            f"got {reviews}."
        )
    wanted = np.array(
        [
            floor_share * reviews * size / total + (1 - floor_share) * reviews / len(sizes)
            for size in sizes
        ]
    )
    drawn = np.clip(np.floor(wanted).astype(int), 1, sizes)
    while (left := reviews - int(drawn.sum())) != 0:
        # What is left over goes to the stratum sampled least, what is too much comes off the most.
        shares = drawn / np.array(sizes)
        if left > 0:
            drawn[np.argmin(shares)] += 1
        else:
            drawn[np.argmax(np.where(drawn > 1, shares, -1.0))] -= 1
    return [int(count) for count in drawn]


def _stratum(name: str, members: Sequence[LoggedConversation], drawn: int) -> Stratum:
    scores = [member.score for member in members]
    return Stratum(
        name=name,
        sent=members[0].fired,
        lowest=min(scores),
        highest=max(scores),
        size=len(members),
        probability=drawn / len(members),
    )
