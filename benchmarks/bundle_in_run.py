"""What keeping each arm's bundle in its run costs: time of logging, bytes in the store.

    python benchmarks/bundle_in_run.py datasets/support_handoff --arms keyword,tfidf,minilm_words

The same comparison is logged to a fresh store by turns, with and without the bundles. Prints the
median of either and their ratio, beside the time that the comparison itself took.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from pathlib import Path

from handoff_eval.evaluation.comparison.compare import compare
from handoff_eval.evaluation.comparison.line_up import line_up
from handoff_eval.handoff import Budget, Handoff
from handoff_eval.llm.asker import default_asker
from handoff_eval.production.draft import draft_entries
from handoff_eval.tracking.log import log_comparison
from handoff_eval.transcripts.read import read_dataset

ROUNDS = 3
BUDGET = Budget(20, 0.8, 200, prevalence=0.05)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--arms", default="keyword,tfidf,minilm_words")
    arguments = parser.parse_args()
    dataset = read_dataset(arguments.dataset)
    handoff = Handoff("support", ("team@example.com",))
    begun = time.perf_counter()
    arms = line_up(
        arguments.arms.split(","), dataset, instruction=handoff.instruction, asker=default_asker
    )
    comparison = compare(dataset, arms, BUDGET)
    compared = time.perf_counter() - begun
    seconds: dict[bool, list[float]] = {False: [], True: []}
    kept: dict[bool, int] = {}
    with tempfile.TemporaryDirectory() as home:
        os.environ["MLFLOW_TRACKING_URI"] = f"sqlite:///{home}/mlflow.db"
        log_comparison(comparison, dataset=dataset, handoff=handoff, seed=0)
        for _ in range(ROUNDS):
            for bundles in (False, True):
                before, begun = _bytes(Path(home)), time.perf_counter()
                of_arms = (
                    {a.trigger.name: draft_entries(a, comparison, handoff) for a in arms}
                    if bundles
                    else None
                )
                log_comparison(
                    comparison, dataset=dataset, handoff=handoff, seed=0, of_arms=of_arms
                )
                seconds[bundles].append(time.perf_counter() - begun)
                kept[bundles] = _bytes(Path(home)) - before
    without, with_them = (statistics.median(seconds[b]) for b in (False, True))
    print(
        f"{len(arms)} arms, {len(dataset.conversations)} conversations: comparing "
        f"{compared:.1f} s, logging {without:.2f} s without bundles and {with_them:.2f} s "
        f"with them (ratio {with_them / without:.2f}); "
        f"a run keeps {kept[False] / 1e6:.2f} MB without and "
        f"{kept[True] / 1e6:.2f} MB with them"
    )


def _bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


if __name__ == "__main__":
    main()
