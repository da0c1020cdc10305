"""Each tutorial does what it says: its commands run in order, and what it quotes is printed."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
TUTORIALS = sorted((ROOT / "docs" / "tutorials").glob("*.md"))
BLOCK = re.compile(r"^```(text|)\n(.*?)^```", flags=re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("page", TUTORIALS, ids=lambda page: page.stem)
def test_a_tutorial_runs_as_written(page: Path, tmp_path: Path) -> None:
    """Every command succeeds, and every quoted line is in what was printed before it."""
    for name in ("datasets", "notebooks", "benchmarks"):
        (tmp_path / name).symlink_to(ROOT / name)
    environment = os.environ | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "MLFLOW_TRACKING_URI": f"sqlite:///{tmp_path / 'mlflow.db'}",
    }
    printed = tmp_path / "printed.txt"
    quoted = 0

    # One shell for all blocks, so that what a block starts in the background stays for the next.
    with (
        printed.open("wb") as out,
        subprocess.Popen(
            ["bash", "-euo", "pipefail"],
            cwd=tmp_path,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=out,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        ) as shell,
    ):
        assert shell.stdin is not None
        try:
            for number, (language, block) in enumerate(BLOCK.findall(page.read_text("utf-8"))):
                if language == "text":
                    said = _words(printed.read_text("utf-8"))
                    for line in block.splitlines():
                        assert _words(line) in said, f"not printed: {line}"
                        quoted += 1
                    continue
                done = tmp_path / f"done-{number}"
                shell.stdin.write(f"{block}\ntouch {done}\n")
                shell.stdin.flush()
                _wait_for(done, shell, printed)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(shell.pid, signal.SIGKILL)

    assert quoted > 0


def _wait_for(done: Path, shell: subprocess.Popen[str], printed: Path) -> None:
    while not done.exists():
        try:
            shell.wait(timeout=0.2)
        except subprocess.TimeoutExpired:
            continue
        assert done.exists(), printed.read_text("utf-8")[-2000:]


def _words(text: str) -> str:
    return " ".join(text.split())
