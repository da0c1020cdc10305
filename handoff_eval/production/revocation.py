"""That a bundle's promise no longer stands: a file beside it, so that nothing proved is rewritten.

The bundle goes on deciding as it was measured; who reads it is told that the promise has ended.
"""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path

from handoff_eval.errors import BundleError
from handoff_eval.evaluation.certificate import Revocation

REVOCATION = "revocation.json"
_MAX_BYTES = 1 << 16


def revoke(bundle: Path, *, reason: str, at: datetime) -> Revocation:
    """Write a revocation beside a bundle and return the one that counts: the first stays.

    Raises
    ------
    BundleError
        When it can't be written.
    """
    present = read_revocation(bundle)
    if present is not None:
        return present
    revocation = Revocation(reason, at)
    text = json.dumps({"reason": reason, "revoked_at": at.isoformat()}, ensure_ascii=False)
    unfinished = bundle / f".{REVOCATION}"
    try:
        unfinished.write_text(text + "\n", encoding="utf-8")
        unfinished.replace(bundle / REVOCATION)
    except OSError as error:
        raise BundleError(
            f"{bundle}: expected a folder where the revocation can be written; {error.strerror}."
        ) from None
    return revocation


def read_revocation(bundle: Path) -> Revocation | None:
    """Return the revocation beside a bundle; None while its promise stands.

    Raises
    ------
    BundleError
        When the file isn't what `revoke` writes.
    """
    file = bundle / REVOCATION
    try:
        with file.open("rb") as stream:
            values = json.loads(stream.read(_MAX_BYTES))
        revocation = Revocation(str(values["reason"]), datetime.fromisoformat(values["revoked_at"]))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BundleError(
            f"{file}: expected a reason and the time of a revocation; {type(error).__name__}. "
            "Don't use this bundle: export again."
        ) from None
    return revocation
