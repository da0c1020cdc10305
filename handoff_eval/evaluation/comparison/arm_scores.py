"""One arm's scores on everything a comparison asks it: tune, test and traffic."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from handoff_eval.conversation import Conversation, LabeledConversation, Split
from handoff_eval.errors import DataError
from handoff_eval.evaluation.comparison.llm_use import LlmUse
from handoff_eval.evaluation.replay import replay
from handoff_eval.evaluation.scored import ScoredSplit
from handoff_eval.evaluation.traffic import ScoredTraffic, Traffic, score_traffic
from handoff_eval.llm.cost import Meter
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


@dataclass(frozen=True, slots=True)
class ArmScores:
    """What an arm scored, before anything is judged.

    Attributes
    ----------
    arm : Arm
    tune, test : ScoredSplit
    traffic : ScoredTraffic or None
    sampled : bool
        It was asked on a draw of tune and test, or not on traffic that the others scored, so it
        can't be chosen.
    milliseconds : float
        For each decision on tune and test.
    llm : LlmUse or None
    """

    arm: Arm
    tune: ScoredSplit
    test: ScoredSplit
    traffic: ScoredTraffic | None
    sampled: bool
    milliseconds: float
    llm: LlmUse | None


def score_arm(
    arm: Arm,
    labeled: Mapping[Split, Sequence[LabeledConversation]],
    traffic: Traffic | None,
    *,
    seed: int,
    on_progress: Progress | None = None,
) -> ArmScores:
    """Ask an arm about tune and test, and about traffic where its limit allows all of it.

    Raises
    ------
    DataError
        When the limit of a dear arm leaves a draw with one kind of conversation only.
    """
    drawn = {
        split: _draw(arm, split, labeled[split], seed=seed) for split in (Split.TUNE, Split.TEST)
    }
    started = time.perf_counter()
    tune, test = (_score(arm, split, drawn[split], on_progress) for split in drawn)
    elapsed = time.perf_counter() - started
    decisions = len(tune.replay.scores) + len(test.replay.scores)
    use = None
    if arm.meter is not None:
        conversations = [item.conversation for items in drawn.values() for item in items]
        asked = sum((arm.asked or _points)(conversations))
        use = LlmUse(len(conversations), decisions, asked, arm.meter.usage, arm.meter.price)
    scored_traffic = None
    sampled = any(len(drawn[split]) < len(labeled[split]) for split in drawn)
    if traffic is not None:
        if _affordable(arm, traffic):
            name = f"{arm.trigger.name} on traffic"
            scored_traffic = score_traffic(
                arm.trigger,
                traffic,
                batch_turns=arm.batch_turns,
                on_progress=_counting(on_progress, name, len(traffic.conversations)),
            )
        sampled = sampled or scored_traffic is None
    return ArmScores(arm, tune, test, scored_traffic, sampled, 1000 * elapsed / decisions, use)


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


def _affordable(arm: Arm, traffic: Traffic) -> bool:
    if arm.max_decisions is None:
        return True
    return sum((arm.asked or _points)(traffic.conversations)) <= arm.max_decisions


def _score(
    arm: Arm,
    split: Split,
    labeled: Sequence[LabeledConversation],
    on_progress: Progress | None,
) -> ScoredSplit:
    name = f"{arm.trigger.name} on {split.value}"
    played = replay(
        arm.trigger,
        [item.conversation for item in labeled],
        batch_turns=arm.batch_turns,
        on_progress=_counting(on_progress, name, len(labeled)),
    )
    return ScoredSplit.join(played, labeled, split)


def _counting(progress: Progress | None, name: str, total: int) -> Callable[[int], None]:
    done = 0

    def advance(conversations: int) -> None:
        nonlocal done
        done += conversations
        if progress is not None:
            progress(name, done, total)

    return advance
