"""Export a trigger: write it, read it back, prove that it decides the same, put it in place."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from handoff_eval.conversation import Conversation
from handoff_eval.errors import BundleError, DataError
from handoff_eval.evaluation.operating_point import OperatingPoint
from handoff_eval.evaluation.replay import Replay
from handoff_eval.production.bundle import (
    POLICY,
    Bundle,
    read_bundle,
    read_policy,
    write_bundle,
    write_policy,
)
from handoff_eval.production.card import write_card
from handoff_eval.production.draft import complete_draft
from handoff_eval.production.footprint import measure_footprint
from handoff_eval.production.parity import Parity, check_parity
from handoff_eval.production.revocation import revoke
from handoff_eval.tracking.bundles import BUNDLE, MEASURED, LoggedArm, revocation_of
from handoff_eval.tracking.registry import fetch_model
from handoff_eval.transcripts.read import read_dataset
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
    facts: Mapping[str, Any] | None = None,
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
    facts : mapping, optional
        What the card says of how it was measured, from `measured_facts`.

    Raises
    ------
    ParityError
        When a score moved by more than 1e-5 or any decision changed.
    BundleError
        When the trigger can't be exported, or the folder can't be written or holds something else.
    """
    with _staged(to) as staged:
        write_bundle(trigger, point, handoff=handoff, instruction=instruction, to=staged)
        parity = _prove(staged, conversations, measured, facts)
    return read_bundle(to.resolve()), parity


def export_run(
    arm: LoggedArm,
    to: Path,
    *,
    dataset: Path | None = None,
    say: Callable[[str], None] | None = None,
) -> tuple[Bundle, Parity]:
    """Write the bundle of an arm that was compared, shown again to decide as measured.

    Parameters
    ----------
    arm : LoggedArm
        From `tracking.bundles.find_arm`. Where its promise has been revoked, so is the bundle's.
    to : Path
        The folder; a bundle that is there is replaced.
    dataset : Path, optional
        Where the dataset lies now, if not where it was compared.
    say : callable, optional
        Told what takes long.

    Raises
    ------
    ParityError
        When a score moved by more than 1e-5 or any decision changed.
    DataError
        When the dataset is gone or isn't the one that was compared.
    BundleError
        When the encoder of this machine isn't the one that was compared, or the folder can't be
        written or holds something else.
    SettingsError
        When the encoder can't be made here, or the store can't be read.
    """
    data = read_dataset(dataset or arm.dataset)
    if data.digest != arm.dataset_digest:
        raise DataError(
            f"Expected {data.path} as it was compared, with digest {arm.dataset_digest[:12]}; it "
            f"has {data.digest[:12]}. It was changed since: compare again, or name a copy of the "
            "former one with --dataset."
        )
    by_id = {conversation.id: conversation for conversation in data.conversations}
    with _staged(to) as staged:
        fetched = staged.with_name(f"{staged.name}.fetched")
        try:
            fetched.mkdir()
            measured = arm.scores()
            arm.fetch(fetched)
            facts = json.loads((fetched / MEASURED).read_text(encoding="utf-8"))
            (fetched / BUNDLE).replace(staged)
        finally:
            _remove(fetched)
        complete_draft(staged)
        source = {
            "run": arm.run_id,
            "instruction_version": arm.instruction,
            "dataset_digest": arm.dataset_digest,
        }
        write_policy({**read_policy(staged), "source": source}, staged)
        if arm.revoked is not None:
            revoke(staged, reason=arm.revoked.reason, at=arm.revoked.revoked_at)
        if say is not None:
            say(f"scoring {len(measured.ids)} conversations with the bundle")
        parity = _prove(staged, [by_id[name] for name in measured.ids], measured, facts)
    return read_bundle(to.resolve()), parity


def export_registered(uri: str, to: Path) -> Bundle:
    """Write the bundle of a registered version, the same to the last bit, and check it.

    Parameters
    ----------
    uri : str
        `models:/NAME@champion` or `models:/NAME/3`.
    to : Path
        The folder; a bundle that is there is replaced.

    Raises
    ------
    SettingsError
        When there is no such version.
    BundleError
        When it was damaged, this machine computes otherwise, or the folder can't be written or
        holds something else.
    """
    with _staged(to) as staged, tempfile.TemporaryDirectory() as folder:
        shutil.copytree(fetch_model(uri, Path(folder)), staged)
        revoked = revocation_of(read_bundle(staged).source.get("run", ""))
        if revoked is not None:
            revoke(staged, reason=revoked.reason, at=revoked.revoked_at)
    return read_bundle(to.resolve())


def _prove(
    staged: Path,
    conversations: Sequence[Conversation],
    measured: Replay,
    facts: Mapping[str, Any] | None,
) -> Parity:
    """Show that a written bundle decides as measured, and write its card."""
    bundle = read_bundle(staged)
    parity = check_parity(bundle, conversations, measured)
    write_card(bundle, parity, measure_footprint(staged), facts, at=datetime.now(UTC))
    return parity


@contextmanager
def _staged(to: Path) -> Iterator[Path]:
    """Give a folder beside `to` that takes its place when the block ends well."""
    to = to.resolve()
    if to.exists() and not (to / POLICY).is_file():
        raise BundleError(f"Expected {to} to be free or to hold a bundle; it holds something else.")
    staged, former = (to.with_name(f".{to.name}.{mark}") for mark in ("unproved", "former"))
    try:
        _remove(staged, former)
        to.parent.mkdir(parents=True, exist_ok=True)
        yield staged
        if to.exists():
            to.replace(former)
        staged.replace(to)
    except OSError as error:
        raise BundleError(f"{to}: can't be written ({error.strerror}).") from None
    finally:
        _remove(staged, former)


def _remove(*folders: Path) -> None:
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)
