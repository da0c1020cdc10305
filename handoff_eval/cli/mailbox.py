"""Run a local mail server and show what arrives on a local page; nothing leaves this machine."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `mailbox`."""
    parser.add_argument(
        "--dir",
        type=Path,
        default=Path("out/mailbox"),
        metavar="FOLDER",
        help="where each message is kept as an .eml file (default: %(default)s)",
    )
    parser.add_argument(
        "--port",
        type=int,
        default=2525,
        help="of the mail server; 0 takes a free one (default: %(default)s)",
    )
    parser.add_argument(
        "--page-port",
        type=int,
        default=8025,
        help="of the page; 0 takes a free one (default: %(default)s)",
    )
    parser.add_argument(
        "--host",
        default="127.0.0.1",
        help="address of both, such as 0.0.0.0 in a container (default: %(default)s)",
    )
    parser.add_argument("--json", action="store_true", help="print a JSON object a message")


def run(arguments: argparse.Namespace) -> int:
    """Print one line a message until Ctrl-C."""
    import json
    import queue
    import sys

    from handoff_eval.mail.page import serving
    from handoff_eval.mail.sink import CaughtEmail, MailSink

    arrivals: queue.SimpleQueue[CaughtEmail] = queue.SimpleQueue()
    with (
        MailSink(
            arguments.dir, port=arguments.port, host=arguments.host, on_arrival=arrivals.put
        ) as sink,
        serving(arguments.dir, port=arguments.page_port, host=arguments.host) as page,
    ):
        print(
            f"listening on {sink.url}, keeping messages in {sink.folder}, showing them at "
            f"{page.url}; Ctrl-C stops",
            file=sys.stderr,
            flush=True,
        )
        try:
            while True:
                caught = arrivals.get()
                at = caught.arrived_at.isoformat(timespec="seconds")
                if arguments.json:
                    line = json.dumps(
                        {
                            "number": caught.number,
                            "arrived_at": at,
                            "from": caught.sender,
                            "to": caught.recipients,
                            "subject": caught.subject,
                            "message_id": caught.message_id,
                            "size": caught.size,
                            "path": str(caught.path),
                        }
                    )
                else:
                    line = f"{caught.number:6d}  {at}  {caught.recipients}  {caught.subject}"
                print(line, flush=True)
        except KeyboardInterrupt:
            print(f"stopped after {sink.count} messages", file=sys.stderr)
    return 0
