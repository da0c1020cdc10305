"""A real Spark cluster on loopback: a master, and workers that start executors of their own."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parent.parent
_EXECUTOR = b"CoarseGrainedExecutorBackend"


def spark_environment() -> dict[str, str]:
    """Return the environment of whatever takes part in the cluster."""
    return {
        **os.environ,
        "SPARK_LOCAL_IP": "127.0.0.1",
        "PYSPARK_PYTHON": sys.executable,
        "PYTHONPATH": str(ROOT),
        "SPARK_NO_DAEMONIZE": "1",
    }


class SparkCluster:
    """A standalone master with workers of one core each, as separate processes.

    Parameters
    ----------
    folder : Path
        For logs and the workers' files.
    workers : int
    """

    def __init__(self, folder: Path, workers: int) -> None:
        import pyspark

        self._folder = folder
        self._command = str(Path(pyspark.__file__).parent / "bin" / "spark-class")
        self._home = str(Path(pyspark.__file__).parent)
        self._processes = [self._start("master", "master.Master", "--port", "0")]
        self.url = self._logged("master", r"spark://127\.0\.0\.1:\d+")
        for i in range(workers):
            self._processes.append(
                self._start(
                    f"worker{i}",
                    "worker.Worker",
                    *("--cores", "1", "--memory", "1g", "--work-dir", str(folder / f"work{i}")),
                    self.url,
                )
            )
        for i in range(workers):
            self._logged(f"worker{i}", "Successfully registered with master")

    def _start(self, name: str, role: str, *options: str) -> subprocess.Popen[bytes]:
        with (self._folder / f"{name}.log").open("wb") as log:
            return subprocess.Popen(
                [
                    *(self._command, f"org.apache.spark.deploy.{role}"),
                    *("--host", "127.0.0.1", "--webui-port", "0", *options),
                ],
                stdout=log,
                stderr=log,
                env={**spark_environment(), "SPARK_HOME": self._home},
            )

    def _logged(self, name: str, pattern: str) -> str:
        log = self._folder / f"{name}.log"
        stop = time.monotonic() + 120
        while time.monotonic() < stop:
            if found := re.search(pattern, log.read_text(errors="replace")):
                return found[0]
            time.sleep(0.1)
        raise AssertionError(log.read_text(errors="replace"))

    def executors(self) -> list[int]:
        """Return the process ids of this cluster's executors."""
        found = []
        for entry in Path("/proc").iterdir():
            if not entry.name.isdecimal():
                continue
            try:
                command = (entry / "cmdline").read_bytes()
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except (OSError, IndexError):
                continue
            if _EXECUTOR in command and parent in {process.pid for process in self._processes}:
                found.append(int(entry.name))
        return found

    def lost(self) -> list[str]:
        """Return what the master says of executors that died of SIGKILL."""
        logs = [path.read_text(errors="replace") for path in self._folder.glob("worker*.log")]
        return re.findall(rf"finished with state EXITED.*{128 + signal.SIGKILL}", "\n".join(logs))

    def stop(self) -> None:
        """End every process of the cluster."""
        for process in reversed(self._processes):
            process.terminate()
        for process in self._processes:
            process.wait(60)
