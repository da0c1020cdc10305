"""The widget's side in the kernel; its side in the browser is tested there."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from handoff_eval.errors import MissingExtraError, SettingsError
from handoff_eval.transcripts.read import read_dataset
from handoff_eval.transcripts.write import write_dataset
from handoff_eval.workbench.labeler import Labeler
from tests.builders import talk


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Make a dataset of two conversations."""
    write_dataset(tmp_path, conversations=[talk("C: a", id="c-0"), talk("C: b", id="c-1")])
    return tmp_path


def send(labeler: Labeler, action: str, **content: Any) -> dict[str, Any]:
    """Do what the browser's message does, and return the view it gets back."""
    labeler._handle_custom_msg({"action": action, "request": "r-7", **content}, [])
    return dict(labeler.view)


def test_each_message_is_answered_with_a_view(folder: Path) -> None:
    """The view names the request it answers, which is how the browser knows of the saving."""
    labeler = Labeler(str(folder), annotator="ana")
    first = labeler.view["conversation"]["id"]
    view = send(labeler, "answer", conversation_id=first, handoff=False)

    assert (view["reply_to"], view["done"]) == ("r-7", 1)
    assert [label.conversation_id for label in read_dataset(folder).labels] == [first]
    assert send(labeler, "back")["conversation"]["id"] == first
    assert send(labeler, "leave")["conversation"]["id"] != first
    assert send(labeler, "dance")["done"] == 1


def test_every_reason_is_on_the_screen(folder: Path) -> None:
    """Each comes with its code, a name and the words of when it holds."""
    reasons = Labeler(folder, annotator="ana").reasons

    assert len(reasons) == 6
    assert all(reason["code"] and reason["name"] and reason["when"] for reason in reasons)


def test_without_a_kernel_the_progress_is_shown(folder: Path) -> None:
    """A saved notebook says how far the annotator is, and no place in memory."""
    data, _ = Labeler(folder, annotator="ana")._repr_mimebundle_()

    assert "Labelling as ana: 0 of 2 conversations answered." in data["text/html"]
    assert data["text/plain"] in data["text/html"]


def test_a_split_is_named_as_in_the_data(folder: Path) -> None:
    """A misspelt split is told with the ones there are."""
    with pytest.raises(SettingsError, match="one of train, tune, test; got 'tets'"):
        Labeler(folder, annotator="ana", split="tets")


def test_without_the_workbench_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where anywidget is missing, the sentence says what to install."""
    for name in ("labeler", "screen"):
        monkeypatch.delitem(sys.modules, f"handoff_eval.workbench.{name}")
    monkeypatch.setitem(sys.modules, "anywidget", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'handoff-eval\[bench\]'"):
        import_module("handoff_eval.workbench.labeler")
