"""Run a notebook as papermill does, clean it, and say which cells came out otherwise.

`python -m tests.notebook_runs notebooks/*.ipynb` runs each and keeps its outputs: what
`make notebooks` does after a change.
"""

from __future__ import annotations

import base64
import io
import math
import re
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import nbformat

TOLERANCE = 0.02
"""Relative; other processors and libraries change the last digits of what is trained."""
_NUMBER = re.compile(r"(?<![\w.])-?\d[\d,]*(?:\.\d+)?(?:e-?\d+)?")
_WIDGET = "application/vnd.jupyter.widget-view+json"


def run_notebook(
    path: Path, *, folder: Path, parameters: Mapping[str, Any] | None = None
) -> nbformat.NotebookNode:
    """Return the notebook as a new kernel runs it in a folder, with other parameters where given.

    Raises
    ------
    papermill.exceptions.PapermillExecutionError
        When a cell fails.
    """
    import papermill

    return papermill.execute_notebook(
        str(path),
        None,
        parameters=dict(parameters or {}),
        cwd=str(folder),
        kernel_name="python3",
        progress_bar=False,
        execution_timeout=600,
    )


def clean(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """Return it without counts, times and what a live kernel alone can show."""
    kept = nbformat.from_dict(notebook)
    kept.metadata = nbformat.from_dict(
        {
            "kernelspec": {
                "display_name": "Python 3",
                "language": "python",
                "name": "python3",
            },
            "language_info": {"name": "python"},
        }
    )
    kept.cells = [c for c in kept.cells if "injected-parameters" not in c.metadata.get("tags", ())]
    for cell in kept.cells:
        tags = cell.metadata.get("tags", [])
        cell.metadata = nbformat.from_dict({"tags": tags} if tags else {})
        if cell.cell_type != "code":
            continue
        cell.execution_count = None
        for output in cell.outputs:
            output.pop("execution_count", None)
            if output.output_type == "execute_result":
                output.execution_count = None
            data = output.get("data", {})
            data.pop(_WIDGET, None)
            if "image/png" in data:
                data["image/png"] = _smaller(data["image/png"])
    return kept


def _smaller(png: str) -> str:
    """Return the picture in 128 colours, which our charts don't use up."""
    from PIL import Image

    picture = Image.open(io.BytesIO(base64.b64decode(png)))
    if picture.mode == "P":
        return png
    out = io.BytesIO()
    picture.convert("RGB").quantize(128).save(out, "PNG", optimize=True)
    return base64.b64encode(out.getvalue()).decode()


def code_cells(notebook: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    """Return the cells that run."""
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def shown(cell: nbformat.NotebookNode) -> list[tuple[str, str]]:
    """Return kind and text of all a cell shows; of a picture that it is one."""
    found = []
    for output in cell.outputs:
        for kind, content in sorted(output.get("data", {}).items()):
            found.append((kind, "" if kind.startswith("image/") else str(content)))
        if "text" in output:
            found.append((output.name, output.text))
        if output.output_type == "error":
            found.append(("error", f"{output.ename}: {output.evalue}"))
    return [(kind, text) for kind, text in found if kind != _WIDGET]


def differences(
    before: nbformat.NotebookNode, after: nbformat.NotebookNode
) -> list[tuple[str, str, str]]:
    """Return the source, what was and what is now shown of each cell that came out otherwise."""
    pairs = zip(code_cells(before), code_cells(after), strict=True)
    return [
        (one.source, str(shown(one)), str(shown(other)))
        for one, other in pairs
        if not _alike(shown(one), shown(other))
    ]


def _alike(before: list[tuple[str, str]], after: list[tuple[str, str]]) -> bool:
    """Whether kinds and words are the same and the numbers within the tolerance."""
    if [kind for kind, _ in before] != [kind for kind, _ in after]:
        return False
    return all(_same_text(one, other) for (_, one), (_, other) in zip(before, after, strict=True))


def _same_text(one: str, other: str) -> bool:
    # A number that gets a digit more moves the columns of a table.
    words = (re.sub(r"[\s-]+", " ", _NUMBER.sub("#", text)) for text in (one, other))
    numbers = [[_value(n) for n in _NUMBER.findall(text)] for text in (one, other)]
    return len(set(words)) == 1 and all(
        math.isclose(a, b, rel_tol=TOLERANCE, abs_tol=1e-9) or _last_digit(a, b)
        for a, b in zip(*numbers, strict=True)
    )


def _last_digit(a: float, b: float) -> bool:
    """Whether two values between -1 and 1 differ by one in the second decimal."""
    return max(abs(a), abs(b)) <= 1 and abs(a - b) <= 0.0101


def _value(text: str) -> float:
    return float(text.replace(",", ""))


def main() -> None:
    """Run the notebooks named and write their fresh outputs into them."""
    for name in sys.argv[1:]:
        path = Path(name)
        with tempfile.TemporaryDirectory() as folder:
            fresh = clean(run_notebook(path, folder=Path(folder)))
        nbformat.write(fresh, path)
        print(path, f"{path.stat().st_size / 1000:.0f} KB")


if __name__ == "__main__":
    main()
