"""What the peers do with the texts of `peers.py`; runs in an environment that holds them alone.

    python benchmarks/peers_worker.py WEIGHTS JOB RESULT

The job is JSON: examples to learn from and, by name, texts to score. The result holds for each
peer its scores, the processor seconds of one thread for learning and scoring, and a note.
"""

from __future__ import annotations

import json
import random
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from semantic_router import IndexedRouter, Route
from semantic_router.encoders import LocalEncoder
from semantic_router.routers.base import run
from sentence_transformers import SentenceTransformer
from setfit import SetFitModel, Trainer, TrainingArguments
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score
from sklearn.model_selection import StratifiedGroupKFold, cross_val_predict

from datasets import Dataset, disable_progress_bars

HANDOFF, OTHER = "handoff", "other"
SETFIT_TOKENS = 64
FOLDS = 5
CHOOSE_ON = 1500

Score = Callable[[Sequence[str]], np.ndarray]
Example = dict[str, Any]


def logistic() -> LogisticRegression:
    """Return the head that a user would put on embeddings."""
    return LogisticRegression(max_iter=2000)


def choose_input(model: SentenceTransformer, examples: list[Example]) -> str:
    """Return the text of a decision point that ranks better out of fold, by customer.

    Of large sets, customers are drawn until they have `CHOOSE_ON` decision points.
    """
    customers = sorted({example["group"] for example in examples})
    random.Random(0).shuffle(customers)
    order = {customer: place for place, customer in enumerate(customers)}
    examples = sorted(examples, key=lambda example: order[example["group"]])[:CHOOSE_ON]
    due = np.array([example["due"] for example in examples])
    groups = [example["group"] for example in examples]
    of_a_kind = min(
        len({g for g, yes in zip(groups, due, strict=True) if yes == kind})
        for kind in (True, False)
    )
    folds = StratifiedGroupKFold(min(FOLDS, of_a_kind), shuffle=True, random_state=0)
    precision = {}
    for name in examples[0]["texts"]:
        vectors = model.encode([example["texts"][name] for example in examples])
        scores = cross_val_predict(
            logistic(), vectors, due, groups=groups, cv=folds, method="decision_function"
        )
        precision[name] = average_precision_score(due, scores)
    return max(precision, key=precision.__getitem__)


def with_logistic(model: SentenceTransformer, examples: list[Example], used: str) -> Score:
    """Embed every decision point and fit logistic regression."""
    head = logistic().fit(
        model.encode([example["texts"][used] for example in examples]),
        [example["due"] for example in examples],
    )
    return lambda texts: head.predict_proba(model.encode(list(texts)))[:, 1]


def router(weights: str, examples: list[Example], used: str) -> tuple[Score, str]:
    """Build a router from half of the customers and calibrate it on the other half.

    With one route, or with one for either kind: whichever ranks the other half better. The score
    is the calibrated confidence in the handoff's route.
    """
    telling = [example for example in examples if example["telling"]]
    customers = sorted({example["group"] for example in telling})
    random.Random(0).shuffle(customers)
    stored = set(customers[::2])
    built = [example for example in telling if example["group"] in stored]
    fitted = [example for example in telling if example["group"] not in stored]
    queries = [example["texts"][used] for example in fitted]
    due = [example["due"] for example in fitted]
    encoder = LocalEncoder(name=weights, device="cpu")

    def build(names: Sequence[str]) -> Score:
        routes = [
            Route(
                name=name,
                utterances=sorted(
                    {e["texts"][used] for e in built if e["due"] is (name == HANDOFF)}
                ),
            )
            for name in names
        ]
        made = IndexedRouter(encoder=encoder, routes=routes)
        otherwise = OTHER if OTHER in names else None
        made.fit(queries, [HANDOFF if yes else otherwise for yes in due])

        def score(texts: Sequence[str]) -> np.ndarray:
            # Called text by text it embeds one at a time; its own `fit` takes this faster way.
            found = run(made._scores_many(list(texts)))
            return np.array([made._probs(scores)[HANDOFF] for scores in found])

        return score

    tried = {names: build(names) for names in ((HANDOFF,), (HANDOFF, OTHER))}
    best = max(tried, key=lambda names: average_precision_score(due, tried[names](queries)))
    return tried[best], f"{len(best)} route(s), half of train stored, half to calibrate"


def setfit(weights: str, examples: list[Example], used: str, steps: int) -> tuple[Score, str]:
    """Fine-tune for so many steps and fit SetFit's own head."""
    telling = [example for example in examples if example["telling"]]
    model = SetFitModel.from_pretrained(weights, local_files_only=True, device="cpu")
    arguments = TrainingArguments(
        output_dir="setfit",
        batch_size=16,
        max_steps=steps,
        max_length=SETFIT_TOKENS,
        show_progress_bar=False,
        save_strategy="no",
        report_to="none",
        seed=0,
    )
    trainer = Trainer(
        model=model,
        args=arguments,
        train_dataset=Dataset.from_dict(
            {
                "text": [example["texts"][used] for example in telling],
                "label": [int(example["due"]) for example in telling],
            }
        ),
    )
    trainer.train()
    return (
        lambda texts: model.predict_proba(list(texts), as_numpy=True)[:, 1],
        f"{steps} steps of 16 pairs, {SETFIT_TOKENS} tokens while learning",
    )


def main() -> None:
    """Do the job."""
    weights, job_path, result_path = sys.argv[1:]
    torch.set_num_threads(1)
    disable_progress_bars()
    job = json.loads(Path(job_path).read_text())
    examples = job["examples"]
    model = SentenceTransformer(weights, device="cpu")
    used = choose_input(model, examples)
    peers: dict[str, Callable[[], tuple[Score, str]]] = {
        "sentence-transformers": lambda: (
            with_logistic(model, examples, used),
            "logistic regression",
        ),
        "semantic-router": lambda: router(weights, examples, used),
        "SetFit": lambda: setfit(weights, examples, used, job["setfit_steps"]),
    }
    found = {}
    for name in job["peers"]:
        start = time.process_time()
        score, note = peers[name]()
        learnt = time.process_time()
        scores, seconds = {}, {}
        for target, texts in job["score"].items():
            before = time.process_time()
            scores[target] = [float(value) for value in score(texts[used])]
            seconds[target] = time.process_time() - before
        found[name] = {
            "train_seconds": learnt - start,
            "seconds": seconds,
            "scores": scores,
            "note": "; ".join(filter(None, (f"reads {used}", note))),
        }
    Path(result_path).write_text(json.dumps(found))


if __name__ == "__main__":
    main()
