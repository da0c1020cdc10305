"""Put one fault into each summary and see which metric notices.

    python benchmarks/summary_faults.py datasets/support_handoff --people ../shared/data/tweetsumm

A metric catches a fault when it is worse than for the same summary without it. The row "none" is
how often a metric complains of a summary that nobody has spoilt; under coverage, how often a fact
is missing. The tables are those of docs/summaries.md.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from handoff_eval.conversation import Conversation, ReferenceFact, ReferenceKind, Role, Turn
from handoff_eval.encoders.base import Encoder
from handoff_eval.evaluation.intervals import clopper_pearson
from handoff_eval.summaries.claims import ClaimKind, Spoken, find_claims
from handoff_eval.summaries.metrics import Said, SummaryScore, score_summary
from handoff_eval.summaries.moment import labelled_decision
from handoff_eval.summaries.structured import StructuredSummarizer
from handoff_eval.summaries.summary import Statement
from handoff_eval.summaries.support import is_negated, statements_of
from handoff_eval.transcripts.read import Dataset, read_dataset

Statements = tuple[Statement, ...]

PROMISES = (
    "The agent promised a full refund and an apology voucher.",
    "The agent said that a replacement is on its way free of charge.",
    "The agent confirmed that the fee has been waived as a goodwill gesture.",
    "The agent guaranteed that a manager will personally visit the customer.",
)
NAMES = ("Lindqvist", "Okonkwo-Hale", "Baranowski", "Featherstone")
_NOT = re.compile(r"\s*(?<!\w)(?:not|never|no|nothing|nobody)(?!\w)|n['’]t(?!\w)", re.IGNORECASE)
_AUXILIARY = re.compile(
    r"(?<!\w)(?:is|are|was|were|has|have|had|can|could|will|would|did|does|do|should)(?!\w)",
    re.IGNORECASE,
)
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


@dataclass(frozen=True)
class Case:
    """A summary to be spoilt, with what it is a summary of."""

    statements: Statements
    turns: tuple[Turn, ...]
    facts: tuple[ReferenceFact, ...]


def drop_identifier(case: Case, rng: random.Random) -> Statements | None:
    """Leave a needed number out wherever it stands."""
    return _cut(case, ReferenceKind.IDENTIFIER, rng)


def drop_ask(case: Case, rng: random.Random) -> Statements | None:
    """Leave out the sentences that say what is asked."""
    asks = [f for f in case.facts if f.kind is ReferenceKind.ASK and f.needed]
    rng.shuffle(asks)
    for ask in asks:
        kept = tuple(s for s in case.statements if not Said([s]).holds(ask))
        if 0 < len(kept) < len(case.statements):
            return kept
    return None


def change_amount(case: Case, rng: random.Random) -> Statements | None:
    """Change a digit of a number."""
    numbers = [
        (i, claim.text)
        for i, s in enumerate(case.statements)
        for claim in find_claims(s.text)
        if claim.kind is ClaimKind.NUMBER and claim.text[-1].isdigit()
    ]
    if not numbers:
        return None
    place, text = rng.choice(numbers)
    at = rng.choice([i for i, c in enumerate(text) if c.isdigit()])
    spoilt = text[:at] + str((int(text[at]) + rng.randint(1, 9)) % 10) + text[at + 1 :]
    return _rewrite(case, place, text, spoilt)


def change_date(case: Case, rng: random.Random) -> Statements | None:
    """Name another day of the week or another month."""
    days = [
        (i, claim.text)
        for i, s in enumerate(case.statements)
        for claim in find_claims(s.text)
        if claim.kind is ClaimKind.DAY
    ]
    if not days:
        return None
    place, text = rng.choice(days)
    others = [day for day in _DAYS if day.casefold() != text.casefold()]
    return _rewrite(case, place, text, rng.choice(others))


def swap_roles(case: Case, rng: random.Random) -> Statements | None:
    """Give a sentence of one side to the other, in its words and in its mark."""
    spoken = [i for i, s in enumerate(case.statements) if s.speaker is not None]
    if not spoken:
        return None
    place = rng.choice(spoken)
    statement = case.statements[place]
    other = Role.AGENT if statement.speaker is Role.CUSTOMER else Role.CUSTOMER
    names = {"customer": "agent", "agent": "customer", "colleague": "customer"}
    text = re.sub(
        r"(?<!\w)(customer|agent|colleague)(?!\w)",
        lambda match: names[match[0].casefold()],
        statement.text,
        flags=re.IGNORECASE,
    )
    return _with(case, place, replace(statement, text=text, speaker=other))


def invent_promise(case: Case, rng: random.Random) -> Statements | None:
    """Add a promise that the agent never made."""
    (promise,) = statements_of(rng.choice(PROMISES))
    return (*case.statements, promise)


def invent_name(case: Case, rng: random.Random) -> Statements | None:
    """Bring in a person whom nobody named."""
    place = rng.randrange(len(case.statements))
    statement = case.statements[place]
    text = f"{statement.text.rstrip('.')}, according to {rng.choice(NAMES)}."
    return _with(case, place, replace(statement, text=text))


def flip_negation(case: Case, rng: random.Random) -> Statements | None:
    """Make a sentence say the contrary."""
    places = list(range(len(case.statements)))
    rng.shuffle(places)
    for place in places:
        statement = case.statements[place]
        if is_negated(statement.text):
            text = _NOT.sub("", statement.text)
        else:
            text = _AUXILIARY.sub(lambda match: f"{match[0]} not", statement.text, count=1)
        if text != statement.text and is_negated(text) != is_negated(statement.text):
            return _with(case, place, replace(statement, text=text))
    return None


FAULTS: dict[str, Callable[[Case, random.Random], Statements | None]] = {
    "dropped order number": drop_identifier,
    "dropped ask": drop_ask,
    "changed amount or number": change_amount,
    "changed date": change_date,
    "swapped roles": swap_roles,
    "invented promise": invent_promise,
    "invented name": invent_name,
    "negation flipped": flip_negation,
}
METRICS: dict[str, Callable[[SummaryScore], float]] = {
    "coverage": lambda score: -score.kept.total(),
    "copy-precision": lambda score: len(score.invented),
    "role swaps": lambda score: len(score.swapped),
    "unsupported": lambda score: len(score.unsupported),
}


@dataclass(frozen=True)
class Outcome:
    """What became of one fault over all the summaries it could be put into.

    Attributes
    ----------
    n : int
    caught : dict of str to int
        By metric, and by `any` of them.
    rouge_change : float
        Mean change of ROUGE-1.
    """

    n: int
    caught: dict[str, int]
    rouge_change: float


def run_suite(
    cases: Sequence[Case], *, encoder: Encoder | None = None, seed: int = 0
) -> dict[str, Outcome]:
    """Spoil every case in every way that fits it; "none" counts complaints of the unspoilt."""

    def judge(case: Case, statements: Statements) -> SummaryScore:
        return score_summary(statements, turns=case.turns, facts=case.facts, encoder=encoder)

    clean = [judge(case, case.statements) for case in cases]
    complaints = {
        name: sum(metric(score) > 0 for score in clean)
        for name, metric in METRICS.items()
        if name != "coverage"
    }
    complaints["coverage"] = sum(bool(score.missing) for score in clean)
    flawed = sum(bool(s.invented or s.swapped or s.unsupported) for s in clean)
    outcomes = {"none": Outcome(len(cases), {**complaints, "any": flawed}, 0.0)}
    for name, spoil in FAULTS.items():
        rng = random.Random(f"{name} {seed}")
        caught = dict.fromkeys((*METRICS, "any"), 0)
        changes = []
        for case, before in zip(cases, clean, strict=True):
            spoilt = spoil(case, rng)
            if spoilt is None:
                continue
            after = judge(case, spoilt)
            worse = [m for m, metric in METRICS.items() if metric(after) > metric(before)]
            for metric_name in (*worse, *(["any"] if worse else [])):
                caught[metric_name] += 1
            changes.append(after.rouge_1 - before.rouge_1)
        change = float(np.nanmean(changes)) if np.isfinite(changes).any() else float("nan")
        outcomes[name] = Outcome(len(changes), caught, change)
    return outcomes


def quoting_cases(dataset: Dataset) -> list[Case]:
    """Return the structured summaries of the conversations that have reference facts."""
    cases = []
    labels = dataset.labels_of_record()
    for conversation in dataset.conversations:
        if conversation.id in dataset.facts:
            decision = labelled_decision(conversation, labels.get(conversation.id))
            turns = conversation.turns[: decision.turns]
            summary = StructuredSummarizer().summarize(turns, decision=decision)
            cases.append(Case(summary.statements(turns), turns, dataset.facts[conversation.id]))
    return cases


def free_cases(dataset: Dataset) -> list[Case]:
    """Return the needed facts as reported speech with no link to a turn: a model's best case."""
    cases = []
    for case in quoting_cases(dataset):
        names = {Role.CUSTOMER: "The customer says", Role.AGENT: "The agent says"}
        statements = tuple(
            Statement(f"{names[role]}: {fact.text}.", None, role)
            for fact in case.facts
            if fact.needed and (role := case.turns[fact.turn].role) in names
        )
        cases.append(replace(case, statements=statements))
    return cases


