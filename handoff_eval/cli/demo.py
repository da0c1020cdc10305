"""The main job from transcripts to emails and an exported trigger, on the shipped conversations.

It checks the data, compares the triggers, chooses an operating point for the budget in the
handoff file, logs the run, writes a report, exports the chosen trigger, shows that the export
decides the same, and sends the emails of the test conversations that fired to a local mailbox.
"""

from __future__ import annotations

import argparse
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from handoff_eval.cli.options import DEFAULT_ARMS
from handoff_eval.settings import project_root

if TYPE_CHECKING:
    from handoff_eval.cli.comparing import Compared
    from handoff_eval.handoff import Handoff
    from handoff_eval.production.bundle import Bundle

LLM_DECISIONS = 300


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `demo`."""
    parser.add_argument(
        "--dataset", type=Path, metavar="DATASET", help="default: datasets/support_handoff"
    )
    parser.add_argument("--handoff", type=Path, metavar="FILE", help="default: the dataset's own")
    parser.add_argument("--out", type=Path, metavar="DIR", help="default: out/demo")
    parser.add_argument("--live", action="store_true", help="ask the language model again")
    parser.add_argument(
        "--record", action="store_true", help="keep the model's replies in the dataset's folder"
    )
    parser.add_argument("--json", action="store_true", help="print what was found as JSON")


def run(arguments: argparse.Namespace) -> int:
    """Run the main job and say in five lines what was found."""
    from handoff_eval.cli.compare import write_text
    from handoff_eval.cli.comparing import read_usable, run_comparison, table_text
    from handoff_eval.cli.export import export
    from handoff_eval.cli.llm_options import LlmOptions
    from handoff_eval.cli.options import ArmOptions
    from handoff_eval.cli.progress import say
    from handoff_eval.conversation import Split
    from handoff_eval.errors import SettingsError
    from handoff_eval.evaluation.comparison.line_up import RECORDED_REPLIES
    from handoff_eval.evaluation.comparison.plots import volume_recall_plot
    from handoff_eval.evaluation.findings.analysis import analyse
    from handoff_eval.evaluation.pages.report import render_report
    from handoff_eval.handoff import read_handoffs
    from handoff_eval.production.keep import keep_comparison

    folder = arguments.dataset or project_root() / "datasets" / "support_handoff"
    out = arguments.out or project_root() / "out" / "demo"
    handoff = read_handoffs(arguments.handoff or folder / "handoff.toml")[0]
    if handoff.budget is None:
        raise SettingsError(
            f"Expected the handoff {handoff.name!r} to state a budget; it has none."
        )
    options = ArmOptions(DEFAULT_ARMS, None, LlmOptions(LLM_DECISIONS), arguments.live, seed=0)
    compared = run_comparison(read_usable(folder), handoff, options)
    comparison = compared.comparison
    if not arguments.json:
        print(table_text(comparison))
    if arguments.record and compared.asker is not None:
        compared.asker.record(folder / RECORDED_REPLIES)
    analysis = analyse(comparison, compared.dataset, seed=options.seed)
    page = render_report(
        comparison,
        test=compared.dataset.labeled(Split.TEST),
        instruction=handoff.instruction,
        seed=options.seed,
        analysis=analysis,
    )
    write_text(out / "report.html", page)
    (out / "volume_recall.png").write_bytes(volume_recall_plot(comparison).png())
    say("logging to MLflow")
    run_id = keep_comparison(
        comparison,
        compared.arms,
        dataset=compared.dataset,
        handoff=handoff,
        seed=options.seed,
        analysis=analysis,
        say=say,
    )
    say("exporting the chosen trigger")
    bundle, parity = export(run_id, out / "bundle")
    say("sending the emails to a local mailbox")
    sent = _send(compared, bundle, handoff, out)
    chosen = comparison.arm(bundle.point.trigger)
    found = {
        "chosen": chosen.name,
        "certified": bundle.point.certificate is not None,
        "recall": chosen.measures.recall.to_dict(),
        "emails_per_day": chosen.measures.emails_per_day.to_dict(),
        "emails_sent": sent,
        "parity": {"decisions": parity.decisions, "changed": parity.changed},
        "mlflow_run": run_id,
        "out": str(out),
    }
    if arguments.json:
        print(json.dumps(found))
        return 0
    measures = chosen.measures
    print(
        f"\n1. {chosen.name} was chosen on tune: on test it catches {measures.recall} of the "
        f"needed handoffs at {measures.emails_per_day} emails a day (budget "
        f"{handoff.budget.max_emails_per_day:g}).\n"
        f"2. {bundle.point.note}\n"
        f"3. The export in {out / 'bundle'} decides the same: {parity}.\n"
        f"4. {sent} emails of test conversations that fired are in {out / 'mailbox'}: open one.\n"
        f"5. Open {out / 'report.html'} next; then 'make ui' for the run in MLflow and "
        f"'make lab' for notebooks/01_quickstart.ipynb."
    )
    return 0


def _send(compared: Compared, bundle: Bundle, handoff: Handoff, out: Path) -> int:
    """Send the emails of the test conversations that fired; return how many arrived."""
    from handoff_eval.mail.rehearsal import rehearse
    from handoff_eval.production.decide import decide

    result = compared.comparison.arm(bundle.point.trigger)
    by_id = {c.id: c for c in compared.dataset.conversations}
    asked = [by_id[i] for i in result.test.replay.ids]
    decisions = decide(bundle.trigger, bundle.point, asked, handoff=handoff.name)
    return len(rehearse(handoff, by_id, decisions, out=out, sent_at=datetime.now(UTC)))
