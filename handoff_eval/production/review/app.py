"""The pages of a review: a name, a list, one conversation after the other.

Every page works without script; the script adds keys. What customers wrote is text in a template
that escapes it, under a policy that lets nothing run or load but what the page itself brings.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs, quote, unquote

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from handoff_eval.conversation import Reason
from handoff_eval.errors import DataError, SettingsError
from handoff_eval.evaluation.pages.template import template
from handoff_eval.production.feedback.reviews import ANSWERED
from handoff_eval.production.review.access import Access
from handoff_eval.production.review.forms import CLOSE, Form, read_mark, read_name
from handoff_eval.production.review.queue import ReviewQueue

MOST_BYTES = 64 * 1024
SESSION, REVIEWER = "handoff_eval_session", "handoff_eval_reviewer"
_MONTH = 30 * 24 * 3600


class ReviewApp:
    """The routes over one queue.

    Parameters
    ----------
    queue : ReviewQueue
    access : Access
    """

    def __init__(self, queue: ReviewQueue, access: Access) -> None:
        self._queue = queue
        self._access = access

    def build(self) -> Starlette:
        """Return the ASGI application."""
        return Starlette(
            routes=[
                Route("/", self._guarded(self._overview), methods=["GET"]),
                Route("/name", self._guarded(self._name), methods=["GET", "POST"]),
                Route("/next", self._guarded(self._next), methods=["GET"]),
                Route("/review/{number:int}", self._guarded(self._review), methods=["GET", "POST"]),
            ]
        )

    def _guarded(self, page: Any) -> Any:
        """Return a route that lets in whoever has the token or its cookie, and forms of ours."""

        async def answer(request: Request) -> Response:
            if not self._access.answers_to(request.headers.get("host", "")):
                return PlainTextResponse("Not the page's own name.", 403)
            if self._access.is_token(request.query_params.get("token", "")):
                opened = RedirectResponse(request.url.path, 303)
                _set_cookie(opened, SESSION, self._access.new_session())
                return opened
            if not self._access.is_session(request.cookies.get(SESSION, "")):
                return PlainTextResponse(
                    "Open the whole address that 'handoff-eval review' shows, with its token.", 403
                )
            form: Form = {}
            if request.method == "POST":
                try:
                    form = await _read_form(request)
                except SettingsError as error:
                    return PlainTextResponse(str(error), 413)
                site = request.headers.get("sec-fetch-site", "same-origin")
                token = form.get("form", [""])[0]
                ours = self._access.is_form(request.cookies[SESSION], token)
                if site != "same-origin" or not ours:
                    return PlainTextResponse("This form was not sent from this page.", 403)
            answered: Response = await page(request, form)
            return answered

        return answer

    async def _overview(self, request: Request, _: Form) -> Response:
        reviewer = _reviewer(request)
        if not reviewer:
            return RedirectResponse("/name", 303)
        said = await run_in_threadpool(self._queue.labels)
        rows = [
            (item.conversation, sorted(said.get(item.conversation.id, {})))
            for item in self._queue.items
        ]
        return self._page(
            request,
            "overview",
            rows=rows,
            done=sum(bool(by) for _, by in rows),
            own=sum(reviewer in by for _, by in rows),
            reviewer=reviewer,
        )

    async def _name(self, request: Request, form: Form) -> Response:
        error = ""
        if request.method == "POST":
            try:
                name = read_name(form)
            except SettingsError as fault:
                error = str(fault)
            else:
                named = RedirectResponse("/next", 303)
                _set_cookie(named, REVIEWER, quote(name), seconds=_MONTH)
                return named
        return self._page(request, "name", error=error, reviewer=_reviewer(request))

    async def _next(self, request: Request, _: Form) -> Response:
        reviewer = _reviewer(request)
        if not reviewer:
            return RedirectResponse("/name", 303)
        after = request.query_params.get("after", "")
        behind = int(after) - 1 if after.isascii() and after.isdigit() and len(after) < 9 else -1
        behind = min(behind, len(self._queue.items) - 1)
        number = await run_in_threadpool(self._queue.next_for, reviewer, after=behind)
        return RedirectResponse("/" if number is None else f"/review/{number + 1}", 303)

    async def _review(self, request: Request, form: Form) -> Response:
        reviewer = _reviewer(request)
        if not reviewer:
            return RedirectResponse("/name", 303)
        number = request.path_params["number"] - 1
        if not 0 <= number < len(self._queue.items):
            return PlainTextResponse("There is no such conversation.", 404)
        item, error = self._queue.items[number], ""
        if request.method == "POST":
            try:
                mark = read_mark(form, item.conversation)
                await run_in_threadpool(self._queue.save, number, mark, reviewer=reviewer)
            except (SettingsError, DataError) as fault:
                error = str(fault)
            else:
                return RedirectResponse(f"/next?after={number + 1}", 303)
        else:
            form = await run_in_threadpool(self._held, number, reviewer)
        return self._page(
            request,
            "review",
            status=422 if error else 200,
            number=number + 1,
            count=len(self._queue.items),
            item=item,
            form={"needed": "", "at_turn": "", "note": "", "answered": ""}
            | {name: values[0] for name, values in form.items() if values},
            chosen=set(form.get("reasons", ())),
            reasons=[(reason.value, reason.value.replace("_", " ")) for reason in Reason],
            close=CLOSE,
            error=error,
            reviewer=reviewer,
        )

    def _held(self, number: int, reviewer: str) -> dict[str, list[str]]:
        """Return the reviewer's earlier mark in the form's own words."""
        label = self._queue.labels().get(self._queue.items[number].conversation.id, {})
        own = label.get(reviewer)
        if own is None:
            return {}
        return {
            "needed": ["yes" if own.handoff else "no"],
            "at_turn": [
                (CLOSE if own.at_turn is None else str(own.at_turn)) if own.handoff else ""
            ],
            "reasons": [reason.value for reason in own.reasons],
            "note": [own.note or ""],
            "answered": ["yes" if own.extra.get(ANSWERED) is True else ""],
        }

    def _page(
        self, request: Request, kind: str, *, status: int = 200, **values: object
    ) -> Response:
        nonce = secrets.token_urlsafe(12)
        html = template("production/review/review.html").render(
            kind=kind,
            nonce=nonce,
            form_token=self._access.form_token(request.cookies[SESSION]),
            **values,
        )
        return HTMLResponse(html, status, headers=_headers(nonce))


def _headers(nonce: str) -> Mapping[str, str]:
    return {
        "Content-Security-Policy": (
            f"default-src 'none'; style-src 'nonce-{nonce}'; script-src 'nonce-{nonce}';"
            " form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
        ),
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "same-origin",
        "Cache-Control": "no-store",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
    }


def _set_cookie(response: Response, name: str, value: str, *, seconds: int | None = None) -> None:
    response.set_cookie(name, value, max_age=seconds, httponly=True, samesite="lax", path="/")


def _reviewer(request: Request) -> str:
    return unquote(request.cookies.get(REVIEWER, ""))


async def _read_form(request: Request) -> dict[str, list[str]]:
    body = b""
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > MOST_BYTES:
                raise SettingsError(f"Expected a form of at most {MOST_BYTES} bytes; got more.")
    except ClientDisconnect:
        return {}
    return parse_qs(body.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=200)
