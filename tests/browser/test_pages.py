"""The team lead's page and the review in a real browser: narrow, wide, light, dark, by keys."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest
import uvicorn

from handoff_eval.conversation import Reason, Split
from handoff_eval.encoders.minilm import cached_minilm
from handoff_eval.evaluation.audit.estimate import estimate_recall
from handoff_eval.evaluation.audit.plan import make_plan
from handoff_eval.evaluation.decision_log import read_decision_log
from handoff_eval.evaluation.operating_point import OperatingPoint
from handoff_eval.handoff import read_handoffs
from handoff_eval.production.decide import decide
from handoff_eval.production.drift.trends import find_trends
from handoff_eval.production.drift.watch import Promise, watch
from handoff_eval.production.feedback.logged import read_logged
from handoff_eval.production.feedback.reviews import Reviews, with_reviews
from handoff_eval.production.review.access import Access
from handoff_eval.production.review.app import ReviewApp
from handoff_eval.production.review.queue import ReviewQueue, items_to_review
from handoff_eval.production.volume.figures import count_volume
from handoff_eval.production.volume.page import render_volume
from handoff_eval.transcripts.read import read_dataset
from handoff_eval.triggers.keyword import KeywordTrigger, default_rules
from tests.logs import write_log
from tests.services import ROOT

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser

SHAPES = [(width, scheme) for width in (380, 1400) for scheme in ("light", "dark")]
SHIPPED = ROOT / "datasets" / "support_handoff"
SERIOUS = {"serious", "critical"}


@pytest.fixture(params=SHAPES, ids=lambda shape: f"{shape[0]}-{shape[1]}")
def page(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Page]:
    """Return a page of each width in each scheme, which must log no error and ask nobody else."""
    width, scheme = request.param
    context = browser.new_context(
        viewport={"width": width, "height": 900}, color_scheme=scheme, locale="en-GB"
    )
    opened = context.new_page()
    errors: list[str] = []
    outside: list[str] = []
    opened.on("console", lambda m: errors.append(m.text) if m.type == "error" else None)
    opened.on("pageerror", lambda error: errors.append(str(error)))
    opened.on(
        "request",
        lambda asked: (
            None
            if asked.url.startswith(("file://", "http://127.0.0.1:", "data:"))
            else outside.append(asked.url)
        ),
    )
    yield opened
    context.close()

    assert errors == []
    assert outside == []


def shoot(page: Page, name: str) -> None:
    """Keep a picture where one is asked for, to be looked at."""
    if folder := os.environ.get("HANDOFF_EVAL_PICTURES"):
        dark = page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches")
        width = page.viewport_size["width"] if page.viewport_size else 0
        path = f"{folder}/{name}-{width}-{'dark' if dark else 'light'}.png"
        page.screenshot(path=path, full_page=True)


def assert_accessible(page: Page) -> None:
    """Nothing is cut off at the side, and axe has no serious finding."""
    # Axe itself is put into a copy of the page, whose policy would refuse it.
    from axe_playwright_python.sync_playwright import Axe

    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    browser = page.context.browser
    assert browser is not None
    context = browser.new_context(
        bypass_csp=True,
        viewport=page.viewport_size,
        color_scheme=page.evaluate(
            "matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light'"
        ),
        storage_state=page.context.storage_state(),
    )
    copy = context.new_page()
    copy.goto(page.url)
    found = Axe().run(copy)
    context.close()
    grave = [v["id"] for v in found.response["violations"] if v["impact"] in SERIOUS]
    assert grave == [], found.generate_report()


@pytest.fixture(scope="module")
def volume_page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the page of keyword rules on the shipped conversations, their labels as reviews."""
    folder = tmp_path_factory.mktemp("volume")
    dataset = read_dataset(SHIPPED)
    (handoff,) = read_handoffs(SHIPPED / "handoff.toml")
    trigger = KeywordTrigger(default_rules())
    point = OperatingPoint(trigger.name, 0.5, Split.TUNE, None, "For a test.")
    lines = [
        json.dumps(decision.to_dict())
        for decision in decide(trigger, point, dataset.conversations, handoff=handoff.name)
    ]
    (folder / "decisions.jsonl").write_text("\n".join(lines))
    logged = read_logged(str(folder / "decisions.jsonl"), transcripts=SHIPPED)
    log = read_decision_log(folder / "decisions.jsonl")
    plan = make_plan(log.conversations, reviews=250, handoff=handoff.name)
    drawn = [row.conversation_id for row in plan.rows]
    of_record = dataset.labels_of_record()
    labels = [replace(of_record[key], extra={"answered": i % 3 > 0}) for i, key in enumerate(drawn)]
    reviews = Reviews(tuple(labels[: len(labels) - 40]))
    logged = replace(logged, rows=tuple(with_reviews(logged.rows, reviews.labels, plan)))
    zone, now = ZoneInfo("UTC"), datetime(2026, 4, 6, 8, tzinfo=UTC)
    volume = count_volume(
        logged,
        handoff=handoff,
        zone=zone,
        now=now,
        days=28,
        labels=reviews.of_record(),
        answered=reviews.answered(),
        entries=None,
        encoder=cached_minilm(),
    )
    needed = {key: label.handoff for key, label in reviews.of_record().items()}
    seen = watch(
        logged.rows,
        Promise(0.1, 0.8, 0.05, "budget"),
        zone=zone,
        now=now,
        trends=find_trends(logged.rows, logged.conversations, zone=zone),
    )
    html = render_volume(
        volume,
        handoff=handoff,
        zone=zone,
        now=now,
        audit=estimate_recall(plan, needed),
        watch=seen,
    )
    (folder / "volume.html").write_text(html, encoding="utf-8")
    return folder / "volume.html"


