"""Our measures inside a real `mlflow.genai.evaluate`, offline."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from handoff_eval.conversation import LabeledConversation
from handoff_eval.decision import Decision
from handoff_eval.summaries.structured import StructuredSummarizer
from handoff_eval.tracking.scorers import decision_rows, summary_rows
from tests.builders import labeled, talk

ITEMS = [
    labeled(
        talk("C: hello", "A: hi", "C: call me", id=f"c-{i}"),
        handoff=i < 3,
        at=2 if i < 3 else None,
    )
    for i in range(5)
]


def decided(item: LabeledConversation, *, fired: bool, closed: bool = False) -> Decision:
    return Decision(
        conversation_id=item.conversation.id,
        handoff="support",
        fired=fired,
        turns=3,
        closed=closed,
        score=0.9 if fired else 0.1,
        threshold=0.5,
    )


DECISIONS = [
    decided(ITEMS[0], fired=True),
    decided(ITEMS[1], fired=True, closed=True),
    decided(ITEMS[2], fired=False, closed=True),
    decided(ITEMS[3], fired=True),
    decided(ITEMS[4], fired=False, closed=True),
]
"""Caught on time, caught late at the close, missed, needless, rightly silent."""

SCRIPT = """
import json, sys
import mlflow
from handoff_eval.tracking.scorers import decision_scorers, summary_scorers
from handoff_eval.transcripts.read import read_dataset

rows = json.load(open(sys.argv[1]))
decisions = mlflow.genai.evaluate(data=rows["decisions"], scorers=decision_scorers())
scorers = summary_scorers(read_dataset(sys.argv[2]))
summaries = mlflow.genai.evaluate(data=rows["summaries"], scorers=scorers)
print(json.dumps({
    "metrics": {**decisions.metrics, **summaries.metrics},
    "words": sorted(decisions.result_df["handoff_right/rationale"]),
    "faults": [w for w in summaries.result_df["summary_flawless/rationale"] if "wrong" not in w],
}))
"""


def test_rows_say_when_a_handoff_is_due() -> None:
    """The due decision point of a positive, and nothing of the kind for a negative."""
    rows = decision_rows(ITEMS, DECISIONS)

    assert rows[0]["expectations"] == {"handoff": True, "due_turns": 3, "due_closed": False}
    assert rows[3]["expectations"] == {"handoff": False}
    assert rows[1]["outputs"] == {"fired": True, "turns": 3, "closed": True, "score": 0.9}


@pytest.mark.medium
def test_mlflow_evaluates_with_our_scorers(tmp_path: Path, mlflow_schema: Path) -> None:
    """Means and verdicts are those of the rows, and a summary that invents is told so."""
    from handoff_eval.transcripts.write import write_dataset

    write_dataset(
        tmp_path / "data",
        conversations=[item.conversation for item in ITEMS],
        labels=[item.label for item in ITEMS],
    )
    summaries = summary_rows(ITEMS[:2], StructuredSummarizer())
    summaries[1]["outputs"]["statements"].append(
        {"text": "The customer was charged £4,417.", "turn": None, "speaker": None}
    )
    rows = {"decisions": decision_rows(ITEMS, DECISIONS), "summaries": summaries}
    (tmp_path / "rows.json").write_text(json.dumps(rows), encoding="utf-8")
    store = tmp_path / "mlflow.db"
    store.write_bytes(mlflow_schema.read_bytes())

    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(tmp_path / "rows.json"), str(tmp_path / "data")],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={
            **os.environ,
            "MLFLOW_TRACKING_URI": f"sqlite:///{store}",
            "MLFLOW_DISABLE_TELEMETRY": "true",
            "PYTHONPATH": str(Path(__file__).parents[2]),
        },
        check=False,
    )

    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    # Right: 3 of 5. On time: 1 of the 3 needed.
    assert found["metrics"]["handoff_right/mean"] == pytest.approx(0.6)
    assert found["metrics"]["handoff_on_time/mean"] == pytest.approx(1 / 3)
    assert found["metrics"]["summary_flawless/mean"] == 0.5
    assert found["words"] == [
        "caught", "caught", "missed handoff", "needless email", "rightly silent",
    ]  # fmt: skip
    assert found["faults"] == ["invented '4,417'; unsupported 'The customer was charged £4,417.'"]
