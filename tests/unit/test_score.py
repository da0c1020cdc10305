"""Scoring a file: the decisions of the evaluation, in order, whatever kills it on the way."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from handoff_eval.conversation import Conversation, Split
from handoff_eval.errors import DataError
from handoff_eval.evaluation.operating_point import OperatingPoint
from handoff_eval.evaluation.replay import replay
from handoff_eval.production.bundle import Bundle, read_bundle, write_bundle
from handoff_eval.production.decide import decide
from handoff_eval.production.score import score_file
from handoff_eval.transcripts.write import conversation_to_dict
from handoff_eval.triggers.keyword import KeywordTrigger, default_rules
from tests.builders import talk

ASKS = ("C: where is it", "A: on its way", "C: can I speak to a person please")
SLOW_JOB = """
import sys, time
from pathlib import Path
from handoff_eval.production.bundle import read_bundle
from handoff_eval.production.score import score_file
score_file(
    read_bundle(Path(sys.argv[1])), Path(sys.argv[2]), to=Path(sys.argv[3]), batch_turns=30,
    on_progress=lambda done, total: (print(done, flush=True), time.sleep(0.05)),
)
"""


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    point = OperatingPoint("keyword", 0.5, Split.TUNE, None, "")
    folder = write_bundle(
        KeywordTrigger(default_rules()), point, handoff="s", instruction="i", to=tmp_path / "b"
    )
    return read_bundle(folder)


@pytest.fixture
def conversations() -> list[Conversation]:
    return [talk(*ASKS[: 1 + i % 3], id=f"c{i} ü") for i in range(200)]


@pytest.fixture
def transcripts(conversations: list[Conversation], tmp_path: Path) -> Path:
    path = tmp_path / "transcripts.jsonl"
    lines = [json.dumps(conversation_to_dict(c)) for c in conversations]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def rows_of(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_rows_are_the_decisions_with_every_score(
    bundle: Bundle, conversations: list[Conversation], transcripts: Path, tmp_path: Path
) -> None:
    """Each line holds what `decide` says of its conversation and the replay's scores."""
    scored = score_file(bundle, transcripts, to=tmp_path / "out.jsonl", batch_turns=7)

    rows = rows_of(tmp_path / "out.jsonl")
    played = replay(bundle.trigger, conversations)
    expected = decide(bundle.trigger, bundle.point, conversations, handoff="s")
    assert [row["line"] for row in rows] == list(range(1, 201))
    for i, (row, decision) in enumerate(zip(rows, expected, strict=True)):
        assert decision.to_dict().items() <= row.items()
        assert row["scores"] == list(played.scores[played.offsets[i] : played.offsets[i + 1]])
    assert (scored.decided, scored.refused, scored.resumed) == (200, 0, 0)
    assert scored.fired == sum(decision.fired for decision in expected) == 66


def test_a_killed_job_goes_on_to_the_same_output(
    bundle: Bundle, transcripts: Path, tmp_path: Path
) -> None:
    """After SIGKILL the same command completes the file, byte for byte as without the kill."""
    whole, out = tmp_path / "whole.jsonl", tmp_path / "out.jsonl"
    score_file(bundle, transcripts, to=whole)
    job = subprocess.Popen(
        [sys.executable, "-c", SLOW_JOB, str(bundle.path), str(transcripts), str(out)],
        stdout=subprocess.PIPE,
    )
    assert job.stdout is not None
    job.stdout.readline()
    job.send_signal(signal.SIGKILL)
    assert job.wait() == -signal.SIGKILL
    job.stdout.close()
    written = len(rows_of(out))
    assert 0 < written < 200

    scored = score_file(bundle, transcripts, to=out)

    assert out.read_bytes() == whole.read_bytes()
    assert scored.resumed == written
    assert scored.decided == 200


@pytest.mark.parametrize("cut", [0, 1, 80, 5_000])
def test_a_torn_line_is_repaired(
    bundle: Bundle, transcripts: Path, tmp_path: Path, cut: int
) -> None:
    """Wherever the file was torn, what follows the last whole line is written again."""
    out = tmp_path / "out.jsonl"
    score_file(bundle, transcripts, to=out)
    whole = out.read_bytes()
    out.write_bytes(whole[:cut])

    scored = score_file(bundle, transcripts, to=out)

    assert out.read_bytes() == whole
    assert scored.resumed == whole[:cut].count(b"\n")


