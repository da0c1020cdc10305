"""The command line: light to start, results on stdout, a sentence and 2 for a user's mistake."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path

import pytest

from handoff_eval.cli.main import COMMANDS, main
from handoff_eval.conversation import Split
from handoff_eval.encoders.hashing import HashingEncoder
from handoff_eval.evaluation.operating_point import OperatingPoint
from handoff_eval.production.bundle import write_bundle
from handoff_eval.transcripts.read import Dataset
from handoff_eval.transcripts.write import write_conversations, write_labels
from handoff_eval.triggers.keyword import KeywordTrigger, default_rules
from handoff_eval.triggers.train import train_classifier
from tests.training import TRAINING

BUDGET = ["--max-emails-per-day", "20", "--min-recall", "0.8", "--conversations-per-day", "200"]


def test_help_starts_without_the_workbench() -> None:
    """Building every command's options imports nothing beyond the standard library."""
    program = (
        "import sys\n"
        "from handoff_eval.cli.main import build_parser\n"
        "build_parser().format_help()\n"
        "print(sorted({'numpy', 'pandas', 'torch', 'mlflow', 'onnxruntime', 'sklearn', 'altair',"
        " 'aiosmtpd', 'openai', 'jinja2', 'tqdm'} & set(sys.modules)))\n"
    )

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)

    assert (done.stdout, done.stderr) == ("[]\n", "")


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_each_command_explains_itself(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    """`--help` of each command says what it does and exits with 0."""
    with pytest.raises(SystemExit, match="0"):
        main([command, "--help"])

    assert "usage: handoff-eval " + command in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["compare", "nowhere", *BUDGET], "nowhere"),
        (["compare", "x", "--min-recall", "0.8"], "missing: --max-emails-per-day"),
        (["compare", "x", *BUDGET, "--arms", "magic"], "got 'magic'"),
        (["compare", "x", *BUDGET, "--prevalence", "2"], "prevalence to lie between 0 and 1"),
        (["compare", "x", *BUDGET, "--max-llm-decisions", "3"], "at least 20; got 3"),
        (["compare", "x", *BUDGET, "--instruction", "none.txt"], "none.txt: can't be read"),
        (["compare", "x", "--handoff", "none.toml"], "none.toml: can't be read"),
        (["learning-curve", "x", *BUDGET, "--arms", "keyword"], "got 'keyword'"),
        (["learning-curve", "x", *BUDGET, "--seeds", "0"], "--seeds to be at least 1; got 0"),
        (["decide", "nowhere"], "nowhere: expected a folder with bundle.json"),
    ],
)
def test_a_users_mistake_is_a_sentence_and_2(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing on stdout, `error: ...` on stderr, exit code 2, no traceback."""
    code = main(arguments)

    out, err = capsys.readouterr()
    assert (code, out) == (2, "")
    assert err.startswith("error: ")
    assert message in err
    assert "Traceback" not in err


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    point = OperatingPoint("keyword", 0.5, Split.TUNE, None, "")
    return write_bundle(
        KeywordTrigger(default_rules()), point, handoff="s", instruction="i", to=tmp_path / "b"
    )


def _feed(monkeypatch: pytest.MonkeyPatch, lines: list[str]) -> None:
    stream = io.TextIOWrapper(io.BytesIO("\n".join(lines).encode()))
    monkeypatch.setattr(sys, "stdin", stream)


LINE = '{"id": "1", "turns": [{"role": "customer", "text": "I want to speak to a human"}]}'


def test_decide_prints_one_decision_a_line(
    bundle: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Transcripts in, JSON decisions out, in order."""
    _feed(monkeypatch, [LINE, LINE.replace('"1"', '"2"').replace("human", "cat")])

    code = main(["decide", str(bundle)])

    decisions = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert code == 0
    assert [(d["conversation_id"], d["fired"]) for d in decisions] == [("1", True), ("2", False)]


def test_decide_keeps_the_good_lines_and_counts_the_bad(
    bundle: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A refused line is told and counted, the others are decided, and the exit code is 2."""
    _feed(monkeypatch, ["{", LINE])

    code = main(["decide", str(bundle)])

    out, err = capsys.readouterr()
    assert code == 2
    assert len(out.splitlines()) == 1
    assert "1 lines refused, 1 conversations decided" in err


def test_decide_asks_each_handoff_once(
    bundle: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Bundles of two handoffs decide side by side; two of one handoff are refused."""
    other = write_bundle(
        train_classifier(TRAINING, HashingEncoder(32), name="hashing"),
        OperatingPoint("hashing", 0.5, Split.TUNE, None, ""),
        handoff="tech",
        instruction="i",
        to=tmp_path / "other",
    )
    _feed(monkeypatch, [LINE])

    assert main(["decide", str(bundle), str(other)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [json.loads(line)["handoff"] for line in lines] == ["s", "tech"]
    assert main(["decide", str(bundle), str(bundle)]) == 2
    assert "different handoffs" in capsys.readouterr().err


def test_a_learning_curve_is_printed_and_drawn(
    tmp_path: Path, dataset: Dataset, capsys: pytest.CaptureFixture[str]
) -> None:
    """The command answers on stdout, as JSON where asked, and writes the picture."""
    folder = tmp_path / "parcels"
    folder.mkdir()
    write_conversations(dataset.conversations, folder / "transcripts.jsonl")
    write_labels(dataset.labels, folder / "labels.jsonl")
    (folder / "README.md").write_text("parcels\n")
    plot = tmp_path / "made" / "curve.png"
    arguments = [str(folder), *BUDGET, "--prevalence", "0.05", "--arms", "tfidf", "--seeds", "1"]

    assert main(["learning-curve", *arguments, "--plot", str(plot)]) == 0
    assert "tfidf reaches an average precision of" in capsys.readouterr().out
    assert plot.read_bytes().startswith(b"\x89PNG")
    assert main(["learning-curve", *arguments, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["points"][-1]["conversations"] == 48
    assert found["prompt"] is None
