"""Summarise the conversations that need a handoff, as the team would read them.

Each is cut at its labelled decision point; without one it is read to its end. With --judge the
summaries are measured instead: what they keep, what they invent, how long they take to read, with
intervals by customer.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from handoff_eval.cli.progress import ProgressBars, say
from handoff_eval.errors import SettingsError

if TYPE_CHECKING:
    from contextlib import ExitStack

    from handoff_eval.conversation import Conversation, Label, Turn
    from handoff_eval.encoders.base import Encoder
    from handoff_eval.summaries.contact import Contact
    from handoff_eval.summaries.quality import QualityReport
    from handoff_eval.summaries.summary import Summarizer, Summary
    from handoff_eval.transcripts.read import Dataset

SUMMARIZERS = ("structured", "extractive", "llm")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `summarize`."""
    parser.add_argument("dataset", type=Path, metavar="DATASET", help="dataset folder")
    parser.add_argument(
        "--summarizer",
        default="structured",
        metavar="A,B",
        help=f"which, of {', '.join(SUMMARIZERS)} (default: %(default)s)",
    )
    parser.add_argument(
        "--id", action="append", metavar="ID", help="only this conversation; may be repeated"
    )
    parser.add_argument(
        "--split", choices=("train", "tune", "test"), help="only conversations of this split"
    )
    parser.add_argument("--json", action="store_true", help="print JSON: a line a summary")
    parser.add_argument("--live", action="store_true", help="ask again, whatever replies are kept")
    judge = parser.add_argument_group("measuring")
    judge.add_argument("--judge", action="store_true", help="print the quality and not the text")
    judge.add_argument("--plot", type=Path, metavar="FILE", help="write the picture as a PNG file")
    judge.add_argument("--csv", type=Path, metavar="FILE", help="write one row a summary")
    judge.add_argument("--no-tracking", action="store_true", help="don't log the run to MLflow")


def run(arguments: argparse.Namespace) -> int:
    """Print the summaries, or judge them."""
    from contextlib import ExitStack

    from handoff_eval.cli.comparing import read_usable

    names = tuple(name.strip() for name in arguments.summarizer.split(",") if name.strip())
    if not names or len(set(names)) != len(names) or set(names) - set(SUMMARIZERS):
        raise SettingsError(
            f"Expected --summarizer to name some of {', '.join(SUMMARIZERS)}, each once; got "
            f"{arguments.summarizer!r}."
        )
    dataset = read_usable(arguments.dataset)
    items = _chosen(dataset, arguments.id, arguments.split, judged=arguments.judge)
    with ExitStack() as stack:
        encoder = _encoder() if arguments.judge or names != ("structured",) else None
        summarizers = [_make(name, dataset, encoder, arguments.live, stack) for name in names]
        if arguments.judge:
            return _judge(arguments, dataset, items, summarizers, encoder)
        _show(arguments, items, summarizers)
    return 0


def _chosen(
    dataset: Dataset, ids: list[str] | None, split: str | None, *, judged: bool
) -> list[tuple[Conversation, Label | None]]:
    """Return the conversations named, else those that have reference facts, else those in need."""
    labels = dataset.labels_of_record()
    items = [(c, labels.get(c.id)) for c in dataset.conversations]
    if ids is not None:
        unknown = sorted(set(ids) - {c.id for c, _ in items})
        if unknown:
            raise SettingsError(
                f"Expected --id to name conversations of {dataset.name}; got {unknown[0]!r}."
            )
        items = [(c, label) for c, label in items if c.id in ids]
    elif judged and dataset.facts:
        items = [(c, label) for c, label in items if c.id in dataset.facts]
    else:
        items = [(c, label) for c, label in items if label is None or label.handoff]
    items = [(c, label) for c, label in items if split is None or c.split == split]
    if not items:
        raise SettingsError(
            f"Expected conversations of {dataset.name} to summarise; none is in need"
            f"{f' in {split}' if split else ''}. Name some with --id."
        )
    return items


def _encoder() -> Encoder:
    from handoff_eval.encoders.minilm import cached_minilm

    return cached_minilm()


