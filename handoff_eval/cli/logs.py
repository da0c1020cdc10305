"""What the commands over a decision log share: the log, its transcripts, reviews and audit."""

from __future__ import annotations

import argparse
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from handoff_eval.evaluation.audit.estimate import AuditEstimate
    from handoff_eval.evaluation.audit.plan import AuditPlan
    from handoff_eval.handoff import Handoff
    from handoff_eval.production.drift.log import LogRow
    from handoff_eval.production.feedback.logged import Logged
    from handoff_eval.production.feedback.reviews import Reviews


@dataclass(frozen=True, slots=True)
class Log:
    """A decision log as the options describe it; its rows carry what reviewers said."""

    logged: Logged
    handoff: Handoff
    reviews: Reviews
    plan: AuditPlan | None

    @property
    def rows(self) -> tuple[LogRow, ...]:
        """The rows, oldest first."""
        return self.logged.rows


def add_log_options(parser: argparse.ArgumentParser) -> None:
    """Add the log and what stands beside it."""
    parser.add_argument(
        "log",
        metavar="DECISIONS",
        help="state of 'serve' (SQLite file or PostgreSQL URL), or lines of 'decide' or 'score'",
    )
    add_beside_log(parser)
    parser.add_argument("--handoff", type=Path, metavar="FILE", help="TOML file of the handoff")
    parser.add_argument(
        "--handoff-name", metavar="NAME", help="which one, where file or log have several"
    )


def add_beside_log(parser: argparse.ArgumentParser) -> None:
    """Add the transcripts, the reviews and the audit of a log."""
    parser.add_argument(
        "--transcripts",
        type=Path,
        metavar="PATH",
        help="dataset folder or JSON lines of what was decided (default: a service's state has it)",
    )
    parser.add_argument(
        "--reviews", type=Path, metavar="FOLDER", help="what the team said ('handoff-eval review')"
    )
    parser.add_argument(
        "--audit", type=Path, metavar="PLAN", help="the draw of the unsent ('handoff-eval audit')"
    )


def read_arguments(arguments: argparse.Namespace) -> Log:
    """Return what `add_log_options` describes; refused lines are told on stderr.

    Raises
    ------
    DataError
        When something can't be read.
    SettingsError
        When the handoff file can't be used.
    """
    from handoff_eval.cli.options import handoff_from_file

    handoff = handoff_from_file(arguments.handoff, arguments.handoff_name)
    name = arguments.handoff_name if arguments.handoff is None else handoff.name
    logged, reviews, plan = read_beside(arguments, name)
    if arguments.handoff is None:
        handoff = replace(handoff, name=logged.rows[0].handoff)
    return Log(logged, handoff, reviews, plan)


def read_beside(
    arguments: argparse.Namespace, name: str | None
) -> tuple[Logged, Reviews, AuditPlan | None]:
    """Return the log of one handoff with what `add_beside_log` describes laid over it."""
    from handoff_eval.cli.progress import say
    from handoff_eval.evaluation.audit.plan import read_plan
    from handoff_eval.production.feedback.logged import read_logged
    from handoff_eval.production.feedback.reviews import read_reviews, with_reviews

    logged = read_logged(arguments.log, handoff=name, transcripts=arguments.transcripts)
    reviews = read_reviews(arguments.reviews)
    for refusal in reviews.refusals:
        say(str(refusal))
    plan = None if arguments.audit is None else read_plan(arguments.audit)
    rows = with_reviews(logged.rows, reviews.labels, plan)
    return replace(logged, rows=tuple(rows)), reviews, plan


def audit_of(log: Log) -> AuditEstimate | None:
    """Return what the audit estimates; None without a plan, or before each stratum was read."""
    from handoff_eval.cli.progress import say
    from handoff_eval.errors import DataError
    from handoff_eval.evaluation.audit.estimate import estimate_recall

    if log.plan is None:
        return None
    needed = {key: label.handoff for key, label in log.reviews.of_record().items()}
    try:
        return estimate_recall(log.plan, needed)
    except DataError as error:
        say(f"No estimate of what was missed yet. {error}")
        return None


def moment(text: str) -> datetime:
    """Return a time of the command line, in UTC where it names no zone."""
    at = datetime.fromisoformat(text)
    return at if at.tzinfo else at.replace(tzinfo=UTC)
