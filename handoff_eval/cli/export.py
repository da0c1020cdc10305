"""Export the chosen trigger of a comparison as a bundle that decides exactly as measured.

RUN is the MLflow run that 'handoff-eval compare' printed: its id, the beginning of its id, its
name, or 'latest'. The bundle is written only when it scores and decides the whole test split as
the comparison did, and with it a model card, card.md. models:/NAME@champion gives what 'promote'
registered.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict, fields
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from handoff_eval.production.bundle import Bundle
    from handoff_eval.production.parity import Parity


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `export`."""
    add_run_options(parser)
    parser.add_argument(
        "--to", type=Path, required=True, metavar="DIR", help="folder of the bundle"
    )
    parser.add_argument("--json", action="store_true", help="print the result as JSON")


def add_run_options(parser: argparse.ArgumentParser) -> None:
    """Add what says which arm of which comparison is meant."""
    parser.add_argument(
        "of_run", metavar="RUN", help="of a comparison, whose chosen arm is meant, or of one arm"
    )
    parser.add_argument("--arm", metavar="NAME", help="this arm instead of the chosen one")
    parser.add_argument(
        "--dataset",
        type=Path,
        metavar="DATASET",
        help="where the dataset lies now (default: where it was compared)",
    )


def run(arguments: argparse.Namespace) -> int:
    """Export and show parity."""
    if arguments.of_run.startswith("models:/"):
        bundle, parity = _registered(arguments)
    else:
        bundle, parity = export(
            arguments.of_run, arguments.to, arm=arguments.arm, dataset=arguments.dataset
        )
    if arguments.json:
        found = {"bundle": str(bundle.path), "digest": bundle.digest}
        print(json.dumps({**found, "operating_point": bundle.point.to_dict(), **asdict(parity)}))
    else:
        print(f"{bundle.path}: {bundle.trigger.name}, threshold {bundle.point.threshold:.4f}")
        print(bundle.point.note)
        certificate = bundle.point.certificate
        if certificate is not None and certificate.revoked is not None:
            print(str(certificate))
        print(f"Parity: {parity}")
    return 0


def _registered(arguments: argparse.Namespace) -> tuple[Bundle, Parity]:
    """Write what is registered; its parity is the card's, since it is the same bundle."""
    from handoff_eval.errors import SettingsError
    from handoff_eval.production.card import read_card
    from handoff_eval.production.export import export_registered
    from handoff_eval.production.parity import Parity

    if arguments.arm is not None or arguments.dataset is not None:
        raise SettingsError(
            f"Expected --arm and --dataset to go with a run; {arguments.of_run} is one bundle. "
            "Leave them out."
        )
    bundle = export_registered(arguments.of_run, arguments.to)
    shown = read_card(bundle)["parity"]
    return bundle, Parity(**{field.name: shown[field.name] for field in fields(Parity)})


def export(
    run: str, to: Path, *, arm: str | None = None, dataset: Path | None = None
) -> tuple[Bundle, Parity]:
    """Write the bundle of a run's arm; see `find_arm` and `export_run` for what is refused."""
    from handoff_eval.cli.progress import say
    from handoff_eval.production.export import export_run
    from handoff_eval.tracking.bundles import find_arm

    return export_run(find_arm(run, arm=arm), to, dataset=dataset, say=say)
