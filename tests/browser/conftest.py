"""JupyterLab on loopback and a real Chromium to open it with."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser

START_SECONDS = 90
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
]


@dataclass(frozen=True)
class Lab:
    """A running JupyterLab: its address, a folder of one test in it, where its settings lie."""

    url: str
    token: str
    folder: Path
    settings: Path

    def address(self, notebook: str) -> str:
        """Return where a notebook of the folder opens in a workspace of its own."""
        place = f"{self.url}/lab/workspaces/w/tree/{self.folder.name}/{notebook}"
        return f"{place}?token={self.token}&reset"

    def write(self, notebook: str, *sources: str) -> None:
        """Write a notebook of these code cells into the folder."""
        cells = [
            {
                "cell_type": "code",
                "id": f"cell-{number}",
                "metadata": {},
                "outputs": [],
                "execution_count": None,
                "source": source,
            }
            for number, source in enumerate(sources)
        ]
        kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
        document = {
            "nbformat": 4,
            "nbformat_minor": 5,
            "metadata": {"kernelspec": kernel},
            "cells": cells,
        }
        (self.folder / notebook).write_text(json.dumps(document), encoding="utf-8")

    def quiet(self) -> None:
        """Set the light theme, and no offer of news, which takes the keys."""
        write_settings(
            self.settings, "notification", {"fetchNews": "false", "checkForUpdates": False}
        )
        self.use_theme("JupyterLab Light")

    def use_theme(self, name: str) -> None:
        """Set the theme that the next page is shown in."""
        write_settings(self.settings, "themes", {"theme": name})


def write_settings(
    folder: Path, plugin: str, values: dict[str, object], *, extension: str = "apputils"
) -> None:
    """Write what a user would set in JupyterLab's settings editor."""
    path = folder / "@jupyterlab" / f"{extension}-extension" / f"{plugin}.jupyterlab-settings"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(values), encoding="utf-8")


@pytest.fixture(scope="session")
def chromium() -> str:
    """Path of a Chromium; without one the test is skipped, but never where CI is set."""
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    if found is None:
        reason = "no chromium found; install it, on Debian with: apt-get install chromium"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return found


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    """Start a browser, which keeps an event loop running until its module is done."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        yield opened
        opened.close()


@pytest.fixture
def lab(server: Lab, browser: Browser, tmp_path: Path) -> Iterator[Lab]:
    """Give a test a folder and settings of its own in the running JupyterLab."""
    folder = server.folder / tmp_path.name
    folder.mkdir()
    server.quiet()
    yield replace(server, folder=folder)
    for context in browser.contexts:
        context.close()
    for session in ask(server, "GET", "sessions"):
        ask(server, "DELETE", f"sessions/{session['id']}")


def ask(lab: Lab, method: str, what: str) -> Any:
    """Return what the server's own interface answers."""
    request = urllib.request.Request(f"{lab.url}/api/{what}?token={lab.token}", method=method)
    with urllib.request.urlopen(request, timeout=30) as response:
        content = response.read()
    return json.loads(content) if content else None


@pytest.fixture(scope="session")
def server(chromium: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """Run JupyterLab on a free port of loopback, sharing nothing with the user's own."""
    assert chromium, "without a browser there is no use in a server"
    tmp_path = tmp_path_factory.mktemp("lab")
    folder, settings = tmp_path / "notebooks", tmp_path / "settings"
    folder.mkdir()
    token = secrets.token_hex(16)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {
        **os.environ,
        "IPYTHONDIR": str(tmp_path / "ipython"),
        "JUPYTER_CONFIG_DIR": str(tmp_path / "config"),
        "JUPYTER_DATA_DIR": str(tmp_path / "data"),
        "JUPYTER_RUNTIME_DIR": str(tmp_path / "runtime"),
        "JUPYTERLAB_SETTINGS_DIR": str(settings),
        "JUPYTERLAB_WORKSPACES_DIR": str(tmp_path / "workspaces"),
        "MLFLOW_TRACKING_URI": f"sqlite:///{tmp_path}/mlflow.db",
    }
    options = [
        "--no-browser",
        "--allow-root",
        "--ServerApp.ip=127.0.0.1",
        f"--ServerApp.port={port}",
        "--ServerApp.port_retries=0",
        f"--ServerApp.root_dir={folder}",
        f"--IdentityProvider.token={token}",
        "--LabApp.expose_app_in_browser=True",
    ]
    log = tmp_path / "jupyter.log"
    with log.open("wb") as stream:
        process = subprocess.Popen(
            [sys.executable, "-m", "jupyterlab", *options],
            env=environment,
            stdout=stream,
            stderr=subprocess.STDOUT,
        )
    try:
        running = Lab(f"http://127.0.0.1:{port}", token, folder, settings)
        wait_until_up(running, process, log)
        yield running
    finally:
        process.terminate()
        process.wait(timeout=30)


def wait_until_up(lab: Lab, process: subprocess.Popen[bytes], log: Path) -> None:
    """Return once the server answers; fail with its log when it has ended or takes too long."""
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until and process.poll() is None:
        try:
            ask(lab, "GET", "status")
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(0.3)
        else:
            return
    pytest.fail(f"JupyterLab did not start:\n{log.read_text(errors='replace')[-3000:]}")
