"""Scoring on a real Spark cluster of several executors: the decisions of one machine."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from handoff_eval.conversation import Split
from handoff_eval.encoders.hashing import HashingEncoder
from handoff_eval.evaluation.operating_point import OperatingPoint
from handoff_eval.production.bundle import Bundle, read_bundle, write_bundle
from handoff_eval.production.score import score_file
from handoff_eval.tracking.pyfunc import save_model
from handoff_eval.transcripts.read import read_dataset
from handoff_eval.transcripts.write import conversation_to_dict
from handoff_eval.triggers.train import train_classifier
from tests.spark_cluster import ROOT, SparkCluster, spark_environment
from tests.training import TRAINING

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        shutil.which("java") is None and "CI" not in os.environ,
        reason="Spark needs Java, and there is none: make java",
    ),
]

COPIES = 8
REFUSED = ['{"id": 4}', "", "no json"]
JOBS = """
import json, sys, tempfile
from handoff_eval.errors import HandoffEvalError
from handoff_eval.production.bundle import read_bundle
from handoff_eval.production.spark.job import open_spark, score_on_spark
from pathlib import Path

bundle = read_bundle(Path(sys.argv[1]))
spark = open_spark(master=sys.argv[2], settings={"spark.ui.enabled": "false"})
said = []
for source, to in zip(sys.argv[3::2], sys.argv[4::2]):
    try:
        scored = score_on_spark(spark, bundle, source, to=to)
        said.append([scored.decided, scored.fired, scored.refused])
    except HandoffEvalError as error:
        said.append(f"{type(error).__name__}: {error}")
packed = [str(path) for path in Path(tempfile.gettempdir()).glob("handoff-bundle-*/*.zip")]
spark.stop()
print(json.dumps({"said": said, "packed": packed}))
"""

QUERY = """
import sys
from handoff_eval.production.spark.job import open_spark
from handoff_eval.tracking.spark import trigger_udf

