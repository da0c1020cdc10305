"""Register an arm of a comparison in MLflow and make it the champion, if the gate lets it.

RUN is exported once more, with parity shown, and registered as a version of the handoff's trigger
under the alias challenger. The alias champion moves to it when its certificate is valid and no loss
beyond the margins is possible against the present champion, paired on the test split; the reason is
kept in tags of the version. Exits with 0 when it moved, 1 when it may not, 3 where the data are too
few to say. 'handoff-eval rollback' undoes it.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from handoff_eval.cli.export import add_run_options
from handoff_eval.cli.gate import add_margins, check_margins
from handoff_eval.errors import SettingsError

if TYPE_CHECKING:
    from handoff_eval.conversation import Conversation
    from handoff_eval.production.promotion import Judgement
    from handoff_eval.tracking.bundles import LoggedArm
    from handoff_eval.tracking.registry import Version


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `promote`."""
    add_run_options(parser)
    parser.add_argument(
        "--challenger",
        action="store_true",
        help="register it under the alias challenger and leave the champion alone",
    )
    parser.add_argument(
        "--accept-uncertified",
        metavar="REASON",
        help="let it pass without a valid certificate; the reason is kept",
    )
    add_margins(parser)
    parser.add_argument("--seed", type=int, default=0, help="of resampling (default: %(default)s)")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")


def run(arguments: argparse.Namespace) -> int:
    """Register, judge, and move the alias or say why not."""
    from handoff_eval.cli.progress import say
    from handoff_eval.production.bundle import read_bundle
    from handoff_eval.production.card import CARD_TEXT, read_card
    from handoff_eval.production.export import export_run
    from handoff_eval.production.golden import golden_conversations
    from handoff_eval.production.promotion import judge
    from handoff_eval.tracking.bundles import find_arm
    from handoff_eval.tracking.registry import DIGEST, Registry, fetch_model

    check_margins(arguments)
    accepted = arguments.accept_uncertified
    if accepted is not None and not accepted.strip():
        raise SettingsError("Expected --accept-uncertified to give a reason; got nothing.")
    arm = find_arm(arguments.of_run, arm=arguments.arm)
    with tempfile.TemporaryDirectory() as folder:
        bundle, parity = export_run(
            arm, Path(folder) / "bundle", dataset=arguments.dataset, say=say
        )
        card = read_card(bundle)
        registry = Registry(bundle.handoff)
        champion = registry.champion()
        version = registry.register(
            bundle.path,
            bundle.digest,
            arm,
            description=(bundle.path / CARD_TEXT).read_text(encoding="utf-8"),
            example=[_example(conversation) for conversation in golden_conversations()],
        )
        if arguments.challenger:
            return _say(arguments, version, None, f"{version.uri} is the challenger.", 0)
        if champion is not None and champion.tags.get(DIGEST) == bundle.digest:
            return _say(arguments, version, None, f"{version.uri} is the champion already.", 0)
        measured = arm.scores()
        judgement = judge(
            bundle,
            parity,
            measured,
            _labeled(arm, measured.ids, arguments.dataset),
            champion=None
            if champion is None
            else read_bundle(fetch_model(champion.uri, Path(folder))),
            terms=card["measured"],
            accept_uncertified=accepted,
            recall_margin=arguments.recall_margin / 100,
            volume_margin=arguments.volume_margin / 100,
            seed=arguments.seed,
        )
    former = "none" if champion is None else champion.uri
    if judgement.blocked:
        registry.tag(version, _tags(judgement, "stays challenger", former))
        text = f"{version.uri} stays the challenger. {judgement.blocked}"
        return _say(arguments, version, judgement, text, judgement.exit_code)
    registry.promote(version, _tags(judgement, "became champion", former))
    text = f"{version.uri} is the champion now; before: {former}."
    return _say(arguments, version, judgement, text, 0)


def _labeled(arm: LoggedArm, ids: tuple[str, ...], dataset: Path | None) -> list[Any]:
    from handoff_eval.conversation import Split
    from handoff_eval.transcripts.read import read_dataset

    items = read_dataset(dataset or arm.dataset).labeled(Split.TEST)
    by_id = {item.conversation.id: item for item in items}
    return [by_id[name] for name in ids]


def _example(conversation: Conversation) -> dict[str, Any]:
    turns = [{"role": turn.role.value, "text": turn.text} for turn in conversation.turns]
    return {"id": conversation.id, "turns": turns}


def _tags(judgement: Judgement, outcome: str, former: str) -> dict[str, str]:
    """Return what the version remembers of the judgement."""
    from handoff_eval.tracking.registry import REASON

    found = judgement.to_dict()
    reason = " ".join(filter(None, [f"{outcome}.", judgement.blocked, *judgement.sentences()]))
    return {
        REASON: reason,
        "handoff_eval.verdict": judgement.verdict,
        "handoff_eval.against": former,
        "handoff_eval.certificate": judgement.certificate,
        "handoff_eval.parity": judgement.parity,
        "handoff_eval.paired_difference": json.dumps(found["paired_difference"]),
    }


def _say(
    arguments: argparse.Namespace,
    version: Version,
    judgement: Judgement | None,
    text: str,
    code: int,
) -> int:
    if arguments.json:
        document = {"version": version.uri, "says": text, "exit_code": code}
        found = None if judgement is None else judgement.to_dict()
        print(json.dumps({**document, "judgement": found}))
        return code
    print("\n".join([*([] if judgement is None else judgement.sentences()), text]))
    return code
