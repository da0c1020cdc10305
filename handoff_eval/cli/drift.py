"""Say whether what was promised of a bundle still holds, from the log of its decisions.

Exits 0 while the promise holds, 1 when it is at risk and 3 when it has expired; the certificate
is then revoked by a file beside the bundle. docs/drift.md says what each test can and can't see.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from handoff_eval.cli.logs import add_beside_log, moment

if TYPE_CHECKING:
    from datetime import datetime
    from zoneinfo import ZoneInfo

    from handoff_eval.handoff import Handoff
    from handoff_eval.production.bundle import Bundle
    from handoff_eval.production.drift.watch import Promise, Watch
    from handoff_eval.production.feedback.logged import Logged

EXIT_CODES = {"holds": 0, "at risk": 1, "expired": 3}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `drift`."""
    parser.add_argument("bundle", type=Path, metavar="BUNDLE", help="folder of the bundle")
    parser.add_argument(
        "log",
        metavar="LOG",
        help="state of 'serve' (SQLite file or PostgreSQL URL), JSON lines of the same rows, or "
        "those of 'decide' or 'score' with --transcripts",
    )
    add_beside_log(parser)
    parser.add_argument(
        "--handoff",
        type=Path,
        metavar="FILE",
        help="TOML file: whom to email, whose days count, the budget where nothing is certified",
    )
    parser.add_argument(
        "--outbox", metavar="FILE|URL", help="queue an email about alarms there; needs --handoff"
    )
    parser.add_argument(
        "--audit-floor",
        type=float,
        metavar="P",
        help="smallest probability with which the audit draws (default: the smallest in the log)",
    )
    parser.add_argument(
        "--known",
        type=Path,
        metavar="DATASET",
        help="a plain sample of what came in when it was certified, to find new topics against",
    )
    parser.add_argument(
        "--now", type=moment, metavar="TIME", help="days before this one count (default: now)"
    )
    parser.add_argument("--picture", type=Path, metavar="FILE", help="write the picture as PNG")
    parser.add_argument("--mlflow", action="store_true", help="log the watch as a run")
    parser.add_argument(
        "--no-revoke", action="store_true", help="leave the certificate as it is, whatever is found"
    )
    parser.add_argument("--json", action="store_true", help="print the result as JSON")


def run(arguments: argparse.Namespace) -> int:
    """Look at the log; 1 when the promise is at risk, 3 when it has expired."""
    from datetime import UTC, datetime
    from zoneinfo import ZoneInfo

    from handoff_eval.cli.logs import read_beside
    from handoff_eval.errors import SettingsError
    from handoff_eval.mail.dispatch import zone_of
    from handoff_eval.production.bundle import read_bundle
    from handoff_eval.production.drift.watch import Verdict
    from handoff_eval.production.revocation import revoke

    if arguments.outbox and arguments.handoff is None:
        raise SettingsError("Expected --handoff, which says whom to email, beside --outbox.")
    if arguments.audit_floor is not None and not 0 < arguments.audit_floor <= 1:
        raise SettingsError(
            f"Expected --audit-floor above 0 and at most 1; got {arguments.audit_floor:g}."
        )
    bundle = read_bundle(arguments.bundle)
    handoff = _handoff(arguments.handoff, bundle)
    now = arguments.now or datetime.now(UTC)
    logged, _, _ = read_beside(arguments, bundle.handoff)
    seen = watch_log(
        logged,
        promise_of(bundle, handoff),
        zone=ZoneInfo("UTC") if handoff is None else zone_of(handoff),
        now=now,
        audit_floor=arguments.audit_floor,
        known=arguments.known,
    )
    certificate = bundle.point.certificate
    revoked = None if certificate is None else certificate.revoked
    if seen.verdict is Verdict.EXPIRED and certificate and not arguments.no_revoke:
        revoked = revoke(bundle.path, reason=seen.sentence(), at=now)
    document = {
        "bundle": str(bundle.path),
        "handoff": bundle.handoff,
        **seen.to_dict(),
        "revoked": revoked and revoked.to_dict(),
    }
    _tell(arguments, document, seen, of_run=bundle.source.get("run"))
    if arguments.outbox and handoff is not None:
        _email(arguments.outbox, handoff, seen, now)
    return 3 if revoked is not None else EXIT_CODES[seen.verdict.value]


