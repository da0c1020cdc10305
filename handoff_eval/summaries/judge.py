"""Summaries of many conversations judged: every metric with its interval by customer and its n."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from handoff_eval.conversation import Conversation, Label, ReferenceFact, ReferenceKind
from handoff_eval.encoders.base import Encoder
from handoff_eval.errors import DataError
from handoff_eval.evaluation.intervals import (
    Estimate,
    clopper_pearson,
    cluster_weights,
    effective_customers,
    percentile_estimate,
    proportion_estimate,
)
from handoff_eval.summaries.metrics import SummaryScore, found_facts, score_summary
from handoff_eval.summaries.moment import labelled_decision
from handoff_eval.summaries.quality import Judged, Quality, QualityReport
from handoff_eval.summaries.summary import Summarizer


def judge_summaries(
    items: Sequence[tuple[Conversation, Label | None]],
    summarizers: Sequence[Summarizer],
    *,
    dataset: str,
    digest: str,
    facts: Mapping[str, Sequence[ReferenceFact]],
    references: Mapping[str, Sequence[str]] | None = None,
    encoder: Encoder | None = None,
    seed: int = 0,
    on_progress: Callable[[str, int, int], None] | None = None,
) -> QualityReport:
    """Summarise each conversation at its labelled decision point and judge what comes out.

    Parameters
    ----------
    items : sequence of (Conversation, Label or None)
    summarizers : sequence of Summarizer
        Each with a name of its own; all get the same turns and decisions.
    dataset, digest : str
        What the conversations are of.
    facts : mapping of str to sequence of ReferenceFact
        By conversation id. Where any conversation has them, only those that do are judged by
        them and the others have no coverage; where none has, facts are found by patterns.
    references : mapping of str to sequence of str, optional
        Summaries by people, for ROUGE.
    encoder : Encoder, optional
        Lets other words with the same meaning count as support and as coverage.
    seed : int
        Of the resampling.
    on_progress : callable, optional
        Told the summariser's name, how many are done, and of how many.

    Raises
    ------
    DataError
        When there is nothing to judge.
    """
    if not items:
        raise DataError("Expected at least one conversation to summarise; got none.")
    known = any(conversation.id in facts for conversation, _ in items)
    judged: list[Judged] = []
    for summarizer in summarizers:
        for done, (conversation, label) in enumerate(items, start=1):
            decision = labelled_decision(conversation, label)
            summary = summarizer.summarize(conversation.turns, decision=decision)
            turns = conversation.turns[: decision.turns]
            needed = facts.get(conversation.id, ())
            score = score_summary(
                summary.statements(turns),
                turns=turns,
                facts=needed if known else found_facts(turns, decision),
                subject=summary.subject,
                references=(references or {}).get(conversation.id, ()),
                encoder=encoder,
            )
            judged.append(
                Judged(
                    summarizer.name,
                    conversation.id,
                    conversation.group,
                    score,
                    summary.note,
                    summary.fell_back,
                    1.0 if label is None else label.weight,
                )
            )
            if on_progress is not None:
                on_progress(summarizer.name, done, len(items))
    return QualityReport(
        dataset=dataset,
        digest=digest,
        facts="written down by a reader" if known else "found by patterns",
        judged=tuple(judged),
        qualities=tuple(
            add_up(
                [one for one in judged if one.summarizer == summarizer.name],
                description=summarizer.description,
                seed=seed,
            )
            for summarizer in summarizers
        ),
    )


def add_up(judged: Sequence[Judged], *, description: str = "", seed: int = 0) -> Quality:
    """Return the metrics of one summariser over its judged summaries."""
    groups = [one.group for one in judged]
    scores = [one.score for one in judged]
    weight = np.array([one.weight for one in judged])
    weights = cluster_weights(groups, seed=seed) * weight

    def column(value: Callable[[SummaryScore], float]) -> NDArray[np.float64]:
        return np.array([value(score) for score in scores], dtype=np.float64)

    def per_summary(value: Callable[[SummaryScore], float]) -> Estimate:
        values = column(value)
        defined = np.isfinite(values)
        part, whole = np.where(defined, values, 0.0), defined * 1.0
        return ratio_estimate(part, whole, groups, weights, weight=weight)

    def share(
        part: Callable[[SummaryScore], float], whole: Callable[[SummaryScore], float]
    ) -> Estimate:
        return ratio_estimate(column(part), column(whole), groups, weights, weight=weight)

    kinds = [kind for kind in ReferenceKind if any(score.needed[kind] for score in scores)]
    return Quality(
        summarizer=judged[0].summarizer,
        description=description,
        coverage=per_summary(lambda s: s.coverage),
        coverage_by_kind={
            kind: share(lambda s, k=kind: s.kept[k], lambda s, k=kind: s.needed[k])  # type: ignore[misc]
            for kind in kinds
        },
        copy_precision=share(lambda s: s.claims - len(s.invented), lambda s: s.claims),
        role_swaps=share(lambda s: len(s.swapped), lambda s: s.sentences),
        unsupported=share(lambda s: len(s.unsupported), lambda s: s.sentences),
        flawless=proportion_estimate(
            np.array([not (s.invented or s.swapped or s.unsupported) for s in scores]),
            groups,
            weights,
            weight=weight,
        ),
        compression=share(lambda s: s.words, lambda s: s.transcript_words),
        reading_seconds=per_summary(lambda s: s.reading_seconds),
        rouge_1=per_summary(lambda s: s.rouge_1),
        fallbacks=sum(one.fell_back for one in judged),
    )


def ratio_estimate(
    part: NDArray[np.float64],
    whole: NDArray[np.float64],
    groups: Sequence[str],
    weights: NDArray[np.float64],
    *,
    weight: NDArray[np.float64] | None = None,
) -> Estimate:
    """Return sum(part) / sum(whole) with limits that respect customers.

    The ratio estimator (Cochran, Sampling Techniques, 1977, chapter 6) with its customer
    bootstrap; at exactly 0 or 1, where a bootstrap has no width, the exact limits of a proportion
    of that value among the customers that count. n is the number of summaries with anything to
    count.

    Parameters
    ----------
    part, whole : float array, shape (n,)
        Counts, or a value and whether it is defined.
    groups : sequence of str, length n
    weights : float array, shape (replicates, n)
        From `cluster_weights`, times `weight`.
    weight : float array, shape (n,), optional
        What each summary's conversation stands for; None where all stand for the same.
    """
    weight = np.ones(len(part)) if weight is None else weight
    counted = whole > 0
    n = int(counted.sum())
    if n == 0:
        return Estimate(float("nan"), float("nan"), float("nan"), 0, "undefined")
    value = float((weight @ part) / (weight @ whole))
    if value in (0.0, 1.0):
        among = [group for group, one in zip(groups, counted, strict=True) if one]
        customers = max(1, int(effective_customers(among, weight[counted])))
        low, high = clopper_pearson(round(value * customers), customers)
        return Estimate(value, low, high, n, "exact binomial by customer")
    with np.errstate(invalid="ignore", divide="ignore"):
        replicates = (weights @ part) / (weights @ whole)
    return percentile_estimate(value, replicates, n)
