"""What gives the label of datasets/support_handoff away that shouldn't, with intervals.

    python benchmarks/artefacts.py datasets/support_handoff

Prints the area under the curve of single properties on all conversations, then the average
precision on test of a bag of words beside the MiniLM arm, both learnt on train alone.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline

from handoff_eval.conversation import Conversation, LabeledConversation, Role, Split
from handoff_eval.evaluation.intervals import cluster_weights, percentile_estimate
from handoff_eval.evaluation.metrics import average_precision
from handoff_eval.evaluation.replay import replay
from handoff_eval.transcripts.read import read_dataset
from handoff_eval.triggers.trained import train_arm


def words(conversation: Conversation, role: Role) -> float:
    """Return the mean words of a turn of one side; 0 when it says nothing."""
    counts = [len(turn.text.split()) for turn in conversation.turns if turn.role is role]
    return float(np.mean(counts)) if counts else 0.0


PROPERTIES: dict[str, Callable[[Conversation], float]] = {
    "turns": lambda c: len(c.turns),
    "words in all": lambda c: sum(len(turn.text.split()) for turn in c.turns),
    "words a customer turn": lambda c: words(c, Role.CUSTOMER),
    "words an agent turn": lambda c: words(c, Role.AGENT),
    "customer speaks last": lambda c: c.turns[-1].role is Role.CUSTOMER,
    "customer speaks first": lambda c: c.turns[0].role is Role.CUSTOMER,
    "hour of the day": lambda c: c.started_at.hour if c.started_at else 0,
    "email known": lambda c: c.customer.email is not None,
    "channel is web": lambda c: c.channel == "web",
}


def area(values: np.ndarray, positive: np.ndarray, weights: np.ndarray | None = None) -> float:
    """Return the area under the ROC curve; NaN without both kinds."""
    if weights is not None and min(weights[positive].sum(), weights[~positive].sum()) == 0:
        return float("nan")
    return float(roc_auc_score(positive, values, sample_weight=weights))


def text_of(item: LabeledConversation, *, until_due: bool) -> str:
    """Return what was said, up to the due point of a positive where asked."""
    turns = item.conversation.turns
    if until_due and item.due is not None:
        turns = turns[: item.conversation.decision_points()[item.due].turns]
    return "\n".join(f"{turn.role} {turn.text}" for turn in turns)


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dataset", type=Path)
    dataset = read_dataset(parser.parse_args().dataset)
    items = dataset.labeled()
    positive = np.array([item.label.handoff for item in items])
    groups = [item.conversation.group for item in items]
    resampled = cluster_weights(groups, replicates=500)
    print("| property alone | area under the curve |\n|---|---|")
    for name, measure in PROPERTIES.items():
        values = np.array([float(measure(item.conversation)) for item in items])
        replicates = np.array([area(values, positive, row) for row in resampled])
        print(f"| {name} | {percentile_estimate(area(values, positive), replicates, len(items))} |")

    train, test = dataset.labeled(Split.TRAIN), dataset.labeled(Split.TEST)
    needed = np.array([item.label.handoff for item in test])
    weights = cluster_weights([item.conversation.group for item in test])

    def precision(scores: np.ndarray) -> object:
        value = float(average_precision(scores, needed, np.ones(len(test))))
        return percentile_estimate(value, average_precision(scores, needed, weights), len(test))

    print("\n| on test | average precision |\n|---|---|")
    for until_due, name in ((False, "whole conversations"), (True, "positives cut at the need")):
        model = make_pipeline(
            TfidfVectorizer(sublinear_tf=True, ngram_range=(1, 2), min_df=2),
            LogisticRegression(C=10, class_weight="balanced", max_iter=2000),
        )
        model.fit(
            [text_of(item, until_due=until_due) for item in train],
            [item.label.handoff for item in train],
        )
        scores = model.predict_proba([text_of(item, until_due=until_due) for item in test])[:, 1]
        print(f"| bag of words, {name} | {precision(scores)} |")
    for arm in ("tfidf", "minilm", "minilm_words"):
        peak = replay(train_arm(arm, train), [item.conversation for item in test]).peak
        print(f"| {arm} arm, highest score of a conversation | {precision(peak)} |")


if __name__ == "__main__":
    main()