def people_cases(folder: Path) -> list[Case]:
    """Return the first summary by a person of each conversation of a public set."""
    conversations: dict[str, Conversation] = {c.id: c for c in read_dataset(folder).conversations}
    lines = (folder / "summaries.jsonl").read_text(encoding="utf-8").splitlines()
    documents = [json.loads(line) for line in lines]
    return [
        Case(statements, conversations[d["conversation_id"]].turns, ())
        for d in documents
        if d["summaries"]
        and d["conversation_id"] in conversations
        and (statements := statements_of(d["summaries"][0]))
    ]


def table(outcomes: dict[str, Outcome]) -> str:
    """Return the outcomes as Markdown, shares with exact 95 % limits."""
    columns = (*METRICS, "any")
    lines = [
        "| fault | n | " + " | ".join(columns) + " | change of ROUGE-1 |",
        "|---" * (len(columns) + 3) + "|",
    ]
    for name, outcome in outcomes.items():
        cells = []
        for column in columns:
            if not outcome.n:
                cells.append("")
                continue
            low, high = clopper_pearson(outcome.caught[column], outcome.n)
            share = outcome.caught[column] / outcome.n
            cells.append(f"{share:.2f} [{low:.2f}, {high:.2f}]")
        change = "" if np.isnan(outcome.rouge_change) else f"{outcome.rouge_change:+.3f}"
        lines.append(f"| {name} | {outcome.n} | {' | '.join(cells)} | {change} |")
    return "\n".join(lines)


