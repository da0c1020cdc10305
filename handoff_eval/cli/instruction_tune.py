"""Search for a better instruction at the email volume the team can read.

Candidates are edits of single clauses and, where HANDOFF_EVAL_LLM_URL names a capable model,
wordings it writes after reading wrong decisions. All are judged on train, the best gets its
threshold on tune, and its figures, once, from test.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from handoff_eval.cli.instruction_reading import Reading, add_reading_options, reading
from handoff_eval.cli.result_options import add_report_option, write_report

if TYPE_CHECKING:
    from handoff_eval.evaluation.wordings.reflection import Reflect
    from handoff_eval.evaluation.wordings.tuning_result import Tuning

ALIAS = "candidate"
SHOWN = 5


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the action's arguments."""
    add_reading_options(parser, splits=False)
    parser.add_argument(
        "--max-candidates",
        type=int,
        default=60,
        metavar="N",
        help="wordings judged at most by edits (default: %(default)s)",
    )
    parser.add_argument(
        "--proposals",
        type=int,
        default=8,
        metavar="N",
        help="wordings asked of a configured model (default: %(default)s)",
    )
    parser.add_argument("--to", type=Path, metavar="FILE", help="write the winner as a text file")
    parser.add_argument("--picture", type=Path, metavar="FILE", help="write a PNG of the search")
    add_report_option(parser)
    parser.add_argument("--no-tracking", action="store_true", help="don't log the run to MLflow")


def run(arguments: argparse.Namespace) -> int:
    """Tune and show."""
    from handoff_eval.cli.compare import write_bytes, write_text
    from handoff_eval.cli.progress import say
    from handoff_eval.errors import SettingsError
    from handoff_eval.evaluation.wordings.tuning import tune_instruction
    from handoff_eval.evaluation.wordings.tuning_tries import TriesLedger
    from handoff_eval.settings import cache_dir

    for name in ("max_candidates", "proposals"):
        if getattr(arguments, name) < 1:
            raise SettingsError(
                f"Expected --{name.replace('_', '-')} to be at least 1; "
                f"got {getattr(arguments, name)}."
            )

    def tell(done: int, most: int) -> None:
        if done % 10 == 0 and sys.stderr.isatty():
            say(f"{done} of at most {most} wordings judged")

    with reading(arguments) as given:
        tuning = tune_instruction(
            given.handoff.instruction,
            given.wordings,
            given.objective,
            TriesLedger(cache_dir() / "tuning_tries.json"),
            reflect=_reflect(given, arguments),
            max_candidates=arguments.max_candidates,
            seed=given.seed,
            on_candidate=tell,
        )
    if arguments.to is not None:
        write_text(arguments.to, tuning.winner.text + "\n")
    if arguments.picture is not None:
        write_bytes(arguments.picture, tuning.plot().png())
    write_report(
        arguments.report,
        tuning,
        about=f"tuning on {given.wordings.dataset.name}",
        params={"Dataset": given.wordings.dataset.digest, "Instruction": tuning.winner.text},
    )
    if not arguments.no_tracking:
        from handoff_eval.tracking.instructions import log_instruction
        from handoff_eval.tracking.versions import keep_instruction

        name = given.handoff.name
        keep_instruction(tuning.given.text, handoff=name, say=say)
        kept = keep_instruction(tuning.winner.text, handoff=name, alias=ALIAS, say=say)
        run_id = log_instruction(tuning, dataset=given.wordings.dataset, version=kept, say=say)
        say(f"kept: {kept.uri}, alias {ALIAS}; MLflow run {run_id}")
    if arguments.json:
        print(json.dumps(tuning.to_dict(), indent=2, ensure_ascii=False, allow_nan=False))
    else:
        print(_page(tuning))
    return 0


def _reflect(given: Reading, arguments: argparse.Namespace) -> Reflect | None:
    """Return the reflection of the configured model; None where none is configured."""
    from handoff_eval.evaluation.wordings.reflection import reflector
    from handoff_eval.llm.asker import default_asker
    from handoff_eval.settings import EndpointSettings

    if EndpointSettings.from_environment() is None:
        return None
    return reflector(
        given.wordings,
        default_asker(live=arguments.live),
        given.objective,
        proposals=arguments.proposals,
        seed=given.seed,
    )


def _page(tuning: Tuning) -> str:
    budget = tuning.objective.budget
    lines = [
        tuning.note,
        "",
        f"{len(tuning.candidates)} wordings on train ({tuning.train_positives} positives), recall "
        f"at {budget.max_emails_per_day:g} emails a day; what chose the winner flatters it:",
        f"  given   {tuning.given.recall:.3f}  {tuning.given.words} words",
        f"  winner  {tuning.winner.recall:.3f}  {tuning.winner.words} words",
        "",
        f"Front of recall, emails a day for a recall of {budget.min_recall:.0%}, and words:",
    ]
    for c in tuning.front[:SHOWN]:
        lines.append(f"  {c.recall:.3f}  {c.emails_at_floor:6.1f}  {c.words:4}  {c.origin}")
    if len(tuning.front) > SHOWN:
        lines.append(f"  and {len(tuning.front) - SHOWN} more, with --json")
    measures = tuning.measures
    lines += [
        "",
        f"On tune (risk divided by {tuning.tries}): {tuning.point.note}",
        "",
        "On test, 95 % intervals by customer:",
        f"  recall {measures.recall}, emails a day {measures.emails_per_day.short}",
        f"  recall minus the given instruction's at the same volume "
        f"{tuning.difference.difference.short}, p {tuning.difference.p_adjusted:.3f} "
        f"(times {tuning.looks} for the winners ever confirmed on test)",
        f"  {tuning.verdict}",
        "",
        "Winner:",
        tuning.winner.text,
    ]
    return "\n".join(lines)
