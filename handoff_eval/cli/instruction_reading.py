"""What ablating, comparing and tuning an instruction share: options, conversations, a trigger."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from handoff_eval.cli.options import add_budget_options, handoff_of

if TYPE_CHECKING:
    from handoff_eval.conversation import Split
    from handoff_eval.evaluation.wordings.scores import Wordings
    from handoff_eval.evaluation.wordings.set_objective import Objective
    from handoff_eval.handoff import Handoff
    from handoff_eval.transcripts.read import Dataset
    from handoff_eval.trigger import Trigger

READERS = {
    "similarity": "its clauses against the turns; every conversation, in seconds",
    "prompt": "as a prompt to the language model; a draw of conversations",
}
"""Triggers that read an instruction."""
DECISIONS = 200


@dataclass(frozen=True, slots=True)
class Reading:
    """A trigger that reads instructions, the conversations and the budget."""

    handoff: Handoff
    wordings: Wordings
    objective: Objective
    seed: int


def add_reading_options(parser: argparse.ArgumentParser, *, splits: bool = True) -> None:
    """Add the dataset, the budget and the trigger that reads the instruction."""
    parser.add_argument("dataset", type=Path, metavar="DATASET", help="dataset folder")
    add_budget_options(parser)
    reader = parser.add_argument_group(
        "trigger", "\n".join(f"{name}: {text}" for name, text in READERS.items())
    )
    reader.add_argument(
        "--instruction", type=Path, metavar="FILE", help="when to hand off, in words"
    )
    reader.add_argument(
        "--arm", choices=sorted(READERS), default="similarity", help="default: %(default)s"
    )
    reader.add_argument(
        "--max-llm-decisions",
        type=int,
        default=DECISIONS,
        metavar="N",
        help="of each wording on each split, for a prompt (default: %(default)s)",
    )
    reader.add_argument("--live", action="store_true", help="ask again, whatever replies are kept")
    if splits:
        parser.add_argument(
            "--split",
            choices=("train", "test"),
            default="train",
            help="train to learn from, test to report once (default: %(default)s)",
        )
    parser.add_argument("--seed", type=int, default=0, help="of every draw (default: %(default)s)")
    out = parser.add_argument_group("results")
    out.add_argument("--json", action="store_true", help="print one JSON document")


def split_of(arguments: argparse.Namespace) -> Split:
    """Return the split that figures are asked for on."""
    from handoff_eval.conversation import Split

    return Split(arguments.split)


@contextmanager
def reading(arguments: argparse.Namespace) -> Iterator[Reading]:
    """Give what the options ask for, with progress on stderr; the model is stopped at the end.

    Raises
    ------
    SettingsError
        When an option can't be used.
    """
    from handoff_eval.cli.comparing import read_usable
    from handoff_eval.cli.progress import ProgressBars
    from handoff_eval.errors import SettingsError
    from handoff_eval.evaluation.volume.deployment import deployment_prevalence
    from handoff_eval.evaluation.wordings.scores import Wordings
    from handoff_eval.evaluation.wordings.set_objective import Objective

    if arguments.max_llm_decisions < 20:
        raise SettingsError(
            f"Expected --max-llm-decisions to be at least 20; got {arguments.max_llm_decisions}."
        )
    from handoff_eval.conversation import Split

    handoff = handoff_of(arguments)
    dataset = read_usable(arguments.dataset)
    assert handoff.budget is not None  # noqa: S101 - handoff_of sees to it
    prevalence = deployment_prevalence(handoff.budget, dataset.labeled(Split.TUNE))
    dear = arguments.arm == "prompt"
    with ProgressBars() as bars, _builder(arguments, dataset) as build:
        yield Reading(
            handoff=handoff,
            wordings=Wordings(
                build,
                dataset,
                max_decisions=arguments.max_llm_decisions if dear else None,
                batch_turns=16 if dear else 2048,
                seed=arguments.seed,
                on_progress=bars,
            ),
            objective=Objective(handoff.budget, prevalence),
            seed=arguments.seed,
        )


@contextmanager
def _builder(arguments: argparse.Namespace, dataset: Dataset) -> Iterator[Callable[[str], Trigger]]:
    if arguments.arm == "similarity":
        from handoff_eval.encoders.minilm import cached_minilm
        from handoff_eval.triggers.similarity import SimilarityTrigger

        encoder = cached_minilm()
        yield lambda text: SimilarityTrigger(text, encoder)
        return
    from handoff_eval.evaluation.comparison.line_up import recorded_replies
    from handoff_eval.llm.asker import default_asker
    from handoff_eval.triggers.prompt import PromptTrigger

    with default_asker(recorded=recorded_replies(dataset), live=arguments.live) as asker:
        yield lambda text: PromptTrigger(text, asker)
