"""Judge summaries of public conversations by what their sources say of them.

    python benchmarks/summaries_public.py ../shared/data

`todsum`: share of the gold slots that a summary keeps, and of the slot values it states that are
gold. `tweetsumm`: ROUGE-1 against summaries by people. Nothing here was tuned on either set.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from handoff_eval.conversation import Conversation, Role
from handoff_eval.encoders.minilm import cached_minilm
from handoff_eval.evaluation.intervals import cluster_weights
from handoff_eval.summaries.extractive import ExtractiveSummarizer
from handoff_eval.summaries.judge import ratio_estimate
from handoff_eval.summaries.metrics import count_words
from handoff_eval.summaries.moment import labelled_decision
from handoff_eval.summaries.rouge import rouge_n
from handoff_eval.summaries.structured import StructuredSummarizer
from handoff_eval.summaries.summary import Summarizer
from handoff_eval.transcripts.read import read_dataset

Texts = Mapping[str, Callable[[Conversation], str]]
LENGTH = "words to a word of transcript"


def summary_text(summarizer: Summarizer, conversation: Conversation) -> str:
    """Return a summary at the conversation's end without its subject, as one text."""
    decision = labelled_decision(conversation, None)
    summary = summarizer.summarize(conversation.turns, decision=decision)
    return " ".join(statement.text for statement in summary.statements(conversation.turns))


def lead(conversation: Conversation, *, turns: int) -> str:
    """Return the first turns."""
    return " ".join(turn.text for turn in conversation.turns[:turns])


def longest(conversation: Conversation, *, turns: int) -> str:
    """Return the longest turns, in order."""
    ranked = sorted(conversation.turns, key=lambda turn: -len(turn.text))[:turns]
    return " ".join(turn.text for turn in conversation.turns if turn in ranked)


def first_and_longest(conversation: Conversation) -> str:
    """Return the first customer turn and the longest agent turn."""
    customer = [turn.text for turn in conversation.turns if turn.role is Role.CUSTOMER]
    staff = [t.text for t in conversation.turns if t.role in (Role.AGENT, Role.HUMAN)]
    return " ".join([*customer[:1], max(staff, key=len, default="")])


def slots_of(states: Mapping[str, Sequence[str]]) -> dict[str, re.Pattern[str]]:
    """Return how a text states each gold slot value; "yes" is stated by the slot's name."""
    slots = {}
    inner = [act[act.index("(") + 1 : act.rindex(")")] for acts in states.values() for act in acts]
    for pair in (pair for pairs in inner for pair in pairs.split(" ; ")):
        name, _, value = (part.strip() for part in pair.partition("="))
        if value in ("", "no", "none", "dont care", "not mentioned"):
            continue
        if value == "yes":
            value = name
            said = {"internet": r"internet|wi-?fi", "parking": "parking"}[name]
        else:
            said = re.escape(value).replace(r"\ ", r"\s+")
        slots[value] = re.compile(rf"(?<![\w:])(?:{said})(?![\w:])")
    return slots


def todsum(folder: Path, texts: Texts) -> None:
    """Print what share of the gold slots each text keeps, and of its values are gold."""
    conversations = read_dataset(folder).conversations
    groups = [conversation.group for conversation in conversations]
    weights = cluster_weights(groups)
    people = read_references(folder)
    gold = {c.id: slots_of(c.metadata["dst_str"]) for c in conversations}
    known = {value: said for slots in gold.values() for value, said in slots.items()}
    print(f"\n### todsum\n\n{len(conversations)} dialogues, {len(known)} different values.\n")
    print(f"| summary | n | gold slots kept | stated values that are gold | {LENGTH} |")
    print("|---|---|---|---|---|")
    for name, text_of in {**texts, "the summary by people": lambda c: people[c.id][0]}.items():
        rows = []
        for conversation in conversations:
            text = text_of(conversation)
            stated = {value for value, said in known.items() if said.search(text.casefold())}
            own = set(gold[conversation.id])
            rows.append((len(stated & own), len(own), len(stated), *lengths(text, conversation)))
        kept, wanted, of_values, words, of_words = np.array(rows, dtype=np.float64).T
        shares = ((kept, wanted), (kept, of_values), (words, of_words))
        cells = [ratio_estimate(part, whole, groups, weights).short for part, whole in shares]
        print(f"| {name} | {len(rows)} | {' | '.join(cells)} |")


def tweetsumm(folder: Path, texts: Texts) -> None:
    """Print the ROUGE-1 of each text against people, and of people against each other."""
    people = read_references(folder)
    conversations = [c for c in read_dataset(folder).conversations if people.get(c.id)]
    groups = [conversation.group for conversation in conversations]
    print(f"\n### tweetsumm\n\n{len(conversations)} conversations.\n")
    print(f"| summary | n | ROUGE-1, mean over people | ROUGE-1, nearest person | {LENGTH} |")
    print("|---|---|---|---|---|")
    for name, text_of in texts.items():
        made = {c.id: text_of(c) for c in conversations}
        scores = [[rouge_n(made[c.id], one) for one in people[c.id]] for c in conversations]
        sizes = np.array([lengths(made[c.id], c) for c in conversations], dtype=np.float64)
        length = ratio_estimate(sizes[:, 0], sizes[:, 1], groups, cluster_weights(groups))
        cells = (rouge(map(np.mean, scores), groups), rouge(map(max, scores), groups), length.short)
        print(f"| {name} | {len(made)} | {' | '.join(cells)} |")
    several = [c for c in conversations if len(people[c.id]) > 1]
    between = [
        np.mean([rouge_n(a, b) for i, a in enumerate(people[c.id]) for b in people[c.id][i + 1 :]])
        for c in several
    ]
    agreement = rouge(between, [conversation.group for conversation in several])
    print(f"| one person against another | {len(several)} | {agreement} | | |")


def rouge(scores: Iterable[float], groups: Sequence[str]) -> str:
    """Return the mean with its interval, in hundredths."""
    values = np.array(list(scores), dtype=np.float64)
    weights = cluster_weights(groups)
    return ratio_estimate(values, np.ones_like(values), groups, weights).scaled(100).short


def lengths(text: str, conversation: Conversation) -> tuple[int, int]:
    """Return the words of a text and of its transcript."""
    return count_words(text), sum(count_words(turn.text) for turn in conversation.turns)


def read_references(folder: Path) -> dict[str, list[str]]:
    """Return the summaries by people, by conversation id."""
    lines = (folder / "summaries.jsonl").read_text(encoding="utf-8").splitlines()
    documents = [json.loads(line) for line in lines]
    return {document["conversation_id"]: document["summaries"] for document in documents}


def main() -> None:
    """Print one table a set."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, help="folder of the public sets")
    folder = parser.parse_args().data
    encoder = cached_minilm()
    texts: Texts = {
        "structured": partial(summary_text, StructuredSummarizer()),
        "extractive": partial(summary_text, ExtractiveSummarizer(encoder)),
        "lead: the first three turns": partial(lead, turns=3),
        "the three longest turns": partial(longest, turns=3),
        "first customer turn and longest agent turn": first_and_longest,
        "the whole transcript": partial(lead, turns=10_000),
    }
    todsum(folder / "todsum", texts)
    tweetsumm(folder / "tweetsumm", texts)


if __name__ == "__main__":
    main()
