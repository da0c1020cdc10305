"""Compare the arms and export the chosen one as a bundle that decides exactly as measured."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from handoff_eval.cli.options import add_comparison_options

if TYPE_CHECKING:
    from handoff_eval.cli.comparing import Compared
    from handoff_eval.handoff import Handoff
    from handoff_eval.production.bundle import Bundle
    from handoff_eval.production.parity import Parity


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `export`."""
    add_comparison_options(parser)
    parser.set_defaults(arms="keyword,tfidf,minilm_words")
    parser.add_argument(
        "--to", type=Path, required=True, metavar="DIR", help="folder of the bundle"
    )
    parser.add_argument("--arm", metavar="NAME", help="export this arm instead of the chosen one")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")


def run(arguments: argparse.Namespace) -> int:
    """Export and show parity."""
    from handoff_eval.cli.comparing import read_usable, run_comparison
    from handoff_eval.cli.options import arm_options_of, handoff_of

    handoff, options = handoff_of(arguments), arm_options_of(arguments)
    compared = run_comparison(read_usable(arguments.dataset), handoff, options)
    bundle, parity = export_chosen(compared, handoff, arguments.to, arm=arguments.arm)
    if arguments.json:
        print(
            json.dumps(
                {
                    "bundle": str(bundle.path),
                    "operating_point": bundle.point.to_dict(),
                    "conversations": parity.conversations,
                    "decisions": parity.decisions,
                    "changed": parity.changed,
                    "largest_difference": parity.largest_difference,
                }
            )
        )
    else:
        print(f"{bundle.path}: {bundle.trigger.name}, threshold {bundle.point.threshold:.4f}")
        print(bundle.point.note)
        print(f"Parity: {parity}")
    return 0


def export_chosen(
    compared: Compared, handoff: Handoff, to: Path, *, arm: str | None = None
) -> tuple[Bundle, Parity]:
    """Write the bundle of an arm, read it back and show that it decides the same on test.

    Raises
    ------
    SettingsError
        When the arm is unknown or none was chosen.
    BundleError
        When the folder can't be written.
    ParityError
        When the export does not decide as measured.
    """
    from handoff_eval.errors import SettingsError
    from handoff_eval.production.export import export_bundle

    comparison = compared.comparison
    name = arm or comparison.chosen
    triggers = {entry.trigger.name: entry.trigger for entry in compared.arms}
    if name not in triggers:
        raise SettingsError(
            f"Expected an arm to export, one of {', '.join(triggers)}; got {name!r}. "
            "Name one with --arm, or compare an arm that scores every conversation."
        )
    result = comparison.arm(name)
    conversations = {c.id: c for c in compared.dataset.conversations}
    return export_bundle(
        triggers[name],
        result.point,
        handoff=handoff.name,
        instruction=handoff.instruction,
        conversations=[conversations[i] for i in result.test.replay.ids],
        measured=result.test.replay,
        to=to,
    )
