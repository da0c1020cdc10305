"""Remove one person from datasets, caches, outbox, decision log and tracking store.

Says what was removed where, and names what no command can reach. A store that a service has open
can be named too; stop the service where the command says that it is busy.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `forget`."""
    parser.add_argument(
        "customer", metavar="CUSTOMER", help="the platform's id of the customer, or their address"
    )
    parser.add_argument(
        "--dataset",
        type=Path,
        action="append",
        default=[],
        metavar="DATASET",
        help="dataset folder; may come several times",
    )
    parser.add_argument(
        "--state", action="append", default=[], metavar="FILE|URL", help="state of 'serve'"
    )
    parser.add_argument(
        "--outbox", action="append", default=[], metavar="FILE|URL", help="an outbox of its own"
    )
    parser.add_argument(
        "--reviews",
        type=Path,
        action="append",
        default=[],
        metavar="FOLDER",
        help="reviews of conversations found in the datasets and states",
    )
    parser.add_argument("--json", action="store_true", help="print the result as JSON")


def run(arguments: argparse.Namespace) -> int:
    """Remove a person everywhere; 1 when something that was found could not be removed."""
    from handoff_eval.encoders.cache import forget_texts
    from handoff_eval.encoders.minilm import REVISION
    from handoff_eval.errors import SettingsError
    from handoff_eval.llm.replies import forget_replies
    from handoff_eval.mail.outbox import is_postgres
    from handoff_eval.production.forget import (
        BEYOND,
        Forgotten,
        forget_in_artifacts,
        forget_in_dataset,
        forget_in_reviews,
        forget_in_store,
        look_into,
    )
    from handoff_eval.settings import cache_dir
    from handoff_eval.tracking.store import locate_store, open_client
    from handoff_eval.tracking.traces import forget_traces

    if not arguments.customer.strip():
        raise SettingsError("Expected the id or address of a customer; got nothing.")
    for where in (*arguments.state, *arguments.outbox):
        if not is_postgres(where) and not Path(where).is_file():
            raise SettingsError(f"Expected a store at {where}; there is no such file.")
    found = Forgotten()
    for folder in arguments.dataset:
        forget_in_dataset(folder, arguments.customer, found)
    for where in (*arguments.state, *arguments.outbox):
        forget_in_store(where, arguments.customer, found)
    for folder in arguments.reviews:
        forget_in_reviews(folder, found)
    vectors = cache_dir() / "vectors.sqlite"
    # An encoder that was made here has its revision as the name of its folder.
    revisions = {REVISION, *(path.name for path in cache_dir().glob("*/"))}
    found.note(f"{vectors}: vectors", forget_texts(vectors, revisions, found.texts))
    if found.conversations:
        replies = cache_dir() / "replies.sqlite"
        found.note(
            f"{replies}: replies of a language model, all of them, as none says whose it is",
            forget_replies(replies),
        )
    store = locate_store()
    if store.artifacts is None:
        found.left.append("the tracking store, which is a server: search its artifacts there")
    elif store.artifacts.is_dir():
        forget_in_artifacts(store.artifacts, arguments.customer, found)
    if store.database is None or store.database.is_file():
        count = forget_traces(open_client(store), store, arguments.customer, found.conversations)
        found.note(f"{store.uri}: traces", count)
    if store.database is not None and store.database.is_file():
        look_into(store.database, arguments.customer, found)
    if arguments.json:
        document = {
            "conversations": sorted(found.conversations),
            "removed": found.removed,
            "left": found.left,
            "beyond_reach": BEYOND,
        }
        print(json.dumps(document, indent=2))
    else:
        print(f"{len(found.conversations)} conversations of this customer")
        for place, count in found.removed.items():
            print(f"  removed {count:6d}  {place}")
        for place in found.left:
            print(f"  LEFT            {place}")
        print("Beyond the reach of this command:")
        for words in BEYOND:
            print(f"  {words}")
    return 1 if found.left else 0
