"""Every arm on the same conversations, at the same budget, with what may be said of each."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from handoff_eval.conversation import Conversation, LabeledConversation, Split
from handoff_eval.errors import DataError
from handoff_eval.evaluation.budget import choose_operating_point
from handoff_eval.evaluation.comparison import ArmResult, Comparison
from handoff_eval.evaluation.llm_use import LlmUse
from handoff_eval.evaluation.paired import all_pairs
from handoff_eval.evaluation.replay import replay
from handoff_eval.evaluation.scored import ScoredSplit, measure, rank
from handoff_eval.handoff import Budget
from handoff_eval.llm.cost import Meter
from handoff_eval.transcripts.read import Dataset
from handoff_eval.trigger import Trigger

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
        Where a decision is dear: whole conversations are drawn until so many are dear.
    asked : callable, optional
        Gives the dear decisions of each conversation; all of them where None.
    meter : Meter, optional
        Counts what a language model was asked for this arm.
    batch_turns : int, optional
        Turns scored together; small where one decision takes long, so that progress is seen.
    """

    trigger: Trigger
    max_decisions: int | None = None
    asked: Callable[[Sequence[Conversation]], Sequence[int]] | None = None
    meter: Meter | None = None
    batch_turns: int = 2048


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
    prevalence, prevalence_note = deployment_prevalence(budget, labeled[Split.TUNE])
    drawn = [
        {split: _draw(arm, split, items, seed=seed) for split, items in labeled.items()}
        for arm in arms
    ]
    sampled = [any(len(draw[split]) < len(labeled[split]) for split in draw) for draw in drawn]
    results = []
    for arm, draw, is_sampled in zip(arms, drawn, sampled, strict=True):
        started = time.perf_counter()
        scored = {
            split: _score(arm, split, items, on_progress=on_progress)
            for split, items in draw.items()
        }
        decisions = sum(len(s.replay.scores) for s in scored.values())
        elapsed = time.perf_counter() - started
        point = choose_operating_point(
            scored[Split.TUNE],
            budget,
            prevalence=prevalence,
            tries=max(1, sampled.count(False)),
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
                sampled=is_sampled,
                milliseconds_per_decision=1000 * elapsed / decisions,
                llm=_llm_use(arm, draw.values(), decisions),
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


def deployment_prevalence(budget: Budget, tune: Sequence[LabeledConversation]) -> tuple[float, str]:
    """Return the prevalence that volume is stated at, and where it comes from."""
    sample = sum(item.label.handoff for item in tune) / len(tune)
    if budget.prevalence is None:
        return sample, (
            f"not given: the tune split's own {sample:.1%} stands in, which real traffic hardly has"
        )
    return budget.prevalence, f"given: {budget.prevalence:.1%} (tune split: {sample:.1%})"


def sample_conversations(
    labeled: Sequence[LabeledConversation],
    max_decisions: int,
    *,
    seed: int,
    asked: Callable[[Sequence[Conversation]], Sequence[int]] | None = None,
) -> tuple[LabeledConversation, ...]:
    """Return a seeded draw of whole conversations with at most so many dear decisions.

    Conversations are taken in random order until the next would not fit, so the draw doesn't
    favour short ones; the result keeps the dataset's order. The order is that of the seed alone,
    so that what is drawn for a dear arm is part of what is drawn for one that asks less.

    Parameters
    ----------
    labeled : sequence of LabeledConversation
        What is drawn from.
    max_decisions : int
        The limit.
    seed : int
        Of the order.
    asked : callable, optional
        Gives the dear decisions of each conversation; every decision point where None.
    """
    conversations = [item.conversation for item in labeled]
    costs = (asked or _points)(conversations)
    taken, used = [], 0
    for index in np.random.default_rng(seed).permutation(len(labeled)):
        if used + costs[index] > max_decisions:
            break
        used += costs[index]
        taken.append(int(index))
    return tuple(labeled[index] for index in sorted(taken))


def _points(conversations: Sequence[Conversation]) -> list[int]:
    return [len(conversation.decision_points()) for conversation in conversations]


def _draw(
    arm: Arm, split: Split, labeled: Sequence[LabeledConversation], *, seed: int
) -> Sequence[LabeledConversation]:
    if arm.max_decisions is None:
        return labeled
    drawn = sample_conversations(labeled, arm.max_decisions // 2, seed=seed, asked=arm.asked)
    if len({item.label.handoff for item in drawn}) < 2:
        raise DataError(
            f"Expected the sample for {arm.trigger.name!r} to hold both kinds of conversation; "
            f"{arm.max_decisions} decisions are too few on {split.value}. Raise the limit."
        )
    return drawn


def _llm_use(
    arm: Arm, drawn: Iterable[Sequence[LabeledConversation]], decisions: int
) -> LlmUse | None:
    if arm.meter is None:
        return None
    conversations = [item.conversation for items in drawn for item in items]
    asked = sum((arm.asked or _points)(conversations))
    return LlmUse(len(conversations), decisions, asked, arm.meter.usage, arm.meter.price)


def _score(
    arm: Arm,
    split: Split,
    labeled: Sequence[LabeledConversation],
    *,
    on_progress: Progress | None,
) -> ScoredSplit:
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
