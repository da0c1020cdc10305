"""Play transcripts as live traffic into a mailbox and report what the team would have received.

Trigger, summary, routing by hours, cap, digest and outbox are the real ones; the clock is that of
the conversations. Without --bundle the keyword rules decide, at a threshold chosen on tune. Where
a dataset has splits only its test split is played, since a threshold chosen on tune flatters it.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from handoff_eval.conversation import Conversation
    from handoff_eval.evaluation.operating_point import OperatingPoint
    from handoff_eval.handoff import Handoff
    from handoff_eval.mail.entries import OutboxEntry
    from handoff_eval.mail.traffic import Day, Fire
    from handoff_eval.transcripts.read import Dataset
    from handoff_eval.trigger import Trigger

DEFAULT_START = datetime(2026, 1, 5, tzinfo=UTC)
DEFAULT_PER_DAY = 200.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `replay`."""
    parser.add_argument("dataset", type=Path, metavar="DATASET", help="dataset folder")
    parser.add_argument(
        "--handoff", type=Path, metavar="FILE", help="default: the dataset's handoff.toml"
    )
    parser.add_argument("--handoff-name", metavar="NAME", help="which one, of several in the file")
    parser.add_argument("--bundle", type=Path, metavar="BUNDLE", help="exported trigger to play")
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--smtp", metavar="HOST:PORT|URL", help="send there")
    where.add_argument(
        "--mailbox", action="store_true", help="keep the emails in OUT/mailbox (the default)"
    )
    parser.add_argument(
        "--out", type=Path, default=Path("out/replay"), metavar="DIR", help="default: %(default)s"
    )
    parser.add_argument(
        "--speed",
        type=_speed,
        default=float("inf"),
        metavar="X|max",
        help="how many times as fast as it was (default: max)",
    )
    parser.add_argument(
        "--split", choices=["train", "tune", "test", "all"], help="default: test, else all"
    )
    parser.add_argument(
        "--start",
        type=_moment,
        default=DEFAULT_START,
        metavar="DATE",
        help="first day of conversations that have no time (default: 2026-01-05)",
    )
    parser.add_argument(
        "--live-refuses",
        action="store_true",
        help="play a help desk that takes nothing (the real one is never called)",
    )
    parser.add_argument("--json", action="store_true", help="print the days as JSON")


def run(arguments: argparse.Namespace) -> int:
    """Play the conversations; 1 when something stayed undelivered."""
    from handoff_eval.cli.comparing import read_usable
    from handoff_eval.cli.options import handoff_from_file
    from handoff_eval.mail.dispatch import zone_of
    from handoff_eval.mail.traffic import Fire, day_by_day, moment_of, place
    from handoff_eval.production.decide import decide

    dataset = read_usable(arguments.dataset)
    handoff = handoff_from_file(
        arguments.handoff or arguments.dataset / "handoff.toml", arguments.handoff_name
    )
    trigger, point = _trigger(arguments.bundle, dataset, handoff)
    chosen, split = _conversations(dataset, arguments.split)
    decisions = decide(trigger, point, chosen, handoff=handoff.name)
    per_day = handoff.budget.conversations_per_day if handoff.budget else DEFAULT_PER_DAY
    begun = place(chosen, start=arguments.start, per_day=per_day)
    by_id = {conversation.id: conversation for conversation in chosen}
    fires = [
        Fire(
            by_id[decision.conversation_id],
            decision,
            moment_of(
                decision,
                by_id[decision.conversation_id],
                begun=begun[decision.conversation_id],
            ),
        )
        for decision in decisions
        if decision.fired
    ]
    entries, arrived = _play(arguments, handoff, fires, first=min(begun.values()))
    days = day_by_day(entries, begun.values(), zone_of(handoff))
    _write_told(arguments.out / "handoffs.jsonl", handoff, fires)
    undelivered = sum(day.undelivered for day in days)
    if arguments.json:
        document = {
            "handoff": handoff.name,
            "trigger": trigger.name,
            "threshold": point.threshold,
            "split": split,
            "conversations": len(chosen),
            "days": [day.to_dict() for day in days],
            "mailbox": arrived,
        }
        print(json.dumps(document, indent=2))
    else:
        print(_table(days))
        print(
            f"\n{len(chosen)} conversations ({split}) in {len(days)} days, {len(fires)} handed "
            f"over by {trigger.name} at a threshold of {point.threshold:.3f}.\n"
            + (f"{arrived} emails are in {arguments.out / 'mailbox'}: see them with 'handoff-eval "
               f"mailbox --dir {arguments.out / 'mailbox'}'.\n" if arrived is not None else "")
            + f"What each customer was told is in {arguments.out / 'handoffs.jsonl'}."
        )  # fmt: skip
    return 1 if undelivered else 0


