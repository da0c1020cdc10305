"""Export a trigger: write it, read it back, prove that it decides the same, put it in place."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from handoff_eval.conversation import Conversation
from handoff_eval.errors import BundleError
from handoff_eval.evaluation.operating_point import OperatingPoint
from handoff_eval.evaluation.replay import Replay
from handoff_eval.production.bundle import POLICY, Bundle, read_bundle, write_bundle
from handoff_eval.production.parity import Parity, check_parity
from handoff_eval.trigger import Trigger


def export_bundle(
    trigger: Trigger,
    point: OperatingPoint,
    *,
    handoff: str,
    instruction: str,
    conversations: Sequence[Conversation],
    measured: Replay,
    to: Path,
) -> tuple[Bundle, Parity]:
    """Write a bundle that is shown to decide as measured; else leave what was there as it was.

    Parameters
    ----------
    trigger : Trigger
    point : OperatingPoint
    handoff, instruction : str
        Name and condition of the handoff it serves.
    conversations : sequence of Conversation
        The whole evaluation set.
    measured : Replay
        The trigger's scores there.
    to : Path
        The folder; a bundle that is there is replaced.

    Raises
    ------
    ParityError
        When a score moved by more than 1e-5 or any decision changed.
    BundleError
        When the trigger can't be exported, or the folder can't be written or holds something else.
    """
    to = to.resolve()
    if to.exists() and not (to / POLICY).is_file():
        raise BundleError(f"Expected {to} to be free or to hold a bundle; it holds something else.")
    staged, former = (to.with_name(f".{to.name}.{mark}") for mark in ("unproved", "former"))
    try:
        _remove(staged, former)
        write_bundle(trigger, point, handoff=handoff, instruction=instruction, to=staged)
        parity = check_parity(read_bundle(staged), conversations, measured)
        if to.exists():
            to.replace(former)
        staged.replace(to)
        return read_bundle(to), parity
    except OSError as error:
        raise BundleError(f"{to}: can't be written ({error.strerror}).") from None
    finally:
        _remove(staged, former)


def _remove(*folders: Path) -> None:
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)