model, master, source, to = sys.argv[1:]
spark = open_spark(master=master, settings={"spark.ui.enabled": "false"})
decide = trigger_udf(spark, model)
talks = spark.read.parquet(source).repartition(32, "id")
talks.select(decide("id", "turns").alias("decision")).select("decision.*").write.parquet(to)
spark.stop()
"""


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkCluster]:
    running = SparkCluster(tmp_path_factory.mktemp("cluster"), workers=2)
    yield running
    running.stop()


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    trigger = train_classifier(TRAINING, HashingEncoder(dimension=16))
    point = OperatingPoint(trigger.name, 0.5, Split.TUNE, None, "")
    folder = tmp_path_factory.mktemp("bundle") / "b"
    return read_bundle(write_bundle(trigger, point, handoff="s", instruction="i", to=folder))


@pytest.fixture(scope="module")
def documents() -> list[dict[str, Any]]:
    shipped = read_dataset(ROOT / "datasets" / "support_handoff").conversations
    return [conversation_to_dict(conversation) for conversation in shipped]


@pytest.fixture(scope="module")
def expected(
    bundle: Bundle, documents: list[dict[str, Any]], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, dict[str, Any]]:
    """Return what one machine says, by conversation."""
    folder = tmp_path_factory.mktemp("one")
    source, out = folder / "transcripts.jsonl", folder / "out.jsonl"
    source.write_text("".join(json.dumps(document) + "\n" for document in documents))
    score_file(bundle, source, to=out)
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert 0 < sum(row["fired"] for row in rows) < len(rows)
    return {row["conversation_id"]: row for row in rows}


def test_a_killed_executor_changes_no_decision(
    cluster: SparkCluster,
    bundle: Bundle,
    documents: list[dict[str, Any]],
    expected: dict[str, dict[str, Any]],
    tmp_path: Path,
) -> None:
    """With one of two executors killed in the middle, each line has the row of one machine."""
    lines = [json.dumps(document) for document in documents] * COPIES
    lines[1000:1000] = REFUSED
    source, out = tmp_path / "transcripts.jsonl", tmp_path / "out"
    source.write_text("\n".join(lines) + "\n")
    command = [sys.executable, "-m", "handoff_eval.cli.main", "score", str(bundle.path)]
    command += [str(tmp_path), "--to", str(out), "--engine", "spark", "--master", cluster.url]
    for setting in ("sql.files.maxPartitionBytes=256k", "ui.enabled=false"):
        command += ["--conf", f"spark.{setting}"]
    with (tmp_path / "said").open("wb") as said:
        job = subprocess.Popen(
            [*command, "--json"], env=spark_environment(), stdout=said, stderr=subprocess.DEVNULL
        )
    kill_an_executor(cluster, job, out)

    assert job.wait(300) == 2, "the refused lines make it 2"
    assert (out / "_SUCCESS").exists()
    assert cluster.lost()
    rows = sorted(pq.read_table(out).to_pylist(), key=lambda row: row["line"])
    assert [row["line"] for row in rows] == [
        i for i in range(1, len(lines) + 1) if lines[i - 1].strip()
    ]
    for row in rows:
        if row["refused"] is not None:
            assert lines[row["line"] - 1] in REFUSED
            continue
        assert json.loads(lines[row["line"] - 1])["id"] == row["conversation_id"]
        assert_same(row, expected[row["conversation_id"]])
    assert json.loads((tmp_path / "said").read_text()) == {
        "decided": len(lines) - 3,
        "fired": COPIES * sum(row["fired"] for row in expected.values()),
        "refused": 2,
        "resumed": 0,
    }


def test_tables_are_decided_and_what_is_wrong_with_them_is_said(
    cluster: SparkCluster,
    bundle: Bundle,
    documents: list[dict[str, Any]],
    expected: dict[str, dict[str, Any]],
    tmp_path: Path,
) -> None:
    """A row a conversation and a row a turn give the same decisions; what isn't that is refused."""
    hostile = pa.array([None, b"\xff", b"t"], pa.binary())
    turns = [[{"role": turn["role"], "text": turn["text"]} for turn in document["turns"]]
             for document in documents]  # fmt: skip
    names = [document["id"] for document in documents]
    odd = [[{"role": "customer", "text": "hi"}], None, [None]]
    ids = pa.chunked_array([pa.array(names), _unchecked(hostile)])
    whole = pa.table({"id": ids, "turns": turns + odd, "other": range(len(names) + 3)})
    flat = [
        {"conversation_id": name, "turn": i, **turn}
        for name, said in zip(names, turns, strict=True)
        for i, turn in enumerate(said)
    ]
    flat += [{"conversation_id": "gap", "turn": i, "role": "agent", "text": ""} for i in (0, 2)]
    pq.write_table(whole, tmp_path / "whole.parquet")
    pq.write_table(pa.Table.from_pylist(flat[::-1]), tmp_path / "flat.parquet")
    pq.write_table(whole.drop_columns("turns"), tmp_path / "none.parquet")
    sources = ["whole.parquet", "flat.parquet", "none.parquet", "flat.parquet", "missing.parquet"]
    outputs = ["a", "b", "c", "b", "d"]
    (tmp_path / "tmp").mkdir()

    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", JOBS, str(bundle.path), cluster.url]
        + [str(tmp_path / name) for pair in zip(sources, outputs, strict=True) for name in pair],
        env={**spark_environment(), "TMPDIR": str(tmp_path / "tmp")},
        capture_output=True,
        text=True,
        timeout=500,
    )

    assert done.returncode == 0, done.stderr
    printed = json.loads(done.stdout.splitlines()[-1])
    # An executor that starts late fetches what earlier jobs sent: it is sent once, and stays.
    assert len(printed["packed"]) == 1
    assert not Path(printed["packed"][0]).parent.exists()
    said = printed["said"]
    fired = sum(row["fired"] for row in expected.values())
    assert said[:2] == [[len(names), fired, 3], [len(names), fired, 1]]
    assert said[2].startswith("DataError: Expected a table with a row a conversation, id (string)")
    assert said[2].endswith("has id (string), other (bigint).")
    assert said[3].startswith(f"DataError: Expected {tmp_path}/b to be free; something is there.")
    assert said[4].startswith("DataError: Expected a source that Spark reads; [PATH_NOT_FOUND]")
    for name in ("a", "b"):
        rows = pq.read_table(tmp_path / name).to_pylist()
        for row in rows:
            if row["refused"] is None:
                assert_same(row, expected[row["conversation_id"]])
    refused = {row["line"]: row["refused"] for row in pq.read_table(tmp_path / "a").to_pylist()}
    assert "'id' must be text in UTF-8" in refused[len(names) + 2]
    assert "'turns[0]' must be an object" in refused[len(names) + 3]


