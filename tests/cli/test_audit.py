"""`handoff-eval audit`: from a log of decisions to recall, through a sheet in between."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from handoff_eval.cli.main import main
from handoff_eval.transcripts.write import write_conversations
from tests.builders import talk


@pytest.fixture
def traffic(tmp_path: Path) -> Path:
    """Return a folder with 60 transcripts and their decisions, the first ten sent."""
    folder = tmp_path / "traffic"
    folder.mkdir()
    write_conversations(
        [talk(f"C: question {i}", "A: answer", id=f"c{i}") for i in range(60)],
        folder / "transcripts.jsonl",
    )
    (tmp_path / "decisions.jsonl").write_text(
        "".join(
            json.dumps({"conversation_id": f"c{i}", "fired": i < 10, "score": 1 - i / 100}) + "\n"
            for i in range(60)
        )
    )
    return folder


def read_rows(plan: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(plan.read_text())["rows"]
    return rows


def test_plan_and_estimate(traffic: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The sheet shows no score or stratum; its answers give recall and weighted labels."""
    home = traffic.parent
    plan, sheet = home / "plan.json", home / "sheet.csv"
    options = ["--reviews", "25", "--plan", str(plan), "--csv", str(sheet)]

    assert main(["audit", "plan", str(home / "decisions.jsonl"), str(traffic), *options]) == 0
    assert "35 conversations to review, 25 of them not sent" in capsys.readouterr().out
    with sheet.open(encoding="utf-8-sig", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert set(rows[0]) == {
        "conversation_id", "turn", "speaker", "text", "handoff", "reasons", "note",
    }  # fmt: skip
    shown = list(dict.fromkeys(row["conversation_id"] for row in rows))
    assert shown != sorted(shown, key=lambda name: int(name[1:]))
    for row in rows:
        if row["turn"] == "0":
            needed = row["conversation_id"] in {"c0", "c1"}
            row["handoff"], row["reasons"] = ("yes", "other") if needed else ("no", "")
    with sheet.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, rows[0])
        writer.writeheader()
        writer.writerows(rows)

    command = ["audit", "estimate", str(plan), str(traffic), "--csv", str(sheet)]
    assert main([*command, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["caught"]["value"] == 2
    assert found["recall"]["value"] == 1
    assert found["recall"]["low"] < 0.5
    written = home / "labels.jsonl"
    page = home / "audit.html"
    assert main([*command, "--labels", str(written), "--report", str(page)]) == 0
    assert "<h1>Recall 100%" in page.read_text(encoding="utf-8")
    assert "No miss was found" in capsys.readouterr().out
    chances = {row["conversation_id"]: row["probability"] for row in read_rows(plan)}
    labels = [json.loads(line) for line in written.read_text().splitlines()]
    assert {x["conversation_id"]: x["sampling_probability"] for x in labels} == chances


def test_width_says_how_many_reviews(traffic: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With a wanted width the number of reviews is worked out and said."""
    home = traffic.parent
    options = ["--width", "0.9", "--plan", str(home / "p.json"), "--csv", str(home / "s.csv")]

    assert main(["audit", "plan", str(home / "decisions.jsonl"), str(traffic), *options]) == 0
    assert "reviews of unsent conversations give an interval" in capsys.readouterr().out


def test_a_plan_is_never_written_over(traffic: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An existing plan is kept, since its probabilities can't be made again from the sheet."""
    home = traffic.parent
    (home / "plan.json").write_text("kept")
    options = ["--reviews", "25", "--plan", str(home / "plan.json"), "--csv", str(home / "s.csv")]

    assert main(["audit", "plan", str(home / "decisions.jsonl"), str(traffic), *options]) == 2
    assert "Choose a name that is free" in capsys.readouterr().err
    assert (home / "plan.json").read_text() == "kept"


def test_missing_transcripts_are_told(traffic: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A drawn conversation without a transcript can't be reviewed."""
    home = traffic.parent
    log = home / "decisions.jsonl"
    log.write_text(log.read_text().replace('id": "c', 'id": "d'))
    options = ["--reviews", "25", "--plan", str(home / "plan.json"), "--csv", str(home / "s.csv")]

    assert main(["audit", "plan", str(log), str(traffic), *options]) == 2
    assert "35 are not there, such as 'd" in capsys.readouterr().err
