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


def fill(sheet: Path, needed: dict[str, str]) -> None:
    """Answer every conversation of a sheet: yes for these, with these reasons, else no."""
    with sheet.open(encoding="utf-8-sig", newline="") as stream:
        rows = list(csv.DictReader(stream))
    for row in rows:
        if row["turn"] == "0":
            reasons = needed.get(row["conversation_id"])
            row["handoff"], row["reasons"] = ("no", "") if reasons is None else ("yes", reasons)
    with sheet.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, rows[0])
        writer.writeheader()
        writer.writerows(rows)


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
    fill(sheet, {"c0": "other", "c1": "other"})

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


def test_a_refused_answer_is_never_taken_for_an_unread_one(
    traffic: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Misses that were marked without a reason would vanish, so nothing is estimated."""
    home = traffic.parent
    plan, sheet, written = home / "plan.json", home / "sheet.csv", home / "labels.jsonl"
    options = ["--reviews", "25", "--plan", str(plan), "--csv", str(sheet)]
    main(["audit", "plan", str(home / "decisions.jsonl"), str(traffic), *options])
    unsent = [row["conversation_id"] for row in read_rows(plan) if row["stratum"] != "sent"]
    command = ["audit", "estimate", str(plan), str(traffic)]
    capsys.readouterr()

    fill(sheet, {"c0": "other", unsent[0]: "", unsent[1]: ""})
    assert main([*command, "--csv", str(sheet), "--labels", str(written)]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("'reasons' must be one or more of") == 2
    assert "2 of them were refused, so nothing is estimated" in said.err
    assert not written.exists()

    fill(sheet, {"c0": "other", unsent[0]: "other", unsent[1]: "other"})
    assert main([*command, "--csv", str(sheet), "--labels", str(written)]) == 0
    assert "No miss was found" not in capsys.readouterr().out
    lines = [json.loads(line) for line in written.read_text().splitlines()]
    lines[0]["handoff"] = "maybe"
    (traffic / "labels.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert main(command) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("labels.jsonl:1") == 1
    assert "1 of them was refused, so nothing is estimated" in said.err


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
