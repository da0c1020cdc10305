"""Score 100,000 conversations with an exported bundle: memory, and going on after a kill.

    python benchmarks/score_memory.py ../shared/data

The conversations are those of the public sets, repeated under new ids with a number put into each
turn, so that no text comes twice. The bundle holds the int8 arm unless another is named. The
command is killed once on the way (SIGKILL) and given again. Memory is the highest resident size of
either process, as the kernel counts it.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from encoder_speed import SETS
from replay_speed import training

from handoff_eval.conversation import Split
from handoff_eval.encoders.minilm import load_minilm_int8
from handoff_eval.evaluation.operating_point import OperatingPoint
from handoff_eval.production.bundle import write_bundle
from handoff_eval.transcripts.read import read_dataset
from handoff_eval.transcripts.write import conversation_to_dict
from handoff_eval.triggers.train import train_classifier


def write_transcripts(data: Path, n: int, longest: int, to: Path) -> int:
    """Write n conversations of distinct texts and return the number of turns."""
    conversations = [c for name in SETS for c in read_dataset(data / name).conversations]
    turns = 0
    with to.open("w", encoding="utf-8") as stream:
        for number, conversation in enumerate(itertools.islice(itertools.cycle(conversations), n)):
            unlike = replace(
                conversation,
                id=f"{conversation.id}-{number}",
                turns=tuple(
                    replace(t, text=f"{t.text} {number}") for t in conversation.turns[:longest]
                ),
            )
            stream.write(json.dumps(conversation_to_dict(unlike), ensure_ascii=False) + "\n")
            turns += len(unlike.turns)
    return turns


def make_bundle(kind: str, to: Path) -> Path:
    """Write a bundle of the kind asked for."""
    trigger = (
        train_classifier(training(120), None, words=True, name="tfidf")
        if kind == "tfidf"
        else train_classifier(training(120), load_minilm_int8(), name="minilm_int8")
    )
    point = OperatingPoint(trigger.name, 0.5, Split.TUNE, None, "")
    return write_bundle(trigger, point, handoff="support", instruction="when needed", to=to)


def run(command: list[str], *, kill_after: int | None, out: Path) -> tuple[float, float]:
    """Run the command, killing it after so many lines; return peak memory in MB and seconds."""
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while kill_after is not None and process.poll() is None:
        time.sleep(1)
        if out.exists() and out.read_bytes().count(b"\n") >= kill_after:
            process.send_signal(signal.SIGKILL)
            break
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    expected = 0 if kill_after is None else -signal.SIGKILL
    if process.returncode != expected:
        raise SystemExit(f"Expected exit code {expected}; got {process.returncode}.")
    return usage.ru_maxrss / 1024, time.perf_counter() - start


def main() -> None:
    """Print what it took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, help="folder of the public sets")
    parser.add_argument("--conversations", type=int, default=100_000, help="default: %(default)s")
    parser.add_argument("--turns", type=int, default=4, help="of each, at most (%(default)s)")
    parser.add_argument("--arm", choices=("tfidf", "minilm_int8"), default="minilm_int8")
    arguments = parser.parse_args()
    n = arguments.conversations
    with tempfile.TemporaryDirectory() as scratch:
        transcripts, out = Path(scratch) / "transcripts.jsonl", Path(scratch) / "scores.jsonl"
        turns = write_transcripts(arguments.data, n, arguments.turns, transcripts)
        bundle = make_bundle(arguments.arm, Path(scratch) / "bundle")
        command = [
            *(sys.executable, "-m", "handoff_eval.cli.main", "score"),
            *(str(bundle), str(transcripts), "--to", str(out)),
        ]
        killed, first = run(command, kill_after=n // 3, out=out)
        kept = out.read_bytes().count(b"\n")
        resumed, second = run(command, kill_after=None, out=out)
        lines = [json.loads(line)["line"] for line in out.open(encoding="utf-8")]
        print(
            f"{arguments.arm}: {n} conversations, {turns} turns, "
            f"{transcripts.stat().st_size / 2**20:.0f} MB of transcripts. Killed at {kept} lines "
            f"after {first:.0f} s, peak {killed:.0f} MB; given again, {second:.0f} s, peak "
            f"{resumed:.0f} MB. Every line once and in order: {lines == list(range(1, n + 1))}."
        )


if __name__ == "__main__":
    main()