def _make(
    name: str, dataset: Dataset, encoder: Encoder | None, live: bool, stack: ExitStack
) -> Summarizer:
    if name == "structured" or encoder is None:
        from handoff_eval.summaries.structured import StructuredSummarizer

        return StructuredSummarizer()
    if name == "extractive":
        from handoff_eval.summaries.extractive import ExtractiveSummarizer

        return ExtractiveSummarizer(encoder)
    from handoff_eval.evaluation.comparison.line_up import recorded_replies
    from handoff_eval.llm.asker import default_asker
    from handoff_eval.summaries.llm import LlmSummarizer

    asker = stack.enter_context(default_asker(recorded=recorded_replies(dataset), live=live))
    return LlmSummarizer(asker, encoder=encoder)


def _show(
    arguments: argparse.Namespace,
    items: list[tuple[Conversation, Label | None]],
    summarizers: list[Summarizer],
) -> None:
    from handoff_eval.summaries.contact import find_contact
    from handoff_eval.summaries.moment import labelled_decision

    for conversation, label in items:
        decision = labelled_decision(conversation, label)
        for summarizer in summarizers:
            summary = summarizer.summarize(conversation.turns, decision=decision)
            contact = find_contact(conversation, turns=decision.turns)
            if arguments.json:
                document = {
                    "conversation_id": conversation.id,
                    "summarizer": summarizer.name,
                    "turns": decision.turns,
                    "contact": {"address": contact.address, "turn": contact.turn},
                    **summary.to_dict(),
                }
                print(json.dumps(document, ensure_ascii=False), flush=True)
            else:
                named = f" ({summarizer.name})" if len(summarizers) > 1 else ""
                text = summary_text(summary, conversation.turns, contact)
                print(f"{conversation.id}{named}\n{text}\n", flush=True)


def summary_text(summary: Summary, turns: tuple[Turn, ...], contact: Contact) -> str:
    """Return a summary as text for a terminal, every quotation with its speaker and turn."""
    from handoff_eval.transcripts.refusals import printable

    lines = [f"  {summary.subject}"]
    lines += [f"  model    {sentence.text}" for sentence in summary.written]
    for title, section in (
        ("says", summary.overview),
        ("asks", summary.asked),
        ("about", () if summary.issue == summary.asked else summary.issue),
        ("tried", summary.tried),
        ("open", summary.open_questions),
    ):
        lines += [
            f"  {title:<8} “{line.text}” ({turns[line.turn].role}, turn {line.turn})"
            for line in section
        ]
    lines += [f"  {mood.signal.value}: “{mood.line.text}”" for mood in summary.moods]
    where = "" if contact.turn is None else f" (from the chat, turn {contact.turn})"
    for title, text in (
        ("by", "" if summary.deadline is None else summary.deadline.text),
        ("reason", "" if summary.reason is None else summary.reason.value),
        ("contact", "" if contact.address is None else f"{contact.address}{where}"),
        ("facts", "; ".join(str(fact) for fact in summary.facts)),
        ("note", summary.note),
    ):
        lines += [f"  {title:<8} {text}"] if text else []
    return "\n".join(printable(line) for line in lines)


def _judge(
    arguments: argparse.Namespace,
    dataset: Dataset,
    items: list[tuple[Conversation, Label | None]],
    summarizers: list[Summarizer],
    encoder: Encoder | None,
) -> int:
    from handoff_eval.cli.compare import write_text
    from handoff_eval.summaries.judge import judge_summaries

    with ProgressBars() as bars:
        report = judge_summaries(
            items,
            summarizers,
            dataset=dataset.name,
            digest=dataset.digest,
            facts=dataset.facts,
            encoder=encoder,
            on_progress=bars,
        )
    if arguments.json:
        print(json.dumps(report.to_dict(), indent=2, allow_nan=False))
    else:
        print(_table(report))
    if arguments.csv is not None:
        write_text(arguments.csv, report.summaries_frame().to_csv(index=False))
    if arguments.plot is not None:
        _write_plot(arguments.plot, report)
    if not arguments.no_tracking:
        from handoff_eval.tracking.summaries import log_summaries

        say(f"MLflow run {log_summaries(report, dataset=dataset, say=say)}")
    return 0


def _table(report: QualityReport) -> str:
    return "\n".join(
        [
            f"{report.dataset}: {len(report.judged) // len(report.qualities)} conversations, each "
            f"cut at its labelled decision point; facts {report.facts}.",
            "95 % intervals by customer:",
            report.frame().T.to_string(),
            "",
            *(f"{quality.summarizer}: {quality.description}" for quality in report.qualities),
        ]
    )


def _write_plot(path: Path, report: QualityReport) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(report.plot().png())
    except OSError as error:
        raise SettingsError(f"{path}: can't be written ({error.strerror}).") from None
