"""Every arm on the same conversations, at the same budget, with what may be said of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from handoff_eval.conversation import LabeledConversation, Split
from handoff_eval.errors import DataError
from handoff_eval.evaluation.comparison.arm_scores import Arm, ArmScores, Progress, score_arm
from handoff_eval.evaluation.comparison.paired import SMALLEST_DIFFERENCE, all_pairs
from handoff_eval.evaluation.comparison.result import ArmResult, Comparison
from handoff_eval.evaluation.promise.budget import choose_operating_point
from handoff_eval.evaluation.promise.cost import expected_cost, implied_cost_ratio
from handoff_eval.evaluation.scored import measure, rank
from handoff_eval.evaluation.traffic import Traffic
from handoff_eval.evaluation.volume.deployment import find_prevalence
from handoff_eval.handoff import Budget
from handoff_eval.transcripts.read import Dataset


def compare(
    dataset: Dataset,
    arms: Sequence[Arm],
    budget: Budget,
    *,
    traffic: Traffic | None = None,
    smallest_difference: float = SMALLEST_DIFFERENCE,
    seed: int = 0,
    on_progress: Progress | None = None,
) -> Comparison:
    """Choose each arm's operating point on tune and measure it on test.

    The arm to export is the one with a certificate, and among those (or where none has one) the
    one with the highest recall on tune at its operating point; test takes no part in the choice.

    Parameters
    ----------
    dataset : Dataset
    arms : sequence of Arm
    budget : Budget
    traffic : Traffic, optional
        Unlabelled conversations, on which the volume is shown and the prevalence estimated; an
        arm that is asked on a draw only doesn't score them.
    smallest_difference : float
        In recall: what a difference between two arms must be to be worth having.
    seed : int
        Of every draw.
    on_progress : callable, optional

    Raises
    ------
    DataError
        When tune or test lacks positives or negatives, traffic holds conversations of train or
        test, or the budget asks for a promise that these data can't carry.
    """
    labeled = {split: dataset.labeled(split) for split in (Split.TUNE, Split.TEST)}
    for split, items in labeled.items():
        kinds = {item.label.handoff for item in items}
        if kinds != {True, False}:
            raise DataError(
                f"Expected conversations with and without a handoff in the {split.value} split of "
                f"{dataset.name}; got {len(items)} labelled ones. Label more or set their splits."
            )
    if traffic is not None:
        traffic.check_apart(dataset)
    scored = [score_arm(arm, labeled, traffic, seed=seed, on_progress=on_progress) for arm in arms]
    deployment = find_prevalence(budget, [(s.tune, s.test, s.traffic) for s in scored], seed=seed)
    tries = max(1, sum(not one.sampled for one in scored))
    results = [
        _judge(one, budget, deployment.deployed, tries=tries, digest=dataset.digest, seed=seed)
        for one in scored
    ]
    pairs = all_pairs(
        [one.test for one in scored],
        email_rate=budget.email_rate,
        prevalence=deployment.deployed,
        traffic=[one.traffic for one in scored],
        smallest_difference=smallest_difference,
        seed=seed,
    )
    return Comparison(
        dataset=dataset.name,
        digest=dataset.digest,
        counts={split.value: _counts(dataset.labeled(split)) for split in Split},
        budget=budget,
        deployment=deployment,
        traffic=None if traffic is None else traffic.source,
        arms=tuple(results),
        pairs=tuple(pairs),
        chosen=_choose(results),
    )


def _judge(
    scored: ArmScores, budget: Budget, prevalence: float, *, tries: int, digest: str, seed: int
) -> ArmResult:
    if scored.sampled:
        # It can't be chosen, and may have scored no traffic, so no promise for days is asked of it.
        budget = replace(budget, max_days_above=None)
    point = choose_operating_point(
        scored.tune,
        budget,
        prevalence=prevalence,
        tries=tries,
        dataset_digest=digest,
        traffic=scored.traffic,
        seed=seed,
    )
    measures = measure(
        scored.test,
        point,
        prevalence=prevalence,
        conversations_per_day=budget.conversations_per_day,
        seed=seed,
    )
    return ArmResult(
        name=scored.arm.trigger.name,
        description=scored.arm.trigger.description,
        point=point,
        ranking=rank(scored.test, prevalence=prevalence, seed=seed),
        measures=measures,
        implied_cost_ratio=implied_cost_ratio(scored.test, point, prevalence=prevalence, seed=seed),
        expected_cost=expected_cost(
            scored.test, point, measures, budget, prevalence=prevalence, seed=seed
        ),
        tune=scored.tune,
        test=scored.test,
        sampled=scored.sampled,
        milliseconds_per_decision=scored.milliseconds,
        llm=scored.llm,
        traffic=scored.traffic,
    )


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
    tune = result.tune
    fired = tune.peak[tune.positive] >= result.point.threshold
    return float(np.average(fired, weights=tune.weight[tune.positive]))
