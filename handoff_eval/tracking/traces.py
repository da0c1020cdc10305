"""Traces of what a language model was asked: written beside the arm's run, and forgotten again.

Spans go to the store as values: neither MLflow's global tracking URI nor its tracer is touched.
"""

from __future__ import annotations

import json
import sqlite3
import time
import uuid
from collections.abc import Iterable, Iterator
from contextlib import closing
from typing import TYPE_CHECKING, Any

from handoff_eval.tracking.entries import Trace
from handoff_eval.tracking.store import Store, refusals_in_words

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Span

_NANO = 1_000_000_000
_PAGE = 500


def write_traces(client: MlflowClient, run_id: str, traces: Iterable[Trace]) -> None:
    """Write traces into a run's experiment, linked to the run."""
    from mlflow.entities import TraceInfo, TraceState
    from mlflow.entities.trace_location import TraceLocation
    from mlflow.tracing.client import TracingClient

    traces = list(traces)
    if not traces:
        return
    experiment = client.get_run(run_id).info.experiment_id
    store = TracingClient(client.tracking_uri)
    now = time.time_ns()
    for trace in traces:
        spans = list(_spans(trace, now))
        seconds = sum(decision.seconds for decision in trace.decisions)
        store.start_trace(
            TraceInfo(
                trace_id=trace.key,
                trace_location=TraceLocation.from_experiment_id(experiment),
                request_time=now // 1_000_000,
                execution_duration=round(1000 * seconds),
                state=TraceState.OK,
                client_request_id=trace.conversation_id,
                request_preview=f"{trace.conversation_id}: {len(trace.decisions)} decisions asked",
                response_preview=trace.verdict,
                trace_metadata={
                    "mlflow.sourceRun": run_id,
                    "mlflow.trace.session": trace.conversation_id,
                    "mlflow.trace.user": trace.customer,
                },
                tags={
                    "mlflow.traceName": trace.arm,
                    "mlflow.trace.spansLocation": "TRACKING_STORE",
                    "conversation": trace.conversation_id,
                    "verdict": trace.verdict,
                },
            )
        )
        store.log_spans(experiment, spans)


def _spans(trace: Trace, start: int) -> Iterator[Span]:
    """Yield the conversation and its decisions, one after the other as long as each took."""
    root = _id()
    fired = next((d for d in trace.decisions if d.fires), None)
    at = start
    for decision in trace.decisions:
        end = at + round(_NANO * decision.seconds)
        tokens = (decision.prompt_tokens or 0, decision.completion_tokens or 0)
        yield _span(
            trace,
            name="at the close" if decision.closed else f"after turn {decision.turns - 1}",
            kind="CHAT_MODEL",
            inputs={
                "messages": [{"role": role, "content": text} for role, text in decision.messages]
            },
            outputs={"reply": decision.reply, "score": decision.score, "fires": decision.fires},
            period=(at, end),
            parent=root,
            usage={
                "mlflow.llm.model": trace.model,
                "mlflow.chat.tokenUsage": {
                    "input_tokens": tokens[0],
                    "output_tokens": tokens[1],
                    "total_tokens": sum(tokens),
                },
            },
        )
        at = end
    yield _span(
        trace,
        name=trace.conversation_id,
        kind="AGENT",
        inputs={
            "conversation": trace.conversation_id,
            "handoff needed": trace.needed,
            "needed from turn": trace.needed_from,
        },
        outputs={
            "verdict": trace.verdict,
            "threshold": trace.threshold,
            "asked and fired after turn": None if fired is None else fired.turns - 1,
        },
        period=(start, at),
        own=root,
    )


def _span(
    trace: Trace,
    *,
    name: str,
    kind: str,
    inputs: dict[str, Any],
    outputs: dict[str, Any],
    period: tuple[int, int],
    own: int | None = None,
    parent: int | None = None,
    usage: dict[str, Any] | None = None,
) -> Span:
    from mlflow.entities import Span
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.trace import SpanContext, Status, StatusCode

    attributes = {
        "mlflow.traceRequestId": trace.key,
        "mlflow.spanType": kind,
        "mlflow.spanInputs": inputs,
        "mlflow.spanOutputs": outputs,
        **(usage or {}),
    }
    number = int(trace.key.removeprefix("tr-"), 16)
    contexts = [
        None if one is None else SpanContext(number, one, is_remote=False)
        for one in (_id() if own is None else own, parent)
    ]
    return Span(
        ReadableSpan(
            name=name,
            context=contexts[0],
            parent=contexts[1],
            attributes={key: json.dumps(value) for key, value in attributes.items()},
            status=Status(StatusCode.OK),
            start_time=period[0],
            end_time=period[1],
            resource=Resource.get_empty(),
        )
    )


def _id() -> int:
    return uuid.uuid4().int >> 64


def forget_traces(
    client: MlflowClient, store: Store, customer: str, conversations: Iterable[str]
) -> int:
    """Delete a person's traces from every experiment and return how many there were.

    Of an SQLite store the deleted bytes are overwritten too.

    Parameters
    ----------
    client : MlflowClient
        Of the store.
    store : Store
    customer : str
        Id of a customer.
    conversations : iterable of str
        Theirs, where the customer's id is not known to the traces.
    """
    wanted = [f"metadata.`mlflow.trace.user` = '{_quoted(customer)}'"]
    wanted += [f"tags.conversation = '{_quoted(one)}'" for one in conversations]
    count = 0
    with refusals_in_words(store):
        for experiment in client.search_experiments():
            place = experiment.experiment_id
            found = {
                trace.info.trace_id
                for condition in wanted
                for trace in client.search_traces(
                    locations=[place],
                    filter_string=condition,
                    max_results=_PAGE,
                    include_spans=False,
                )
            }
            if found:
                count += int(client.delete_traces(place, trace_ids=sorted(found)))
    if count and store.database is not None:
        with closing(sqlite3.connect(store.database, timeout=60)) as connection:
            connection.execute("VACUUM")
    return count


def _quoted(value: str) -> str:
    return value.replace("'", "''")
