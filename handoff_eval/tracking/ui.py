"""MLflow's pages on this project's runs, on this machine only."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import sys
import time

from handoff_eval.errors import SettingsError
from handoff_eval.tracking.store import (
    VIEW,
    Store,
    experiment_id,
    locate_store,
    open_client,
    refusals_in_words,
)

HOST = "127.0.0.1"
_SECONDS_TO_START = 120


def serve(*, port: int) -> int:
    """Serve the pages until stopped, printing the address of the runs once they answer.

    Where `MLFLOW_TRACKING_URI` names a server that runs already, only the address is printed.

    Parameters
    ----------
    port : int
        On 127.0.0.1.

    Returns
    -------
    int
        The exit code of the server; 0 when it was stopped from here.

    Raises
    ------
    MissingExtraError
        When mlflow is not installed.
    SettingsError
        When the port is taken or the store can't be used.
    """
    store = locate_store()
    client = open_client(store)
    with refusals_in_words(store):
        experiment = experiment_id(client, store)
    if store.uri.startswith(("http://", "https://")):
        print(runs_url(store.uri, experiment))
        return 0
    _check_free(port)
    quiet = {
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "PYTHONWARNINGS": "ignore",
    }
    server = subprocess.Popen(server_command(store, port=port), env={**os.environ, **quiet})  # noqa: S603
    before = signal.signal(signal.SIGTERM, lambda *_: server.terminate())
    try:
        if _answers(server, port):
            print(f"{runs_url(f'http://{HOST}:{port}', experiment)}\nStop with Ctrl-C.", flush=True)
        return server.wait()
    except KeyboardInterrupt:
        server.terminate()
        server.wait()
        return 0
    finally:
        signal.signal(signal.SIGTERM, before)


def runs_url(base: str, experiment: str) -> str:
    """Return the address of an experiment's table of runs, with the columns that matter here.

    MLflow's own address of an experiment opens on an overview of traces, which is empty.
    """
    place = f"#/experiments/{experiment}/runs"
    return f"{base.rstrip('/')}/{place}?workflowType=machine_learning&viewStateShareKey={VIEW}"


def server_command(store: Store, *, port: int) -> list[str]:
    """Return the command that serves a store on loopback."""
    command = [sys.executable, "-m", "mlflow", "server", "--host", HOST, "--port", str(port)]
    command += ["--backend-store-uri", store.uri, "--registry-store-uri", store.uri]
    if store.artifacts is not None:
        command += ["--default-artifact-root", store.artifacts.as_uri()]
    return [*command, "--workers", "1", "--uvicorn-opts", "--log-level warning"]


def _check_free(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except (OSError, OverflowError) as error:
            raise SettingsError(
                f"Expected a free port on {HOST}; got {port} ({error}). Choose one with --port."
            ) from None


def _answers(server: subprocess.Popen[bytes], port: int) -> bool:
    """Return whether the server came up, within the time that a slow machine needs."""
    stop = time.monotonic() + _SECONDS_TO_START
    while server.poll() is None and time.monotonic() < stop:
        connection = http.client.HTTPConnection(HOST, port, timeout=2)
        try:
            connection.request("GET", "/health")
            if connection.getresponse().status == http.client.OK:
                return True
        except OSError:
            time.sleep(0.3)
        finally:
            connection.close()
    return False
