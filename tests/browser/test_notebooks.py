"""Each notebook opened in JupyterLab and run there, as a reader would."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat
import pytest

from tests.browser.conftest import Lab, write_settings
from tests.browser.test_labeler import wait_until_idle
from tests.notebook_runs import code_cells

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser

NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))
FASTER: dict[str, dict[str, Any]] = {
    "01_quickstart": {"ARMS": ["keyword", "tfidf"]},
    "03_write_an_instruction": {"CANDIDATES": 5},
    "04_compare_the_arms": {"ARMS": ["keyword", "tfidf"], "SEEDS": 1},
    "06_review_the_volume": {"ARM": "tfidf"},
}
"""Parameters that leave the work out that the notebook tier has done once."""

VIEW = "application/vnd.jupyter.widget-view+json"
SECONDS = 240


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_jupyterlab_runs_it(path: Path, lab: Lab, browser: Browser) -> None:
    """Every cell runs without an error; every picture and every widget is on the page."""
    from papermill.iorw import load_notebook_node
    from papermill.parameterize import parameterize_notebook

    # Only what is in sight is drawn otherwise.
    write_settings(lab.settings, "tracker", {"windowingMode": "none"}, extension="notebook")
    chosen = parameterize_notebook(load_notebook_node(str(path)), FASTER.get(path.stem, {}))
    for cell in code_cells(chosen):
        cell.outputs = []
    nbformat.write(chosen, lab.folder / path.name)
    page = browser.new_page(viewport={"width": 1440, "height": 900})
    broken: list[str] = []
    page.on("pageerror", lambda error: broken.append(str(error)))
    page.goto(lab.address(path.name), timeout=60_000)
    wait_until_idle(page)

    run_all(page)
    ran = saved_once_run(page, lab.folder / path.name)

    outputs = [output for cell in code_cells(ran) for output in cell.outputs]
    shown = [output.get("data", {}) for output in outputs]
    assert not [output for output in outputs if output.output_type == "error"]
    pictures = sum("image/png" in data and VIEW not in data for data in shown)
    drawn = page.locator(".jp-OutputArea-output.jp-RenderedImage img")
    assert drawn.count() == pictures
    assert all(drawn.evaluate_all("all => all.map(one => one.complete && one.naturalWidth > 200)"))
    widgets = page.locator(".jp-OutputArea-output .jupyter-widgets, .jp-OutputArea-output .hel")
    assert widgets.count() >= sum(VIEW in data for data in shown)
    assert not broken
    page.close()


def run_all(page: Page) -> None:
    """Choose Run All Cells from the menu."""
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_role("menuitem", name="Run All Cells", exact=True).click()


def saved_once_run(page: Page, path: Path) -> Any:
    """Return the notebook as it is saved once its last cell has run, or one of them has failed."""
    until = time.monotonic() + SECONDS
    while time.monotonic() < until:
        page.wait_for_timeout(1000)
        page.keyboard.press("Control+s")
        page.wait_for_timeout(500)
        notebook = nbformat.read(path, as_version=4)
        cells = code_cells(notebook)
        failed = [o for c in cells for o in c.outputs if o.output_type == "error"]
        if failed or all(cell.execution_count for cell in cells):
            assert failed or [cell.execution_count for cell in cells] == [*range(1, 1 + len(cells))]
            return notebook
    return pytest.fail(f"{path.name} was not done after {SECONDS} seconds")