def test_a_registered_model_decides_in_a_query(
    cluster: SparkCluster,
    bundle: Bundle,
    documents: list[dict[str, Any]],
    expected: dict[str, dict[str, Any]],
    tmp_path: Path,
) -> None:
    """`mlflow.pyfunc.spark_udf` over rows parted by conversation, one executor killed halfway."""
    source, out = tmp_path / "talks.parquet", tmp_path / "out"
    turns = [[{"role": turn["role"], "text": turn["text"]} for turn in document["turns"]]
             for document in documents]  # fmt: skip
    names = [f"{document['id']}/{copy}" for copy in range(COPIES) for document in documents]
    pq.write_table(pa.table({"id": names, "turns": turns * COPIES}), source)
    example = [{"id": documents[0]["id"], "turns": turns[0]}]
    save_model(bundle.path, tmp_path / "model", example=example)
    with (tmp_path / "said").open("wb") as said:
        job = subprocess.Popen(
            [sys.executable, "-c", QUERY, tmp_path / "model", cluster.url, source, out],
            env=spark_environment(),
            stderr=said,
        )

    kill_an_executor(cluster, job, out)

    assert job.wait(300) == 0, (tmp_path / "said").read_text()
    rows = pq.read_table(out).to_pylist()
    assert sorted(row["conversation_id"] for row in rows) == sorted(names)
    for row in rows:
        wanted = expected[row["conversation_id"].partition("/")[0]]
        for name in row.keys() - {"conversation_id", "score"}:
            assert row[name] == wanted[name], name
        assert row["score"] == pytest.approx(wanted["score"], abs=1e-5)


def kill_an_executor(cluster: SparkCluster, job: subprocess.Popen[bytes], out: Path) -> None:
    """Kill one of a job's two executors once it has written a part of the output, not all."""
    killed = len(cluster.lost())
    stop = time.monotonic() + 300
    while not list(out.glob("_temporary/0/task_*")) and time.monotonic() < stop:
        assert job.poll() is None
        time.sleep(0.05)
    executors = cluster.executors()
    assert len(executors) == 2
    assert not (out / "_SUCCESS").exists()
    os.kill(executors[0], signal.SIGKILL)
    while len(cluster.lost()) == killed and time.monotonic() < stop:
        time.sleep(0.05)
    assert len(cluster.lost()) > killed


def assert_same(row: dict[str, Any], wanted: dict[str, Any]) -> None:
    """Compare a row with that of one machine: decisions exactly, scores as law 7 has it."""
    for name in wanted.keys() - {"line", "score", "scores"}:
        assert row[name] == wanted[name], name
    assert row["score"] == pytest.approx(wanted["score"], abs=1e-5)
    assert row["scores"] == pytest.approx(wanted["scores"], abs=1e-5)


def _unchecked(data: pa.Array) -> pa.Array:
    """Return bytes as an array of texts, UTF-8 or not, as other writers leave them."""
    return pa.Array.from_buffers(pa.string(), len(data), data.buffers(), data.null_count)
