"""The model card of a bundle: `card.json` with every number, and `card.md`, which only shows it.

The card stands beside the bundle's digests, as a revocation does: load time and memory belong to
the machine that exported, and what decides must not get another name by them. It names the policy
that it is about by SHA-256.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any

from handoff_eval.errors import BundleError
from handoff_eval.production.bundle import Bundle, read_policy
from handoff_eval.production.card_text import card_text
from handoff_eval.production.footprint import Footprint
from handoff_eval.production.kinds.table import asks_a_model
from handoff_eval.production.parity import TOLERANCE, Parity

CARD, CARD_TEXT = "card.json", "card.md"


def write_card(
    bundle: Bundle,
    parity: Parity,
    footprint: Footprint,
    measured: Mapping[str, Any] | None,
    *,
    at: datetime,
) -> None:
    """Write the card of a bundle into its folder.

    Parameters
    ----------
    bundle : Bundle
    parity : Parity
        Shown when it was exported.
    footprint : Footprint
    measured : mapping, optional
        From `measured_facts`; the card says so where there is none.
    at : datetime
        Of the export.
    """
    policy = read_policy(bundle.path)
    card = {
        "bundle": bundle.digest,
        "exported_at": at.isoformat(timespec="seconds"),
        "handoff": bundle.handoff,
        "instruction": bundle.instruction,
        **bundle.source,
        "trigger": {
            "name": bundle.trigger.name,
            "kind": policy["trigger"]["kind"],
            "description": bundle.trigger.description,
            "asks_a_model": asks_a_model(bundle.trigger),
        },
        "operating_point": bundle.point.to_dict(),
        "measured": measured,
        "parity": {**asdict(parity), "tolerance": TOLERANCE},
        "footprint": asdict(footprint),
        "packages": bundle.packages,
    }
    document = json.dumps(card, indent=2, ensure_ascii=False, allow_nan=False)
    (bundle.path / CARD).write_text(f"{document}\n", encoding="utf-8")
    (bundle.path / CARD_TEXT).write_text(card_text(card, bundle.point), encoding="utf-8")


def read_card(bundle: Bundle) -> dict[str, Any]:
    """Return the numbers of a bundle's card.

    Raises
    ------
    BundleError
        When there is none, or it is another bundle's.
    """
    file = bundle.path / CARD
    try:
        card = json.loads(file.read_text(encoding="utf-8"))
        if not isinstance(card, dict) or card.get("bundle") != bundle.digest:
            raise ValueError("it is about another bundle")
    except (OSError, ValueError) as error:
        raise BundleError(
            f"{file}: expected the card of this bundle; {error}. Export it again."
        ) from None
    return card
