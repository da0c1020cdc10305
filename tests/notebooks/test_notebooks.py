"""Notebooks stay thin, clean and fresh: what is committed is what a new kernel makes."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

import nbformat
import pytest

NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))
MAX_CODE_LINES = {"01_quickstart": 60}
MAX_BYTES = 400_000
PRIVATE = re.compile(r"/(?:home|Users|root|tmp|work)/\w|C:\\\\Users|0x[0-9a-f]{6,}")


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: path.stem)
def path(request: pytest.FixtureRequest) -> Path:
    return request.param


def _code(notebook: Any) -> list[Any]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def _texts(cell: Any) -> list[str]:
    texts = []
    for output in cell.outputs:
        texts += [output.get("text", ""), *(output.get("data") or {}).get("text/plain", "").split()]
    return [text for text in texts if text]


def test_there_are_notebooks() -> None:
    """An empty folder would pass every other test here."""
    assert NOTEBOOKS


def test_thin(path: Path) -> None:
    """Few lines of code, no function or class, no shell, a small file."""
    notebook = nbformat.read(path, as_version=4)
    sources = [cell.source for cell in _code(notebook)]
    lines = [line for source in sources for line in source.splitlines() if line.strip()]
    nodes = [node for source in sources for node in ast.walk(ast.parse(source))]

    assert len(lines) <= MAX_CODE_LINES.get(path.stem, 90)
    assert not [n for n in nodes if isinstance(n, ast.FunctionDef | ast.ClassDef)]
    assert path.stat().st_size <= MAX_BYTES


def test_clean(path: Path) -> None:
    """A title first, asserts last, no counts, no errors, no paths of somebody's machine."""
    notebook = nbformat.read(path, as_version=4)
    cells = _code(notebook)

    assert notebook.cells[0].source.startswith("# ")
    assert "assert " in cells[-1].source
    assert set(notebook.metadata) <= {"kernelspec", "language_info"}
    for cell in cells:
        assert cell.execution_count is None
        assert not [o for o in cell.outputs if o.output_type in {"error", "stream"}]
        assert not PRIVATE.search(" ".join(_texts(cell)))


@pytest.mark.notebook
def test_fresh(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run in a new kernel, every cell gives the text that is committed."""
    from nbclient import NotebookClient

    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    committed = nbformat.read(path, as_version=4)
    fresh = nbformat.read(path, as_version=4)

    NotebookClient(fresh, timeout=600, resources={"metadata": {"path": str(tmp_path)}}).execute()

    for before, after in zip(_code(committed), _code(fresh), strict=True):
        assert _texts(after) == _texts(before), before.source
