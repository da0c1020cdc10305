"""How often tune certified and test confirmed an instruction, so that each use pays its risk."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

from handoff_eval.conversation import Split
from handoff_eval.errors import SettingsError


class TriesLedger:
    """Counts the distinct instructions ever put on each dataset's tune and test splits.

    The k-th try is tested at 1 / (k (k + 1)) of the risk, of a certificate or of a difference. The
    shares are 1/k - 1/(k + 1), so any number of them adds up to less than 1, and by the union
    bound a certificate holds however often the tuning is run again, whatever was learnt from
    earlier results: the risk is spent, as by Lan and DeMets (Biometrika 70 (1983) 659-663).
    Dividing by k alone would not: 1 + 1/2 + 1/3 + … has no bound.

    Parameters
    ----------
    path : Path
        A JSON file; deleting it forgets the tries, and with them what a certificate means.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def divisor(self, dataset_digest: str, instruction: str, *, split: Split = Split.TUNE) -> int:
        """Return what the risk of this instruction's test is divided by, and remember the try.

        The same instruction again is the same try.

        Raises
        ------
        SettingsError
            When the ledger can't be read or written.
        """
        place = dataset_digest if split is Split.TUNE else f"{dataset_digest} {split.value}"
        key = hashlib.sha256(instruction.encode("utf-8", "surrogatepass")).hexdigest()
        try:
            tried = self._read()
            of_dataset = tried.setdefault(place, [])
            if key not in of_dataset:
                of_dataset.append(key)
                self._write(tried)
        except (OSError, ValueError, AttributeError) as error:
            raise SettingsError(
                f"Expected to count tries in {self._path}; got: {error}. "
                "Set HANDOFF_EVAL_CACHE to a folder that can be written."
            ) from None
        number = of_dataset.index(key) + 1
        return number * (number + 1)

    def _read(self) -> dict[str, list[str]]:
        if not self._path.exists():
            return {}
        document: dict[str, list[str]] = json.loads(self._path.read_text(encoding="utf-8"))
        return document

    def _write(self, tried: dict[str, list[str]]) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        partial = self._path.with_suffix(f".{os.getpid()}.partial")
        partial.write_text(json.dumps(tried), encoding="utf-8")
        partial.replace(self._path)
