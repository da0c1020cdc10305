"""The documentation as a reader meets it: built, served, opened in a real browser."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = pytest.mark.browser

ROOT = Path(__file__).resolve().parents[2]


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Say nothing."""


@pytest.fixture(scope="module")
def site() -> Path:
    """Build the site and return its folder; a broken link fails the build."""
    zensical = Path(sys.executable).with_name("zensical")
    built = subprocess.run(
        [zensical, "build", "--clean", "--strict"], cwd=ROOT, capture_output=True, text=True
    )
    assert built.returncode == 0, built.stdout + built.stderr
    return ROOT / "out" / "site"


@pytest.fixture(scope="module")
def address(site: Path) -> Iterator[str]:
    """Serve the site on loopback."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(site))) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_no_page_asks_anyone_else(site: Path, address: str, browser: Browser) -> None:
    """Every page loads from its own server alone and without an error in the console."""
    pages = sorted(path.relative_to(site).as_posix() for path in site.rglob("*.html"))
    outside: list[str] = []
    errors: list[str] = []

    with browser.new_page() as page:
        page.on(
            "request",
            lambda request: (
                None
                if request.url.startswith((address, "data:", "blob:"))
                else outside.append(request.url)
            ),
        )
        page.on("console", lambda said: errors.append(said.text) if said.type == "error" else None)
        page.on("pageerror", lambda error: errors.append(str(error)))
        for name in pages:
            page.goto(f"{address}/{name}", wait_until="load")

    assert "index.html" in pages
    assert len(pages) > 10
    assert outside == []
    assert errors == []


@pytest.mark.parametrize("width", [380, 1400])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_start_page_reads_on_every_screen(
    address: str, browser: Browser, width: int, scheme: str
) -> None:
    """Nothing is wider than the window, and axe finds nothing serious in the text."""
    from axe_playwright_python.sync_playwright import Axe

    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    page.goto(f"{address}/index.html", wait_until="load")

    wider = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    found = Axe().run(page, context=".md-content").response["violations"]
    page.close()

    assert wider <= 0
    assert [v["id"] for v in found if v["impact"] in {"serious", "critical"}] == []
