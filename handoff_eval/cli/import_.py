"""Make a dataset from another tool's export.

Conversations that can't be used are counted and the first are named on stderr. Without --append a
folder that has transcripts is left alone.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from handoff_eval.errors import MissingExtraError, SettingsError

if TYPE_CHECKING:
    from datetime import tzinfo

    from handoff_eval.conversation import Role
    from handoff_eval.transcripts.formats.base import ImportOptions

FORMATS = ("csv", "openai", "intercom", "zendesk", "chatbase", "tau-bench")
FIELDS = (
    "id",
    "role",
    "text",
    "at",
    "started_at",
    "customer.id",
    "customer.email",
    "channel",
)
SHOWN_REFUSALS = 10


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("format", choices=FORMATS, metavar="FORMAT", help=", ".join(FORMATS))
    parser.add_argument("source", type=Path, metavar="SOURCE", help="a file, or a folder of files")
    parser.add_argument(
        "--to", type=Path, required=True, metavar="DATASET", help="the dataset folder to make"
    )
    parser.add_argument(
        "--append", action="store_true", help="add to the transcripts that DATASET has"
    )
    parser.add_argument(
        "--mask",
        action="store_true",
        help="replace emails, phones, cards and names by pseudonyms that stay the same in DATASET",
    )
    parser.add_argument(
        "--time-zone", metavar="Z", help="zone of times that name none, such as Europe/Berlin"
    )
    parser.add_argument(
        "--time-format", metavar="F", help="format of times, such as '%%d/%%m/%%Y %%H:%%M'"
    )
    parser.add_argument(
        "--columns",
        metavar="FIELD=COLUMN,...",
        help=f"csv: the column of each field ({', '.join(FIELDS)}, metadata.NAME)",
    )
    parser.add_argument(
        "--roles",
        metavar="WORD=ROLE,...",
        help="csv: what the table's words for speakers mean (customer, agent, human, system)",
    )
    parser.add_argument(
        "--html", action="store_true", help="texts are HTML (csv, openai, chatbase)"
    )
    parser.add_argument(
        "--agent-ids", metavar="ID,...", help="zendesk: the authors that are the AI agent"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON document")


def run(args: argparse.Namespace) -> int:
    """Import the source and print what came of it."""
    try:
        from tqdm import tqdm
    except ImportError:
        raise MissingExtraError(
            "Expected the workbench for 'handoff-eval import'; it is not installed. "
            "Run: pip install 'handoff-eval[bench]'"
        ) from None

    from handoff_eval.transcripts.formats import registry
    from handoff_eval.transcripts.importing import import_conversations, source_files

    form = registry.FORMATS[args.format]
    size = sum(file.stat().st_size for file in source_files(args.source, form))
    with tqdm(
        total=size, unit="B", unit_scale=True, desc="import", file=sys.stderr, disable=None
    ) as bar:
        summary = import_conversations(
            form,
            args.source,
            args.to,
            options=_options(args),
            mask=args.mask,
            append=args.append,
            advance=bar.update,
        )
    for refusal in summary.refusals[:SHOWN_REFUSALS]:
        print(refusal, file=sys.stderr)
    if args.json:
        document = {
            "dataset": str(args.to),
            "conversations": summary.conversations,
            "turns": summary.turns,
            "refused": summary.refused,
            "refusals": [refusal.to_dict() for refusal in summary.refusals],
        }
        print(json.dumps(document, ensure_ascii=False, indent=2))
    else:
        print(
            f"{_count(summary.conversations, 'conversation')} with {_count(summary.turns, 'turn')} "
            f"written to {args.to}, {summary.refused:,} refused"
        )
    return 0


def _options(args: argparse.Namespace) -> ImportOptions:
    from handoff_eval.transcripts.formats.base import ImportOptions

    return ImportOptions(
        columns=_columns(args.columns),
        roles=_roles(args.roles),
        time_zone=_time_zone(args.time_zone),
        time_format=args.time_format,
        html=args.html,
        agent_ids=frozenset((args.agent_ids or "").replace(" ", "").split(",")) - {""},
    )


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _pairs(text: str | None, option: str) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for part in (text or "").split(","):
        if part.strip():
            name, equals, value = (piece.strip() for piece in part.partition("="))
            if not (name and equals and value):
                raise SettingsError(f"Expected NAME=VALUE in {option}; got {part.strip()!r}.")
            pairs[name] = value
    return pairs


def _columns(text: str | None) -> dict[str, str]:
    columns = _pairs(text, "--columns")
    for name in columns:
        if name not in FIELDS and not (name.startswith("metadata.") and len(name) > 9):
            raise SettingsError(
                f"Expected one of {', '.join(FIELDS)} or metadata.NAME in --columns; got {name!r}."
            )
    return columns


def _roles(text: str | None) -> dict[str, Role]:
    from handoff_eval.conversation import Role

    roles = {}
    for word, role in _pairs(text, "--roles").items():
        if role not in [known.value for known in Role]:
            raise SettingsError(
                f"Expected customer, agent, human or system for {word!r} in --roles; got {role!r}."
            )
        roles[word.casefold()] = Role(role)
    return roles


def _time_zone(name: str | None) -> tzinfo | None:
    from zoneinfo import ZoneInfo

    if name is None:
        return None
    try:
        return ZoneInfo(name)
    except (KeyError, OSError, ValueError):
        raise SettingsError(
            f"Expected a time zone such as Europe/Berlin or UTC in --time-zone; got {name!r}."
        ) from None
