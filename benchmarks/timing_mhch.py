"""Score every utterance of mhch_clothing and print the table of docs/benchmarks.md.

    python benchmarks/timing_mhch.py ../shared/data/mhch_clothing

Two thirds of the golden turns of this set are the agent's, at which no trigger is asked in
production. So every utterance is scored here, as the paper does, instead of decision points.
The words are ids, so the model is a bag of words: TF-IDF of the utterance and of the one before it,
and who speaks, under a logistic regression. It learns on train; its threshold is the one with the
highest F1 over utterances on tune; the figures are of test.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from handoff_eval.conversation import LabeledConversation, Role, Split
from handoff_eval.evaluation.findings.golden_transfer import TOLERANCES, golden_transfer
from handoff_eval.evaluation.intervals import cluster_weights, percentile_estimate
from handoff_eval.transcripts.read import read_dataset

Fires = list[list[int]]


def golden_turns(item: LabeledConversation) -> list[int]:
    """Return the utterances that people marked as transferable."""
    return [int(turn) for turn in item.label.extra["golden_turns"]]


def utterances(items: Sequence[LabeledConversation]) -> tuple[list[str], list[bool]]:
    """Return each utterance with its context as words, and whether it is golden."""
    texts, golden = [], []
    for item in items:
        turns, marked = item.conversation.turns, set(golden_turns(item))
        for index, turn in enumerate(turns):
            before = turns[index - 1].text.split() if index else []
            texts.append(
                " ".join(
                    [
                        *turn.text.split(),
                        *(f"before_{word}" for word in before),
                        f"role_{turn.role}",
                    ]
                )
            )
            golden.append(index in marked)
    return texts, golden


def per_conversation(flags: Sequence[bool], items: Sequence[LabeledConversation]) -> Fires:
    """Return the fired utterances of each conversation."""
    stops = np.cumsum([len(item.conversation.turns) for item in items])[:-1]
    return [np.flatnonzero(part).tolist() for part in np.split(np.asarray(flags), stops)]


def f1(fires: Fires, golden: Fires, weights: np.ndarray) -> np.ndarray:
    """Return F1 over utterances of each row of conversation weights."""
    hit = np.array([len(set(f) & set(g)) for f, g in zip(fires, golden, strict=True)])
    size = np.array([len(f) + len(g) for f, g in zip(fires, golden, strict=True)])
    return 2 * (weights @ hit) / (weights @ size)


def row(name: str, fires: Fires, items: Sequence[LabeledConversation]) -> str:
    """Return one row of the table."""
    golden = [golden_turns(item) for item in items]
    groups = [item.conversation.group for item in items]
    weights = cluster_weights(groups)
    n = len(items)
    value = float(f1(fires, golden, np.ones((1, n)))[0])
    cells = [name, percentile_estimate(value, f1(fires, golden, weights), n).short]
    some = np.array([bool(g) for g in golden])
    first = [f[:1] for f in fires]
    for kept, predicted in ((np.ones(n, bool), fires), (some, fires), (np.ones(n, bool), first)):
        for tolerance in TOLERANCES.values():
            scores = np.array(
                [
                    golden_transfer(f, g, tolerance=tolerance)
                    for f, g in zip(predicted, golden, strict=True)
                ]
            )[kept]
            replicates = weights[:, kept] @ scores / weights[:, kept].sum(axis=1)
            cells.append(percentile_estimate(float(scores.mean()), replicates, len(scores)).short)
    per = np.array([len(f) for f in fires])
    spread = (weights @ per) / weights.sum(axis=1)
    cells.append(percentile_estimate(float(per.mean()), spread, n).short)
    return "| " + " | ".join(cells) + " |"


def main() -> None:
    """Print the table."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dataset", type=Path)
    arguments = parser.parse_args()
    dataset = read_dataset(arguments.dataset)
    split = {s: dataset.labeled(s) for s in Split}
    model = make_pipeline(
        TfidfVectorizer(token_pattern=r"\S+", sublinear_tf=True, min_df=2, ngram_range=(1, 2)),
        LogisticRegression(class_weight="balanced", C=1.0, max_iter=1000),
    )
    model.fit(*utterances(split[Split.TRAIN]))

    def scores(s: Split) -> np.ndarray:
        return model.predict_proba(utterances(split[s])[0])[:, 1]

    tune, golden = scores(Split.TUNE), [golden_turns(item) for item in split[Split.TUNE]]
    once = np.ones((1, len(golden)))

    def on_tune(threshold: float) -> float:
        return float(f1(per_conversation(tune >= threshold, split[Split.TUNE]), golden, once)[0])

    threshold = max(np.linspace(0.05, 0.95, 91), key=on_tune)
    test = split[Split.TEST]
    marked = [turn for item in test for turn in golden_turns(item)]
    agent = sum(
        item.conversation.turns[turn].role is not Role.CUSTOMER
        for item in test
        for turn in golden_turns(item)
    )
    print(
        f"Test: {len(test)} conversations, {sum(bool(golden_turns(i)) for i in test)} with a "
        f"golden turn, {len(marked)} golden turns of which {agent} are not the customer's. "
        f"Threshold {threshold:.2f}.\n"
    )
    names = ["fires at", "F1", *(f"GT-{t}" for t in TOLERANCES)]
    names += [f"GT-{t}, golden only" for t in TOLERANCES] + [f"first fire, {t}" for t in TOLERANCES]
    print("| " + " | ".join([*names, "fires a conversation"]) + " |")
    print("|" + "---|" * (len(names) + 1))
    kinds: dict[str, Callable[[], Fires]] = {
        "bag of words": lambda: per_conversation(scores(Split.TEST) >= threshold, test),
        "every utterance": lambda: [list(range(len(i.conversation.turns))) for i in test],
        "the last utterance": lambda: [[len(i.conversation.turns) - 1] for i in test],
        "nothing": lambda: [[] for _ in test],
    }
    for name, fires in kinds.items():
        print(row(name, fires(), test), flush=True)


if __name__ == "__main__":
    main()
