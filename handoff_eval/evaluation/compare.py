"""Every arm on the same conversations, at the same budget, with what may be said of each."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from handoff_eval.conversation import LabeledConversation, Split
from handoff_eval.errors import DataError
from handoff_eval.evaluation.budget import choose_operating_point
from handoff_eval.evaluation.operating_point import OperatingPoint
from handoff_eval.evaluation.paired import PairedDifference, all_pairs
from handoff_eval.evaluation.replay import replay
from handoff_eval.evaluation.scored import Measures, Ranking, ScoredSplit, measure, rank
from handoff_eval.handoff import Budget
from handoff_eval.transcripts.read import Dataset
from handoff_eval.trigger import Trigger

if TYPE_CHECKING:
    import pandas as pd

Progress = Callable[[str, int, int], None]
"""Called with the arm's name, conversations done and conversations in all."""


@dataclass(frozen=True, slots=True)
class Arm:
    """A trigger that takes part, and how many decisions it may be asked for.

    Attributes
    ----------
    trigger : Trigger
        Already trained, on train alone.
    max_decisions : int, optional
        Where a decision is dear: whole conversations are drawn until this many points are filled.
    batch_turns : int, optional
        Turns scored together; small where one decision takes long, so that progress is seen.
    """

    trigger: Trigger
    max_decisions: int | None = None
    batch_turns: int = 2048


@dataclass(frozen=True, slots=True)
class ArmResult:
    """What was found for one arm.

    `measures` and `ranking` are of test alone. `sampled` says that the arm was asked on a draw of
    the conversations, so that it can't be chosen and its counts are smaller.
    """

    name: str
    description: str
    point: OperatingPoint
    ranking: Ranking
    measures: Measures
    tune: ScoredSplit
    test: ScoredSplit
    sampled: bool
    milliseconds_per_decision: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """The arms side by side: what `compare` returns, prints, logs and reports.

    Attributes
    ----------
    dataset, digest : str
        Name and fingerprint of the data.
    counts : dict
        For each split: conversations, positives, customers.
    budget : Budget
        As stated.
    prevalence : float
        Deployment prevalence that volume and precision are stated at.
    prevalence_note : str
        Where it comes from.
    arms : tuple of ArmResult
    pairs : tuple of PairedDifference
        Each pair of arms at the budget's volume.
    chosen : str or None
        Name of the arm to export; None when no arm scored all of tune.
    """

    dataset: str
    digest: str
    counts: dict[str, dict[str, int]]
    budget: Budget
    prevalence: float
    prevalence_note: str
    arms: tuple[ArmResult, ...]
    pairs: tuple[PairedDifference, ...]
    chosen: str | None

    def arm(self, name: str) -> ArmResult:
        """Return the result of one arm."""
        return next(arm for arm in self.arms if arm.name == name)

    def frame(self) -> pd.DataFrame:
        """Return one row an arm, every metric as a value with its interval and n."""
        import pandas as pd

        rows = []
        for arm in self.arms:
            row: dict[str, Any] = {"arm": arm.name, "n": len(arm.test.peak)}
            row["positives"] = int(arm.test.positive.sum())
            for name, estimate in _estimates(arm):
                row[name] = estimate.short
            row["threshold"] = round(arm.point.threshold, 4)
            row["certified"] = "yes" if arm.point.certificate else "no"
            rows.append(row)
        return pd.DataFrame(rows).set_index("arm")

    def pairs_frame(self) -> pd.DataFrame:
        """Return one row a pair: the difference in recall at equal volume, with its p-value."""
        import pandas as pd

        return pd.DataFrame(
            [
                {
                    "pair": f"{pair.first} - {pair.second}",
                    "n": pair.difference.n,
                    "positives": pair.positives,
                    "recall difference": pair.difference.short,
                    "p (Holm)": round(pair.p_adjusted, 4),
                    "verdict": pair.verdict,
                }
                for pair in self.pairs
            ]
        ).set_index("pair")

    def to_dict(self) -> dict[str, Any]:
        """Return everything but the scores as JSON values."""
        return {
            "dataset": self.dataset,
            "digest": self.digest,
            "counts": self.counts,
            "budget": {
                "max_emails_per_day": self.budget.max_emails_per_day,
                "min_recall": self.budget.min_recall,
                "conversations_per_day": self.budget.conversations_per_day,
                "confidence": self.budget.confidence,
            },
            "prevalence": {"deployment": self.prevalence, "note": self.prevalence_note},
            "chosen": self.chosen,
            "arms": [
                {
                    "name": arm.name,
                    "description": arm.description,
                    "sampled": arm.sampled,
                    "n": len(arm.test.peak),
                    "positives": int(arm.test.positive.sum()),
                    "operating_point": arm.point.to_dict(),
                    "milliseconds_per_decision": arm.milliseconds_per_decision,
                    "metrics": {name: e.to_dict() for name, e in _estimates(arm)},
                }
                for arm in self.arms
            ],
            "pairs": [
                {
                    "first": pair.first,
                    "second": pair.second,
                    "email_rate": pair.email_rate,
                    "recall_difference": pair.difference.to_dict(),
                    "positives": pair.positives,
                    "p_value": pair.p_value,
                    "p_adjusted": pair.p_adjusted,
                    "verdict": pair.verdict,
                }
                for pair in self.pairs
            ],
        }