@pytest.fixture
def review(tmp_path: Path) -> Iterator[tuple[str, ReviewQueue]]:
    """Serve a review on loopback; give its address and its queue."""
    write_log(tmp_path)
    logged = read_logged(str(tmp_path / "decisions.jsonl"), transcripts=tmp_path)
    queue = ReviewQueue(items_to_review(logged), tmp_path / "reviews")
    access = Access()
    config = uvicorn.Config(
        ReviewApp(queue, access).build(), port=0, log_level="warning", lifespan="off"
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.02)
    port = server.servers[0].sockets[0].getsockname()[1]
    yield f"http://127.0.0.1:{port}/?token={access.token}", queue
    server.should_exit = True
    thread.join()


def test_the_volume_page_reads_well_in_every_shape(page: Page, volume_page: Path) -> None:
    """It fits, has no serious finding of axe, and its folded numbers open by key."""
    page.goto(volume_page.as_uri())
    shoot(page, "volume")
    assert_accessible(page)
    page.locator("summary").focus()
    page.keyboard.press("Enter")

    assert page.get_by_role("columnheader", name="needless", exact=True).is_visible()
    assert page.locator("ol.todo li").count() == 3
    assert page.title().endswith("emails a day, within the 20 you planned")


def test_a_review_goes_by_keys_alone(page: Page, review: tuple[str, ReviewQueue]) -> None:
    """Name, turn, needed, reason, answered, save; then needless with a note; then skip."""
    address, queue = review
    page.goto(address)
    assert_accessible(page)
    page.keyboard.type("Ana")
    page.keyboard.press("Enter")
    page.get_by_text("What was said").wait_for()
    shoot(page, "review")
    assert_accessible(page)
    for key in "jjy1a":
        page.keyboard.press(key)
    page.keyboard.press("Enter")
    page.wait_for_url("**/review/2")
    page.keyboard.press("n")
    page.keyboard.press("w")
    page.keyboard.type("yes, <b>this</b> it knew")
    page.keyboard.press("Control+Enter")
    page.wait_for_url("**/review/3")
    page.keyboard.press("s")
    page.wait_for_url("**/review/4")
    page.goto(address)
    shoot(page, "review-list")
    assert_accessible(page)
    said = queue.labels()

    assert said["c-0-0"]["Ana"].at_turn == 1
    assert said["c-0-0"]["Ana"].reasons == (next(iter(Reason)),)
    assert said["c-0-0"]["Ana"].extra == {"answered": True}
    assert said["c-0-1"]["Ana"].note == "yes, <b>this</b> it knew"
    assert set(said) == {"c-0-0", "c-0-1"}


def test_a_review_works_without_script(browser: Browser, review: tuple[str, ReviewQueue]) -> None:
    """With scripts off, the same marks are made by mouse, and what is missing is said."""
    address, queue = review
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(address)
    page.get_by_label("Your name").fill("Ben")
    page.get_by_role("button", name="Begin").click()
    page.get_by_role("button", name="Save and next").click()
    missing = page.get_by_role("alert").inner_text()
    page.get_by_label("only at the end").check()
    page.get_by_label("yes", exact=True).check()
    page.get_by_label("complaint").check()
    page.get_by_role("button", name="Save and next").click()
    label = queue.labels()["c-0-0"]["Ben"]
    context.close()

    assert missing == "Say whether a person was needed: yes or no."
    assert (label.handoff, label.at_turn, label.reasons) == (True, None, (Reason.COMPLAINT,))
