"""Write the team lead's page: what was emailed, what of it was needless, who waits, what to do.

  handoff-eval volume handoff_eval.db --handoff handoff.toml --reviews reviews --to volume.html
  handoff-eval volume decisions.jsonl --transcripts my_conversations --handoff handoff.toml

DECISIONS are a service's state, or the lines of 'decide' or 'score' with the transcripts that were
decided. The page is one HTML file that loads nothing.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from handoff_eval.cli.logs import add_log_options, moment

if TYPE_CHECKING:
    from datetime import datetime
    from zoneinfo import ZoneInfo

    from handoff_eval.cli.logs import Log
    from handoff_eval.mail.entries import OutboxEntry
    from handoff_eval.production.drift.watch import Watch


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `volume`."""
    add_log_options(parser)
    parser.add_argument(
        "--outbox",
        metavar="FILE|URL",
        help="what became of the emails (default: a service's state has it)",
    )
    parser.add_argument(
        "--bundle", type=Path, metavar="BUNDLE", help="what decides, whose promise is watched"
    )
    parser.add_argument(
        "--known",
        type=Path,
        metavar="DATASET",
        help="a plain sample of what came in when it was certified, to find new topics against",
    )
    parser.add_argument(
        "--days", type=int, default=28, metavar="N", help="finished days (default: %(default)s)"
    )
    parser.add_argument("--now", type=moment, metavar="TIME", help="default: the present")
    parser.add_argument(
        "--to",
        type=Path,
        default=Path("volume.html"),
        metavar="FILE",
        help="the page (default: %(default)s)",
    )
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")


def run(arguments: argparse.Namespace) -> int:
    """Write the page and say what it says."""
    from datetime import UTC, datetime

    from handoff_eval.cli.logs import audit_of, read_arguments
    from handoff_eval.cli.progress import say
    from handoff_eval.encoders.minilm import cached_minilm
    from handoff_eval.errors import SettingsError
    from handoff_eval.mail.dispatch import zone_of
    from handoff_eval.production.volume.advice import sentences, this_week, title
    from handoff_eval.production.volume.figures import count_volume
    from handoff_eval.production.volume.page import render_volume

    if arguments.days < 1:
        raise SettingsError(f"Expected --days to be at least 1; got {arguments.days}.")
    log = read_arguments(arguments)
    now, zone = arguments.now or datetime.now(UTC), zone_of(log.handoff)
    say(f"{len(log.rows)} decisions; grouping the emails by topic")
    volume = count_volume(
        log.logged,
        handoff=log.handoff,
        zone=zone,
        now=now,
        days=arguments.days,
        labels=log.reviews.of_record(),
        answered=log.reviews.answered(),
        entries=_entries(arguments, log),
        encoder=cached_minilm(),
    )
    audit, watched = audit_of(log), _watch(arguments, log, zone, now)
    page = render_volume(
        volume, handoff=log.handoff, zone=zone, now=now, audit=audit, watch=watched
    )
    try:
        arguments.to.write_text(page, encoding="utf-8")
    except OSError as error:
        raise SettingsError(f"{arguments.to}: can't be written ({error.strerror}).") from None
    budget = log.handoff.budget
    said = [title(volume, budget), *sentences(volume, budget, audit, watched)]
    actions = this_week(volume, budget, audit, watched, now=now)
    if arguments.json:
        document = {
            "handoff": log.handoff.name,
            **volume.to_dict(),
            "sentences": said,
            "this_week": actions,
            "audit": audit and audit.to_dict(),
            "watch": watched and watched.to_dict(),
            "page": str(arguments.to),
        }
        print(json.dumps(document, indent=2))
    else:
        print("\n".join([*said, "", "This week:", *(f"* {action}" for action in actions)]))
        print(f"\nThe page is {arguments.to}.")
    return 0


def _entries(arguments: argparse.Namespace, log: Log) -> list[OutboxEntry] | None:
    from handoff_eval.errors import SettingsError
    from handoff_eval.mail.outbox import is_postgres, open_outbox
    from handoff_eval.production.drift.log import is_sqlite

    where = arguments.outbox
    if where is None:
        state = is_postgres(arguments.log) or is_sqlite(Path(arguments.log))
        if not state:
            return None
        where = arguments.log
    if not is_postgres(where) and not Path(where).is_file():
        raise SettingsError(f"Expected an outbox at {where}; there is no such file.")
    outbox = open_outbox(where)
    try:
        return [entry for entry in outbox.entries() if entry.handoff == log.handoff.name]
    finally:
        outbox.close()


def _watch(arguments: argparse.Namespace, log: Log, zone: ZoneInfo, now: datetime) -> Watch | None:
    from handoff_eval.cli.drift import promise_of, watch_log
    from handoff_eval.production.bundle import read_bundle

    if arguments.bundle is None and log.handoff.budget is None:
        return None
    bundle = None if arguments.bundle is None else read_bundle(arguments.bundle)
    promise = promise_of(bundle, log.handoff)
    return watch_log(log.logged, promise, zone=zone, now=now, known=arguments.known)
