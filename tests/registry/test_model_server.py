"""MLflow's own server on a registered trigger answers as the bundle does."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from handoff_eval.cli.main import main
from handoff_eval.conversation import Conversation
from handoff_eval.production.bundle import read_bundle
from handoff_eval.production.decide import decide
from handoff_eval.tracking.store import Store
from tests.builders import talk
from tests.registry.conftest import Project

TALKS = [
    talk("C: let me talk to a person", "A: why?", "C: a person!", id="1"),
    talk("C: do you ship to Malta?", "A: yes", "C: perfect 😀", id="2"),
]


def _post(port: int, body: object) -> Any:
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/invocations",
        data=json.dumps(body).encode(),
        headers={"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.loads(answer.read())


def _wait(server: subprocess.Popen[bytes], port: int) -> None:
    stop = time.monotonic() + 120
    while time.monotonic() < stop and server.poll() is None:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/ping", timeout=2):
                return
        except OSError:
            time.sleep(0.3)
    raise AssertionError("The server didn't come up.")


def _row(conversation: Conversation) -> dict[str, Any]:
    turns = [{"role": turn.role.value, "text": turn.text} for turn in conversation.turns]
    return {"id": conversation.id, "turns": turns}


@pytest.mark.slow
def test_mlflow_serves_what_the_bundle_decides(
    project: Project, mlflow_copy: Store, tmp_path: Path
) -> None:
    """`mlflow models serve` on the champion gives each decision to the last field."""
    accepted = ["--arm", "static", "--accept-uncertified", "Read by hand."]
    assert main(["promote", project[0], *accepted]) == 0
    uri = "models:/handoff-trigger.support@champion"
    assert main(["export", uri, "--to", str(tmp_path / "champion")]) == 0
    bundle = read_bundle(tmp_path / "champion")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "mlflow", "models", "serve", "-m", uri]
    command += ["--env-manager", "local", "--host", "127.0.0.1", "--port", str(port)]
    server = subprocess.Popen(
        command,
        env={
            **os.environ,
            "PYTHONPATH": str(Path.cwd()),
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "MLFLOW_TRACKING_URI": mlflow_copy.uri,
            "MLFLOW_REGISTRY_URI": mlflow_copy.uri,
            "MLFLOW_DISABLE_TELEMETRY": "true",
        },
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        _wait(server, port)
        answer = _post(port, {"dataframe_records": [_row(c) for c in TALKS]})
        with pytest.raises(urllib.error.HTTPError, match="400") as refused:
            _post(port, {"dataframe_records": [{"id": "1", "turns": [{"role": "robot"}]}]})
        refused.value.close()
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait(timeout=30)

    expected = decide(bundle.trigger, bundle.point, TALKS, handoff=bundle.handoff)
    assert answer == {"predictions": [decision.to_dict() for decision in expected]}
