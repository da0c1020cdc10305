"""What a bundle takes where it runs: size, time to load and memory, in a process of its own.

python -m handoff_eval.production.footprint BUNDLE
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from handoff_eval.errors import BundleError

_STATUS = Path("/proc/self/status")
_PROGRAM = (
    "import sys, time; begun = time.perf_counter();"
    "from handoff_eval.production.footprint import report;"
    "report(sys.argv[1], begun)"
)


@dataclass(frozen=True, slots=True)
class Footprint:
    """What one bundle took on one machine.

    Attributes
    ----------
    bytes_on_disk : int
        Of the policy and the files that it names.
    import_seconds : float
        From a started interpreter until the runtime is imported.
    load_seconds : float
        Then, until the bundle is read, with its digests and golden scores checked.
    memory_bytes : int
        Peak of the resident memory of that process, interpreter and packages included.
    machine : str
        What it was measured on.
    """

    bytes_on_disk: int
    import_seconds: float
    load_seconds: float
    memory_bytes: int
    machine: str


def measure_footprint(bundle: Path) -> Footprint:
    """Load a bundle once in a fresh process and return what that took.

    Raises
    ------
    BundleError
        When it can't be loaded there.
    """
    here = str(Path(__file__).resolve().parents[2])
    path = os.pathsep.join(filter(None, [here, os.environ.get("PYTHONPATH")]))
    done = subprocess.run(  # noqa: S603 - this interpreter, a fixed program
        [sys.executable, "-c", _PROGRAM, str(bundle)],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
    )
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise BundleError(f"{bundle}: expected it to load in a process of its own; {last}")
    return Footprint(**json.loads(done.stdout))


def report(bundle: str, begun: float) -> None:
    """Print the footprint of a bundle as JSON, imports counted from `begun`."""
    from handoff_eval.production.bundle import POLICY, read_bundle, read_policy

    imported = time.perf_counter()
    folder = Path(bundle)
    read_bundle(folder)
    loaded = time.perf_counter()
    files = [POLICY, *read_policy(folder)["files"]]
    found = Footprint(
        bytes_on_disk=sum((folder / name).stat().st_size for name in files),
        import_seconds=round(imported - begun, 3),
        load_seconds=round(loaded - imported, 3),
        memory_bytes=_peak_memory(),
        machine=f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, "
        f"Python {platform.python_version()}",
    )
    print(json.dumps(asdict(found), indent=2))


def _peak_memory() -> int:
    """Return the peak of this process's resident memory in bytes.

    Linux counts a child's peak in `getrusage` from its parent's, so its own status is read there.
    """
    if _STATUS.is_file():
        for line in _STATUS.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


if __name__ == "__main__":
    report(sys.argv[1], time.perf_counter())
