"""The container and compose files, as far as they can be tried where no image can be built."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from handoff_eval.cli.main import build_parser
from handoff_eval.triggers.keyword import KeywordTrigger, default_rules
from tests.containers import Build, Stage, read_stages
from tests.services import ROOT, TOKEN, write_service

IMAGES = {"service", "mlflow", "mail"}
SIZE_LIMIT = 350 * 2**20


@pytest.fixture(scope="module")
def stages() -> dict[str, Stage]:
    return read_stages(ROOT / "Containerfile")


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    return yaml.safe_load((ROOT / "compose.yaml").read_text())


def test_images_are_pinned_and_not_root(stages: dict[str, Stage]) -> None:
    """Each image comes of a pinned base, runs as a number that isn't root, and tells its health."""
    for name in IMAGES:
        base = stages[stages[name].base]
        assert re.fullmatch(r"python:3\.\d+-slim-\w+", base.base)
        assert base.last("USER") == "10001:10001"
        assert stages[name].last("USER") is None
        assert stages[name].last("HEALTHCHECK")
    assert all("ADD" not in dict(stage.steps) for stage in stages.values()), "fetches addresses"
    lines = [words for s in stages.values() for kind, words in s.steps if kind == "RUN"]
    assert all("pip install" in line or "-m venv" in line or "install -d" in line for line in lines)
    assert all(" -c constraints.txt " in line for line in lines if "pip install" in line)


def test_only_what_is_built_enters_the_context(stages: dict[str, Stage]) -> None:
    """The ignore file lets in what COPY names and nothing else, so no data and no secret."""
    kept = {line[1:] for line in (ROOT / ".dockerignore").read_text().split() if line[0] == "!"}

    copied = {word.removeprefix("./") for kind, words in stages["build"].steps if kind == "COPY"
              for word in words.split()[:-1]}  # fmt: skip
    assert kept == copied
    assert (ROOT / ".dockerignore").read_text().startswith("*\n")


def test_compose_holds_together(compose: dict[str, Any], stages: dict[str, Stage]) -> None:
    """Every service is pinned, checked and local; what it names is defined; its options parse."""
    services = compose["services"]
    assert set(services) == IMAGES | {"database"}
    for name, service in services.items():
        tag = service["image"].partition(":")[2]
        assert tag not in ("", "latest"), name
        assert service["healthcheck"]["test"][0] == "CMD"
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))
        assert set(service["networks"]) <= set(compose["networks"])
        assert set(service.get("secrets", [])) <= set(compose["secrets"])
        assert set(service.get("depends_on", {})) <= set(services)
        for volume in service["volumes"]:
            if isinstance(volume, str):
                assert volume.partition(":")[0] in compose["volumes"]
            else:
                assert (volume["type"], volume["read_only"]) == ("bind", True)
        if name in IMAGES:
            assert service["build"]["target"] in stages
            assert service["read_only"] is True
            assert service["cap_drop"] == ["ALL"]
            health = stages[name].last("HEALTHCHECK") or ""
            assert service["healthcheck"]["test"][1:] == json.loads(health.partition("CMD ")[2])
    assert services["database"]["networks"] == ["inside"]
    assert compose["networks"]["inside"]["internal"] is True
    arguments = build_parser().parse_args(["serve", *services["service"]["command"]])
    assert arguments.host == "0.0.0.0"
    assert str(arguments.token_file) == "/run/secrets/tokens"
    words = (ROOT / "compose.yaml").read_text()
    assert not re.search(r"://\w+:\w+@|PASSWORD: ", words), "a secret stands in the file"


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_commands_of_the_service_make_one_that_answers(
    stages: dict[str, Stage], tmp_path: Path
) -> None:
    """From a clean folder and a package index: it installs, starts, is well, decides, and stops."""
    context, build = tmp_path / "context", Build(stages, tmp_path / "context", tmp_path / "root")
    context.mkdir()
    for line in (ROOT / ".dockerignore").read_text().split():
        if line.startswith("!"):
            source = ROOT / line[1:]
            copy = shutil.copytree if source.is_dir() else shutil.copy
            copy(source, context / line[1:])
    build.root.mkdir()
    build.make("service")
    write_service(tmp_path, KeywordTrigger(default_rules()), 0.5)
    for name, place in (("bundle", ""), ("handoff.toml", "config"), ("tokens", "run/secrets")):
        (build.root / place).mkdir(parents=True, exist_ok=True)
        shutil.move(tmp_path / name, build.root / place / name)
    before = _files(build.root)

    with _running(build, "service", "--port", "0") as (process, log):
        port = json.loads(_wait_for(log, process, rb"\{.*\"listening\".*\}"))["port"]
        assert _well(build, "service", 8080, port)
        request = urllib.request.Request(
            f"http://127.0.0.1:{port}/v1/conversations/c/turns/0",
            data=json.dumps({"role": "customer", "text": "let me talk to a human"}).encode(),
            headers={"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"},
            method="PUT",
        )
        with urllib.request.urlopen(request, timeout=20) as answer:
            assert json.load(answer)["decisions"][0]["fires"] is True
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    written = _files(build.root) - before
    assert build.root / "state" / "handoff_eval.db" in written
    assert {path.relative_to(build.root).parts[0] for path in written} == {"state"}
    packages = {path.name for path in (build.root / "opt/service").glob("lib/*/site-packages/*")}
    assert not packages & {"torch", "pandas", "mlflow", "sklearn"}
    size = sum(path.stat().st_size for path in before if path.is_file() and not path.is_symlink())
    assert size < SIZE_LIMIT, f"{size / 2**20:.0f} MiB"


@pytest.mark.slow
@pytest.mark.parametrize(("image", "port"), [("mail", 8025), ("mlflow", 5000)])
def test_the_other_images_run_what_is_installed_here(
    stages: dict[str, Stage], tmp_path: Path, image: str, port: int
) -> None:
    """Their commands start with the workbench's own packages, and their health checks agree."""
    build = Build(stages, ROOT, tmp_path)
    (tmp_path / "state").mkdir()
    build.folder = tmp_path / "state"
    build.environment["PYTHONPATH"] = str(ROOT)
    with _running(build, image) as (process, _log):
        stop = time.monotonic() + 120
        while not _well(build, image, port, port) and time.monotonic() < stop:
            assert process.poll() is None
            time.sleep(0.5)
        assert _well(build, image, port, port)


@contextmanager
def _running(
    build: Build, image: str, *more: str
) -> Iterator[tuple[subprocess.Popen[bytes], Path]]:
    log = build.root / "state" / f"{image}.log"
    with log.open("wb") as stream:
        process = subprocess.Popen(
            [*build.command(image), *more],
            cwd=build.folder,
            env={**os.environ, "PYTHONPATH": "", **build.environment},
            stdout=stream,
            stderr=stream,
            start_new_session=True,
        )
    try:
        yield process, log
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait(60)


def _wait_for(log: Path, process: subprocess.Popen[bytes], pattern: bytes) -> bytes:
    stop = time.monotonic() + 60
    while time.monotonic() < stop and process.poll() is None:
        if found := re.search(pattern, log.read_bytes()):
            return found[0]
        time.sleep(0.05)
    raise AssertionError(log.read_text())


def _well(build: Build, image: str, stated: int, port: int) -> bool:
    program, *words = build.health(image)
    assert program == "python3"
    words = [word.replace(f":{stated}/", f":{port}/") for word in words]
    return subprocess.run([sys.executable, *words], capture_output=True).returncode == 0


def _files(folder: Path) -> set[Path]:
    return {path for path in folder.rglob("*") if not path.is_dir()}
