"""Let the team say of each email whether it was needed, on a local page that needs no Python.

  handoff-eval review handoff_eval.db --reviews reviews
  handoff-eval review decisions.jsonl --transcripts my_conversations --audit plan.json

Marks are labels with name and time in the reviews folder; any number of people may mark at once.
With --audit the drawn conversations are shown instead of the emails, and not which were sent.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from handoff_eval.cli.logs import add_log_options


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `review`."""
    add_log_options(parser)
    parser.set_defaults(reviews=Path("reviews"))
    parser.add_argument(
        "--host",
        default="127.0.0.1",
        help="where to listen; others reach it on 0.0.0.0 with the token (default: %(default)s)",
    )
    parser.add_argument(
        "--port", type=int, default=8026, help="0 takes a free one (default: %(default)s)"
    )


def run(arguments: argparse.Namespace) -> int:
    """Serve the page until Ctrl-C; its address with the token is printed."""
    from handoff_eval.cli.logs import read_arguments
    from handoff_eval.cli.progress import say
    from handoff_eval.errors import MissingExtraError

    try:
        from handoff_eval.production.review.queue import ReviewQueue, items_to_review
        from handoff_eval.production.review.server import is_loopback, serve_review
    except ModuleNotFoundError as error:
        raise MissingExtraError(
            f"Expected {error.name}, which the page needs, to be installed; it is not. "
            "Run: pip install 'handoff-eval[service]'"
        ) from None

    log = read_arguments(arguments)
    queue = ReviewQueue(items_to_review(log.logged, log.plan), arguments.reviews)
    say(f"{len(queue.items)} conversations to review; marks go to {arguments.reviews}")
    if not is_loopback(arguments.host):
        say(
            "This is plain HTTP: whoever sees the traffic sees token and conversations. Put a "
            "proxy with TLS before it."
        )
    serve_review(
        queue,
        host=arguments.host,
        port=arguments.port,
        tell=lambda address: print(address, flush=True),
    )
    return 0
