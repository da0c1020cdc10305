"""Progress on stderr, for anything that may take over two seconds."""

from __future__ import annotations

import sys
from typing import Any


class ProgressBars:
    """One bar a name, made at its first report; the last one is closed on exit.

    Parameters
    ----------
    unit : str
        What is counted.
    """

    def __init__(self, unit: str = "conv") -> None:
        self._unit = unit
        self._name: str | None = None
        self._bar: Any = None

    def __call__(self, name: str, done: int, total: int) -> None:
        """Show that `done` of `total` conversations of `name` are finished."""
        from tqdm import tqdm

        if name != self._name:
            self.close()
            self._name = name
            self._bar = tqdm(total=total, desc=name, unit=self._unit, file=sys.stderr, delay=0.5)
        self._bar.update(done - self._bar.n)
        if done == total:
            self.close()

    def close(self) -> None:
        """Finish the bar that is shown."""
        if self._bar is not None:
            self._bar.close()
        self._name = self._bar = None

    def __enter__(self) -> ProgressBars:
        return self

    def __exit__(self, *details: object) -> None:
        self.close()


def say(text: str) -> None:
    """Write one line of progress to stderr."""
    print(text, file=sys.stderr, flush=True)