def compare(
    dataset: Dataset,
    arms: Sequence[Arm],
    budget: Budget,
    *,
    seed: int = 0,
    on_progress: Progress | None = None,
) -> Comparison:
    """Choose each arm's operating point on tune and measure it on test.

    The arm to export is the one with a certificate, and among those (or where none has one) the
    one with the highest recall on tune at its operating point; test takes no part in the choice.

    Raises
    ------
    DataError
        When tune or test lacks positives or negatives.
    """
    labeled = {split: dataset.labeled(split) for split in (Split.TUNE, Split.TEST)}
    for split, items in labeled.items():
        kinds = {item.label.handoff for item in items}
        if kinds != {True, False}:
            raise DataError(
                f"Expected conversations with and without a handoff in the {split.value} split of "
                f"{dataset.name}; got {len(items)} labelled ones. Label more or set their splits."
            )
    prevalence, prevalence_note = _prevalence(budget, labeled[Split.TUNE])
    tries = sum(arm.max_decisions is None for arm in arms)
    results = []
    for arm in arms:
        started = time.perf_counter()
        scored = {
            split: _score(arm, split, items, seed=seed, on_progress=on_progress)
            for split, items in labeled.items()
        }
        decisions = sum(len(s.replay.scores) for s in scored.values())
        elapsed = time.perf_counter() - started
        point = choose_operating_point(
            scored[Split.TUNE],
            budget,
            prevalence=prevalence,
            tries=max(1, tries),
            dataset_digest=dataset.digest,
            seed=seed,
        )
        results.append(
            ArmResult(
                name=arm.trigger.name,
                description=arm.trigger.description,
                point=point,
                ranking=rank(scored[Split.TEST], prevalence=prevalence, seed=seed),
                measures=measure(
                    scored[Split.TEST],
                    point,
                    prevalence=prevalence,
                    conversations_per_day=budget.conversations_per_day,
                    seed=seed,
                ),
                tune=scored[Split.TUNE],
                test=scored[Split.TEST],
                sampled=arm.max_decisions is not None,
                milliseconds_per_decision=1000 * elapsed / decisions,
            )
        )
    pairs = all_pairs(
        [result.test for result in results],
        email_rate=budget.email_rate,
        prevalence=prevalence,
        seed=seed,
    )
    return Comparison(
        dataset=dataset.name,
        digest=dataset.digest,
        counts={split.value: _counts(dataset.labeled(split)) for split in Split},
        budget=budget,
        prevalence=prevalence,
        prevalence_note=prevalence_note,
        arms=tuple(results),
        pairs=tuple(pairs),
        chosen=_choose(results),
    )


def sample_conversations(
    labeled: Sequence[LabeledConversation], max_decisions: int, *, seed: int
) -> tuple[LabeledConversation, ...]:
    """Return a seeded draw of whole conversations with at most `max_decisions` decision points.

    Conversations are taken in random order until the next would not fit, so the draw doesn't
    favour short ones; the result keeps the dataset's order.
    """
    taken, used = [], 0
    for index in np.random.default_rng(seed).permutation(len(labeled)):
        points = len(labeled[index].conversation.decision_points())
        if used + points > max_decisions:
            break
        used += points
        taken.append(int(index))
    return tuple(labeled[index] for index in sorted(taken))


def _score(
    arm: Arm,
    split: Split,
    labeled: Sequence[LabeledConversation],
    *,
    seed: int,
    on_progress: Progress | None,
) -> ScoredSplit:
    if arm.max_decisions is not None:
        labeled = sample_conversations(labeled, arm.max_decisions // 2, seed=seed)
        if len({item.label.handoff for item in labeled}) < 2:
            raise DataError(
                f"Expected the sample for {arm.trigger.name!r} to hold both kinds of conversation; "
                f"{arm.max_decisions} decisions are too few on {split.value}. Raise the limit."
            )
    name, total, done = f"{arm.trigger.name} on {split.value}", len(labeled), 0

    def advance(conversations: int) -> None:
        nonlocal done
        done += conversations
        if on_progress is not None:
            on_progress(name, done, total)

    played = replay(
        arm.trigger,
        [item.conversation for item in labeled],
        batch_turns=arm.batch_turns,
        on_progress=advance,
    )
    return ScoredSplit.join(played, labeled, split)


def _prevalence(budget: Budget, tune: Sequence[LabeledConversation]) -> tuple[float, str]:
    sample = sum(item.label.handoff for item in tune) / len(tune)
    if budget.prevalence is None:
        return sample, (
            f"not given: the tune split's own {sample:.1%} stands in, which real traffic hardly has"
        )
    return budget.prevalence, f"given: {budget.prevalence:.1%} (tune split: {sample:.1%})"


def _counts(labeled: Sequence[LabeledConversation]) -> dict[str, int]:
    return {
        "conversations": len(labeled),
        "positives": sum(item.label.handoff for item in labeled),
        "customers": len({item.conversation.group for item in labeled}),
    }


def _choose(results: Sequence[ArmResult]) -> str | None:
    full = [result for result in results if not result.sampled]
    if not full:
        return None
    best = max(
        full, key=lambda r: (r.point.certificate is not None, _tune_recall(r), -full.index(r))
    )
    return best.name


def _tune_recall(result: ArmResult) -> float:
    fired = result.tune.peak[result.tune.positive] >= result.point.threshold
    return float(np.mean(fired))


def _estimates(arm: ArmResult) -> list[tuple[str, Any]]:
    return [
        *arm.measures.items(),
        ("average_precision", arm.ranking.average_precision),
        ("average_precision_deployed", arm.ranking.average_precision_deployed),
        ("average_precision_on_time", arm.ranking.average_precision_on_time),
    ]
