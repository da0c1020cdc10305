"""Unlabelled traffic: what tells how many emails a threshold sends, with no label at all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from handoff_eval.conversation import Conversation, Split
from handoff_eval.errors import DataError
from handoff_eval.evaluation.exact import daily_edge_scores
from handoff_eval.evaluation.replay import BATCH_TURNS, replay
from handoff_eval.transcripts.read import Dataset, content_digest, iter_conversations, read_dataset
from handoff_eval.transcripts.refusals import Refusal
from handoff_eval.trigger import Trigger


@dataclass(frozen=True, slots=True)
class Traffic:
    """Conversations as they came, a plain sample of all or all of some days.

    Attributes
    ----------
    name, digest : str
        Of the file or folder, and of its content.
    conversations : tuple of Conversation
    refused : int
        Number of lines that could not be used.
    """

    name: str
    digest: str
    conversations: tuple[Conversation, ...]
    refused: int = 0

    @property
    def source(self) -> str:
        """Name and fingerprint, as a certificate keeps them."""
        return f"{self.name} sha256 {self.digest[:16]}"

    def check_apart(self, dataset: Dataset) -> None:
        """Refuse traffic that holds conversations the triggers learnt from or are reported on.

        Raises
        ------
        DataError
            When a conversation is in train or test of the dataset.
        """
        used = {
            c.id: c.split for c in dataset.conversations if c.split in {Split.TRAIN, Split.TEST}
        }
        shared = [c.id for c in self.conversations if c.id in used]
        if shared:
            raise DataError(
                f"Expected traffic apart from train and test of {dataset.name}; {len(shared)} "
                f"conversations are in both, such as {shared[0]!r} ({used[shared[0]]}). Leave them "
                "out of the traffic, since a threshold would be chosen on them."
            )


def read_traffic(path: Path) -> Traffic:
    """Read the transcripts of a dataset folder or of one file of JSON lines; labels are ignored.

    Raises
    ------
    DataError
        When nothing in it can be used.
    """
    path = Path(path)
    if path.is_dir():
        dataset = read_dataset(path)
        return Traffic(
            dataset.name,
            content_digest(dataset.conversations, ()),
            dataset.conversations,
            len(dataset.refusals),
        )
    found = list(iter_conversations(path))
    held = {item.id: item for item in found if isinstance(item, Conversation)}
    refused = sum(isinstance(item, Refusal) for item in found)
    if not held:
        raise DataError(f"{path}: expected conversations; none of {refused} lines could be used.")
    if len(held) + refused < len(found):
        raise DataError(f"{path}: expected each conversation once; an id comes twice.")
    conversations = tuple(held.values())
    return Traffic(path.name, content_digest(conversations, ()), conversations, refused)


@dataclass(frozen=True)
class ScoredTraffic:
    """One trigger's scores on traffic of n conversations.

    Attributes
    ----------
    source : str
    peak : float array, shape (n,)
        Highest score of each; inf where an email was sent while it was recorded, since the
        transcript may end there and would have fired at any lower threshold.
    groups : tuple of str, length n
    days : tuple of date or None, length n
        Local day on which each started.
    """

    source: str
    peak: NDArray[np.float64]
    groups: tuple[str, ...]
    days: tuple[date | None, ...]

    def daily(self, max_emails: int) -> tuple[NDArray[np.float64], float, str]:
        """Return each day's edge score, the mean conversations a day, and what is assumed.

        The first and the last day may be cut short and are left out; whole weeks are kept where
        at least 29 days remain, so that weekdays weigh the same.

        Raises
        ------
        DataError
            When a conversation has no time.
        """
        known = [day for day in self.days if day is not None]
        if len(known) < len(self.days):
            raise DataError(
                f"Expected the time at which every conversation of the traffic started, to count "
                f"emails by day; {len(self.days) - len(known)} have no started_at. Add it, or "
                "leave out max_days_above."
            )
        first = min(known) + timedelta(days=1)
        length = max(0, (max(known) - first).days)
        weeks = 7 * (length // 7)
        whole = weeks >= MIN_DAYS
        length = weeks if whole else length
        number = np.array([(day - first).days for day in known])
        inside = (number >= 0) & (number < length)
        edges = np.full(length, -np.inf)
        if inside.any():
            found = daily_edge_scores(self.peak[inside], number[inside], max_emails)
            edges[: len(found)] = found
        assumed = (
            f"days to come are like the {length // 7} whole weeks seen"
            if whole
            else f"days to come are like the {length} seen, whatever the weekday"
        )
        return edges, float(inside.sum() / max(length, 1)), assumed


MIN_DAYS = 29
"""Fewest days that show "at most 10 % of days" at a risk of 5 %: .9 ** 29 = .047."""


def score_traffic(
    trigger: Trigger,
    traffic: Traffic,
    *,
    batch_turns: int = BATCH_TURNS,
    on_progress: Callable[[int], None] | None = None,
) -> ScoredTraffic:
    """Score every conversation of the traffic, to its end whatever fires before."""
    conversations = traffic.conversations
    played = replay(trigger, conversations, batch_turns=batch_turns, on_progress=on_progress)
    emailed = np.array([c.emailed for c in conversations])
    return ScoredTraffic(
        source=traffic.source,
        peak=np.where(emailed, np.inf, played.peak),
        groups=tuple(c.group for c in conversations),
        days=tuple(None if c.started_at is None else c.started_at.date() for c in conversations),
    )