def _trigger(
    path: Path | None, dataset: Dataset, handoff: Handoff
) -> tuple[Trigger, OperatingPoint]:
    """Return the bundle's trigger, or the keyword rules at a threshold chosen on tune."""
    if path is not None:
        from handoff_eval.production.bundle import read_bundle

        bundle = read_bundle(path)
        return bundle.trigger, bundle.point

    from handoff_eval.conversation import Split
    from handoff_eval.errors import SettingsError
    from handoff_eval.evaluation.promise.budget import choose_operating_point
    from handoff_eval.evaluation.replay import replay
    from handoff_eval.evaluation.scored import ScoredSplit
    from handoff_eval.triggers.keyword import KeywordTrigger, default_rules

    tune = dataset.labeled(Split.TUNE)
    if handoff.budget is None or handoff.budget.prevalence is None or not tune:
        raise SettingsError(
            "Expected --bundle, or a labelled tune split and a handoff whose budget states the "
            "prevalence, from which a threshold for the keyword rules is chosen; got neither."
        )
    trigger = KeywordTrigger(default_rules())
    played = replay(trigger, [item.conversation for item in tune])
    point = choose_operating_point(
        ScoredSplit.join(played, tune, Split.TUNE),
        handoff.budget,
        prevalence=handoff.budget.prevalence,
        tries=1,
        dataset_digest=dataset.digest,
    )
    return trigger, point


def _conversations(dataset: Dataset, split: str | None) -> tuple[list[Conversation], str]:
    """Return what is played, and what to call it."""
    from handoff_eval.conversation import Split
    from handoff_eval.errors import DataError

    if split is None:
        tested = any(c.split is Split.TEST for c in dataset.conversations)
        split = "test" if tested else "all"
    chosen = [c for c in dataset.conversations if split == "all" or c.split == split]
    if not chosen:
        raise DataError(f"Expected conversations of {split}; {dataset.path} has none.")
    return chosen, "all splits" if split == "all" else f"{split} split"


def _play(
    arguments: argparse.Namespace, handoff: Handoff, fires: Sequence[Fire], *, first: datetime
) -> tuple[tuple[OutboxEntry, ...], int | None]:
    """Play the fires; return where each email stands, and how many the mailbox has."""
    from contextlib import ExitStack

    from handoff_eval.mail.delivery import SmtpSettings, SmtpTransport
    from handoff_eval.mail.sink import MailSink
    from handoff_eval.mail.sqlite_outbox import SqliteOutbox
    from handoff_eval.mail.traffic import RehearsedDesk, SimulatedClock, play
    from handoff_eval.mail.worker import Worker

    out = arguments.out
    for stale in (*(out / "mailbox").glob("*.eml"), *out.glob("outbox.sqlite*")):
        stale.unlink()
    clock = SimulatedClock(first)
    with ExitStack() as running:
        outbox = SqliteOutbox(out / "outbox.sqlite", clock=clock)
        running.callback(outbox.close)
        sink = None
        url = arguments.smtp
        if url is None:
            sink = running.enter_context(MailSink(out / "mailbox"))
            url = sink.url
        transport = SmtpTransport(SmtpSettings.from_url(url if "://" in url else f"smtp://{url}"))
        desk = RehearsedDesk(accepts=not arguments.live_refuses)
        worker = Worker(outbox, transport, live={handoff.name: desk}, seed=0)
        pause = _pause(arguments.speed)
        play(outbox, handoff, fires, worker=worker, clock=clock, pause=pause)
        return outbox.entries(), None if sink is None else len(sink.messages())


def _pause(speed: float) -> Callable[[float], None]:
    import time

    def sleep(seconds: float) -> None:
        time.sleep(max(0.0, seconds / speed))

    return sleep


def _write_told(path: Path, handoff: Handoff, fires: Sequence[Fire]) -> None:
    """Write when each handoff fired, and what its customer was told."""
    from handoff_eval.mail.customer import customer_message

    with path.open("w", encoding="utf-8") as stream:
        for fire in sorted(fires, key=lambda fire: fire.at.timestamp()):
            told = customer_message(
                handoff, fire.conversation, at=fire.at, turns=fire.decision.turns
            )
            line = {"at": fire.at.isoformat(), **fire.decision.to_dict(), "customer_told": told}
            stream.write(json.dumps(line, ensure_ascii=False) + "\n")


def _table(days: Sequence[Day]) -> str:
    """Return the days as columns, with their sums."""
    names = {
        "conversations": "conversations",
        "handoffs": "handed over",
        "live": "live",
        "emails": "emails",
        "digests": "digests",
        "in_digests": "in digests",
        "notices": "warnings",
        "received": "received",
        "undelivered": "undelivered",
    }
    rows = [
        [f"{day.day:%a %Y-%m-%d}", *(str(getattr(day, name)) for name in names)] for day in days
    ]
    rows.append(["all", *(str(sum(getattr(day, name) for day in days)) for name in names)])
    header = ["day", *names.values()]
    widths = [max(len(row[i]) for row in [header, *rows]) for i in range(len(header))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if number == 0 else cell.rjust(width)
            for number, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in [header, *rows]
    )


def _speed(text: str) -> float:
    try:
        speed = float("inf") if text == "max" else float(text)
    except ValueError:
        speed = 0.0
    if not speed > 0:
        raise argparse.ArgumentTypeError(f"expected a number above 0, or max; got {text!r}")
    return speed


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"expected a date such as 2026-01-05; got {text!r}"
        ) from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
