"""Notebooks stay thin, clean and fresh: what is committed is what a new kernel makes."""

from __future__ import annotations

import ast
import re
import shutil
from pathlib import Path
from typing import Any

import nbformat
import pytest

from tests.notebook_runs import clean, code_cells, differences, run_notebook, shown

NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))
MAX_CODE_LINES = {"01_quickstart": 60}
MOST_CODE_LINES = 90
MAX_BYTES = 300_000
PRIVATE = re.compile(
    r"/(?:home|Users|root|tmp|work)/\w|C:\\\\Users|0x[0-9a-f]{6,}|\b[0-9a-f]{32}\b"
    r"|\d\d:\d\d:\d\d(?! \+0000)"  # the Date of an email that is shown is a given one
)
BULLETS = re.compile(r"^\* .*\d", re.MULTILINE)


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: path.stem)
def path(request: pytest.FixtureRequest) -> Path:
    return request.param


def test_there_are_notebooks() -> None:
    """An empty folder would pass every other test here."""
    assert [path.name[:2] for path in NOTEBOOKS] == [
        f"{n:02}" for n in range(1, 1 + len(NOTEBOOKS))
    ]
    assert len(NOTEBOOKS) >= 9


def test_thin(path: Path) -> None:
    """Few lines of code, no function or class, no shell, a small file."""
    sources = [cell.source for cell in code_cells(nbformat.read(path, as_version=4))]
    lines = [line for source in sources for line in source.splitlines() if line.strip()]
    nodes = [node for source in sources for node in ast.walk(ast.parse(source))]

    assert len(lines) < MAX_CODE_LINES.get(path.stem, MOST_CODE_LINES)
    assert not [n for n in nodes if isinstance(n, ast.FunctionDef | ast.ClassDef)]
    assert path.stat().st_size <= MAX_BYTES


def test_clean(path: Path) -> None:
    """No counts, no errors, no path, time or run of somebody's machine."""
    notebook = nbformat.read(path, as_version=4)

    assert notebook == clean(notebook)
    for cell in code_cells(notebook):
        assert not {"error", "stderr", "stdout"} & {kind for kind, _ in shown(cell)}
        assert not PRIVATE.search(" ".join(text for _, text in shown(cell)))


def test_a_question_is_asked_and_answered(path: Path) -> None:
    """It opens with a question, ends with three computed sentences, and asserts what they say."""
    notebook = nbformat.read(path, as_version=4)
    *_, learned, claims = code_cells(notebook)
    said = dict(shown(learned)).get("text/markdown", "")

    assert re.fullmatch(r"# [^\n]*\?", notebook.cells[0].source.partition("\n")[0])
    assert len(BULLETS.findall(said)) == 3
    assert learned.source.count("{") >= 6, "the numbers are computed, not typed"
    assert claims.source.startswith(("assert ", "from ", "import "))
    assert claims.source.count("assert ") >= 3


def test_parameters_are_plain_values(path: Path) -> None:
    """One tagged cell, read by papermill, in which the user names a dataset of their own."""
    cells = code_cells(nbformat.read(path, as_version=4))
    (tagged,) = [cell for cell in cells if "parameters" in cell.metadata.get("tags", ())]
    values = {
        node.targets[0].id: ast.literal_eval(node.value)  # type: ignore[attr-defined]
        for node in ast.parse(tagged.source).body
        if isinstance(node, ast.Assign)
    }

    assert tagged is cells[0]
    assert values["DATASET"] == "datasets/support_handoff"


@pytest.mark.notebook
def test_fresh(
    path: Path, tmp_path: Path, mlflow_schema: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Run in a new kernel, every cell shows what is committed, up to the last digits."""
    shutil.copy(mlflow_schema, tmp_path / "mlflow.db")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")

    fresh = run_notebook(path, folder=tmp_path)

    assert not differences(nbformat.read(path, as_version=4), clean(fresh))


def cell(*outputs: dict[str, Any]) -> Any:
    """Return a cell that shows these."""
    return nbformat.v4.new_code_cell(
        "x", outputs=[nbformat.v4.new_output("display_data", data) for data in outputs]
    )


@pytest.mark.parametrize(
    ("before", "after", "same"),
    [
        ("recall 0.48 [0.36, 0.60]", "recall 0.49 [0.36, 0.61]", True),
        ("recall 0.48 [0.36, 0.60]", "recall 0.58 [0.36, 0.60]", False),
        ("1,442 decisions", "1,443 decisions", True),
        ("1,442 decisions", "1,542 decisions", False),
        ("3 missed", "4 missed", False),
        ("3 missed", "3 needless", False),
        ("a   9.9", "a  10.0", True),
        ("no number", "no number", True),
        ("2 and 3", "2", False),
    ],
)
def test_only_last_digits_may_differ(before: str, after: str, same: bool) -> None:
    """Words must be equal and numbers within two percent, or one in the second decimal."""
    notebooks = [
        nbformat.v4.new_notebook(cells=[cell({"text/plain": text})]) for text in (before, after)
    ]

    assert (differences(*notebooks) == []) is same


def test_a_lost_picture_is_a_difference() -> None:
    """A picture is compared by being there."""
    drawn, lost = cell({"image/png": "AAAA", "text/plain": "a"}), cell({"text/plain": "a"})
    notebooks = [nbformat.v4.new_notebook(cells=[one]) for one in (drawn, lost)]

    assert len(differences(*notebooks)) == 1