def watch_log(
    logged: Logged,
    promise: Promise,
    *,
    zone: ZoneInfo,
    now: datetime,
    audit_floor: float | None = None,
    known: Path | None = None,
) -> Watch:
    """Return every test over a log with its trends; new topics where `known` is a dataset."""
    from handoff_eval.cli.progress import say
    from handoff_eval.production.drift.trends import find_trends
    from handoff_eval.production.drift.watch import watch

    try:
        trends = find_trends(logged.rows, logged.conversations, zone=zone)
    except ModuleNotFoundError as error:
        say(f"nothing is shown week by week: {error.name} is not installed (handoff-eval[bench])")
        trends = ()

    more = []
    if known is not None:
        from handoff_eval.encoders.minilm import cached_minilm
        from handoff_eval.errors import DataError
        from handoff_eval.production.drift.novelty import know, novelty_test
        from handoff_eval.transcripts.read import read_dataset

        encoder = cached_minilm()
        try:
            held = know(read_dataset(known).conversations, encoder)
        except ValueError as error:
            raise DataError(f"{known}: {error}") from None
        today = now.astimezone(zone).date()
        more = [
            novelty_test(logged.rows, logged.conversations, held, encoder, zone=zone, today=today)
        ]
    return watch(
        logged.rows,
        promise,
        zone=zone,
        now=now,
        audit_floor=audit_floor,
        more=more,
        trends=trends,
    )


def promise_of(bundle: Bundle | None, handoff: Handoff | None) -> Promise:
    """Return what the bundle's certificate promises, or where there is none what the budget asks.

    Raises
    ------
    SettingsError
        When there is neither.
    """
    from handoff_eval.errors import SettingsError
    from handoff_eval.production.drift.watch import Promise

    certificate = None if bundle is None else bundle.point.certificate
    if certificate is not None:
        return Promise(
            certificate.max_email_rate,
            certificate.recall.min_recall,
            certificate.volume.prevalence,
            "certificate",
        )
    budget = None if handoff is None else handoff.budget
    if budget is None:
        said = "" if bundle is None else f" {bundle.path} says: {bundle.point.note}"
        raise SettingsError(
            "Expected a bundle with a certificate, or --handoff with a budget to watch instead; "
            f"got neither.{said}"
        )
    return Promise(budget.email_rate, budget.min_recall, budget.prevalence, "budget")


def _tell(
    arguments: argparse.Namespace,
    document: dict[str, object],
    seen: Watch,
    *,
    of_run: str | None,
) -> None:
    if arguments.picture or arguments.mlflow:
        from handoff_eval.production.drift.picture import watch_plot

        picture = watch_plot(seen).png()
        if arguments.picture:
            arguments.picture.write_bytes(picture)
        if arguments.mlflow:
            from handoff_eval.cli.progress import say
            from handoff_eval.tracking.drift import log_drift

            document["mlflow_run"] = log_drift(document, picture=picture, of_run=of_run, say=say)
    if arguments.json:
        print(json.dumps(document, indent=2))
        return
    print(seen.sentence())
    for test in seen.tests:
        if test.evidence is None:
            print(f"  {test.name}: not available, {test.words}")
            continue
        state = f"ALARM on {test.alarm}" if test.alarm else "quiet"
        print(
            f"  {test.name}: {state}; {test.words}. Evidence {test.evidence.last:.2g} of "
            f"{test.evidence.limit:g} over n = {len(test.units)} ({test.evidence.meaning})."
        )
    for trend in seen.trends:
        print(f"  {trend.words}")
    if document["revoked"]:
        print(f"The certificate is revoked: see {arguments.bundle / 'revocation.json'}.")


def _handoff(path: Path | None, bundle: Bundle) -> Handoff | None:
    from handoff_eval.cli.options import handoff_from_file

    return None if path is None else handoff_from_file(path, bundle.handoff)


def _email(where: str, handoff: Handoff, seen: Watch, now: datetime) -> None:
    from handoff_eval.mail.outbox import open_outbox
    from handoff_eval.production.drift.alarm import queue_alarm

    outbox = open_outbox(where)
    try:
        queue_alarm(outbox, handoff, seen, at=now)
    finally:
        outbox.close()
