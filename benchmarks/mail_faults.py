"""Send thousands of emails through a misbehaving server and killed workers; print what became.

    python benchmarks/mail_faults.py --messages 5000
    python benchmarks/mail_faults.py --messages 5000 --database own

The second keeps the outbox in a PostgreSQL that is started for it. The tables are those of
docs/reliability.md. Exits 1 when an email was lost, altered, misjudged or doubled outside the
window.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.faults.campaign import Campaign, run_campaign


def table(campaign: Campaign) -> str:
    """Return the figures of a campaign as Markdown."""
    account = campaign.account
    rows = [
        ("emails queued, each under a key of its own", account.messages),
        ("workers at once", campaign.workers),
        ("workers killed with SIGKILL", campaign.killed),
        ("… with an email in their hands", account.interrupted),
        ("faults of the server", account.faults.total()),
        ("attempts that ended", account.attempts),
        ("**lost**", len(account.lost)),
        ("**doubled outside the window**", len(account.unaccounted)),
        ("copies that differ from what was queued", len(account.altered)),
        ("emails with another end than they had to have", len(account.misjudged)),
        ("sent", account.sent),
        ("… kept by the server once", account.kept_once),
        ("… kept more than once, same Message-ID, same bytes", account.kept_again),
        ("dead letters with the server's 5xx", account.dead),
        ("further copies: worker killed before its commit", account.after_kill),
        ("further copies: server kept it, its reply was lost", account.after_lost_reply),
        ("further copies: reply later than our time-out", account.after_late_reply),
        ("seconds", round(campaign.seconds)),
    ]
    lines = ["| | |", "|---|---:|", *(f"| {name} | {value:,} |" for name, value in rows)]
    lines += ["", "| fault | times |", "|---|---:|"]
    lines += [f"| {fault} | {times} |" for fault, times in sorted(account.faults.items())]
    return "\n".join(lines)


@contextmanager
def database(named: str | None) -> Iterator[str | None]:
    """Return the database named, or for `own` the URL of one that is started here."""
    if named != "own":
        yield named
        return
    import pgserver

    with (
        tempfile.TemporaryDirectory(prefix="postgres-") as folder,
        pgserver.get_server(Path(folder) / "data", cleanup_mode="stop") as server,
    ):
        yield server.get_uri()


def main() -> int:
    """Run one campaign as the options say."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--messages", type=int, default=5000, help="default: %(default)s")
    parser.add_argument("--workers", type=int, default=8, help="default: %(default)s")
    parser.add_argument("--seed", type=int, default=1, help="default: %(default)s")
    parser.add_argument(
        "--database", metavar="URL", help="an empty PostgreSQL database for the outbox, or 'own'"
    )
    options = parser.parse_args()
    with database(options.database) as url:
        campaign = run_campaign(
            options.messages, workers=options.workers, seed=options.seed, database=url
        )
    print(table(campaign))
    account = campaign.account
    failures = (*account.lost, *account.unaccounted, *account.altered, *account.misjudged)
    for failure in failures:
        print(failure, file=sys.stderr)
    return 1 if failures or campaign.unclean else 0


if __name__ == "__main__":
    sys.exit(main())
