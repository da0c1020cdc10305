"""Decide conversations over HTTP, turn by turn, and send the emails.

State, decision log and outbox are one database, so that a decision and its email are stored at
once or not at all. `/openapi.json` describes the routes; docs/service.md says what they promise.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING

from handoff_eval.cli.outbox import SMTP_VARIABLE

if TYPE_CHECKING:
    from handoff_eval.handoff import Handoff
    from handoff_eval.production.service.engine import Lane

TOKEN_VARIABLE = "HANDOFF_EVAL_TOKEN"  # noqa: S105 - a name
STATE_VARIABLE = "HANDOFF_EVAL_STATE"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `serve`."""
    parser.add_argument(
        "bundles", type=Path, nargs="+", metavar="BUNDLE", help="bundle folder, one a handoff"
    )
    parser.add_argument(
        "--handoff", type=Path, required=True, metavar="FILE", help="TOML file of the handoffs"
    )
    parser.add_argument("--host", default="127.0.0.1", help="default: %(default)s")
    parser.add_argument("--port", type=int, default=8080, help="default: %(default)s")
    parser.add_argument(
        "--state",
        default=os.environ.get(STATE_VARIABLE, "handoff_eval.db"),
        metavar="FILE|URL",
        help="an SQLite file, or postgresql://user:password@host/database "
        f"(default: the environment's {STATE_VARIABLE}, else handoff_eval.db)",
    )
    parser.add_argument(
        "--token-file",
        type=Path,
        metavar="FILE",
        help=f"bearer tokens, one a line (default: the one in {TOKEN_VARIABLE}; on loopback none)",
    )
    parser.add_argument(
        "--smtp",
        metavar="URL",
        help="send the emails there: smtp://user:password@host:587?starttls=1 "
        f"(default: the environment's {SMTP_VARIABLE}; without it 'outbox flush' sends)",
    )
    parser.add_argument(
        "--idle-minutes",
        type=float,
        default=10.0,
        metavar="M",
        help="close a conversation after so long without a turn (default: %(default)s)",
    )
    parser.add_argument(
        "--keep-days",
        type=float,
        default=30.0,
        metavar="D",
        help="remove what was said so long after the close (default: %(default)s)",
    )
    parser.add_argument(
        "--max-body", type=int, default=512 * 1024, metavar="BYTES", help="default: %(default)s"
    )
    parser.add_argument(
        "--log-text", action="store_true", help="write what was said into the log (default: ids)"
    )


def run(arguments: argparse.Namespace) -> int:
    """Serve until asked to stop."""
    import logging
    import sys

    from handoff_eval.errors import MissingExtraError
    from handoff_eval.handoff import read_handoffs

    try:
        from handoff_eval.production.service.observe import log_to
        from handoff_eval.production.service.server import ServiceSettings, serve
    except ModuleNotFoundError as error:
        raise MissingExtraError(
            f"Expected {error.name}, which the service needs, to be installed; it is not. "
            "Run: pip install 'handoff-eval[service]'"
        ) from None
    from handoff_eval.mail.delivery import SmtpSettings

    smtp = arguments.smtp or os.environ.get(SMTP_VARIABLE)
    settings = ServiceSettings(
        host=arguments.host,
        port=arguments.port,
        state=arguments.state,
        tokens=_tokens(arguments.token_file),
        smtp=SmtpSettings.from_url(smtp) if smtp else None,
        idle_seconds=arguments.idle_minutes * 60,
        keep_days=arguments.keep_days,
        max_body=arguments.max_body,
        log_text=arguments.log_text,
    )
    lanes = open_lanes(arguments.bundles, read_handoffs(arguments.handoff))
    log_to(logging.StreamHandler(sys.stderr))
    serve(lanes, settings)
    return 0


def open_lanes(paths: list[Path], handoffs: tuple[Handoff, ...]) -> list[Lane]:
    """Return each bundle with the handoff it serves.

    Raises
    ------
    SettingsError
        When two bundles serve the same handoff, or one serves none of these.
    """
    from handoff_eval.errors import SettingsError
    from handoff_eval.production.bundle import read_bundle
    from handoff_eval.production.decider import Decider
    from handoff_eval.production.service.engine import Lane

    by_name = {handoff.name: handoff for handoff in handoffs}
    lanes: dict[str, Lane] = {}
    for path in paths:
        bundle = read_bundle(path)
        if bundle.handoff not in by_name or bundle.handoff in lanes:
            raise SettingsError(
                f"Expected one bundle for some of the handoffs {', '.join(map(repr, by_name))}; "
                f"{path} is for {bundle.handoff!r}"
                + (", as another one is." if bundle.handoff in lanes else ".")
            )
        handoff = by_name[bundle.handoff]
        lanes[bundle.handoff] = Lane(Decider(bundle), handoff, bundle.digest[:16])
    return list(lanes.values())


def _tokens(path: Path | None) -> tuple[str, ...]:
    from handoff_eval.errors import SettingsError

    if path is None:
        return tuple(filter(None, [os.environ.get(TOKEN_VARIABLE)]))
    try:
        tokens = tuple(path.read_text(encoding="utf-8").split())
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: expected tokens, one a line; {error}.") from None
    short = [token for token in tokens if len(token) < 16]
    if not tokens or short:
        raise SettingsError(
            f"{path}: expected tokens of at least 16 characters, one a line; got "
            f"{'a shorter one' if short else 'none'}."
        )
    return tokens