def test_a_finished_job_stays_as_it_is(bundle: Bundle, transcripts: Path, tmp_path: Path) -> None:
    """Asked again, it writes nothing and reports the same counts."""
    out = tmp_path / "out.jsonl"
    first = score_file(bundle, transcripts, to=out)
    stamp = out.stat().st_mtime_ns
    time.sleep(0.01)

    second = score_file(bundle, transcripts, to=out)

    assert second == replace(first, resumed=200)
    assert out.stat().st_mtime_ns == stamp


def test_refused_lines_have_their_row(bundle: Bundle, transcripts: Path, tmp_path: Path) -> None:
    """A line that can't be used says why in its place, also where it ends a killed run."""
    lines = transcripts.read_text(encoding="utf-8").splitlines()
    lines[3:4] = ['{"id": 4}', "", "not json"]
    transcripts.write_text("\n".join(lines), encoding="utf-8")
    out = tmp_path / "out.jsonl"

    scored = score_file(bundle, transcripts, to=out, batch_turns=1)
    rows = rows_of(out)
    out.write_bytes(b"".join(out.read_bytes().splitlines(keepends=True)[:5]))
    again = score_file(bundle, transcripts, to=out)

    assert [row["line"] for row in rows if "refused" in row] == [4, 6]
    assert "transcripts.jsonl:4: 'id' must be" in str(rows[3]["refused"])
    assert (scored.decided, scored.refused) == (199, 2)
    assert rows_of(out) == rows
    assert again == replace(scored, resumed=5)


def test_another_bundle_or_input_is_refused(
    bundle: Bundle, transcripts: Path, tmp_path: Path
) -> None:
    """A job is taken up only with what it was begun with, and the output stays."""
    out = tmp_path / "out.jsonl"
    score_file(bundle, transcripts, to=out)
    before = out.read_bytes()
    point = OperatingPoint("keyword", 0.9, Split.TUNE, None, "")
    other = write_bundle(
        KeywordTrigger(default_rules()), point, handoff="s", instruction="i", to=tmp_path / "other"
    )

    with pytest.raises(DataError, match="got another bundle"):
        score_file(read_bundle(other), transcripts, to=out)
    transcripts.write_text(transcripts.read_text() + "\n")
    with pytest.raises(DataError, match="got another transcripts"):
        score_file(bundle, transcripts, to=out)
    assert out.read_bytes() == before


def test_a_foreign_file_is_left_alone(bundle: Bundle, transcripts: Path, tmp_path: Path) -> None:
    """A file that this command didn't begin is never appended to."""
    out = tmp_path / "out.jsonl"
    out.write_text("mine\n")

    with pytest.raises(DataError, match="to be free or an unfinished output"):
        score_file(bundle, transcripts, to=out)
    assert out.read_text() == "mine\n"


def test_a_changed_output_is_refused(bundle: Bundle, transcripts: Path, tmp_path: Path) -> None:
    """A whole line that isn't this command's is named with its number."""
    out = tmp_path / "out.jsonl"
    score_file(bundle, transcripts, to=out)
    out.write_bytes(b"{}\n" + out.read_bytes())

    with pytest.raises(DataError, match=r"out\.jsonl:1: expected a line"):
        score_file(bundle, transcripts, to=out)


def test_two_at_once_are_refused(bundle: Bundle, transcripts: Path, tmp_path: Path) -> None:
    """While one process writes the output, another is told to wait."""
    out = tmp_path / "out.jsonl"

    def interfere(*_: int) -> None:
        with pytest.raises(DataError, match="another process"):
            score_file(bundle, transcripts, to=out)

    score_file(bundle, transcripts, to=out, on_progress=interfere)


def test_missing_transcripts_are_a_sentence(bundle: Bundle, tmp_path: Path) -> None:
    """A file that isn't there is named, and no output is begun."""
    with pytest.raises(DataError, match=r"got: No such file or directory \(.*nowhere"):
        score_file(bundle, tmp_path / "nowhere", to=tmp_path / "out.jsonl")
    assert not (tmp_path / "out.jsonl").exists()