def _cut(case: Case, kind: ReferenceKind, rng: random.Random) -> Statements | None:
    wanted = [f for f in case.facts if f.kind is kind and f.needed]
    rng.shuffle(wanted)
    for fact in wanted:
        keys = {claim.key for claim in find_claims(fact.text)}
        if not keys or not Said(case.statements).holds(fact):
            continue
        cut = []
        for statement in case.statements:
            text = statement.text
            for claim in find_claims(text):
                if claim.key in keys:
                    text = text.replace(claim.text, "")
            if re.search(r"\w", text):
                cut.append(replace(statement, text=text))
        if not any(Spoken(s.text for s in cut).holds(c) for c in find_claims(fact.text)):
            return tuple(cut)
    return None


def _rewrite(case: Case, place: int, old: str, new: str) -> Statements:
    statement = case.statements[place]
    return _with(case, place, replace(statement, text=statement.text.replace(old, new, 1)))


def _with(case: Case, place: int, statement: Statement) -> Statements:
    return (*case.statements[:place], statement, *case.statements[place + 1 :])


def main() -> None:
    """Print one table a kind of summary."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dataset", type=Path, help="a dataset folder with facts.jsonl")
    parser.add_argument("--people", type=Path, help="a public set with summaries by people")
    parser.add_argument("--words-only", action="store_true", help="judge without an encoder")
    arguments = parser.parse_args()
    encoder: Encoder | None = None
    if not arguments.words_only:
        from handoff_eval.encoders.minilm import cached_minilm

        encoder = cached_minilm()
    dataset = read_dataset(arguments.dataset)
    kinds = {
        "Quoting summaries (structured)": quoting_cases(dataset),
        "Free text (the needed facts as reported speech)": free_cases(dataset),
    }
    if arguments.people is not None:
        kinds["Summaries by people"] = people_cases(arguments.people)
    for title, cases in kinds.items():
        print(f"\n### {title}\n\n{table(run_suite(cases, encoder=encoder))}")


if __name__ == "__main__":
    main()
