"""What `compare` leaves behind of people: pseudonyms in MLflow, unless the text is asked for."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from handoff_eval.cli.main import main
from handoff_eval.conversation import Customer, Split
from handoff_eval.encoders.hashing import HashingEncoder
from handoff_eval.transcripts.read import Dataset
from handoff_eval.transcripts.write import write_dataset
from tests.conftest import empty_project, files_at_rest
from tests.llm_provider import Answer, completion, provider

pytestmark = pytest.mark.medium

NAME, ADDRESS, PHONE, CARD = (
    "Quenby",
    "quenby@private.example",
    "+49 170 5551234",
    "4111 1111 1111 1111",
)
TELLS = f"My name is {NAME}, write to {ADDRESS} or call {PHONE}, my card is {CARD}."
KNOWN_ADDRESS = "only.in.the.record@private.example"
PERSONAL = re.compile(rb"(?i)quenby|private.example|\b5551234\b|\b4111 1111\b")
"""Any of them, as words of a vocabulary too."""
BUDGET = [
    *("--max-emails-per-day", "20", "--min-recall", "0.8"),
    *("--conversations-per-day", "200", "--prevalence", "0.05"),
]


def with_people(dataset: Dataset) -> Dataset:
    """Return the dataset with somebody named in its first turns and in the notes on it.

    Of train it is one conversation alone, as one person's data is.
    """
    first_of_train = next(c.id for c in dataset.conversations if c.split is Split.TRAIN)
    conversations = tuple(
        replace(
            conversation,
            customer=Customer(conversation.customer.id, KNOWN_ADDRESS),
            turns=(
                replace(conversation.turns[0], text=f"{conversation.turns[0].text} {TELLS}"),
                *conversation.turns[1:],
            )
            if conversation.id == first_of_train or conversation.split is not Split.TRAIN
            else conversation.turns,
            metadata={"verified_name": NAME},
        )
        for conversation in dataset.conversations
    )
    labels = tuple(replace(label, note=f"{NAME} asked, {ADDRESS}") for label in dataset.labels)
    return replace(dataset, conversations=conversations, labels=labels)


def says_yes(request: dict[str, Any]) -> Answer:
    """Answer with what it was told, as a model may, weighing a human call higher."""
    asked = str(request["messages"]).count("human")
    return completion(f"Yes: {TELLS}", logprobs=(("Yes", -0.1 * (9 - asked)), ("No", -1.0)))


@pytest.mark.parametrize("log_text", [False, True])
def test_a_comparison_leaves_pseudonyms_unless_text_is_asked_for(
    dataset: Dataset,
    mlflow_schema: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    log_text: bool,
) -> None:
    """No file of the store, no line printed and no JSON holds a name, address, number or card."""
    people = with_people(dataset)
    write_dataset(tmp_path / "set", conversations=people.conversations, labels=people.labels)
    monkeypatch.setenv("HANDOFF_EVAL_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(
        "handoff_eval.encoders.minilm.cached_minilm", lambda: HashingEncoder(dimension=16)
    )
    with empty_project(mlflow_schema, tmp_path / "home"), provider(says_yes) as served:
        monkeypatch.setenv("HANDOFF_EVAL_LLM_URL", served.settings.url)
        monkeypatch.setenv("HANDOFF_EVAL_LLM_MODEL", "tiny")
        code = main(
            ["compare", str(tmp_path / "set"), *BUDGET, "--arms", "keyword,tfidf,prompt"]
            + ["--max-llm-decisions", "60", "--json", str(tmp_path / "home" / "results.json")]
            + (["--log-text"] if log_text else [])
        )
    printed = capsys.readouterr()
    (tmp_path / "home" / "printed").write_text(printed.out + printed.err)

    assert code == 0, printed.err
    assert served.requests
    files = files_at_rest(tmp_path / "home")
    assert len(files) > 20
    assert "words.json" in {path.name for path in files}
    holding = {path.name for path in files if PERSONAL.search(path.read_bytes())}
    assert holding == ({"mlflow.db"} if log_text else set())
    if not log_text:
        database = (tmp_path / "home" / "mlruns" / "mlflow.db").read_bytes()
        assert re.search(rb"\[name-[0-9a-f]{10}\]", database), "the traces are there, masked"
        assert re.search(rb"email-[0-9a-f]{10}@masked\.invalid", database)
