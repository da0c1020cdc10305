"""How many conversations a second one machine scores, and Spark with one and two executors.

    handoff-eval compare datasets/support_handoff --arms minilm_int8 \
        --handoff datasets/support_handoff/handoff.toml
    handoff-eval export latest --to out/load/minilm_int8
    python benchmarks/spark_throughput.py out/load/minilm_int8

A real standalone cluster on loopback: a master and workers of one core each, so that two use the
two cores which driver and master need too. Spark's first job, in which executors start and read
the bundle, is left out; the second one is timed, from the call until the output is committed. All
rows come from one run; the ratio is to one core without Spark.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from handoff_eval.production.bundle import read_bundle
from handoff_eval.production.score import score_file
from handoff_eval.production.spark.job import open_spark, score_on_spark
from handoff_eval.transcripts.read import read_dataset
from tests.spark_cluster import ROOT, SparkCluster, spark_environment

JOB = "--job"


def on_one_machine(bundle: Path, transcripts: Path, folder: Path) -> float:
    """Return the seconds that `score` takes, the bundle being read."""
    read = read_bundle(bundle)
    begun = time.perf_counter()
    score_file(read, transcripts, to=folder / "out.jsonl")
    return time.perf_counter() - begun


def on_spark(bundle: Path, transcripts: Path, folder: Path, master: str, parts: int) -> float:
    """Return the seconds of the second job of a session."""
    size = transcripts.stat().st_size // parts + 1
    settings = {"spark.ui.enabled": "false", "spark.sql.files.maxPartitionBytes": str(size)}
    spark = open_spark(master=master, settings={**settings, "spark.sql.files.openCostInBytes": "0"})
    read = read_bundle(bundle)
    for name in ("first", "second"):
        begun = time.perf_counter()
        score_on_spark(spark, read, str(transcripts), to=str(folder / name))
        took = time.perf_counter() - begun
    spark.stop()
    return took


def timed(arguments: list[str], cores: int) -> float:
    """Run one measurement in a process of its own that may use so many cores."""
    done = subprocess.run(
        [sys.executable, __file__, *arguments],
        env={**spark_environment(), "OMP_NUM_THREADS": str(cores)},
        stdout=subprocess.PIPE,
        check=True,
    )
    return float(json.loads(done.stdout.splitlines()[-1]))


def main() -> None:
    """Print one row an engine and number of cores."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--dataset", type=Path, default=ROOT / "datasets/support_handoff")
    parser.add_argument("--parts", type=int, default=16, help="tasks of a job")
    parser.add_argument(JOB, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    transcripts = arguments.dataset / "transcripts.jsonl"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if arguments.job == "here":
            print(json.dumps(on_one_machine(arguments.bundle, transcripts, folder)))
            return
        if arguments.job:
            seconds = on_spark(
                arguments.bundle, transcripts, folder, arguments.job, arguments.parts
            )
            print(json.dumps(seconds))
            return
        conversations = read_dataset(arguments.dataset).conversations
        turns = sum(len(conversation.turns) for conversation in conversations)
        print(f"{len(conversations)} conversations, {turns} turns, load {os.getloadavg()[0]:.1f}")
        print("| engine | cores | seconds | conversations/s | turns/s | ratio |")
        print("| --- | ---: | ---: | ---: | ---: | ---: |")
        job, first = [str(arguments.bundle), "--dataset", str(arguments.dataset), JOB], None
        for engine, cores in (("one machine", 1), ("one machine", 2), ("Spark", 1), ("Spark", 2)):
            if engine == "Spark":
                logs = folder / f"cluster{cores}"
                logs.mkdir()
                cluster = SparkCluster(logs, workers=cores)
                try:
                    seconds = timed([*job, cluster.url, "--parts", str(arguments.parts)], 1)
                finally:
                    cluster.stop()
            else:
                seconds = timed([*job, "here"], cores)
            first = first or seconds
            print(
                f"| {engine} | {cores} | {seconds:.1f} | {len(conversations) / seconds:.1f} | "
                f"{turns / seconds:.0f} | {first / seconds:.2f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
