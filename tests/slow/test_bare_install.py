"""Installed alone in a clean environment it decides; what it needs is measured on the way.

python -m pytest tests/slow/test_bare_install.py -s
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BUNDLES = ROOT / "tests" / "data" / "bundles" / "format_1"
HEAVY = ["torch", "pandas", "mlflow", "sklearn", "scipy", "transformers"]
TALK = '{"id": "1", "turns": [{"role": "customer", "text": "I want to speak to a human"}]}'
PROGRAM = f"""
import importlib.util, json, sys, time
begun = time.perf_counter()
from handoff_eval.production.bundle import read_bundle
imported = time.perf_counter() - begun
from pathlib import Path
for path in sys.argv[1:]:
    read_bundle(Path(path))
heavy = [name for name in {HEAVY!r} if name in sys.modules or importlib.util.find_spec(name)]
print(json.dumps([round(imported, 3), heavy]))
"""

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


def _run(*command: object, feed: str | None = None) -> str:
    """Return what a command prints, outside the checkout and with nothing of ours on its path."""
    clean = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    done = subprocess.run(
        [str(part) for part in command],
        cwd="/",
        env=clean,
        input=feed,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel of a copy of the sources."""
    source = tmp_path_factory.mktemp("source")
    shutil.copytree(
        ROOT / "handoff_eval",
        source / "handoff_eval",
        ignore=shutil.ignore_patterns("__pycache__"),
    )
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    to = tmp_path_factory.mktemp("wheel")
    _run(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", source, "-w", to)
    (built,) = to.glob("*.whl")
    return built


def _install(wheel: Path, folder: Path, extra: str) -> tuple[Path, int]:
    """Return the Python of a new environment with the wheel, and the bytes that came with it."""
    _run(sys.executable, "-m", "venv", folder)
    (packages,) = (folder / "lib").glob("python*/site-packages")
    before = _bytes(packages)
    python = folder / "bin" / "python"
    pip = [python, "-m", "pip", "install", "--quiet", "--no-compile"]
    _run(*pip, "-c", ROOT / "constraints.txt", f"{wheel}{extra}")
    return python, _bytes(packages) - before


def _bytes(folder: Path) -> int:
    return sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("extra", ["", "[service]"])
def test_installed_alone_it_decides(
    wheel: Path, tmp_path: Path, extra: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """From PyPI into an empty environment: golden bundles, `decide`, and nothing heavy with it."""
    python, added = _install(wheel, tmp_path / "env", extra)
    bundles = [BUNDLES / name for name in ("keyword", "tfidf", "static", "similarity")]
    _run(python, "-c", PROGRAM, *bundles)
    seconds, heavy = json.loads(_run(python, "-c", PROGRAM, *bundles))
    printed = _run(python.parent / "handoff-eval", "decide", bundles[1], feed=TALK)
    packages = _run(python, "-m", "pip", "list", "--format=freeze").split()

    assert heavy == []
    assert json.loads(printed)["conversation_id"] == "1"
    if extra:
        # Its modules are there: options are read, and the lacking handoff file is the next word.
        assert "fastapi" in _run(
            python, "-c", "import handoff_eval.production.service.app as a; print(a.FastAPI)"
        )
    with capsys.disabled():
        print(
            f"\nhandoff-eval{extra}: {added / 1e6:.0f} MB in {len(packages) - 2} packages, "
            f"runtime imported in {seconds:.2f} s"
        )
