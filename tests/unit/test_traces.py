"""What a model was asked, traced in a real MLflow: linked, masked, and forgotten again."""

from __future__ import annotations

import csv
import io
from typing import NamedTuple

import pytest

from handoff_eval.conversation import Split
from handoff_eval.evaluation.comparison.arm_scores import Arm
from handoff_eval.evaluation.comparison.compare import compare
from handoff_eval.evaluation.comparison.result import ArmResult
from handoff_eval.evaluation.findings.mistakes import verdicts
from handoff_eval.handoff import Budget, Handoff
from handoff_eval.llm.cost import Meter
from handoff_eval.tracking.asked import decision_entries
from handoff_eval.tracking.entries import File, Trace
from handoff_eval.tracking.log import log_comparison
from handoff_eval.tracking.store import Store, experiment_id, open_client
from handoff_eval.tracking.traces import forget_traces
from handoff_eval.transcripts.read import Dataset
from handoff_eval.triggers.keyword import KeywordTrigger, default_rules
from handoff_eval.triggers.prompt import PromptTrigger
from tests.conftest import SECRET, SmallModelAsker

MASKED = "[masked]"


class Asked(NamedTuple):
    """An arm over a model, and what was found for it."""

    arm: Arm
    result: ArmResult


@pytest.fixture(scope="module")
def asked(dataset: Dataset) -> Asked:
    """Compare a prompt arm that is asked about everything."""
    meter = Meter(SmallModelAsker())
    arm = Arm(PromptTrigger("When a person is needed.", meter), meter=meter)
    comparison = compare(dataset, [arm], Budget(20, 0.8, 200, prevalence=0.05))
    return Asked(arm, comparison.arms[0])


def mask(text: str) -> str:
    return text.replace(SECRET, MASKED)


def entries(asked: Asked, dataset: Dataset, **options: int) -> tuple[list[Trace], list[list[str]]]:
    """Return the traces and the rows of the table of errors."""
    found = list(
        decision_entries(*asked, dataset.labeled(Split.TEST), mask=mask, **options)  # type: ignore[arg-type]
    )
    (table,) = [entry for entry in found if isinstance(entry, File)]
    rows = list(csv.reader(io.StringIO(table.content.decode())))
    return [entry for entry in found if isinstance(entry, Trace)], rows


def test_every_decision_asked_is_in_the_trace_of_its_conversation(
    asked: Asked, dataset: Dataset
) -> None:
    """Scores, fires and turns are the replay's; every text has passed the mask."""
    traces, _ = entries(asked, dataset, max_decisions=10_000)
    replay = asked.result.test.replay
    trace = next(t for t in traces if MASKED in t.decisions[-1].messages[-1][1])
    place = replay.ids.index(trace.conversation_id)
    points = slice(replay.offsets[place], replay.offsets[place + 1])

    assert len(traces) == len(replay.ids)
    assert [d.score for d in trace.decisions] == replay.scores[points].tolist()
    assert [d.turns for d in trace.decisions] == replay.turns[points].tolist()
    assert [d.closed for d in trace.decisions] == [False, False, True]
    assert not any(SECRET in t for d in trace.decisions for _, t in d.messages)


def test_wrong_conversations_are_traced_first_and_named_in_the_table(
    asked: Asked, dataset: Dataset
) -> None:
    """With room for a few decisions only mistakes are traced, and each leads to its trace."""
    traces, (head, *rows) = entries(asked, dataset, max_decisions=9)
    verdict_of = verdicts(asked.result)
    wrong = {key for key, words in verdict_of.items() if words.split()[-1] in ("handoff", "email")}

    assert len(traces) == 3
    assert {trace.conversation_id for trace in traces} < wrong
    assert head[0::5] == ["conversation", "trace"]
    assert {row[0] for row in rows} == wrong
    assert {row[0]: row[-1] for row in rows if row[-1]} == {
        t.conversation_id: t.key for t in traces
    }


def test_an_arm_without_a_model_has_a_table_alone(dataset: Dataset) -> None:
    """Rules are asked nothing, but what they decide wrongly is listed."""
    arm = Arm(KeywordTrigger(default_rules()))
    result = compare(dataset, [arm], Budget(20, 0.8, 200, prevalence=0.05)).arms[0]
    traces, rows = entries(Asked(arm, result), dataset)

    assert not traces
    assert len(rows) > 1
    assert not any(row[-1] for row in rows[1:])


def test_traces_are_linked_to_the_run_and_can_be_forgotten(
    asked: Asked, dataset: Dataset, tracking_store: Store
) -> None:
    """MLflow finds them by verdict and run; a person's are gone to the last byte."""
    comparison = compare(dataset, [asked.arm], Budget(20, 0.8, 200, prevalence=0.05))
    found, _ = entries(asked, dataset, max_decisions=30)
    log_comparison(
        comparison,
        dataset=dataset,
        handoff=Handoff("support", ("team@example.com",)),
        seed=0,
        of_arms={"prompt": found},
    )
    client = open_client(tracking_store)
    experiment = experiment_id(client, tracking_store)
    run = client.search_runs([experiment], "attributes.run_name = 'prompt'")[0].info.run_id
    one = found[0]

    traces = client.search_traces(
        locations=[experiment], filter_string=f"tag.verdict = '{one.verdict}'", run_id=run
    )
    shown = next(t for t in traces if t.info.trace_id == one.key)
    assert {t.info.trace_id for t in traces} == {t.key for t in found if t.verdict == one.verdict}
    assert [s.name for s in shown.data.spans if s.parent_id] == [
        "after turn 0",
        "after turn 2",
        "at the close",
    ]
    messages = shown.data.spans[-1].inputs["messages"]
    assert messages[-1]["content"] == one.decisions[-1].messages[-1][1]
    assert shown.info.token_usage is not None

    gone = forget_traces(client, tracking_store, one.customer, [])
    left = client.search_traces(locations=[experiment], include_spans=False, max_results=100)
    assert gone == 1
    assert len(left) == len(found) - 1
    assert tracking_store.database is not None
    assert one.key.encode() not in tracking_store.database.read_bytes()
