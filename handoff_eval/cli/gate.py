"""Say whether a candidate may replace a baseline, in one line and an exit code for CI.

BASELINE and CANDIDATE are each a bundle, or a file of decisions as 'handoff-eval decide' prints
them. Both are judged on the labelled test split of --on, at their own thresholds. Exits with 0 for
pass, 1 for fail, 3 where the data are too few to rule the loss out, 2 for a mistake in the call.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from handoff_eval.cli.result_options import add_result_options, keep_result
from handoff_eval.errors import DataError, SettingsError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from handoff_eval.conversation import LabeledConversation


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `gate`."""
    parser.add_argument("baseline", type=Path, metavar="BASELINE", help="bundle or decisions")
    parser.add_argument("candidate", type=Path, metavar="CANDIDATE", help="bundle or decisions")
    parser.add_argument(
        "--on", type=Path, required=True, metavar="DATASET", help="whose test split both are asked"
    )
    parser.add_argument(
        "--prevalence",
        type=float,
        metavar="P",
        help="share of deployed conversations in need, at which volume is stated (default: the "
        "sample's own)",
    )
    add_margins(parser)
    parser.add_argument("--seed", type=int, default=0, help="of resampling (default: %(default)s)")
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    add_result_options(parser)


def add_margins(parser: argparse.ArgumentParser) -> None:
    """Add what loss is acceptable."""
    parser.add_argument(
        "--recall-margin",
        type=float,
        default=5.0,
        metavar="POINTS",
        help="most that recall may fall (default: %(default)g)",
    )
    parser.add_argument(
        "--volume-margin",
        type=float,
        default=10.0,
        metavar="PERCENT",
        help="most that the emails may grow (default: %(default)g)",
    )


def check_margins(arguments: argparse.Namespace) -> None:
    """Refuse margins that are none.

    Raises
    ------
    SettingsError
        When one is out of range.
    """
    for name, top in (("recall_margin", 100.0), ("volume_margin", float("inf"))):
        value = getattr(arguments, name)
        if not 0 < value < top:
            raise SettingsError(
                f"Expected --{name.replace('_', '-')} to lie above 0"
                f"{'' if top > 100 else ' and below 100'}; got {value:g}."
            )


def run(arguments: argparse.Namespace) -> int:
    """Print the verdict and return its exit code."""
    import numpy as np

    from handoff_eval.cli.progress import say
    from handoff_eval.conversation import Split
    from handoff_eval.evaluation.gate.gate import gate
    from handoff_eval.transcripts.read import read_dataset

    check_margins(arguments)
    if arguments.prevalence is not None and not 0 < arguments.prevalence < 1:
        raise SettingsError(
            f"Expected --prevalence to lie between 0 and 1; got {arguments.prevalence:g}."
        )
    dataset = read_dataset(arguments.on)
    if dataset.refusals:
        say(f"{len(dataset.refusals)} lines of {dataset.name} refused")
    items = dataset.labeled(Split.TEST)
    report = gate(
        _fired(arguments.baseline, items),
        _fired(arguments.candidate, items),
        positive=np.array([item.label.handoff for item in items], dtype=bool),
        groups=[item.conversation.group for item in items],
        prevalence=arguments.prevalence,
        weight=np.array([item.weight for item in items]),
        recall_margin=arguments.recall_margin / 100,
        volume_margin=arguments.volume_margin / 100,
        seed=arguments.seed,
    )
    params = {"baseline": str(arguments.baseline), "candidate": str(arguments.candidate)}
    keep_result(arguments, report, kind="gate", dataset=dataset, params=params)
    print(json.dumps(report.to_dict()) if arguments.json else report)
    return report.exit_code


def _fired(path: Path, items: Sequence[LabeledConversation]) -> NDArray[np.bool_]:
    """Return whether each conversation is emailed, by a bundle or by decisions that were made."""
    import numpy as np

    if path.is_dir():
        from handoff_eval.evaluation.replay import replay
        from handoff_eval.production.bundle import read_bundle

        bundle = read_bundle(path)
        played = replay(bundle.trigger, [item.conversation for item in items])
        fired: NDArray[np.bool_] = played.peak >= bundle.point.threshold
        return fired
    decided = _read_decisions(path)
    missing = [c.id for c in (item.conversation for item in items) if c.id not in decided]
    if missing:
        raise DataError(
            f"{path}: expected a decision for each of {len(items)} labelled test conversations; "
            f"{len(missing)} have none, such as {missing[0]!r}. Decide the whole split."
        )
    return np.array([decided[item.conversation.id] for item in items], dtype=bool)


def _read_decisions(path: Path) -> dict[str, bool]:
    decided: dict[str, bool] = {}
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(
            f"{path}: expected a bundle or a file of decisions in UTF-8; {error}."
        ) from None
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            document = json.loads(line)
            name, fired = document["conversation_id"], document["fired"]
        except (ValueError, KeyError, TypeError):
            raise DataError(
                f"{path}:{number}: expected a decision with 'conversation_id' and 'fired'; got "
                f"{line[:60]!r}. Make the file with 'handoff-eval decide'."
            ) from None
        if not isinstance(fired, bool):
            raise DataError(f"{path}:{number}: 'fired' must be true or false; got {fired!r}.")
        if name in decided:
            raise DataError(
                f"{path}:{number}: expected one decision a conversation; {name!r} comes twice. "
                "Give the decisions of one handoff."
            )
        decided[name] = fired
    return decided
