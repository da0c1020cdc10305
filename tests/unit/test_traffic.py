"""Unlabelled traffic: read from a folder or a file, apart from what is learnt on and reported."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from handoff_eval.conversation import Split
from handoff_eval.errors import DataError
from handoff_eval.evaluation.traffic import Traffic, read_traffic, score_traffic
from handoff_eval.transcripts.read import Dataset
from handoff_eval.triggers.keyword import KeywordTrigger, default_rules
from tests.builders import talk


def line(name: str, **more: object) -> str:
    document = {"id": name, "turns": [{"role": "customer", "text": "a person please"}], **more}
    return json.dumps(document) + "\n"


def test_a_file_of_transcripts_is_traffic(tmp_path: Path) -> None:
    """Good lines are kept, the others counted, and the digest is that of the content."""
    path = tmp_path / "week.jsonl"
    path.write_text(line("a") + "{}\n" + line("b"))

    traffic = read_traffic(path)

    assert [c.id for c in traffic.conversations] == ["a", "b"]
    assert (traffic.name, traffic.refused) == ("week.jsonl", 1)
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "transcripts.jsonl").write_text(line("a") + line("b"))
    assert read_traffic(tmp_path / "folder").digest == traffic.digest


def test_nothing_usable_and_twins_are_refused(tmp_path: Path) -> None:
    """An empty file is no traffic, and a conversation counts once."""
    path = tmp_path / "week.jsonl"
    path.write_text("{}\n")
    with pytest.raises(DataError, match="none of 1 lines"):
        read_traffic(path)
    path.write_text(line("a") + line("a"))
    with pytest.raises(DataError, match="an id comes twice"):
        read_traffic(path)


def test_traffic_shares_nothing_with_train_and_test(dataset: Dataset) -> None:
    """A conversation of tune may be there; one of test would choose what it judges."""
    of = {split: next(c for c in dataset.conversations if c.split is split) for split in Split}

    Traffic("t", "0", (of[Split.TUNE],)).check_apart(dataset)
    with pytest.raises(DataError, match="1 conversations are in both"):
        Traffic("t", "0", (of[Split.TEST],)).check_apart(dataset)


def test_an_emailed_conversation_fires_at_every_threshold() -> None:
    """Its transcript may end at the fire, so what it would have scored later is unknown."""
    quiet = talk("C: thanks", id="a")
    traffic = Traffic("t", "0", (quiet, replace(quiet, id="b", metadata={"emailed": True})))

    scored = score_traffic(KeywordTrigger(default_rules()), traffic)

    assert np.isfinite(scored.peak).tolist() == [True, False]
