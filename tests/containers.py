"""A container file read without a container engine, and its commands run below another root."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

_OURS = re.compile(r"(?<![\w.])/(src|opt|state|bundle|config|run)(?=[/\s\"':]|$)")


@dataclass
class Stage:
    """One stage: its base, its instructions in order, and what they set."""

    name: str
    base: str
    steps: list[tuple[str, str]] = field(default_factory=list)

    def last(self, kind: str) -> str | None:
        """Return the last instruction of a kind in this stage."""
        found = [words for name, words in self.steps if name == kind]
        return found[-1] if found else None


def read_stages(path: Path) -> dict[str, Stage]:
    """Return the stages of a container file by name, in order."""
    text = re.sub(r"^#.*\n", "", path.read_text(), flags=re.MULTILINE)
    stages: dict[str, Stage] = {}
    for line in re.sub(r"\\\n\s*", "", text).splitlines():
        if not line.strip():
            continue
        kind, _, words = line.partition(" ")
        if kind == "FROM":
            base, name = words.split(" AS ")
            stage = stages[name] = Stage(name, base)
        else:
            stage.steps.append((kind, words.strip()))
    return stages


class Build:
    """Runs the instructions of stages in a folder that stands for the container's root.

    All stages share the folder; what one copies from another is there already then.
    """

    def __init__(self, stages: dict[str, Stage], context: Path, root: Path) -> None:
        self._stages = stages
        self._context = context
        self.root = root
        self.environment = {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
        self.folder = root

    def place(self, words: str) -> str:
        """Return words with the container's own paths below the root."""
        return _OURS.sub(lambda match: f"{self.root}{match[0]}", words)

    def make(self, name: str) -> None:
        """Run a stage, after those that it stands on or copies from."""
        stage = self._stages[name]
        if stage.base in self._stages:
            self.make(stage.base)
        for kind, words in stage.steps:
            getattr(self, f"_{kind.lower()}", self._nothing)(words)

    def command(self, name: str) -> list[str]:
        """Return what a container of a stage runs."""
        stage = self._stages[name]
        words = [*json.loads(stage.last("ENTRYPOINT") or "[]")]
        return [self.place(word) for word in words + json.loads(stage.last("CMD") or "[]")]

    def health(self, name: str) -> list[str]:
        """Return the command that says whether a container is well."""
        check = self._stages[name].last("HEALTHCHECK") or ""
        return list(json.loads(check.partition("CMD ")[2]))

    def _nothing(self, words: str) -> None:
        """Leave out what only describes the image."""

    def _workdir(self, words: str) -> None:
        self.folder = Path(self.place(words))
        self.folder.mkdir(parents=True, exist_ok=True)

    def _env(self, words: str) -> None:
        for pair in shlex.split(words):
            name, _, value = pair.partition("=")
            value = value.replace("$PATH", self.environment["PATH"])
            self.environment[name] = self.place(value)

    def _copy(self, words: str) -> None:
        *sources, target = words.split()
        if sources[0].startswith("--from="):
            self.make(sources[0].removeprefix("--from="))
            assert sources[1:] == [target]
            assert Path(self.place(target)).exists()
            return
        for source in sources:
            if (self._context / source).is_dir():
                shutil.copytree(self._context / source, self.folder / target)
            else:
                shutil.copy(self._context / source, self.folder / target)

    def _run(self, words: str) -> None:
        if os.geteuid() != 0:
            words = re.sub(r" -[og] \d+", "", words)
        done = subprocess.run(
            ["sh", "-ec", self.place(words)],
            cwd=self.folder,
            env={**os.environ, **self.environment, "PYTHONPATH": ""},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stdout + done.stderr
