"""The HTTP side: routes, their OpenAPI, and errors as one sentence of JSON."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Path, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.security import HTTPBearer
from starlette.exceptions import HTTPException

from handoff_eval import __version__
from handoff_eval.conversation import Customer, Turn
from handoff_eval.errors import DeliveryError
from handoff_eval.production.service.batches import Batches
from handoff_eval.production.service.ledger import Ledger
from handoff_eval.production.service.observe import Metrics
from handoff_eval.production.service.schemas import (
    AnswerBody,
    CloseBody,
    ConversationBody,
    ErrorBody,
    Id,
    Number,
    ReviewBody,
    StandingBody,
    StatusBody,
    TurnBody,
)
from handoff_eval.production.service.steps import Answer, Refusal, Step

ConversationId = Annotated[Id, Path()]
TurnNumber = Annotated[Number, Path()]

_LOGGER = logging.getLogger("handoff_eval.service")

_WORDS = {
    400: "The body is no JSON",
    401: "No token, or an unknown one",
    404: "Nothing of that name",
    408: "The body came too slowly",
    409: "Another turn stands there, one is missing, or the conversation is closed",
    413: "Too large",
    422: "A field isn't what it must be",
    503: "Try again: store, model or worker don't answer, or too much waits",
}


def _errors(*statuses: int) -> dict[int | str, dict[str, Any]]:
    return {status: {"model": ErrorBody, "description": _WORDS[status]} for status in statuses}


def build_app(
    *,
    batches: Batches,
    ledger: Ledger,
    metrics: Metrics,
    ready: Callable[[], str | None],
    lifespan: Callable[[FastAPI], AbstractAsyncContextManager[None]],
    log_text: bool = False,
) -> FastAPI:
    """Return the application.

    Parameters
    ----------
    batches : Batches
    ledger : Ledger
    metrics : Metrics
    ready : callable
        Returns what is missing, or None.
    lifespan : callable
        What runs beside the requests, as an asynchronous context manager.
    log_text : bool
        Write what was said into the log.
    """
    app = FastAPI(
        title="handoff_eval",
        version=__version__,
        description="Decides, turn by turn, whether a conversation is handed off by email.",
        docs_url=None,  # its page loads scripts from elsewhere; /openapi.json has everything
        redoc_url=None,
        lifespan=lifespan,
        dependencies=[Depends(HTTPBearer(auto_error=False))],
    )
    shared = _errors(400, 401, 408, 413, 422, 503)

    @app.put(
        "/v1/conversations/{conversation_id}/turns/{number}",
        response_model=AnswerBody,
        responses={**shared, **_errors(409)},
    )
    async def add_turn(
        conversation_id: ConversationId, number: TurnNumber, body: TurnBody
    ) -> Response:
        """Add the turn of this index, and decide. The same turn again gets the same answer."""
        if log_text:
            _LOGGER.info("text", extra={"facts": {"turn": body.model_dump(mode="json")}})
        customer = Customer() if body.customer is None else Customer(**body.customer.model_dump())
        step = Step(
            conversation_id, number, Turn(body.role, body.text, body.at), customer, body.channel
        )
        return await answer(step)

    @app.put(
        "/v1/conversations/{conversation_id}/close",
        response_model=AnswerBody,
        responses={**shared, **_errors(404, 409)},
    )
    async def close(conversation_id: ConversationId, body: CloseBody) -> Response:
        """End a conversation: the last decision. Again, it gets the same answer."""
        return await answer(Step(conversation_id, body.turns, None))

    async def answer(step: Step) -> Response:
        result = await batches.take(step)
        if isinstance(result, Refusal):
            return _refused(result.status, result.words)
        if result.new:
            count(step, result)
        return JSONResponse(result.document)

    def count(step: Step, result: Answer) -> None:
        metrics.steps.labels("close" if step.turn is None else step.turn.role.value).inc()
        for decision in result.document["decisions"]:
            if decision["score"] is not None:
                metrics.scores.labels(decision["handoff"]).observe(decision["score"])
            if decision["fires"]:
                metrics.fires.labels(decision["handoff"]).inc()

    @app.get(
        "/v1/conversations/{conversation_id}",
        response_model=ConversationBody,
        responses=_errors(401, 404, 422, 503),
    )
    def conversation(conversation_id: ConversationId) -> ConversationBody | JSONResponse:
        """Return where a conversation stands: its rows of the decision log."""
        known = ledger.load([conversation_id]).get(conversation_id)
        if known is None:
            return _refused(404, "Expected a conversation that has a turn; it is unknown.")
        rows = [
            StandingBody.model_validate(
                {name: getattr(row, name) for name in StandingBody.model_fields}
            )
            for row in known.settled.values()
        ]
        return ConversationBody(
            conversation_id=known.conversation_id,
            turns=known.turns,
            started_at=datetime.fromtimestamp(known.started_at, UTC),
            closed_at=None
            if known.closed_at is None
            else datetime.fromtimestamp(known.closed_at, UTC),
            decisions=rows,
        )

    @app.put(
        "/v1/conversations/{conversation_id}/review",
        status_code=204,
        responses={**shared, **_errors(404)},
    )
    def review(conversation_id: ConversationId, body: ReviewBody) -> Response:
        """Keep what a person who read it says; `handoff-eval drift` reads it."""
        known = ledger.review(
            conversation_id, body.handoff, needed=body.needed, probability=body.audit_probability
        )
        if not known:
            return _refused(404, "Expected a conversation that this handoff was asked for.")
        return Response(status_code=204)

    @app.get("/health", response_model=StatusBody)
    async def health() -> StatusBody:
        """Return that the process is there."""
        return StatusBody(status="up")

    @app.get("/ready", response_model=StatusBody, responses=_errors(503))
    def readiness() -> StatusBody | JSONResponse:
        """Return whether turns can be taken."""
        missing = ready()
        return StatusBody(status="ready") if missing is None else _refused(503, missing)

    @app.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
    def prometheus() -> Response:
        """Return the metrics in Prometheus' text format."""
        text = metrics.render(ledger, ledger.outbox)
        return Response(text, media_type="text/plain; version=0.0.4; charset=utf-8")

    app.add_exception_handler(RequestValidationError, _not_valid)
    app.add_exception_handler(HTTPException, _no_such)
    app.add_exception_handler(DeliveryError, _unavailable)
    return app


async def _not_valid(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - the handler's own kind
    first = error.errors()[0]
    if first["type"] == "json_invalid":
        return _refused(400, "Expected a body of JSON in UTF-8; it can't be read as that.")
    where = ".".join(str(part) for part in first["loc"])
    # The value is left out: it may be what a customer wrote.
    return _refused(422, f"Expected a usable {where}; {first['msg']}.")


async def _no_such(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)  # noqa: S101 - the handler's own kind
    words = {
        400: "Expected a body of JSON in UTF-8; it can't be read as that.",
        404: "Expected a path of /openapi.json; got another.",
        405: f"Expected a method that /openapi.json lists for this path; got {request.method}.",
    }.get(error.status_code, f"{error.detail}.")
    response = _refused(error.status_code, words)
    response.headers.update(error.headers or {})
    return response


async def _unavailable(_request: Request, _error: Exception) -> JSONResponse:
    return _refused(503, "Expected the store to answer; it didn't. Repeat.")


def _refused(status: int, words: str) -> JSONResponse:
    headers = {"retry-after": "1"} if status == 503 else None
    return JSONResponse({"error": words}, status_code=status, headers=headers)
